"""Nodes that nothing answers for, and nodes that are there and let us not in, in the words of collect/dial.py."""

from __future__ import annotations

import pytest

from stackdoctor.diagnose.correlate import correlate
from stackdoctor.diagnose.runner import examine
from stackdoctor.model import Clock, Node, NodeResults, Result, Severity


@pytest.mark.parametrize(
    ("failure", "silent"),
    [
        ("no answer from root@192.0.2.20:22 within 10 s", True),
        ("no route to root@192.0.2.20:22: No route to host", True),
        ("root@192.0.2.20:22 refuses connections: is sshd running there?", False),
        ("cannot resolve the name compute1: Name or service not known", False),
        ("root@192.0.2.20:22 took the connection and said nothing within 10 s", False),
    ],
)
def test_only_a_node_that_nothing_answers_for_may_be_down(knowledge, failure: str, silent: bool) -> None:
    lost = NodeResults(Node("compute1", "192.0.2.20"), failure=failure)
    examination = examine([lost], knowledge.checks)
    found = [(f.severity, f.keys["host"]) for f in examination.findings if f.id == "node.unreachable"]
    assert found == [(Severity.CRITICAL, "compute1")] * silent
    causes = [(d.cause, d.where["node"]) for d in correlate(knowledge.playbooks, examination).diagnoses]
    assert causes == [("node-unreachable", "compute1")] * silent


def test_a_copy_of_its_files_does_not_tell_whether_a_node_answers(knowledge) -> None:
    copied = NodeResults(Node("compute1"), {("x", ""): Result("x", "x")}, Clock(1.0, error=None))
    asked = NodeResults(Node("compute2"), {("x", ""): Result("x", "x")}, Clock(1.0, error=0.1))
    examination = examine([copied, asked], knowledge.checks)
    for id_ in ("node.unreachable", "host.clock.skew"):
        assert "compute1" in examination.missed(id_)
        assert "compute2" not in examination.missed(id_)

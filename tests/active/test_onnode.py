"""The programs that active tests run on nodes: they are for Python 3.6, and bounded."""

from __future__ import annotations

import ast

import pytest

from stackdoctor.active.programs import NotRun, answer_of, program
from stackdoctor.model import Node, NodeResults, Result, Status

NAMES = ("discover", "fetch", "login", "ping", "tracing")


@pytest.mark.parametrize("name", NAMES)
def test_a_program_is_one_that_python_3_6_understands(name: str) -> None:
    ast.parse(program(name), feature_version=(3, 6))
    assert len(program(name)) < 100_000  # one argument of a command has at most 128 KiB (execve(2))


@pytest.mark.parametrize("name", ["discover", "fetch", "login", "ping"])
def test_a_program_has_a_bound_of_its_own(name: str) -> None:
    assert "signal.alarm(" in program(name)


def answered(**result: object) -> NodeResults:
    given = Result("test", "python3", **result)  # type: ignore[arg-type]
    return NodeResults(Node("compute1"), {("test", ""): given})


@pytest.mark.parametrize(
    ("node", "why"),
    [
        (NodeResults(Node("a"), failure="no route"), "no route"),
        (answered(status=Status.MISSING, reason="ip is not on this node"), "ip is not on this node"),
        (answered(exit=1, stderr=b'Cannot open network namespace "x": No such file'), "no such namespace"),
        (answered(exit=1, stderr=b"Traceback\nPermissionError: [Errno 1]"), "PermissionError"),
        (answered(exit=124), "did not end in time"),
        (answered(stdout=b"[[[[not json"), "said nothing"),
        (answered(stdout=b"[" * 100_000), "said nothing"),
    ],
)
def test_without_an_answer_it_is_said_why(node: NodeResults, why: str) -> None:
    with pytest.raises(NotRun, match=why):
        answer_of(node, "test")


def test_the_last_line_is_the_answer() -> None:
    assert answer_of(answered(stdout=b'noise\n{"a": 1}\n'), "test") == {"a": 1}

"""A node that nothing answers for is told from one that refuses us."""

from __future__ import annotations

import socket

import pytest

from stackdoctor.collect.plan import Plan
from stackdoctor.collect.run import Options, collect
from stackdoctor.facts.reach import Reach
from stackdoctor.model import Node, NodeResults, Probe

PLAN = Plan((Probe("x", ("true",)),), seconds=5)


def reach(node: Node, timeout: float = 5.0) -> Reach:
    (results,) = collect([node], PLAN, Options(timeout=timeout, ssh_config="/nonexistent"))
    return Reach.parse(results)


def test_an_address_where_nothing_answers_is_silent() -> None:
    """A listener whose queue is full drops what comes, as a host that is down does."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(address)
        found = reach(Node("n", address[0], address[1], "root"), 1.0)
        for each in waiting:
            each.close()
    assert found.silent, found.failure


def test_a_node_that_refuses_connections_is_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert not reach(Node("n", "127.0.0.1", unused.getsockname()[1], "root")).silent


def test_a_name_that_does_not_resolve_says_nothing_of_the_node() -> None:
    found = reach(Node("n", "no-such-host.invalid", 22, "root"))
    assert found.failure
    assert not found.silent


@pytest.mark.parametrize("failure", ["jump host b: no answer from b port 22 within 5 s", "host key of n is not known"])
def test_other_failures_are_not_silence(failure: str) -> None:
    assert not Reach.parse(NodeResults(Node("n"), failure=failure)).silent

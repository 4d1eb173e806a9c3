"""One node's answers for the facts: recorded ones by name, or written down in the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stackdoctor.model import Clock, Node, NodeResults, Probe, Result, Status

NETWORK = Path(__file__).parent / "samples" / "network"


@pytest.fixture
def recorded_node(recording: Callable[..., dict[str, NodeResults]]) -> Callable[[str], NodeResults]:
    """``recorded_node("healthy.controller")``: what was answered there, with the node's clock at that time."""
    return lambda name: next(iter(recording(NETWORK / f"{name}.json").values()))


@pytest.fixture
def network_sample() -> Callable[[str], str]:
    """``network_sample("brctl-show")``: one command's text."""
    return lambda name: (NETWORK / f"{name}.txt").read_text()


@pytest.fixture
def answered_node() -> Callable[..., NodeResults]:
    """``answered_node(answer(PROBE, "text"), ...)``, with answers as ``answer`` below makes them."""

    def build(*results: Result, now: float = 1795366000.0) -> NodeResults:
        return NodeResults(Node("node1"), {(r.probe, r.subject): r for r in results}, Clock(now))

    return build


@pytest.fixture
def answer() -> Callable[..., Result]:
    """``answer(PROBE, "text", subject="...", exit=1, error="...", status=Status.DENIED)``."""

    def build(
        probe: Probe, text: str = "", subject: str = "", exit: int = 0, error: str = "", status: Status = Status.RAN
    ) -> Result:
        command = " ".join(probe.argv).replace("{each}", subject) or subject or probe.files[0]
        return Result(probe.id, command, subject, status, exit, text.encode(), error.encode())

    return build

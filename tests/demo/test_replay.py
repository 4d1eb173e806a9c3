"""What a replay makes of the bytes that it is sent."""

from __future__ import annotations

import io

import pytest

from stackdoctor.collect.frames import FrameReader
from stackdoctor.collect.plan import Plan
from stackdoctor.demo.replay import read_opening, replay
from stackdoctor.model import Node, NodeResults, Probe


def test_the_opening_is_taken_apart() -> None:
    wire = Plan((Probe("df", ("df",)),)).wire()
    source, plan = read_opening(io.BytesIO(b"4\npass%d\n" % len(wire) + wire))
    assert source == b"pass"
    assert plan["probes"][0]["id"] == "df"


@pytest.mark.parametrize("data", [b"", b"x\n", b"-1\n", b"4\npa", b"4\npass2\n[]", b"0\n99999999999\n", b"0\n2\n{}"])
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_opening(io.BytesIO(data))


def test_a_node_that_was_recorded_without_a_clock_or_a_host_name_is_called_as_the_inventory_did() -> None:
    frames = b"".join(replay(NodeResults(Node("controller")), {"probes": []}, 1000.0))
    hello, done = FrameReader().feed(frames)
    assert (hello.header["hostname"], hello.header["now"], hello.header["utc_offset"]) == ("controller", 1000.0, 0)
    assert done.header["kind"] == "done"

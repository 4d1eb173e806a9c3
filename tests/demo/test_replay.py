"""What a replay makes of the bytes that it is sent."""

from __future__ import annotations

import io
import zlib

import pytest

from stackdoctor.collect.agent import source as program_source
from stackdoctor.collect.agent import wanted
from stackdoctor.collect.agent.wire import packed, piece
from stackdoctor.collect.frames import FrameReader, opening
from stackdoctor.collect.plan import Plan
from stackdoctor.demo.replay import read_opening, replay
from stackdoctor.model import Node, NodeResults, Probe

EMPTY = piece(zlib.compress(b""))


def test_the_opening_is_taken_apart() -> None:
    source, plan = read_opening(io.BytesIO(opening(Plan((Probe("df", ("df",)),)))))
    assert source == program_source(wanted(logs=False, apis=False))
    assert plan["probes"][0]["id"] == "df"


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"x\n", b"-1\n", b"4\npa", b"99999999999\n", b"4\npass0\n" + packed({"probes": []})),
        *(EMPTY + b"0\n" + rest for rest in (b"", b"2\n{}", packed([]), packed({}), packed("x" * 17_000_000))),
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_opening(io.BytesIO(data))


def test_a_node_that_was_recorded_without_a_clock_or_a_host_name_is_called_as_the_inventory_did() -> None:
    frames = b"".join(replay(NodeResults(Node("controller")), {"probes": []}, 1000.0))
    hello, done = FrameReader().feed(frames)
    assert (hello.header["hostname"], hello.header["now"], hello.header["utc_offset"]) == ("controller", 1000.0, 0)
    assert done.header["kind"] == "done"

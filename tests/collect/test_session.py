"""What is made of an agent's words, also of those that no honest agent says."""

from __future__ import annotations

import math

import pytest

from stackdoctor.collect.frames import NoPython, encode
from stackdoctor.collect.plan import LogScan, Plan
from stackdoctor.collect.session import Ending, NodeLost, converse, legible
from stackdoctor.model import Node, NodeResults, Probe, Status

NODE = Node("n", "192.0.2.1")
DF = Probe("df", ("df", "-P", "a b"))
PLAN = Plan((DF, Probe("hosts", files=("/etc/hosts",))), seconds=30.0)
HELLO = {"kind": "hello", "version": 1, "hostname": "node", "now": 1000.0, "utc_offset": 3600, "zone": "CET"}
RESULT = {
    "kind": "result",
    "probe": "df",
    "subject": "",
    "command": "df",
    "status": "ran",
    "exit": 0,
    "started": 1.0,
    "seconds": 0.1,
    "reason": "",
}
DONE = {"kind": "done", "left_out": []}


class Script:
    """A channel on which everything was said in advance, byte by byte."""

    def __init__(self, data: bytes, words: str = "") -> None:
        self._data, self._words = data, words

    def write(self, data: bytes, deadline: float) -> None:
        pass

    def read(self, deadline: float) -> bytes:
        byte, self._data = self._data[:1], self._data[1:]
        return byte

    def last_words(self) -> str:
        return self._words


def said(*frames: dict[str, object], plan: Plan = PLAN, words: str = "") -> NodeResults:
    return converse(NODE, plan, Script(b"".join(map(encode, frames)), words), Ending(), 5.0)


def test_a_probe_that_the_agent_had_no_time_for_says_so() -> None:
    found = said(HELLO, RESULT, {**DONE, "left_out": ["hosts"]})
    assert found.failure == ""
    hosts = found.results["hosts", ""]
    assert (hosts.status, hosts.command) == (Status.NOT_RUN, "/etc/hosts")
    assert hosts.reason == "the node's time of 30 s was used up"


def test_the_log_scan_counts_as_a_probe() -> None:
    found = said(HELLO, DONE, plan=Plan((DF,), LogScan(60.0, (), ())))
    assert set(found.results) == {("df", ""), ("logs.hits", "")}
    assert found.results["df", ""].command == "df -P 'a b'"


def test_zone_and_offset_are_the_node_s() -> None:
    clock = said(HELLO, DONE).clock
    assert clock is not None
    assert (clock.now, clock.utc_offset, clock.zone) == (1000.0, 3600, "CET")


def test_the_first_answer_about_a_subject_counts() -> None:
    found = converse(NODE, PLAN, Script(encode(HELLO) + encode(RESULT, b"1") + encode(RESULT, b"2")), Ending(), 5.0)
    assert found.one(DF).stdout == b"1"


@pytest.mark.parametrize(
    ("frames", "problem"),
    [
        ([RESULT], "'result' out of turn"),
        ([HELLO, HELLO], "'hello' out of turn"),
        ([{**HELLO, "version": 2}], "speaks version 2"),
        ([{**HELLO, "now": math.nan}], "what time it is"),
        ([{**HELLO, "now": "noon"}], "what time it is"),
        ([{**HELLO, "utc_offset": None}], "what time it is"),
        ([HELLO, {**RESULT, "probe": "rm"}], "answers 'rm', which was not asked"),
        ([HELLO, {**RESULT, "status": "fine"}], "lacks something"),
        ([HELLO, {"kind": "\x1b[31m"}], "means nothing"),
        ([HELLO, {}], "means nothing"),
        ([HELLO], "ended too early: Killed"),
        ([], "ended too early: Killed"),
    ],
)
def test_what_no_agent_says_ends_the_conversation(frames: list[dict[str, object]], problem: str) -> None:
    found = said(*frames, words="Killed")
    assert problem in found.failure
    assert found.failure.isprintable()
    assert set(found.results) == ({("df", ""), ("hosts", "")} if frames and frames[0] == HELLO else set())


def test_results_without_end_are_cut_off() -> None:
    flood = b"".join(encode({**RESULT, "subject": str(n)}) for n in range(20_002))

    class Fast(Script):
        def read(self, deadline: float) -> bytes:
            data, self._data = self._data, b""
            return data

    found = converse(NODE, PLAN, Fast(encode(HELLO) + flood), Ending(), 5.0)
    assert "answers without end" in found.failure


def test_a_node_without_python_is_told_apart() -> None:
    with pytest.raises(NoPython):
        converse(NODE, PLAN, Script(b"Welcome\nSD1 nopython\n"), Ending(), 5.0)


def test_an_ending_closes_what_comes_late_at_once() -> None:
    closed: list[int] = []
    ending = Ending()
    ending.add(lambda: closed.append(1))
    ending.add(lambda: closed.append(2))
    ending.end("first")
    ending.end("second")
    ending.add(lambda: closed.append(3))
    assert (closed, ending.reason) == ([2, 1, 3], "first")


def test_what_an_ended_body_raises_becomes_the_reason() -> None:
    ending = Ending()
    ending.end("enough")
    with pytest.raises(NodeLost, match=r"^enough$"), ending.within(60.0, "too late"):
        raise OSError("socket closed")


def test_hostile_text_becomes_one_legible_line() -> None:
    assert legible(b"\x1b[2J a\r\n\tb \xff\x00\xe2\x80\xae") == "[2J a b \ufffd"
    assert legible("x" * 1000, 10) == "x" * 9 + "…"

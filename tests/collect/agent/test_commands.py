"""A command ends when it should, with everything that it started."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stackdoctor.collect.agent.commands import shlex_join
from stackdoctor.collect.plan import Plan
from stackdoctor.model import Probe, Status

Ask = Callable[..., Any]


def shell(id_: str, script: str, timeout: float = 10.0, cap: int = 1 << 20) -> Probe:
    return Probe(id_, ("sh", "-c", script), timeout=timeout, cap=cap)


def still_there(pid: int) -> bool:
    """Whether a process lives on; it has some seconds to end in, and a zombie has ended."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return False
        except OSError:
            return False
    return True


def test_a_time_out_ends_the_grandchildren_too(ask: Ask, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"sh -c 'sleep 60 & echo $! >> {pids}; echo $$ >> {pids}; wait' & echo $$ >> {pids}; echo begun; wait"
    talk = ask(shell("slow", script, timeout=1.0))
    result = talk.one("slow")
    assert (result.status, result.stdout, result.reason) == (Status.TIMED_OUT, b"begun\n", "ended after 1 s")
    assert result.exit == 128 + 15
    started = [int(pid) for pid in pids.read_text().split()]
    assert len(started) == 3
    assert not any(map(still_there, started))


def test_what_ignores_the_request_to_end_is_killed(ask: Ask) -> None:
    began = time.monotonic()
    result = ask(shell("stubborn", "trap '' TERM; echo x; while :; do sleep 60; done", timeout=1.0)).one("stubborn")
    assert (result.status, result.exit, result.stdout) == (Status.TIMED_OUT, 128 + 9, b"x\n")
    assert time.monotonic() - began < 10


def test_a_grandchild_that_ignores_the_request_and_holds_no_pipe_is_killed_after_its_parent(
    ask, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    script = f"(trap '' TERM; sleep 60) >/dev/null 2>&1 & echo $! > {pid}; exec sleep 60"
    assert ask(shell("slow", script, timeout=1.0)).one("slow").exit == 128 + 15
    assert not still_there(int(pid.read_text()))


def test_a_child_that_keeps_the_pipe_open_does_not_hold_up_the_answer(ask: Ask, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    began = time.monotonic()
    result = ask(shell("forks", f"sleep 60 & echo $! > {pid}; echo done")).one("forks")
    assert (result.status, result.exit, result.stdout) == (Status.RAN, 0, b"done\n")
    assert time.monotonic() - began < 8
    assert not still_there(int(pid.read_text()))


def test_a_flood_is_cut_and_its_source_is_ended(ask: Ask) -> None:
    result = ask(Probe("flood", ("yes",), cap=100_000)).one("flood")
    assert (result.status, result.reason) == (Status.TRUNCATED, "output cut after 100000 bytes")
    assert result.stdout == b"y\n" * 50_000


def test_the_exit_status_of_a_signal_is_the_shells(ask: Ask) -> None:
    talk = ask(shell("term", "kill -TERM $$"), shell("three", "echo no >&2; exit 3"))
    assert (talk.one("term").status, talk.one("term").exit) == (Status.RAN, 143)
    assert (talk.one("three").exit, talk.one("three").stderr) == (3, b"no\n")


def test_commands_read_nothing_and_run_without_a_shell(ask: Ask) -> None:
    talk = ask(Probe("cat", ("cat",)), Probe("echo", ("printf", "%s|", "$HOME", "a b", "`id`", "é")))
    assert (talk.one("cat").exit, talk.one("cat").stdout) == (0, b"")
    assert talk.one("echo").stdout.decode() == "$HOME|a b|`id`|é|"
    assert talk.one("echo").command == "printf '%s|' '$HOME' 'a b' '`id`' 'é'"


@pytest.mark.parametrize("way", ["closed", "terminated"])
def test_all_that_runs_ends_when_nobody_listens_any_more(start: Ask, tmp_path: Path, way: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    script = f"trap '' TERM HUP; sleep 60 & echo $! > {pipe}; echo $$ > {pipe}; wait"
    talk = start(Plan((shell("hangs", script, timeout=60.0), Probe("never", ("true",))), seconds=60.0, parallel=1))
    pids: list[int] = []
    while len(pids) < 2:
        pids += [int(word) for word in pipe.read_text().split()]
    if way == "closed":
        assert talk.hang_up() == 1
    else:
        talk.process.terminate()
        assert talk.process.wait(10) == 1
    assert not any(map(still_there, pids))
    while talk.read():
        pass
    assert talk.results == []


def test_what_had_no_turn_within_the_nodes_time_is_left_out(ask: Ask) -> None:
    probes = (shell("slow", "echo a; sleep 60", timeout=50.0), Probe("later", ("true",)), Probe("last", ("true",)))
    talk = ask(Plan(probes, seconds=1.5, parallel=1))
    assert (talk.one("slow").status, talk.one("slow").stdout) == (Status.TIMED_OUT, b"a\n")
    assert talk.one("slow").reason == "the node's time was used up"
    assert talk.done["left_out"] == ["later", "last"]
    assert len(talk.results) == 1


def test_no_more_run_side_by_side_than_the_plan_says(ask: Ask, tmp_path: Path) -> None:
    script = f"mkdir {tmp_path}/one && sleep 0.05 && rmdir {tmp_path}/one"
    talk = ask(Plan(tuple(shell(f"p{n}", script) for n in range(4)), seconds=20.0, parallel=1))
    assert [result.exit for result in talk.results] == [0] * 4
    assert talk.done["commands"] == 4


def test_a_time_out_reaches_a_process_in_a_session_of_its_own(ask, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    found = ask(shell("x", f"setsid sh -c 'echo $$ > {pid}; exec sleep 60'; true", timeout=1.0)).one("x")
    assert found.status is Status.TIMED_OUT
    assert not still_there(int(pid.read_text()))


@given(st.lists(st.text("aZ9_@%+=:,./-é'\" $\n")))
@example(["", "it's"])
def test_a_command_is_written_as_shlex_writes_it(argv: list[str]) -> None:
    assert shlex_join(argv) == shlex.join(argv)

"""This machine as a node: the real agent as a child process."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from stackdoctor.collect.local import start_local
from stackdoctor.collect.plan import Plan
from stackdoctor.collect.run import Event, NodeDone, NodeStarted, Options, ProbeDone, collect
from stackdoctor.collect.session import Ending, converse
from stackdoctor.model import Node, Probe, Status

HERE = Node("here")
ECHO = Probe("echo", ("printf", "a b\\n%s", "$HOME"))
OPTIONS = Options(timeout=20.0)


def test_this_machine_answers_like_any_node(tmp_path: Path) -> None:
    (tmp_path / "nova.conf").write_text("[DEFAULT]\n")
    file = Probe("file", files=(f"{tmp_path}/*.conf",))
    absent = Probe("absent", ("no-such-program-anywhere",))
    events: list[Event] = []
    [found] = collect([HERE], Plan((ECHO, file, absent), seconds=20.0), OPTIONS, events.append)
    assert found.failure == ""
    assert found.one(ECHO).stdout == b"a b\n$HOME"
    assert found.one(file, f"{tmp_path}/nova.conf").text == "[DEFAULT]\n"
    assert found.every(absent)[0].status is Status.MISSING
    assert found.hostname == socket.gethostname()
    assert events[0] == NodeStarted(HERE)
    assert [(e.done, e.total) for e in events if isinstance(e, ProbeDone)] == [(1, 3), (2, 3), (3, 3)]
    assert isinstance(events[-1], NodeDone)


def test_our_own_clock_is_measured_as_right() -> None:
    [found] = collect([HERE], Plan((), seconds=20.0), OPTIONS)
    assert found.clock is not None
    assert abs(found.clock.offset) <= found.clock.error
    assert found.clock.utc_offset == time.localtime().tm_gmtoff


def test_an_ending_ends_the_agent_and_what_it_runs(tmp_path: Path) -> None:
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    started = Probe("started", ("cat", pipe))
    hang = Probe("hang", ("sh", "-c", f"echo $$ > {pipe}; exec tail -f /dev/null"), timeout=60.0)
    ending = Ending()
    channel = start_local(ending)
    plan = Plan((started, hang), seconds=60.0)
    found = converse(HERE, plan, channel, ending, 20.0, lambda probe, done, total: ending.end("enough"))
    assert found.failure == "enough (after 1 of 2 probes)"
    assert (found.results["hang", ""].status, found.results["hang", ""].reason) == (Status.NOT_RUN, found.failure)
    with pytest.raises(ProcessLookupError):
        os.kill(int(found.one(started).stdout), 0)


def test_an_agent_that_takes_too_long_is_given_up_with_what_it_said() -> None:
    hang = Probe("hang", ("tail", "-f", "/dev/null"), timeout=60.0)
    ending = Ending()
    found = converse(HERE, Plan((ECHO, hang), seconds=0.5), start_local(ending), ending, 20.0)
    ending.end()
    assert found.one(ECHO).stdout == b"a b\n$HOME"
    assert found.results["hang", ""].status in (Status.NOT_RUN, Status.TIMED_OUT)


def test_an_interpreter_that_does_not_start_is_a_failure_of_this_node_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nonexistent/python")
    [found] = collect([HERE], Plan((ECHO,)), OPTIONS)
    assert found.failure == "cannot start /nonexistent/python: No such file or directory"


def test_what_an_interpreter_says_when_it_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho Fatal Python error >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(broken))
    [found] = collect([HERE], Plan((ECHO,)), OPTIONS)
    assert found.failure == "the agent ended too early: Fatal Python error; exit status 3"

"""A program is started alike by every Python, with nothing of the agent's own but what it is meant to have."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from stackdoctor.collect.agent.process import Process, surroundings


def refuses(*words: object, **options: object) -> int:
    raise NotImplementedError("the setsid parameter is not supported")


@pytest.fixture(params=["posix_spawn", "Python 3.7", "an old C library"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    surroundings.cache_clear()
    if request.param == "Python 3.7":
        monkeypatch.delattr(os, "posix_spawnp")
    elif request.param == "an old C library":
        monkeypatch.setattr(os, "posix_spawnp", refuses)
    yield
    surroundings.cache_clear()


def said(process: Process) -> tuple[bytes, bytes, int | None]:
    """All that it prints, and how it ended."""
    with os.fdopen(process.stdout, "rb") as out, os.fdopen(process.stderr, "rb") as err:
        words = out.read(), err.read()
    while process.poll() is None:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    return (*words, process.poll())


def shell(script: str, **how: object) -> Process:
    return Process(["sh", "-c", script], **how)  # type: ignore[arg-type]


def test_its_output_its_errors_and_its_status_are_told_apart() -> None:
    assert said(shell("echo out; echo err >&2; exit 7")) == (b"out\n", b"err\n", 7)


def test_an_end_by_a_signal_is_a_negative_status() -> None:
    assert said(shell("kill -TERM $$"))[2] == -signal.SIGTERM


def test_it_reads_nothing_unless_something_is_given() -> None:
    assert said(shell("cat"))[0] == b""
    read, write = os.pipe()
    os.write(write, b"given")
    os.close(write)
    assert said(shell("cat", stdin=read))[0] == b"given"
    os.close(read)


def test_it_has_its_own_session_and_gets_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEN", "to it")
    process = shell("echo $GIVEN; ps -o sid= -p $$")
    out, _, _ = said(process)
    assert out.split() == [b"to", b"it", b"%d" % process.pid]


def test_a_signal_that_we_ignore_is_none_that_it_ignores() -> None:
    before = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        assert said(shell("kill -PIPE $$; echo went on"))[::2] == (b"", -signal.SIGPIPE)
    finally:
        signal.signal(signal.SIGPIPE, before)


def test_it_has_those_of_our_descriptors_that_are_passed_and_no_others() -> None:
    with open(__file__, "rb") as ours, open(__file__, "rb") as passed:
        fd = passed.fileno()
        out, _, _ = said(Process(["ls", "/proc/self/fd"], pass_fds=(fd,)))
        assert {str(fd), "0", "1", "2"} <= set(out.decode().split())
        assert str(ours.fileno()) not in out.decode().split()


@pytest.mark.parametrize(("argv", "error"), [("no-such-program", FileNotFoundError), ("/etc", PermissionError)])
def test_what_cannot_be_started_is_an_error_and_leaves_no_descriptor(argv: str, error: type[OSError]) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(error):
        Process([argv])
    assert os.listdir("/proc/self/fd") == before

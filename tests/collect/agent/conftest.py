"""The real agent, started as on a node: the bootstrap in a shell, everything else on its standard input."""

from __future__ import annotations

import json
import os
import pwd
import select
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from stackdoctor.collect.frames import Frame, FrameReader, bootstrap, opening, to_result
from stackdoctor.collect.plan import LogPattern, LogScan, LogSource, Plan
from stackdoctor.model import Probe, Result

PATIENCE = 30.0


@dataclass
class Talk:
    """One conversation with an agent: the process, and what it has said so far."""

    process: subprocess.Popen[bytes]
    reader: FrameReader = field(default_factory=FrameReader)
    frames: list[Frame] = field(default_factory=list)

    def read(self) -> bool:
        """Wait for more; False at the end."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
            raise TimeoutError("the agent says nothing")
        data = os.read(self.process.stdout.fileno(), 1 << 16)
        self.frames += self.reader.feed(data)
        return bool(data)

    def until(self, enough: Callable[[], bool]) -> None:
        while not enough():
            if not self.read():
                raise AssertionError(f"the agent ended: {self.frames}")

    def hang_up(self) -> int:
        """Close its standard input; its exit status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(PATIENCE)

    @property
    def results(self) -> list[Result]:
        return [to_result(frame) for frame in self.frames if frame.header["kind"] == "result"]

    def answers(self, probe: str) -> dict[str, Result]:
        return {result.subject: result for result in self.results if result.probe == probe}

    def one(self, probe: str, subject: str = "") -> Result:
        return self.answers(probe)[subject]

    @property
    def done(self) -> Mapping[str, Any]:
        [header] = [frame.header for frame in self.frames if frame.header["kind"] == "done"]
        return header


@pytest.fixture
def start() -> Iterator[Callable[..., Talk]]:
    """Start an agent on a plan; it goes on until its standard input is closed."""
    talks: list[Talk] = []

    def begin(plan: Plan, *, wrap: Sequence[str] = (), shell: str = "sh", path: str | None = None) -> Talk:
        environment = dict(os.environ, **({} if path is None else {"PATH": path}))
        process = subprocess.Popen(
            [*wrap, shell, "-c", bootstrap()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,
            cwd="/",
        )
        talks.append(Talk(process))
        assert process.stdin is not None
        process.stdin.write(opening(plan))
        process.stdin.flush()
        return talks[-1]

    yield begin
    for talk in talks:
        for stream in (talk.process.stdin, talk.process.stdout):
            assert stream is not None
            stream.close()
        talk.process.wait(PATIENCE)


@pytest.fixture
def ask(start: Callable[..., Talk]) -> Callable[..., Talk]:
    """All that the agent says to some probes (or a whole plan), to its end."""

    def whole(*asked: Probe | Plan, **how: Any) -> Talk:
        plan = (
            asked[0]
            if isinstance(asked[0], Plan)
            else Plan(tuple(p for p in asked if isinstance(p, Probe)), seconds=20)
        )
        talk = start(plan, **how)
        talk.until(lambda: bool(talk.frames) and talk.frames[-1].header["kind"] == "done")
        assert talk.hang_up() == 0
        return talk

    return whole


@pytest.fixture
def scan(ask: Callable[..., Talk]) -> Callable[..., dict[str, Any]]:
    """What a log scan of some files for some patterns finds."""

    def found(
        patterns: Sequence[LogPattern],
        *files: str,
        service: str = "nova-compute",
        window: float = 3600.0,
        samples: int = 3,
        keys_limit: int = 50,
        **how: Any,
    ) -> dict[str, Any]:
        source = LogSource(service, "auto", files)
        logs = LogScan(window, (source,), tuple(patterns), samples, keys_limit)
        result = ask(Plan((), logs, seconds=30), **how).one("logs.hits")
        assert result.status.value == "ran", result
        value: dict[str, Any] = json.loads(result.stdout)
        return value

    return found


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user may look into, which pytest's own is not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def program(public: Path) -> Callable[[str, str], str]:
    """Write a program of some name; the search path that finds it first."""
    folder = public / "bin"
    folder.mkdir()

    def write(name: str, script: str) -> str:
        (folder / name).write_text(f"#!/bin/sh\n{script}")
        (folder / name).chmod(0o755)
        return f"{folder}:{os.environ['PATH']}"

    return write


@pytest.fixture
def nobody() -> list[str]:
    """The words that run a command as somebody who is not root."""
    if os.getuid():
        return []
    if not shutil.which("setpriv"):
        pytest.skip("no setpriv")
    user = pwd.getpwnam("nobody")
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]

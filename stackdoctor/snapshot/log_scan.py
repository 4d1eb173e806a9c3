"""The agent's own log scan over copied files: the same program, here, by their clock and in their zone."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from stackdoctor.collect.agent import ARCHIVED, program, source
from stackdoctor.collect.agent.wire import BOOT, packed
from stackdoctor.collect.plan import LogScan, Plan
from stackdoctor.errors import UsageError

__all__ = ["AT_MOST", "CopiedLog", "newest_stamp", "room_for_files", "scan_copies"]

AT_MOST = 3000
"""Logs of one tree: each is held open."""
TOGETHER = 400
SECONDS = 1800.0


@dataclass(frozen=True)
class CopiedLog:
    """A log and where its copy lies: ``path`` is what its node calls it, ``newest`` when it was last written."""

    path: str
    service: str
    format: str
    place: str
    newest: float


def room_for_files() -> None:
    """Let this process hold that many files open."""
    least = AT_MOST + 500
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < least:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(
                resource.RLIMIT_NOFILE, (least if hard == resource.RLIM_INFINITY else min(least, hard), hard)
            )


def newest_stamp(logs: Sequence[CopiedLog], files: Mapping[str, BinaryIO], utc_offset: int) -> float | None:
    """When the newest line of all of ``logs`` was written, seconds since the epoch; None where none has a time."""
    found = [part["newest"] for part in _runs({"newest": True}, logs, files, utc_offset, None)]
    return max((newest for newest in found if newest is not None), default=None)


def scan_copies(
    scan: LogScan, logs: Sequence[CopiedLog], files: Mapping[str, BinaryIO], until: float, utc_offset: int
) -> bytes:
    """What the logs say of the window before ``until``, as a node's agent would say it (docs/snapshot.md).

    ``utc_offset`` is of the node, seconds east of UTC: most stamps have no zone.
    """
    wire: dict[str, Any] = Plan((), scan).wire["logs"]
    plan = {**wire, "sources": [], "until": until}
    said: dict[str, Any] = {"since": until - scan.window, "until": until, "grep": "gnu", "files": [], "hits": []}
    for part in _runs(plan, logs, files, utc_offset, until):
        said["grep"] = part["grep"]
        said["files"] += part["files"]
        said["hits"] += part["hits"]
    return json.dumps(said).encode()


def _runs(
    plan: dict[str, Any],
    logs: Sequence[CopiedLog],
    files: Mapping[str, BinaryIO],
    utc_offset: int,
    until: float | None,
) -> list[dict[str, Any]]:
    said = []
    for begin in range(0, len(logs), TOGETHER):
        given = [log for log in logs[begin : begin + TOGETHER] if log.place in files]
        described = [
            {
                "path": log.path,
                "service": log.service,
                "format": log.format,
                "fd": files[log.place].fileno(),
                "newest": log.newest if until is None else until,
            }
            for log in given
        ]
        parts = {**plan, "files": described, "parallel": os.cpu_count() or 1, "seconds": SECONDS}
        said.append(_run(parts, tuple(files[log.place].fileno() for log in given), utc_offset))
    return said


def _run(plan: dict[str, Any], fds: tuple[int, ...], utc_offset: int) -> dict[str, Any]:
    minutes = abs(utc_offset) // 60
    # POSIX turns the sign round: UTC-2:00 is east of it
    zone = f"UTC{'-' if utc_offset >= 0 else '+'}{minutes // 60}:{minutes % 60:02d}"
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", BOOT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=fds,
        env={**os.environ, "TZ": zone},
        start_new_session=True,  # Ctrl-C is ours to pass on: it ends when its standard input does
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(program(source(ARCHIVED)) + packed(plan))
            process.stdin.flush()
        said = process.stdout.read()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    if process.returncode or not said:
        raise UsageError(f"the logs could not be scanned (exit status {process.returncode}): what is said above is why")
    found: dict[str, Any] = json.loads(said)
    return found

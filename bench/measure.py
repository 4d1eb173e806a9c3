"""Time what processes take, each side in turn, so that whatever else the machine does falls on both."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["RUNS", "Series", "Taken", "environment", "interleaved", "run", "series"]

RUNS = int(os.environ.get("RUNS", "5"))
"""Runs of each side; fewer only to see whether a measurement works."""
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Taken:
    """One run: seconds of wall time, seconds of processor time of the process and all it waited for, its peak."""

    wall: float
    cpu: float
    peak_mib: float
    out: bytes
    status: int


@dataclass(frozen=True)
class Series:
    """The median of some runs, and how far they lie apart."""

    median: float
    least: float
    most: float
    runs: int


def environment(**added: str) -> dict[str, str]:
    """The surroundings of a measured process: bytecode is kept, as it is where something is installed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, "LC_ALL": "C.UTF-8", **added}


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    held: bool = False,
    heard: bool = True,
    allowed: Container[int] = (0,),
) -> Taken:
    """Run ``argv`` to its end, its standard input ``held`` open or not; raises RuntimeError where it fails.

    What is not ``heard`` is not kept: the most memory that this process ever had counts for those that it starts.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=out, stderr=err, env=env or environment())
        assert process.stdin is not None
        with process.stdin as given:
            given.write(stdin)
            if not held:
                given.close()
            _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode not in allowed:
            said = err.read().decode("utf-8", "replace")[-2000:]
            raise RuntimeError(f"{' '.join(argv)[:200]}: exit {process.returncode}: {said}")
        printed = out.read() if heard else b""
        return Taken(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, printed, process.returncode)


def interleaved(
    sides: Mapping[str, Callable[[], Taken]], runs: int = RUNS, warm: bool = True
) -> dict[str, tuple[Taken, ...]]:
    """Each side ``runs`` times, in turn, the one that begins changing; once before that, uncounted, when ``warm``."""
    taken: dict[str, list[Taken]] = {name: [] for name in sides}
    names = list(sides)
    if warm:
        for side in sides.values():
            side()
    for number in range(runs):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            taken[name].append(sides[name]())
    return {name: tuple(each) for name, each in taken.items()}


def series(values: Sequence[float]) -> Series:
    """The figures of some runs in short."""
    return Series(statistics.median(values), min(values), max(values), len(values))

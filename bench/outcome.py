"""What was measured, kept as JSON in bench/results and printed; `python bench/table.py` makes the page of it."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from measure import Series

__all__ = ["RESULTS", "Outcome", "Reach", "figure", "keep"]

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Reach:
    """What is aimed at: ``of`` (ratio, seconds, MiB ...) at most, or at least, ``bound``."""

    bound: float
    unit: str = "x"
    at_least: bool = False

    def held(self, value: float) -> bool:
        """Whether ``value`` is within it."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.bound:g} {self.unit}"


@dataclass(frozen=True)
class Outcome:
    """One figure: ``ours`` beside ``theirs`` (both in ``unit``), or by itself; ``skipped`` says why there is none.

    ``value`` is what ``reach`` speaks of: the ratio of the two, or what stands for itself.
    """

    what: str
    peer: str
    reach: Reach
    unit: str = "s"
    ours: Series | None = None
    theirs: Series | None = None
    value: float | None = None
    skipped: str = ""

    @property
    def held(self) -> bool | None:
        """Whether it is within reach; None where it was not measured."""
        return None if self.value is None else self.reach.held(self.value)


def figure(
    what: str, peer: str, reach: Reach, ours: Series, theirs: Series | None = None, *, unit: str = "s"
) -> Outcome:
    """An outcome whose value is the ratio of the medians: ours to theirs, or for ``at_least`` theirs to ours."""
    if theirs is None:
        return Outcome(what, peer, reach, unit, ours, None, ours.median)
    ratio = theirs.median / ours.median if reach.at_least else ours.median / theirs.median
    return Outcome(what, peer, reach, unit, ours, theirs, ratio)


def keep(row: str, outcomes: Iterable[Outcome], versions: Iterable[str] = ()) -> None:
    """Print ``outcomes`` and keep them as ``bench/results/ROW.json``; ``versions`` are commands that print theirs."""
    outcomes = list(outcomes)
    for outcome in outcomes:
        print(f"{row}: {_line(outcome)}", flush=True)
    RESULTS.mkdir(exist_ok=True)
    content = {
        "row": row,
        "command": f"python bench/{Path(sys.argv[0]).name} {' '.join(sys.argv[1:])}".strip(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": machine(),
        "versions": [*_own_versions(), *(said for command in versions if (said := _said(command)))],
        "outcomes": [{**asdict(outcome), "reach": str(outcome.reach), "held": outcome.held} for outcome in outcomes],
    }
    (RESULTS / f"{row}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _line(outcome: Outcome) -> str:
    if outcome.value is None or outcome.ours is None:
        return f"{outcome.what}: skipped: {outcome.skipped}"
    said = f"{outcome.ours.median:.4g} {outcome.unit}"
    if outcome.theirs is not None:
        said += f", {outcome.peer} {outcome.theirs.median:.4g} {outcome.unit}: {outcome.value:.2f}"
    return f"{outcome.what}: {said} ({outcome.reach}: {'held' if outcome.held else 'NOT held'})"


def machine() -> dict[str, object]:
    """What it was measured on, and how busy that was."""
    cpu = platform.processor()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "kernel": platform.release(),
        "load": round(os.getloadavg()[0], 1),
    }


def _own_versions() -> list[str]:
    found = [f"Python {platform.python_version()}"]
    for package in ("stackdoctor", "paramiko", "click", "PyYAML"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return found


def _said(command: str) -> str:
    try:
        done = subprocess.run(command.split(), capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout or done.stderr).strip().partition("\n")[0]

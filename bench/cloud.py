"""Rows 1, 2 and 4: looking at a whole cloud, against pdsh with one script a host.

``python bench/cloud.py 50 200`` takes the sizes; a thousand hosts have bounds of their own.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from fleet import Fleet, fleet
from measure import RUNS, Taken, environment, interleaved, run, series
from outcome import Outcome, Reach, figure, keep
from probes import Questions, questions

__all__ = ["STACKDOCTOR", "look", "main", "pdsh"]

STACKDOCTOR = str(Path(sys.executable).parent / "stackdoctor")
FORKS = 50
LARGE = 1000
VERSIONS = ("pdsh -V", "ssh -V")


def main() -> None:
    """Measure every size of the command line."""
    asked = questions()
    for size in map(int, sys.argv[1:] or ["50"]):
        with fleet(size) as cloud:
            keep(f"cloud-{size}", _outcomes(cloud, asked), VERSIONS)


def look(cloud: Fleet, asked: Questions) -> Taken:
    """One collection with its analysis and report."""
    return run(
        [
            *(STACKDOCTOR, "diagnose", "--inventory", str(cloud.inventory), "--ssh-config", str(cloud.config)),
            *("--known-hosts", str(cloud.known_hosts), "--parallel", str(FORKS), "--quiet", "--no-keep-run"),
            *("--format", "json"),
            *asked.options,
        ],
        allowed=(0, 1),
        heard=False,
    )


def pdsh(cloud: Fleet, asked: Questions) -> Taken:
    """The same commands on the same hosts, their output as it comes."""
    env = environment(PDSH_SSH_ARGS_APPEND=f"-F {cloud.config}")
    return run(["pdsh", "-R", "ssh", "-f", str(FORKS), "-w", ",".join(cloud.hosts), asked.script], env=env, heard=False)


def _outcomes(cloud: Fleet, asked: Questions) -> Iterator[Outcome]:
    size, large = len(cloud.hosts), len(cloud.hosts) >= LARGE
    what = f"{size} hosts, {len(asked.plan.probes)} probes each"
    if not shutil.which("pdsh"):
        yield Outcome(what, "pdsh", Reach(1.0), skipped="pdsh is not installed")
        return
    taken = interleaved(
        {"ours": lambda: look(cloud, asked), "theirs": lambda: pdsh(cloud, asked)}, RUNS, warm=not large
    )
    ours, theirs = taken["ours"], taken["theirs"]
    yield figure(
        f"{what}, wall time",
        "pdsh",
        Reach(1.05 if large else 1.0),
        series([t.wall for t in ours]),
        series([t.wall for t in theirs]),
    )
    yield figure(
        f"{what}, processor time of the client",
        "pdsh",
        Reach(1.0),
        series([t.cpu for t in ours]),
        series([t.cpu for t in theirs]),
    )
    if large:
        yield figure(f"{what}, processor time of the client", "", Reach(15.0, "s"), series([t.cpu for t in ours]))
        yield figure(f"{what}, memory", "", Reach(200.0, "MiB"), series([t.peak_mib for t in ours]), unit="MiB")


if __name__ == "__main__":
    main()

"""Rows 7 to 9: a hundred log signatures over a large log on the node, against ``grep -E -f`` of the same file.

``python bench/logs.py 1024`` takes the log's size in MiB.  The log is a day of nova-compute, with a line that some
signature knows among every two thousand.
"""

from __future__ import annotations

import json
import random
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import cycle
from pathlib import Path

from measure import PATH, Taken, environment, interleaved, run, series
from outcome import Outcome, Reach, figure, keep

from stackdoctor.collect.frames import FrameReader, bootstrap, opening
from stackdoctor.collect.plan import LogPattern, LogScan, LogSource, Plan
from stackdoctor.diagnose.knowledge import load_knowledge
from stackdoctor.facts.signatures import Signature, to_pattern

__all__ = ["main"]

NICE = ("nice", "-n", "19")  # as the agent runs
DAY = 86400.0
WINDOW = 1800.0
SIGNATURES = 100
RARE = 2000
PID = 2417
OSLO = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \d+ (.*)")
ORDINARY = (
    "INFO nova.compute.claims [req-{id} - - - - -] [instance: {id}] Claim successful on node compute1",
    'DEBUG oslo_concurrency.lockutils [req-{id} - - - - -] Lock "compute_resources" acquired by '
    '"nova.compute.resource_tracker.ResourceTracker._update_available_resource" :: waited 0.000s inner '
    "/usr/lib/python3/dist-packages/oslo_concurrency/lockutils.py:386",
    "INFO nova.compute.resource_tracker [req-{id} - - - - -] Final resource view: name=compute1 phys_ram=7961MB",
    "DEBUG nova.compute.manager [req-{id} - - - - -] [instance: {id}] Updated the network info_cache for instance",
    "DEBUG oslo_service.periodic_task [req-{id} - - - - -] Running periodic task ComputeManager._poll_volume_usage",
)


def main() -> None:
    """Measure a log of the command line's size."""
    mib = int(next(iter(sys.argv[1:]), "1024"))
    signatures = _signatures()
    patterns = [replace(to_pattern(signature), services=("*",)) for signature in signatures]
    with tempfile.TemporaryDirectory(prefix="stackdoctor-bench-") as name:
        folder = Path(name)
        log, greps = folder / "nova-compute.log", folder / "patterns"
        greps.write_text("".join(f"{pattern.grep}\n" for pattern in patterns), encoding="ascii")
        _write(log, mib << 20, signatures)
        keep(f"logs-{mib}", _outcomes(log, greps, patterns), ("grep --version",))


def _outcomes(log: Path, greps: Path, patterns: Sequence[LogPattern]) -> Iterator[Outcome]:
    size = log.stat().st_size
    what = f"{len(patterns)} signatures, {size >> 20} MiB of log"
    sides = {
        "all": lambda: _scan(log, patterns, 2 * DAY),
        "window": lambda: _scan(log, patterns, WINDOW),
        "grep": lambda: run([*NICE, "grep", "-E", "-a", "-c", "-f", str(greps), str(log)], env=environment(LC_ALL="C")),
    }
    taken = interleaved(sides)
    whole, window, grep = (series([t.wall for t in taken[name]]) for name in sides)
    yield figure(f"{what}, wall time", "grep -E -f", Reach(0.95, at_least=True), whole, grep)
    yield figure(f"{what}, of which the last 30 minutes", "grep -E -f of all", Reach(0.1), window, grep)
    found, truth = _found(taken["all"][-1].out), _truth(log, greps, patterns)
    counts = [series([float(sum(counted.values()))]) for counted in (found, truth)]
    off = float(sum(abs(found.get(name, 0) - truth.get(name, 0)) for name in found.keys() | truth.keys()))
    yield Outcome(
        f"{what}, lines found", "grep -E -f, then re", Reach(0.0, "of difference"), "lines", counts[0], counts[1], off
    )
    sent = series([100.0 * len(t.out) / size for t in taken["all"]])
    yield figure(f"{what}, sent back", "", Reach(0.1, "% of the log"), sent, unit="%")


def _scan(log: Path, patterns: Sequence[LogPattern], window: float) -> Taken:
    scan = LogScan(window, (LogSource("nova-compute", "oslo", (str(log),)),), tuple(patterns))
    plan = Plan((), scan, seconds=600.0)
    return run(["sh", "-c", bootstrap()], env=environment(PATH=PATH), stdin=opening(plan), held=True)


def _found(out: bytes) -> dict[str, int]:
    frame = next(f for f in FrameReader().feed(out) if f.header.get("probe") == "logs.hits")
    counts: dict[str, int] = {}
    for hit in json.loads(frame.out)["hits"]:
        counts[hit["signature"]] = counts.get(hit["signature"], 0) + hit["count"]
    return counts


def _truth(log: Path, greps: Path, patterns: Sequence[LogPattern]) -> dict[str, int]:
    """What Python finds in the lines that grep lets through."""
    lines = run(["grep", "-E", "-a", "-f", str(greps), str(log)], env=environment(LC_ALL="C")).out.split(b"\n")
    counts: dict[str, int] = {}
    for pattern in patterns:
        regex = re.compile(pattern.regex.encode())
        counts[pattern.id] = sum(1 for line in lines if regex.search(line))
    return {name: count for name, count in counts.items() if count}


def _signatures() -> list[Signature]:
    """The first hundred, those that nova-compute can write first."""
    known = load_knowledge().signatures
    return sorted(known, key=lambda s: (not _messages([s]), s.id))[:SIGNATURES]


def _messages(signatures: Sequence[Signature]) -> list[str]:
    """What examples of one line say after their stamp."""
    examples = [example.text for signature in signatures for example in signature.examples]
    return [found[1] for text in examples if (found := OSLO.fullmatch(text))]


def _write(log: Path, size: int, signatures: Sequence[Signature]) -> None:
    """``size`` bytes of the day that ends now; no two lines have one stamp, so each is a record."""
    chance = random.Random(1)
    known = cycle(_messages(signatures))
    lines = size // 172
    first, step = time.time() - DAY, DAY / lines
    with log.open("w", encoding="utf-8") as file:
        second, stamp = 0, ""
        for number in range(lines):
            moment = first + number * step
            if int(moment) != second:
                second = int(moment)
                stamp = datetime.fromtimestamp(second).strftime("%Y-%m-%d %H:%M:%S")
            text = next(known) if number % RARE == 0 else ORDINARY[number % len(ORDINARY)]
            id_ = f"{chance.getrandbits(64):016x}"
            file.write(f"{stamp}.{int(moment % 1 * 1000):03d} {PID + number % 7} {text.replace('{id}', id_)}\n")


if __name__ == "__main__":
    main()

"""Row 10: `diagnose --from` a large snapshot, against reading and decoding the same bytes.

``python bench/offline.py 100 1000`` takes the numbers of nodes; the last is held against the first as well.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from cloud import STACKDOCTOR
from measure import Taken, interleaved, run, series
from outcome import Outcome, Reach, figure, keep

from stackdoctor.model import NodeResults, Result
from stackdoctor.snapshot.format import Snapshot
from stackdoctor.snapshot.read import read_snapshot
from stackdoctor.snapshot.write import write_snapshot

__all__ = ["main"]

RECORDED = Path(__file__).parents[1] / "fixtures" / "conductor-hung" / "snapshot.tar.gz"
RESULTS = 40
READ = """
import json, pathlib, sys
for file in pathlib.Path(sys.argv[1]).rglob("*"):
    if file.is_file():
        content = file.read_bytes()
        if file.suffix == ".json":
            json.loads(content)
"""


def main() -> None:
    """Measure all sizes of the command line."""
    sizes = sorted(map(int, sys.argv[1:] or ["100", "1000"]))
    with tempfile.TemporaryDirectory(prefix="stackdoctor-bench-") as name:
        paths = {size: Path(name) / f"of-{size}" for size in sizes}
        for size, path in paths.items():
            write_snapshot(_cloud(size), path)
        keep(f"offline-{sizes[-1]}", _outcomes(paths))


def _outcomes(paths: dict[int, Path]) -> Iterator[Outcome]:
    first, last = min(paths), max(paths)
    taken = interleaved(
        {
            "few": lambda: _diagnose(paths[first]),
            "many": lambda: _diagnose(paths[last]),
            "read": lambda: run([sys.executable, "-c", READ, str(paths[last])]),
        }
    )
    few, many, read = (series([t.wall for t in taken[name]]) for name in ("few", "many", "read"))
    what = f"a snapshot of {last} nodes"
    yield figure(f"{what}, wall time", "json.loads and read", Reach(10.0), many, read)
    growth = Reach(round(1.1 * last / first, 2))
    yield figure(f"{what}, wall time", f"{first} nodes", growth, many, few)
    yield figure(f"{what}, memory", "", Reach(400.0, "MiB"), series([t.peak_mib for t in taken["many"]]), unit="MiB")


def _diagnose(path: Path) -> Taken:
    return run([STACKDOCTOR, "diagnose", "--from", str(path), "--format", "json"], allowed=(0, 1))


def _cloud(size: int) -> Snapshot:
    """The recorded cloud with ``size`` nodes: its compute nodes again and again, each under a name of its own."""
    recorded = read_snapshot(RECORDED)
    computes = [n for n in recorded.nodes if n.node.roles == {"compute"}] or list(recorded.nodes[-1:])
    others = [n for n in recorded.nodes if n not in computes]
    copies = [_copy(computes[k % len(computes)], f"compute{k:04d}") for k in range(size - len(others))]
    return replace(recorded, nodes=(*others, *copies), source="made")


def _copy(node: NodeResults, name: str) -> NodeResults:
    old, new = node.node.name.encode(), name.encode()
    results: dict[tuple[str, str], Result] = {
        key: replace(result, stdout=result.stdout.replace(old, new))
        for key, result in list(node.results.items())[:RESULTS]
    }
    return replace(node, node=replace(node.node, name=name), hostname=name, results=results)


if __name__ == "__main__":
    main()

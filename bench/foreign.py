"""`diagnose --from` one tree as sos(1) makes it of an OpenStack node, against hotsos (PyPI) over the same tree.

``python bench/foreign.py 45`` takes the tree's size in MiB: a day of logs for the most part, the same each time. hotsos
runs as its documentation has it: every plugin that finds its programs in the report, on the current logs.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cloud import STACKDOCTOR
from measure import interleaved, run, series
from outcome import Outcome, Reach, figure, keep

__all__ = ["main"]

TREE = Path(__file__).with_name("sos_tree.py")
HOTSOS = Path(sys.executable).parent / "hotsos"
QUICKER = Reach(15.0, at_least=True)
MEMORY = Reach(100.0, "MiB")


def main() -> None:
    """Measure a tree of the command line's size."""
    mib = int(next(iter(sys.argv[1:]), "45"))
    with tempfile.TemporaryDirectory(prefix="stackdoctor-bench-") as name:
        tree = Path(name) / "sosreport-controller-2026-11-22-abcdefg"
        # not by this process: what it once held counts for the most that those held which it starts
        run([sys.executable, str(TREE), str(tree), str(mib << 20)])
        keep(f"foreign-{mib}", _outcomes(tree, f"a sosreport of {mib} MiB"), (f"{HOTSOS} --version",))


def _outcomes(tree: Path, what: str) -> Iterator[Outcome]:
    sides = {"ours": lambda: run([STACKDOCTOR, "diagnose", "--from", str(tree), "--since", "1d"], allowed=(0, 1))}
    if HOTSOS.exists():
        sides["hotsos"] = lambda: run([str(HOTSOS), str(tree)])
    taken = interleaved(sides)
    ours = series([t.wall for t in taken["ours"]])
    if "hotsos" in taken:
        yield figure(f"{what}, wall time", "hotsos", QUICKER, ours, series([t.wall for t in taken["hotsos"]]))
    else:
        yield Outcome(f"{what}, wall time", "hotsos", QUICKER, skipped="hotsos is not installed")
    yield figure(f"{what}, memory", "", MEMORY, series([t.peak_mib for t in taken["ours"]]), unit="MiB")


if __name__ == "__main__":
    main()

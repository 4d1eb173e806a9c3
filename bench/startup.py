"""Row 14: how long `stackdoctor --help` takes, against a click program with twenty empty subcommands."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from cloud import STACKDOCTOR
from measure import interleaved, run, series
from outcome import Reach, figure, keep

__all__ = ["main"]

PEER = """\
import click

@click.group()
def main():
    pass

for number in range(20):
    main.add_command(click.Command(f"command{number}", help="Nothing."))

main()
"""


def main() -> None:
    """Measure both."""
    with tempfile.TemporaryDirectory() as folder:
        peer = Path(folder) / "peer.py"
        peer.write_text(PEER, encoding="ascii")
        taken = interleaved(
            {
                "ours": lambda: run([STACKDOCTOR, "--help"]),
                "theirs": lambda: run([sys.executable, str(peer), "--help"]),
            },
            runs=21,
        )
    sides = [series([t.wall for t in taken[name]]) for name in ("ours", "theirs")]
    keep("startup", [figure("stackdoctor --help, wall time", "click, 20 subcommands", Reach(1.3), *sides)])


if __name__ == "__main__":
    main()

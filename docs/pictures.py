"""Draw docs/pictures/*.svg: real runs on recorded clouds, as a terminal shows them.  `make docs/pictures`"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
WIDTH = 100

# the name of the picture: the command, and how many of its lines are shown
PICTURES = {
    "diagnose": ("diagnose --demo -q", 44),
    "triage": ("triage --symptom no-address --from fixtures/dnsmasq-killed/snapshot.tar.gz", 44),
    "path": ("path vm1 --to dhcp --from fixtures/sg-dhcp-reply-dropped/snapshot.tar.gz", 44),
    "trace": ("trace rpc worst --from fixtures/conductor-hung/snapshot.tar.gz", 44),
}


def picture(command: str, lines: int) -> str:
    """The first ``lines`` of what ``stackdoctor command`` prints, as SVG that asks no other host for fonts."""
    environment = {**os.environ, "COLUMNS": str(WIDTH), "FORCE_COLOR": "1", "TERM": "xterm-256color"}
    call = [sys.executable, "-m", "stackdoctor", *shlex.split(command)]
    done = subprocess.run(call, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1) or not done.stdout:
        raise SystemExit(f"stackdoctor {command}: exit status {done.returncode}: {done.stderr}")
    printed = done.stdout.splitlines()
    shown = printed[:lines] + (["…"] if len(printed) > lines else [])
    console = Console(record=True, width=WIDTH, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(Text.from_ansi("\n".join([f"$ stackdoctor {command}", "", *shown])))
    svg = console.export_svg(title="stackdoctor", unique_id="p")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


def main() -> None:
    """Draw those that are named, or all."""
    for name in sys.argv[1:] or PICTURES:
        (ROOT / "docs" / "pictures" / f"{name}.svg").write_text(picture(*PICTURES[name]))


if __name__ == "__main__":
    main()

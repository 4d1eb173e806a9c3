"""What README.md shows of `make diagnose`, by a real run.  `make README.md`"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
SHOWN = re.compile(r"(?<=\n```\n).*?(?=```\n)", re.DOTALL)


def printed() -> str:
    """What the demo prints to a file, 80 columns wide."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OS_", "STACKDOCTOR_", "FORCE_COLOR"))}
    environment["COLUMNS"] = "80"
    command = [sys.executable, "-m", "stackdoctor", "--config", os.devnull, "diagnose", "--demo", "-q"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def timeless(text: str) -> str:
    """``text`` without what differs from run to run: times, and where lines are broken around them."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "DAY", text)
    text = re.sub(r"\d\d:\d\d:\d\dZ", "TIME", text)
    text = re.sub(r"\b\d+ s (behind|ahead)|nodes in \d+\.\d s", "SECONDS", text)
    return " ".join(text.split())


if __name__ == "__main__":
    README.write_text(SHOWN.sub(lambda old: printed(), README.read_text(), count=1))

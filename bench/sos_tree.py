"""A sosreport of an OpenStack node: outputs and files (``sos_node``), logs (``sos_logs``), and sos' own links."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from sos_logs import write_logs
from sos_node import Recorded, outputs, recorded

__all__ = ["write_tree"]

LINKS = {
    "date": "sos_commands/date/date",
    "df": "sos_commands/filesys/df_-al_-x_autofs",
    "hostname": "sos_commands/host/hostname",
    "ps": "sos_commands/process/ps_auxwww",
    "uptime": "sos_commands/host/uptime",
}
FAULT = timedelta(minutes=1)
"""How long before the report the conductor was stopped."""


def write_tree(tree: Path, size: int) -> None:
    """Write the report below ``tree``, ``size`` bytes together."""
    small = outputs()
    for name, text in small.items():
        file = tree / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    for name, place in LINKS.items():
        (tree / name).symlink_to(place)
    node = recorded("controller")
    ends = {**_last(node, "rabbitmq/"), **_last(recorded("compute2"), "nova/")}
    left = size - sum(len(text.encode()) for text in small.values())
    write_logs(tree / "var/log", left, node.now - FAULT, ends)


def _last(node: Recorded, folder: str) -> Mapping[str, Sequence[str]]:
    """What the logs of ``folder`` said during the fault: the records that were kept, in their order."""
    found: dict[str, dict[float, str]] = {}
    for hit in json.loads(node.said("logs.hits"))["hits"]:
        name = hit["path"].removeprefix("/var/log/")
        if name.startswith(folder):
            for sample in hit["samples"]:
                found.setdefault(name, {})[sample["time"]] = sample["text"]
    return {name: [text for _, text in sorted(said.items())] for name, said in found.items()}


if __name__ == "__main__":
    write_tree(Path(sys.argv[1]), int(sys.argv[2]))

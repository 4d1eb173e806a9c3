"""The node agent: one program of the standard library (Python 3.6 and later), kept here by subject.

It comes over standard input and is never written to the node's disk.  It runs commands without a shell, bounded
in number, time and output, scans logs where they lie, redacts secrets before anything travels, and ends with
everything it started as soon as its standard input closes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.resources import files

__all__ = ["ARCHIVED", "PARTS", "source"]

PARTS = (
    *("secrets", "wire", "burden", "commands", "loop", "reading", "aside", "asker"),
    *("stamps", "records", "unpacked", "logfile", "logscan"),
    *("apis", "openrc", "cloudlogin", "entry"),
)
"""The modules in the order in which they are sent: each needs only those before it."""

ARCHIVED = (
    *("secrets", "burden", "commands", "loop", "stamps", "records", "unpacked", "logfile", "logscan", "archived"),
)
"""The modules that scan the logs of an archive, on this machine; no node gets the last one."""

_OWN_IMPORT = re.compile(r"^from stackdoctor\.collect\.agent\.\w+ import (?:\([^)]*\)|[^\n]*)\n", re.MULTILINE)


def source(modules: Iterable[str] = PARTS) -> bytes:
    """The program as it is sent: its modules as one file, which imports nothing of this package."""
    folder = files("stackdoctor.collect.agent")
    parts = (folder.joinpath(f"{part}.py").read_text(encoding="utf-8") for part in modules)
    return "\n".join(_OWN_IMPORT.sub("", part) for part in parts).encode()

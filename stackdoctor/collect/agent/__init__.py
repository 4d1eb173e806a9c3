"""The node agent: one program of the standard library (Python 3.6 and later), kept here by subject.

It comes over standard input and is never written to the node's disk.  It runs commands without a shell, bounded
in number, time and output, scans logs where they lie, redacts secrets before anything travels, and ends with
everything it started as soon as its standard input closes.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

__all__ = ["PARTS", "source"]

ALWAYS = ("secrets", "wire", "burden", "commands", "loop", "reading", "aside", "asker")
LOGS = ("stamps", "records", "unpacked", "logfile", "logscan")
APIS = ("apis", "openrc", "cloudlogin")
PARTS = (*ALWAYS, *LOGS, *APIS, "entry")
"""The modules in the order in which they are sent: each needs only those before it."""

_OWN_IMPORT = re.compile(r"^from stackdoctor\.collect\.agent\.\w+ import (?:\([^)]*\)|[^\n]*)\n", re.MULTILINE)


@cache
def source(logs: bool = True, apis: bool = True) -> bytes:
    """The program as it is sent: parts as one file, which imports nothing of this package.

    What is not wanted is not sent: each node has to compile it, and import what it needs.
    """
    wanted = (*ALWAYS, *(LOGS if logs else ()), *(APIS if apis else ()), "entry")
    folder = files("stackdoctor.collect.agent")
    parts = (folder.joinpath(f"{part}.py").read_text(encoding="utf-8") for part in wanted)
    return "\n".join(_OWN_IMPORT.sub("", part) for part in parts).encode()

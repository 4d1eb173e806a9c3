"""The node agent: one program of the standard library (Python 3.6 and later), kept here by subject.

It comes over standard input and is never written to the node's disk.  It runs commands without a shell, bounded
in number, time and output, scans logs where they lie, redacts secrets before anything travels, and ends with
everything it started as soon as its standard input closes.
"""

from __future__ import annotations

import hashlib
import marshal
import re
import zlib
from collections.abc import Iterator
from functools import cache
from importlib.util import MAGIC_NUMBER
from itertools import product
from pathlib import Path

from stackdoctor.collect.agent.wire import piece

__all__ = ["ARCHIVED", "BUILT", "PARTS", "built", "program", "source", "wanted"]

ALWAYS = (
    "standins",
    "threads",
    "secrets",
    "wire",
    "burden",
    "process",
    "commands",
    "loop",
    "globs",
    "reading",
    "aside",
    "asker",
)
LOGS = ("stamps", "records", "unpacked", "logfile", "logscan")
APIS = ("apis", "openrc", "cloudlogin")
PARTS = (*ALWAYS, *LOGS, *APIS, "entry")
"""The modules in the order in which they are sent: each needs only those before it."""

ARCHIVED = (
    *(
        "standins",
        "threads",
        "secrets",
        "wire",
        "burden",
        "process",
        "commands",
        "loop",
        "globs",
        "stamps",
        "records",
        "unpacked",
        "logfile",
        "logscan",
        "archived",
    ),
)
"""The modules that scan the logs of an archive, on this machine; no node gets the last one."""

BUILT = Path(__file__).with_name("built")
"""Where a wheel has programs as they are sent, which setup.py lays there and nothing else writes: files by digest."""

_NOT_SENT = re.compile(
    r"^from (?:stackdoctor\.collect\.agent\.\w+|typing|collections|functools) import (?:\([^)]*\)|[^\n]*)\n",
    re.MULTILINE,
)


def wanted(*, logs: bool, apis: bool) -> tuple[str, ...]:
    """The parts for a plan; what is not wanted is not sent: each node has to compile it, and import what it needs."""
    return (*ALWAYS, *(LOGS if logs else ()), *(APIS if apis else ()), "entry")


@cache
def source(modules: tuple[str, ...] = PARTS) -> bytes:
    """The program: its modules as one file, which imports nothing of this package, nor what standins.py stands for.

    Nor does it need the names of signals, for which ``signal`` loads enum: it gets the module below that one.
    """
    parts = (Path(__file__).with_name(f"{part}.py").read_text(encoding="utf-8") for part in modules)
    text = "\n".join(_NOT_SENT.sub("", part) for part in parts)
    return text.replace("\nimport signal\n", "\nimport _signal as signal\n").encode()


@cache
def program(written: bytes) -> bytes:
    """A source as it is sent (wire.BOOT): with what it compiles to, for a Python like this one.

    Compiled when the wheel was built, or else now: a source that was changed since has another digest.
    """
    try:
        return (BUILT / _digest(written)).read_bytes()
    except OSError:
        return _made(written)


def built() -> Iterator[tuple[str, bytes]]:
    """What BUILT is to hold: the names of files, and their contents."""
    live = (wanted(logs=logs, apis=apis) for logs, apis in product((False, True), repeat=2))
    for modules in (*live, ARCHIVED):
        written = source(modules)
        yield _digest(written), _made(written)


def _digest(written: bytes) -> str:
    return hashlib.sha256(MAGIC_NUMBER + written).hexdigest()


def _made(written: bytes) -> bytes:
    compiled = marshal.dumps(compile(written, "stackdoctor-agent", "exec", dont_inherit=True, optimize=2))
    return piece(zlib.compress(written)) + piece(MAGIC_NUMBER + zlib.compress(compiled))

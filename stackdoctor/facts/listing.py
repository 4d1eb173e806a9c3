"""Lines of ``ls -l`` (POSIX), whatever its dates look like.

>>> entry_of("-rw-r--r--. 1 root root 16777216 Nov 22  2025 b564319d35c4")
Entry(kind='-', size=16777216, name='b564319d35c4')
>>> entry_of("brw-rw---- 1 root disk 253, 3 2026-11-22 21:51 dm-3")
Entry(kind='b', size=None, name='dm-3')
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Entry", "entry_of", "listings"]

# mode, links, owner, group, size or device number; the date is two or three words
LINE = re.compile(
    r"([-bcdlps])[-rwxsStT]{9}[.+@]? +[0-9]{1,9} +\S{1,80} +\S{1,80} +(?:([0-9]{1,18})|[0-9]{1,6}, +[0-9]{1,9})"
    r" +(?:[0-9]{4}-[0-9]{2}-[0-9]{2} +[0-9:.]{5,20}(?: [+-][0-9]{4})?|\S{1,12} +\S{1,12} +[0-9:]{4,5}) (.{1,4096})"
)


class Entry(NamedTuple):
    """One line: ``kind`` is its first letter (-, d, l, b ...), ``size`` in bytes, None of a device."""

    kind: str
    size: int | None
    name: str


def entry_of(line: str) -> Entry | None:
    """The entry that ``line`` is; None for any other line (``total 8``, a heading)."""
    found = LINE.fullmatch(line[:5000])
    return Entry(found[1], int(found[2]) if found[2] else None, found[3]) if found else None


def listings(printed: str) -> dict[str, tuple[Entry, ...]]:
    """What ``ls -l DIRECTORY DIRECTORY...`` printed, by directory; each one's entries follow ``DIRECTORY:``."""
    found: dict[str, list[Entry]] = {}
    current: list[Entry] = []
    for line in printed.splitlines():
        if line.startswith("/") and line.endswith(":"):
            current = found.setdefault(line[:-1], [])
        elif entry := entry_of(line):
            current.append(entry)
    return {directory: tuple(entries) for directory, entries in found.items()}

"""Files as probes ask for them: small, whole, and never anything that is not a regular file."""

import os
import stat
from collections import OrderedDict
from typing import Any, List, Optional

from stackdoctor.collect.agent.commands import PIECE
from stackdoctor.collect.agent.globs import closed, found_by


def paths_of(patterns: List[str]) -> List[str]:
    """What the globs find, each once; a glob itself where a folder on its way may not be searched."""
    paths: List[str] = []
    for pattern in patterns:
        found = found_by(pattern)
        if not found and closed(pattern):
            found = (pattern,)
        paths += found
    return list(OrderedDict.fromkeys(paths))


def content_of(path: str, limit: int) -> Optional[bytes]:
    """At most ``limit`` bytes of a regular file, None of anything else; raises OSError."""
    if not stat.S_ISREG(os.stat(path).st_mode):  # to open a device may do something
        return None
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        return read_up_to(file, limit)


def read_up_to(file: Any, limit: int) -> bytes:
    """Piece by piece: the kernel makes room for all that is asked of a file in /proc/sys."""
    pieces: List[bytes] = []
    while limit > 0:
        piece = file.read(min(limit, PIECE))
        if not piece:
            break
        pieces.append(piece)
        limit -= len(piece)
    return b"".join(pieces)


def without_comments(content: bytes) -> bytes:
    """A file of settings with its comments as empty lines, so that line numbers stay: most of it explains defaults."""
    return b"\n".join(b"" if line.lstrip(b" \t")[:1] in (b"#", b";") else line for line in content.split(b"\n"))

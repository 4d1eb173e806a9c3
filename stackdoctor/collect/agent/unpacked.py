"""A rotated log, unpacked in memory: its end, which is where the window is."""

import gzip
import zlib
from collections import deque
from typing import Deque

from stackdoctor.collect.agent.commands import PIECE

KEPT = 1 << 25
LARGEST = 1 << 29


class Unpacked:
    """The last bytes of an unpacked file, with the two calls of a file that a log needs."""

    def __init__(self, path: str) -> None:
        """Raises OSError where it cannot be unpacked."""
        kept: Deque[bytes] = deque()
        self.size = held = 0
        try:
            with gzip.open(path, "rb") as packed:
                while True:
                    piece = packed.read(PIECE)
                    if not piece:
                        break
                    kept.append(piece)
                    self.size += len(piece)
                    held += len(piece)
                    while held - len(kept[0]) >= KEPT:
                        held -= len(kept.popleft())
                    if self.size > LARGEST:
                        raise OSError("more than %d MiB when unpacked" % (LARGEST >> 20))
        except (EOFError, zlib.error) as error:
            raise OSError(str(error)) from None
        self.content = b"".join(kept)
        self.begin = self.size - len(self.content)
        self.place = 0

    def forget(self, offset: int) -> None:
        """Keep only what is at ``offset`` and after it."""
        if offset > self.begin:
            self.content = self.content[offset - self.begin :]
            self.begin = offset

    def seek(self, offset: int) -> None:
        self.place = offset

    def read(self, length: int) -> bytes:
        begin = max(0, self.place - self.begin)
        return self.content[begin : max(begin, self.place + length - self.begin)]

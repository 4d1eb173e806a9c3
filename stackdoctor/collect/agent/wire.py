"""Frames on standard output (collect/frames.py reads them)."""

import marshal
import os
import time
import zlib
from typing import Any, Dict, Optional, Union

from stackdoctor.collect.agent.threads import Bell, begin, turn

BOOT = (
    "import sys,marshal,zlib,_frozen_importlib_external as f;b=sys.stdin.buffer;"
    "s=b.read(int(b.readline()));c=b.read(int(b.readline()));"
    "exec(marshal.loads(zlib.decompress(c[4:])) if c[:4]==f.MAGIC_NUMBER else "
    'compile(zlib.decompress(s),"stackdoctor-agent","exec"),{"__name__":"__agent__","PROGRAM":(s,c)})'
)
"""Runs a program that comes on standard input: its source, then what one Python (its magic number) compiles it to."""
GATHER = 0.25  # seconds that an answer waits for others: each write is a packet that two programs decipher
ENOUGH = 1 << 15  # bytes that wait for no others
MOST = 1 << 20  # bytes that are held while nobody takes them
ESCAPED = {**{number: "\\u%04x" % number for number in range(32)}, ord('"'): '\\"', ord("\\"): "\\\\"}


def piece(data: bytes) -> bytes:
    """Something on its way to an agent: behind its length in a line."""
    return b"%d\n%b" % (len(data), data)


def packed(value: Any) -> bytes:
    """A plan as the last piece of what an agent is sent, in the version of marshal that every Python 3 reads."""
    return piece(zlib.compress(marshal.dumps(value, 2)))


def unpacked(stream: Any) -> Any:
    return marshal.loads(zlib.decompress(stream.read(int(stream.readline()))))


def frame(header: Dict[str, Any], out: bytes = b"", err: bytes = b"") -> bytes:
    head = in_json(dict(header, out=len(out), err=len(err))).encode("utf-8", "replace")
    return b"".join((b"SD1 %08x\n" % (len(head) + 1 + len(out) + len(err)), head, b"\n", out, err))


def in_json(value: Any) -> str:
    """What a header holds as JSON: text, finite numbers, truth, None, and lists and tables of them.

    To import json takes longer than to write all headers of a look.
    """
    if isinstance(value, str):
        return '"%s"' % value.translate(ESCAPED)
    if isinstance(value, dict):
        return "{%s}" % ",".join("%s:%s" % (in_json(name), in_json(each)) for name, each in value.items())
    if isinstance(value, (list, tuple)):
        return "[%s]" % ",".join(map(in_json, value))
    if value is None:
        return "null"
    return str(value).lower()


def write_all(fd: int, data: Union[bytes, bytearray]) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


class Post:
    """Carries frames off in a thread of its own, so that they go in time whatever holds the others."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.held = bytearray()
        self.urgent = False  # what is held waits for no others
        self.failure: Optional[OSError] = None
        self.turn = turn()
        self.news, self.room, self.gone = Bell(), Bell(), Bell()
        begin(self.carry)

    def put(self, header: Dict[str, Any], out: bytes = b"", err: bytes = b"") -> int:
        """Hand over one frame; its length.  Raises what writing an earlier one did."""
        data = frame(header, out, err)
        while len(self.held) >= MOST and not self.failure:
            self.room.wait()
        if self.failure:
            raise self.failure
        with self.turn:
            first = not self.held
            self.held += data
        if first or len(self.held) >= ENOUGH:
            self.news.ring()
        return len(data)

    def carry(self) -> None:
        """In the thread: what is held, until it is ``urgent`` and all is gone."""
        try:
            while True:
                data = self.gathered()
                if not data:
                    return
                write_all(self.fd, data)
        except OSError as error:
            self.failure = error
        finally:
            self.room.ring()
            self.gone.ring()

    def gathered(self) -> bytearray:
        while not self.held and not self.urgent:
            self.news.wait()
        due = time.monotonic() + GATHER
        while len(self.held) < ENOUGH and not self.urgent and time.monotonic() < due:
            self.news.wait(max(0.0, due - time.monotonic()))
        with self.turn:
            data, self.held = self.held, bytearray()
        self.room.ring()
        return data

    def close(self, patience: float = -1) -> None:
        """Have all that is held go; raises what writing it did.  ``patience``: seconds, where it may go nowhere."""
        self.urgent = True
        self.news.ring()
        if self.gone.wait(patience):
            self.gone.ring()  # for the next who closes it
        if self.failure and patience < 0:
            raise self.failure

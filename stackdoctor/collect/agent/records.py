"""Log records: which lines are one record, and the whole of it around a line."""

import re
from typing import Any, List, NamedTuple, Optional, Tuple

from stackdoctor.collect.agent.stamps import Stamps

LINE = 1 << 14
RECORD = 1 << 16
# who wrote it, after the stamp: oslo's process id, else two words ([error] <0.1.0>, host prog[pid]:)
_WHO = re.compile(rb" *(?:\d{1,10}(?= )|\S{1,80}(?: +\S{1,80})?)")


Identity = NamedTuple("Identity", [("time", float), ("head", bytes), ("exact", bool)])
"""The time of a record, what all its lines begin with, and whether that tells it from the next record."""


def identity(stamps: Stamps, line: bytes) -> Optional[Identity]:
    """The identity of the record that ``line`` is of; None for a line without a stamp."""
    stamp = stamps.read(line)
    if not stamp:
        return None
    who = _WHO.match(line, stamp[1])
    said = line[: stamp[1]]
    return Identity(stamp[0], line[: who.end() if who else stamp[1]], b"." in said or b"," in said)


def read_at(file: Any, offset: int, length: int) -> bytes:
    file.seek(offset)
    data = file.read(length)
    return bytes(data) if data else b""


def lines_before(file: Any, offset: int, length: int) -> List[bytes]:
    """The whole lines in the ``length`` bytes before ``offset``, where a line begins; the nearest first."""
    begin = max(0, offset - length)
    lines = read_at(file, begin, offset - begin).split(b"\n")[:-1]
    return lines[::-1] if not begin else lines[:0:-1]


def identity_before(stamps: Stamps, file: Any, offset: int) -> Optional[Identity]:
    """The identity of the record that a line without a stamp belongs to."""
    for length in (RECORD >> 4, RECORD):
        for line in lines_before(file, offset, length):
            found = identity(stamps, line)
            if found:
                return found
        if offset <= length:
            break
    return None


def record_around(stamps: Stamps, file: Any, offset: int) -> Tuple[int, bytes]:
    """Where the record of the line at ``offset`` begins, and its text.

    Lines with one stamp by one process are one record (oslo.log repeats the prefix on each line of a traceback),
    and so are lines without a stamp and the line before them.
    """
    first, text, whole = record_within(stamps, file, offset, RECORD >> 3)
    return (first, text) if whole else record_within(stamps, file, offset, RECORD)[:2]


def record_within(stamps: Stamps, file: Any, offset: int, length: int) -> Tuple[int, bytes, bool]:
    """The record as far as it is within ``length`` of ``offset``, and whether other records were seen on both sides."""
    after = read_at(file, offset, length).split(b"\n")
    if len(after) > 1 and sum(map(len, after)) + len(after) > length:
        after.pop()  # it may be cut in its stamp
    found = identity(stamps, after[0])
    whose = found and found.head
    first = back = offset
    kept, pending = after[:1], after[:0]
    begun = ended = False
    for line in lines_before(file, offset, length):
        back -= len(line) + 1
        found = identity(stamps, line)
        if found and whose is None:
            whose = found.head
        if found and found.head != whose:
            begun = True
            break
        pending.insert(0, line)
        if found:
            first, kept, pending = back, pending + kept, []
    for line in after[1:]:
        found = identity(stamps, line)
        if found and found.head != whose:
            ended = True
            break
        kept.append(line)
    return first, b"\n".join(line[:LINE] for line in kept).rstrip(), begun and ended

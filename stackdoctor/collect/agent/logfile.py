"""One log file: the window of it that matters, and what its lines match."""

import fnmatch
import os
import re
import stat
import time
from collections import OrderedDict
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

from stackdoctor.collect.agent.commands import PIECE
from stackdoctor.collect.agent.records import (
    LINE,
    RECORD,
    Identity,
    identity,
    identity_before,
    read_at,
    record_around,
)
from stackdoctor.collect.agent.secrets import redact, redacted_text
from stackdoctor.collect.agent.stamps import Stamps
from stackdoctor.collect.agent.unpacked import KEPT, Unpacked

SAMPLE = 1 << 13
SMALL = 1 << 23
SEARCHED = 1 << 26  # bytes looked through for a stamp
ALSO_LIMIT = 10000
STAMP = 100  # no stamp is longer
KEY = 200
RECENT = 1000
SHAPES = 10000
_NUMBER = re.compile(rb"\d+")
_VARIABLE = re.compile(rb"[0-9a-f-]{8,}|\d{5,}")


class Signature:
    """One pattern of the plan, compiled."""

    def __init__(self, given: Dict[str, Any]) -> None:
        self.id: str = given["id"]
        self.services = given["services"]
        self.grep = given["grep"]
        self.regex = re.compile(given["regex"].encode("utf-8"))
        self.by = [name for name in given["by"] if name in self.regex.groupindex]
        self.also = [(re.compile(also["regex"].encode("utf-8")), also["keys"]) for also in given["also"]]


class Hits:
    """What one signature found in one file under one set of keys."""

    def __init__(self, keys: Dict[str, str], at: float) -> None:
        self.keys = keys
        self.count = 0
        self.first = self.last = at
        self.minutes: Dict[int, int] = {}
        self.samples: List[Tuple[float, int]] = []

    def add(self, at: float, offset: int, samples: int) -> None:
        self.count += 1
        self.first, self.last = min(self.first, at), max(self.last, at)
        self.minutes[int(at // 60)] = self.minutes.get(int(at // 60), 0) + 1
        if len(self.samples) < samples:
            self.samples.append((at, offset))
        else:
            self.samples[-1] = (at, offset)


class LogFile:
    """One file: its window, and what is found in it."""

    def __init__(self, path: str, service: str, form: str, signatures: List[Signature], limits: Dict[str, Any]) -> None:
        self.path, self.service, self.form = path, service, form
        self.place = path  # where it is opened; of what lies in an archive that is another one
        self.newest: Optional[float] = None  # no stamp is later; None: when the file was written last
        self.signatures = [s for s in signatures if any(fnmatch.fnmatchcase(service, glob_) for glob_ in s.services)]
        self.limits = limits
        self.status = "out-of-window"
        self.start = self.size = 0
        self.stamps = Stamps(time.time())
        self.first: Optional[float] = None
        self.last: Optional[float] = None
        self.found: Dict[Tuple[str, Tuple[Tuple[str, str], ...]], Hits] = OrderedDict()
        self.seen: Dict[Tuple[str, bytes], Tuple[bytes, Set[Tuple[bytes, ...]]]] = OrderedDict()
        self.shapes: Dict[bytes, List[Signature]] = {}
        self.numbers = frozenset(n for s in self.signatures for n in _NUMBER.findall(s.regex.pattern))
        self.also_used: Dict[str, int] = {}
        self.newlines = [0]  # before each block of the file, as far as they were counted
        self.at = 0.0
        self.searched = 0
        self.stamped = False
        self.file: Any = None

    def open(self, since: float) -> bool:
        """Find the window; whether there is anything in it."""
        try:
            known = os.stat(self.place)
            newest = known.st_mtime if self.newest is None else self.newest
            if not stat.S_ISREG(known.st_mode) or newest < since or not known.st_size:
                return False
            self.stamps = Stamps(newest)
            self.status = "read"
            if self.path.endswith((".xz", ".bz2")):
                raise OSError("in a format that is not unpacked here")
            if self.path.endswith(".gz"):
                self.file = Unpacked(self.place)
                self.size = self.file.size
                self.start = self.window_start(since)
                if self.file.begin and b"\n" not in read_at(self.file, 0, self.start)[:-1]:
                    self.status = "unreadable: of all but its last %d MiB" % (KEPT >> 20)
                self.file.forget(self.start - RECORD)
            else:
                self.file = open(self.place, "rb", buffering=0)  # noqa: SIM115
                self.size = known.st_size
                self.start = self.window_start(since)
            if not self.stamped:
                raise OSError("none of its lines begins with a time")
        except OSError as error:
            denied = isinstance(error, PermissionError)
            self.status = "denied" if denied else "unreadable: %s" % (error.strerror or error)
            return False
        return self.start < self.size

    def give_up(self, why: str) -> None:
        self.status = "unreadable: " + why

    def search(self, offset: int) -> bytes:
        block = read_at(self.file, offset, RECORD)
        self.searched += len(block)
        if self.searched > SEARCHED:
            raise OSError("too few of its lines begin with a time")
        return block

    def window_start(self, since: float) -> int:
        """Where the first line of the window begins: a binary search, for the stamps only grow."""
        low, high = self.size - len(self.file.content) if isinstance(self.file, Unpacked) else 0, self.size
        begin = low
        while high - low > LINE:
            middle = (low + high) // 2
            found = self.stamp_after(middle, high)
            if found is None or found >= since:
                high = middle
            else:
                low = middle
        return self.first_line(low, since, low == begin == 0)

    def stamp_after(self, offset: int, high: int) -> Optional[float]:
        """The first stamp of a line that begins after ``offset``, looked for up to ``high``."""
        while offset < high:
            block = self.search(offset)
            first, *lines = block.split(b"\n")
            last = lines[-1] if lines else first
            if len(block) == RECORD and lines and len(last) < STAMP:
                lines.pop()  # its stamp may be cut
            for line in lines:
                stamp = self.stamps.read(line)
                if stamp:
                    self.stamped = True
                    return stamp[0]
            if len(block) < RECORD:
                return None
            offset += len(block) - len(last) - 1 if len(last) < len(block) - 1 else len(block)
        return None

    def first_line(self, offset: int, since: float, whole: bool) -> int:
        """Where the first line of the window begins, from ``offset`` on (``whole``: where a line begins)."""
        while offset < self.size:
            block = self.search(offset)
            if not block:
                break
            lines = block.split(b"\n")
            rest = lines.pop() if len(lines) > 1 and len(block) == RECORD else b""
            at = offset
            for line in lines:
                stamp = self.stamps.read(line) if whole else None
                if stamp:
                    self.stamped = True
                    if stamp[0] >= since:
                        self.first = stamp[0]
                        return at
                at += len(line) + 1
                whole = True
            whole = b"\n" in block
            offset += len(block) - len(rest)
        return self.size

    def hit(self, offset: int, line: bytes) -> None:
        """One line that grep let through."""
        line = line[:LINE]
        found = identity(self.stamps, line) or identity_before(self.stamps, self.file, offset)
        record = found or Identity(self.at or self.first or 0.0, b"", False)
        self.at = record.time
        for signature in self.likely(line):
            match = signature.regex.search(line)
            if match and self.fresh(signature, record, match, line):
                self.count(signature, match, offset)

    def likely(self, line: bytes) -> List[Signature]:
        """The signatures that lines of this shape match: alike but for what no signature looks at closely."""
        stamp = self.stamps.read(line)
        shape = _VARIABLE.sub(self.blank, line[stamp[1] if stamp else 0 :])
        known = self.shapes.get(shape)
        if known is None:
            known = [s for s in self.signatures if s.regex.search(line)]
            if len(self.shapes) >= SHAPES:
                self.shapes.clear()
            self.shapes[shape] = known
        return known

    def blank(self, match: Any) -> bytes:
        """Long numbers and identifiers as noughts, unless a signature names them or they are but words."""
        found: bytes = match.group(0)
        return found if found in self.numbers or not _NUMBER.search(found) else b"0" * len(found)

    def fresh(self, signature: Signature, record: Identity, match: Any, line: bytes) -> bool:
        """Whether ``line`` is of a record that ``signature`` has not counted yet.

        Records that begin alike are told apart by a line like the counted one: it names something else, or the
        stamps are whole seconds only.
        """
        values = tuple(match.group(name) or b"" for name in signature.by)
        for begin, end in sorted((match.span(name) for name in signature.by), reverse=True):
            line = line[:begin] + line[end:] if begin >= 0 else line
        shape = _NUMBER.sub(b"0", line)
        counted, known = self.seen.setdefault((signature.id, record.head), (shape, set()))
        if len(self.seen) > RECENT:
            del self.seen[next(iter(self.seen))]
        if shape != counted or (record.exact and values in known):
            return False
        known.add(values)
        return True

    def count(self, signature: Signature, match: Any, offset: int) -> None:
        keys = {name: value_of(match.group(name)) for name in signature.by if match.group(name)}
        if signature.also and self.also_used.get(signature.id, 0) < ALSO_LIMIT:
            self.also_used[signature.id] = self.also_used.get(signature.id, 0) + 1
            keys.update(self.also_keys(signature, offset))
        which = (signature.id, tuple(sorted(keys.items())))
        if which not in self.found:
            if sum(1 for id_, _ in self.found if id_ == signature.id) >= self.limits["keys_limit"]:
                keys, which = {}, (signature.id, ())
            self.found.setdefault(which, Hits(keys, self.at))
        self.found[which].add(self.at, offset, self.limits["samples"])
        self.last = max(self.last or 0.0, self.at)

    def also_keys(self, signature: Signature, offset: int) -> Dict[str, str]:
        record = record_around(self.stamps, self.file, offset)[1]
        for regex, keys in signature.also:
            match = regex.search(record)
            if match:
                return filled(keys, {name: value_of(value or b"") for name, value in match.groupdict().items()})
        return {}

    def sample(self, at: float, offset: int) -> Dict[str, Any]:
        first, record = record_around(self.stamps, self.file, offset)
        record = redact(record)
        if len(record) > SAMPLE:
            record = record[: SAMPLE // 4] + b"\n[...]\n" + record[-SAMPLE * 3 // 4 + 8 :]
        return {"time": at, "line": self.line_number(first), "offset": first, "text": text(record)}

    def line_number(self, offset: int) -> Optional[int]:
        """The number of the line at ``offset``; None where counting would mean to read much."""
        if offset > SMALL or (isinstance(self.file, Unpacked) and self.file.begin):
            return None
        block = offset // PIECE
        while len(self.newlines) <= block:
            counted = read_at(self.file, (len(self.newlines) - 1) * PIECE, PIECE).count(b"\n")
            self.newlines.append(self.newlines[-1] + counted)
        return self.newlines[block] + read_at(self.file, block * PIECE, offset % PIECE).count(b"\n") + 1

    def hits(self) -> Iterator[Dict[str, Any]]:
        for (id_, _), found in self.found.items():
            yield {
                "signature": id_,
                "service": self.service,
                "path": redacted_text(self.path),
                "keys": found.keys,
                "count": found.count,
                "first": found.first,
                "last": found.last,
                "minutes": {str(minute): n for minute, n in sorted(found.minutes.items())},
                "samples": [self.sample(at, offset) for at, offset in found.samples],
            }

    def described(self) -> Dict[str, Any]:
        return {
            "path": redacted_text(self.path),
            "service": self.service,
            "format": self.form,
            "bytes": self.size - self.start if self.status == "read" else 0,
            "status": self.status,
            "first": self.first,
            "last": self.last,
        }


def filled(keys: Dict[str, str], groups: Dict[str, str]) -> Dict[str, str]:
    """``keys`` with each ``{group}`` replaced; those that come out empty are left out."""
    values = {key: re.sub(r"\{(\w+)\}", lambda m: groups.get(m.group(1), ""), value) for key, value in keys.items()}
    return {key: value for key, value in values.items() if value}


def value_of(data: bytes) -> str:
    """What a group found, as the value of a key."""
    return text(redact(data[:KEY]))


def text(data: bytes) -> str:
    return data.decode("utf-8", "replace")

"""One log file: the window of it that matters, and what its lines match."""

import fnmatch
import gzip
import os
import re
import stat
import time
from collections import OrderedDict
from typing import Any, Dict, Iterator, List, Optional, Tuple

from stackdoctor.collect.agent.secrets import redact
from stackdoctor.collect.agent.stamps import Stamps

LINE = 1 << 14
RECORD = 1 << 16
SAMPLE = 1 << 13
SMALL = 1 << 23
TOGETHER = 1 << 25
ALSO_LIMIT = 300
_KEY = re.compile(rb"\S{1,80}(?: +\S{1,80})?")
_WORD = re.compile(rb" *\S{1,80}")
_VARIABLE = re.compile(rb"0x[0-9a-f]+|[0-9a-f]{8}[0-9a-f-]*|\d+")


class Signature:
    """One pattern of the plan, compiled."""

    def __init__(self, given: Dict[str, Any]) -> None:
        self.id = given["id"]
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
        self.signatures = [s for s in signatures if any(fnmatch.fnmatchcase(service, glob_) for glob_ in s.services)]
        self.limits = limits
        self.status = "out-of-window"
        self.start = self.size = 0
        self.stamps = Stamps(time.time())
        self.first: Optional[float] = None
        self.last: Optional[float] = None
        self.found: Dict[Tuple[str, Tuple[Tuple[str, str], ...]], Hits] = OrderedDict()
        self.seen: Dict[str, bytes] = {}
        self.shapes: Dict[bytes, List[Signature]] = {}
        self.also_used: Dict[str, int] = {}
        self.at = 0.0
        self.file: Any = None

    def open(self, since: float) -> bool:
        """Find the window; whether there is anything in it."""
        try:
            known = os.stat(self.path)
            if not stat.S_ISREG(known.st_mode) or known.st_mtime < since or not known.st_size:
                return False
            self.stamps = Stamps(known.st_mtime)
            if self.path.endswith(".gz"):
                with gzip.open(self.path, "rb") as packed:
                    content = packed.read(TOGETHER)
                self.file = MemoryFile(content)
                self.size = len(content)
            else:
                self.file = open(self.path, "rb", buffering=0)  # noqa: SIM115
                self.size = known.st_size
            self.start = self.window_start(since)
        except (OSError, EOFError) as error:
            denied = isinstance(error, PermissionError)
            self.status = "denied" if denied else "unreadable: %s" % (getattr(error, "strerror", None) or error)
            return False
        self.status = "read"
        return self.start < self.size

    def read_at(self, offset: int, length: int) -> bytes:
        self.file.seek(offset)
        data = self.file.read(length)
        return bytes(data) if data else b""

    def window_start(self, since: float) -> int:
        """Where the first line of the window begins: a binary search, for the stamps only grow."""
        low, high = 0, self.size
        while high - low > LINE:
            middle = (low + high) // 2
            found = self.stamp_after(middle, high)
            if found is None or found >= since:
                high = middle
            else:
                low = middle
        return self.first_line(low, since)

    def stamp_after(self, offset: int, high: int) -> Optional[float]:
        while offset < high:
            block = self.read_at(offset, RECORD)
            lines = block.split(b"\n")
            for line in lines[1:]:
                stamp = self.stamps.read(line)
                if stamp:
                    return stamp[0]
            if len(block) < RECORD:
                return None
            offset += max(1, len(block) - len(lines[-1]) - 1)
        return None

    def first_line(self, offset: int, since: float) -> int:
        if offset:
            offset = max(0, offset - 1)
            offset += self.read_at(offset, RECORD).find(b"\n") + 1
        while offset < self.size:
            block = self.read_at(offset, RECORD * 4)
            if not block:
                break
            at = 0
            for line in block.split(b"\n"):
                stamp = self.stamps.read(line)
                if stamp and stamp[0] >= since:
                    self.first = stamp[0]
                    return offset + at
                at += len(line) + 1
            offset += len(block)
        return self.size

    def hit(self, offset: int, line: bytes) -> None:
        """One line that grep let through."""
        line = line[:LINE]
        stamp = self.stamps.read(line)
        if stamp:
            self.at = stamp[0]
            key = _KEY.match(line, stamp[1] + 1)
            record = line[: key.end()] if key else line[: stamp[1]]
        else:
            self.at = self.stamp_before(offset) or self.at or self.first or 0.0
            record = b"@%d" % int(self.at)
        shape = _VARIABLE.sub(b"0", line[stamp[1] if stamp else 0 :][:1000])
        known = self.shapes.get(shape)
        if known is None:
            known = [s for s in self.signatures if s.regex.search(line)]
            if len(self.shapes) < 10000:
                self.shapes[shape] = known
        for signature in known:
            match = signature.regex.search(line)
            if match and self.seen.get(signature.id) != record:
                self.seen[signature.id] = record
                self.count(signature, match, offset)

    def stamp_before(self, offset: int) -> Optional[float]:
        """The time of the record that a line without a stamp belongs to."""
        begin = max(0, offset - RECORD)
        for line in reversed(self.read_at(begin, offset - begin).split(b"\n")):
            stamp = self.stamps.read(line)
            if stamp:
                return stamp[0]
        return None

    def count(self, signature: Signature, match: Any, offset: int) -> None:
        keys = {name: text(match.group(name)) for name in signature.by if match.group(name)}
        if signature.also and self.also_used.get(signature.id, 0) < ALSO_LIMIT:
            self.also_used[signature.id] = self.also_used.get(signature.id, 0) + 1
            keys.update(self.also_keys(signature, offset))
        identity = (signature.id, tuple(sorted(keys.items())))
        if identity not in self.found:
            if sum(1 for id_, _ in self.found if id_ == signature.id) >= self.limits["keys_limit"]:
                keys, identity = {}, (signature.id, ())
            self.found.setdefault(identity, Hits(keys, self.at))
        self.found[identity].add(self.at, offset, self.limits["samples"])
        self.last = max(self.last or 0.0, self.at)

    def also_keys(self, signature: Signature, offset: int) -> Dict[str, str]:
        record = self.record(offset)[1]
        for regex, keys in signature.also:
            match = regex.search(record)
            if match:
                return filled(keys, {name: text(value or b"") for name, value in match.groupdict().items()})
        return {}

    def record(self, offset: int) -> Tuple[int, bytes]:
        """The whole record around a line: lines of the same stamp and process, and those without a stamp after them."""
        begin = max(0, offset - RECORD)
        before = self.read_at(begin, offset - begin)
        after = self.read_at(offset, RECORD)
        lines = after.split(b"\n")
        head = self.head_of(lines[0])
        kept = [lines[0]]
        for line in lines[1:]:
            mine = self.head_of(line)
            if mine is not None and mine != head:
                break
            kept.append(line)
        first = offset
        for line in reversed(before.split(b"\n")[:-1]):
            mine = self.head_of(line)
            if mine != head and (mine is not None and head is not None):
                break
            if first - len(line) - 1 < begin:
                break
            first -= len(line) + 1
            kept.insert(0, line)
            if mine is not None and head is None:
                break
        return first, b"\n".join(line[:LINE] for line in kept).rstrip()

    def head_of(self, line: bytes) -> Optional[bytes]:
        stamp = self.stamps.read(line)
        if not stamp:
            return None
        key = _WORD.match(line, stamp[1])
        return line[: key.end()] if key else line[: stamp[1]]

    def sample(self, at: float, offset: int) -> Dict[str, Any]:
        first, record = self.record(offset)
        if len(record) > SAMPLE:
            record = record[: SAMPLE // 4] + b"\n[...]\n" + record[-SAMPLE * 3 // 4 :]
        return {"time": at, "line": self.line_number(first), "offset": first, "text": text(redact(record))}

    def line_number(self, offset: int) -> Optional[int]:
        """The number of the line at ``offset``; None where counting would mean to read much."""
        if offset > SMALL:
            return None
        return self.read_at(0, offset).count(b"\n") + 1

    def hits(self) -> Iterator[Dict[str, Any]]:
        for (id_, _), found in self.found.items():
            yield {
                "signature": id_,
                "service": self.service,
                "path": self.path,
                "keys": found.keys,
                "count": found.count,
                "first": found.first,
                "last": found.last,
                "minutes": {str(minute): n for minute, n in sorted(found.minutes.items())},
                "samples": [self.sample(at, offset) for at, offset in found.samples],
            }

    def described(self) -> Dict[str, Any]:
        return {
            "path": self.path,
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


class MemoryFile:
    """Bytes in memory with the two calls of a file that a log needs."""

    def __init__(self, content: bytes) -> None:
        self.content, self.place = content, 0

    def seek(self, offset: int) -> None:
        self.place = offset

    def read(self, length: int) -> bytes:
        return self.content[self.place : self.place + length]


def text(data: bytes) -> str:
    return data.decode("utf-8", "replace")

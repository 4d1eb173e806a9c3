"""What the scan of a node's logs found: counts, times and a few records of each log signature, not the files."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

from stackdoctor.collect.plan import LOG_PROBE
from stackdoctor.errors import ParseError
from stackdoctor.facts.signature import Signature
from stackdoctor.model import Evidence, Finding, NodeResults, Probe, Status

__all__ = ["LogFile", "LogHit", "LogHits", "Sample"]

T = TypeVar("T")


@dataclass(frozen=True)
class Sample:
    """One record as it stands in the file (its line and the traceback under it), at ``time`` since the epoch.

    ``line`` is the number of its first line, None where counting would have meant to read much.
    """

    time: float
    line: int | None
    text: str


@dataclass(frozen=True)
class LogFile:
    """One log file that was looked at; ``first`` and ``last`` are the times of its window and its last hit.

    ``status`` is read, denied, out-of-window, or "unreadable: " and why.
    """

    path: str
    service: str
    format: str
    bytes: int
    status: str
    first: float | None
    last: float | None

    @property
    def unread(self) -> bool:
        """Whether it should have been read and was not."""
        return self.status not in ("read", "out-of-window")


@dataclass(frozen=True)
class LogHit:
    """All lines of one file that one signature matches with the same keys.

    ``minutes`` counts them by minute since the epoch; ``until`` is when the scan was, on the node's clock.
    """

    signature: str
    service: str
    path: str
    keys: Mapping[str, str]
    count: int
    first: float
    last: float
    minutes: Mapping[int, int]
    samples: tuple[Sample, ...]
    node: str
    until: float

    @property
    def age(self) -> float:
        """Seconds from the last of the lines to the scan."""
        return max(0.0, self.until - self.last)

    @property
    def log(self) -> str:
        """The path of the file before it was rotated."""
        return re.sub(r"(?:[.-]\d+)*(?:\.(?:gz|xz|bz2))?$", "", self.path) or self.path

    @property
    def evidence(self) -> Evidence:
        """The first line of the newest sample, with its place in the file."""
        return self._shown(lambda text: text.split("\n", 1)[0])

    def finding(self, signature: Signature) -> Finding:
        """The hit as a finding with the id, severity, words and keys of its ``signature``."""
        return Finding(
            self.service,
            signature.says(self.node, self.service, self.count, self.keys),
            node=self.node,
            id=signature.finding_id,
            severity=signature.severity,
            evidence=self._shown(signature.line_of),
            first=self.first,
            last=self.last,
            count=self.count,
            episodes=(),
            **{"service": self.service, **signature.finding_keys(self.keys)},
        )

    def harmless(self, signature: Signature) -> str:
        """Why these lines are harmless, in the words of ``signature``; empty if they may not be."""
        return signature.harmless(self.service, self.count, self.keys)

    def _shown(self, line_of: Callable[[str], str]) -> Evidence:
        if not self.samples:
            return Evidence(self.node, self.path, "")
        newest = max(self.samples, key=lambda sample: sample.time)
        place = self.path if newest.line is None else f"{self.path}:{newest.line}"
        return Evidence(self.node, place, line_of(newest.text))


@dataclass(frozen=True)
class LogHits:
    """What one node's logs say about the window from ``since`` to ``until``, on the node's own clock.

    ``later`` is what they say of the time after ``until``, where it is a moment before the scan.
    """

    hits: tuple[LogHit, ...]
    files: tuple[LogFile, ...]
    since: float
    until: float
    later: tuple[LogHit, ...] = ()

    probes: ClassVar[tuple[Probe, ...]] = (LOG_PROBE,)

    @classmethod
    def parse(cls, results: NodeResults) -> LogHits:
        """The hits as the node agent reports them (docs/snapshot.md); ParseError where it is anything else."""
        result = results.one(LOG_PROBE)
        if result.status is Status.TRUNCATED:
            raise ParseError("the result of the log scan was cut off")
        try:
            value = json.loads(result.stdout.decode("utf-8"))
        except (ValueError, RecursionError):
            raise ParseError("the result of the log scan is not JSON") from None
        until = _number(value, "until")
        files = tuple(_file(item) for item in _field(value, "files", list))
        hits = tuple(_hit(item, results.node.name, until) for item in _field(value, "hits", list))
        return cls(_once(hits), files, _number(value, "since"), until)

    @property
    def unread(self) -> tuple[LogFile, ...]:
        """The files that are there and could not be read: what they hold is not known."""
        return tuple(file for file in self.files if file.unread)

    @property
    def gaps(self) -> tuple[tuple[str, str], ...]:
        """The files that could not be read, those of one reason together."""
        by_reason: dict[str, list[str]] = {}
        for file in self.unread:
            by_reason.setdefault(file.status, []).append(file.path)
        return tuple(("log.*", f"{', '.join(paths)}: {reason}") for reason, paths in by_reason.items())

    def of(self, signature: str) -> tuple[LogHit, ...]:
        """The hits of one signature, by its id."""
        return tuple(self._by_signature.get(signature, ()))

    def recovered(self, hit: LogHit, signature: Signature) -> bool:
        """Whether the same log says later that it is over: a line of ``signature.recovered_by`` after the last one."""
        return any(other.last > hit.last for other in self.recoveries(hit, signature))

    def recovers(self, hit: LogHit, signature: Signature) -> float | None:
        """When, after ``until``, the same log says that it is over: so long it held.  None where it never does."""
        return min((o.first for o in self.later if _ends(o, hit, signature)), default=None)

    def recoveries(self, hit: LogHit, signature: Signature) -> tuple[LogHit, ...]:
        """The lines of the same log that say that it is over, whenever they came.

        Keys that both have (the broker, the process, the topic) must be the same.
        """
        enders = (other for id_ in signature.recovered_by for other in self._by_signature.get(id_, ()))
        return tuple(other for other in enders if _ends(other, hit, signature))

    @cached_property
    def _by_signature(self) -> Mapping[str, list[LogHit]]:
        found: dict[str, list[LogHit]] = {}
        for hit in self.hits:
            found.setdefault(hit.signature, []).append(hit)
        return found


def _ends(other: LogHit, hit: LogHit, signature: Signature) -> bool:
    if other.signature not in signature.recovered_by or other.log != hit.log or other.service != hit.service:
        return False
    keys = signature.finding_keys(hit.keys)
    return all(other.keys[key] == keys[key] for key in other.keys.keys() & keys.keys())


def _once(hits: tuple[LogHit, ...]) -> tuple[LogHit, ...]:
    """Without what syslog wrote a second time, into kern.log or daemon.log."""
    seen: set[object] = set()
    kept = []
    for hit in hits:
        same = (hit.signature, tuple(sorted(hit.keys.items())), hit.count, hit.first, hit.last)
        copy = hit.service in ("kernel", "daemon") and (same, "syslog") in seen
        if not copy:
            kept.append(hit)
            seen.add((same, hit.service))
    return tuple(kept)


def _file(item: object) -> LogFile:
    return LogFile(
        path=_field(item, "path", str),
        service=_field(item, "service", str),
        format=_field(item, "format", str),
        bytes=_count(item, "bytes"),
        status=_field(item, "status", str),
        first=_time(item, "first"),
        last=_time(item, "last"),
    )


def _hit(item: object, node: str, until: float) -> LogHit:
    keys = _field(item, "keys", dict)
    if not all(isinstance(value, str) for value in keys.values()):
        raise ParseError("the log scan has a key that is not text")
    minutes: dict[int, int] = {}
    for minute, count in _field(item, "minutes", dict).items():
        if not re.fullmatch(r"\d{1,12}", minute, re.ASCII) or type(count) is not int or count < 0:
            raise ParseError("the log scan has a minute or a count that is not a number")
        minutes[int(minute)] = count
    return LogHit(
        signature=_field(item, "signature", str),
        service=_field(item, "service", str),
        path=_field(item, "path", str),
        keys=MappingProxyType(dict(keys)),
        count=_count(item, "count"),
        first=_number(item, "first"),
        last=_number(item, "last"),
        minutes=MappingProxyType(minutes),
        samples=tuple(_sample(sample) for sample in _field(item, "samples", list)),
        node=node,
        until=until,
    )


def _sample(item: object) -> Sample:
    line = _field(item, "line", object)
    if line is not None and (type(line) is not int or line < 0):
        raise ParseError("the log scan has a line number that is none")
    return Sample(_number(item, "time"), line, _field(item, "text", str))


def _field(item: object, name: str, kind: type[T]) -> T:
    if not isinstance(item, dict) or name not in item:
        raise ParseError(f"the log scan has an entry without {name}")
    value: Any = item[name]
    if not isinstance(value, kind):
        raise ParseError(f"{name} in the log scan is a {type(value).__name__}")
    return value


def _number(item: object, name: str) -> float:
    value = _field(item, name, object)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ParseError(f"{name} in the log scan is no number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ParseError(f"{name} in the log scan is no finite number")
    return number


def _time(item: object, name: str) -> float | None:
    return None if _field(item, name, object) is None else _number(item, name)


def _count(item: object, name: str) -> int:
    value = _field(item, name, object)
    if type(value) is not int or value < 0:
        raise ParseError(f"{name} in the log scan is no count")
    return value

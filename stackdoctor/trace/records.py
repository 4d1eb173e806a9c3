"""Log records that name one thing (a request, an instance, a volume), from all nodes on one clock."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stackdoctor.collect.plan import LogPattern, LogScan
from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.log_sources import LOG_SOURCES
from stackdoctor.facts.logs import LogHit, LogHits, Sample
from stackdoctor.model import Evidence, NodeResults

__all__ = ["RECORD", "LogRecord", "Records", "read_records", "record_scan", "requests_in"]

RECORD = "trace.record"
SAMPLES = 2000

_OSLO = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.,]\d{3} (?:\d+ )?(?P<level>[A-Z]+) (?P<logger>[\w.]+)"
    r"(?: \[(?P<context>[^\]]{0,400})\])?(?: \[instance: (?P<instance>[0-9a-f-]{36})\])? ?(?P<message>.*)"
)
"""oslo.log's logging_context_format_string and logging_default_format_string (oslo_log/_options.py)."""

_REQUEST = re.compile(r"\breq-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
"""Placement and Nova write the end of a colour into files too."""

_SERVICE_STAMP = re.compile(r"^(?:\w{3} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d[T ]\S+) ?")


@dataclass(frozen=True)
class LogRecord:
    """One record: ``time`` since the epoch on our clock; ``requests`` are the ids in its context, global one first.

    ``message`` is its first line without what comes before it.  ``text`` is all of it, with a traceback.
    """

    time: float
    node: str
    service: str
    level: str
    requests: tuple[str, ...]
    instance: str
    message: str
    text: str
    evidence: Evidence

    @property
    def failed(self) -> bool:
        """Whether the service itself says that it went wrong."""
        return self.level in ("ERROR", "CRITICAL")


@dataclass(frozen=True)
class Records:
    """Records in order of time; ``gaps`` say of which nodes and files there are none, and why."""

    records: tuple[LogRecord, ...]
    gaps: tuple[str, ...]
    complete: bool

    def of(self, services: str, pattern: str = "") -> tuple[LogRecord, ...]:
        """Those of services that ``services`` matches whole and whose message has ``pattern``: regular expressions."""
        named, said = re.compile(services), re.compile(pattern)
        return tuple(r for r in self.records if named.fullmatch(r.service) and said.search(r.message))


def record_scan(words: Iterable[str], window: float) -> LogScan:
    """A log scan for every record that has one of ``words`` (ids: letters, digits, ``-``, ``_``, ``:`` and ``.``)."""
    either = "|".join(sorted({re.escape(word).replace(r"\-", "-") for word in words}))
    pattern = LogPattern(RECORD, ("*",), either, either)
    return LogScan(window, LOG_SOURCES, (pattern,), samples=SAMPLES)


def read_records(nodes: Sequence[NodeResults], words: Iterable[str]) -> Records:
    """The records of all nodes that have one of ``words``.

    A snapshot that was not made for a trace holds only a few records of each log signature: ``complete`` is
    False then.
    """
    wanted = tuple(words)
    found: dict[tuple[str, str, float, str], LogRecord] = {}
    gaps: list[str] = []
    complete = True
    for node in nodes:
        try:
            hits = LogHits.parse(node)
        except (CouldNotCheck, NotApplicable, ParseError) as why:
            gaps.append(f"the logs of {node.node.name}: {why}")
            continue
        gaps += [f"{file.path} on {node.node.name}: {file.status}" for file in hits.unread]
        ahead = node.clock.offset if node.clock else 0.0
        complete = complete and all(hit.signature == RECORD for hit in hits.hits)
        for hit in hits.hits:
            if hit.signature == RECORD and hit.count > len(hit.samples):
                gaps.append(f"{hit.path} on {hit.node}: {hit.count - len(hit.samples)} more records")
            for sample in hit.samples:
                if any(word in sample.text for word in wanted):
                    record = _record(hit, sample, ahead)
                    found.setdefault((record.node, hit.log, record.time, record.text[:200]), record)
    return Records(tuple(sorted(found.values(), key=lambda r: r.time)), tuple(gaps), complete)


def _record(hit: LogHit, sample: Sample, ahead: float) -> LogRecord:
    line = _COLOUR.sub("", sample.text.split("\n", 1)[0])
    place = hit.path if sample.line is None else f"{hit.path}:{sample.line}"
    at = Evidence(hit.node, place, line)
    oslo = _OSLO.search(line[:4000])
    if oslo is None:
        message = _SERVICE_STAMP.sub("", line)
        return LogRecord(sample.time - ahead, hit.node, hit.service, "", (), "", message, sample.text, at)
    return LogRecord(
        time=sample.time - ahead,
        node=hit.node,
        service=hit.service,
        level=oslo["level"],
        requests=tuple(dict.fromkeys(_REQUEST.findall(oslo["context"] or ""))),
        instance=oslo["instance"] or "",
        message=oslo["message"],
        text=sample.text,
        evidence=at,
    )


def requests_in(records: Iterable[LogRecord]) -> tuple[str, ...]:
    """The request ids in the records' contexts, each once, in order: of each the one that the client's call had."""
    return tuple(dict.fromkeys(record.requests[0] for record in records if record.requests))

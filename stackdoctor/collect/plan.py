"""What will be asked of a node: probes, a log scan, and the budget for all of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from stackdoctor.collect.agent.wire import packed
from stackdoctor.collect.api_reads import API_SOURCE, OPENRC_FILES, ApiRead, reads_wire
from stackdoctor.model import Probe

__all__ = ["LOG_PROBE", "LogPattern", "LogScan", "LogSource", "Plan", "merge_probes"]

API_SECONDS = 40.0

LOG_PROBE = Probe("logs.hits")
"""The log scan's one result; its standard output is the JSON that docs/snapshot.md describes."""


@dataclass(frozen=True)
class LogSource:
    """Files of one service (globs) in one format; an empty service is read off each file's name."""

    service: str
    format: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class LogPattern:
    """One log signature as the node needs it.

    ``grep`` is a POSIX extended regular expression that matches at least what ``regex`` (Python) does;
    ``by`` names the groups whose values split the count; ``also`` are pairs of a regular expression over
    the whole record with its traceback and the keys that it adds.
    """

    id: str
    services: tuple[str, ...]
    grep: str
    regex: str
    by: tuple[str, ...] = ()
    also: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()


@dataclass(frozen=True)
class LogScan:
    """Where to look in which logs, so many seconds back from the node's own now."""

    window: float
    sources: tuple[LogSource, ...]
    patterns: tuple[LogPattern, ...]
    samples: int = 3
    keys_limit: int = 50


@dataclass(frozen=True)
class Plan:
    """All that one node is asked; ``seconds`` is the node's whole budget of wall time.

    ``apis`` are read by the nodes that have an administrator's credentials, with these.  ``cpu`` and ``most_bytes`` are
    the rest of the node's budget (seconds of processor, bytes sent; 0: as many as it takes): the agent ends what runs
    when either is used up.  With ``restraint`` a node in trouble is asked one thing at a time, and nothing costly.
    """

    probes: tuple[Probe, ...]
    logs: LogScan | None = None
    seconds: float = 60.0
    parallel: int = 4
    apis: tuple[ApiRead, ...] = ()
    cpu: float = 0.0
    most_bytes: int = 0
    restraint: bool = False

    @property
    def expected(self) -> tuple[Probe, ...]:
        """What has an answer of every node, be it why there is none."""
        return (*self.probes, *((LOG_PROBE,) if self.logs else ()), *((API_SOURCE,) if self.apis else ()))

    @cached_property
    def packed(self) -> bytes:
        """`wire` as it is sent: every node of a run gets the same bytes."""
        return packed(self.wire)

    @cached_property
    def wire(self) -> dict[str, Any]:
        """The plan as the node agent reads it: what JSON can say."""
        logs: dict[str, object] | None = None
        if self.logs is not None:
            logs = {
                "window": self.logs.window,
                "samples": self.logs.samples,
                "keys_limit": self.logs.keys_limit,
                "sources": [asdict(s) for s in self.logs.sources],
                "signatures": [
                    {
                        "id": p.id,
                        "services": p.services,
                        "grep": p.grep,
                        "regex": p.regex,
                        "by": p.by,
                        "also": [{"regex": regex, "keys": dict(keys)} for regex, keys in p.also],
                    }
                    for p in self.logs.patterns
                ],
            }
        wire: dict[str, Any] = {
            "version": 1,
            "parallel": self.parallel,
            "seconds": self.seconds,
            "cpu": self.cpu,
            "bytes": self.most_bytes,
            "restraint": self.restraint,
            "probes": [asdict(p) for p in self.probes],
            "logs": logs,
            "apis": self._apis(),
        }
        lists: dict[str, Any] = json.loads(json.dumps(wire))  # which the agent adds to one another: no tuples
        return lists

    def _apis(self) -> dict[str, object] | None:
        if not self.apis:
            return None
        seconds = min(API_SECONDS, self.seconds * 0.7)
        return {"here": False, "files": OPENRC_FILES, "seconds": seconds, "reads": reads_wire(self.apis)}


def merge_probes(probes: Iterable[Probe]) -> tuple[Probe, ...]:
    """Each probe once, in order.  Raises ValueError when two different probes have one id."""
    by_id: dict[str, Probe] = {}
    for probe in probes:
        if by_id.setdefault(probe.id, probe) != probe:
            raise ValueError(f"two different probes are called {probe.id}")
    return tuple(by_id.values())

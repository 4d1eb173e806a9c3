"""What will be asked of a node: probes, a log scan, and the budget for all of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from stackdoctor.model import Probe

__all__ = ["LOG_PROBE", "LogPattern", "LogScan", "LogSource", "Plan", "merge_probes"]

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
    """All that one node is asked; ``seconds`` is the node's whole budget of wall time."""

    probes: tuple[Probe, ...]
    logs: LogScan | None = None
    seconds: float = 60.0
    parallel: int = 4

    def wire(self) -> bytes:
        """The plan as the node agent reads it (JSON, UTF-8)."""
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
        return json.dumps(
            {
                "version": 1,
                "parallel": self.parallel,
                "seconds": self.seconds,
                "probes": [asdict(p) for p in self.probes],
                "logs": logs,
            }
        ).encode()


def merge_probes(probes: Iterable[Probe]) -> tuple[Probe, ...]:
    """Each probe once, in order.  Raises ValueError when two different probes have one id."""
    by_id: dict[str, Probe] = {}
    for probe in probes:
        if by_id.setdefault(probe.id, probe) != probe:
            raise ValueError(f"two different probes are called {probe.id}")
    return tuple(by_id.values())

"""What one API answered, as the collection keeps it: rows, the service's clock, whether all pages were read.

{"rows": [{"id": "...", "binary": "nova-compute", ...}], "complete": true, "date": 1795384999.0, "version": "2.53"}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TypeVar

from stackdoctor.collect.api_reads import API_SOURCE
from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.answers import Row, json_value, output, rows_in, text
from stackdoctor.model import Cloud, Evidence, NodeResults, Probe, Result, Status

__all__ = ["NOWHERE", "ApiAnswer", "answer", "chosen", "instant", "known", "listed", "source_of"]

NOWHERE = "no clouds.yaml, OS_* or openrc to ask the APIs with"
"""Said of every check that wanted an API where nothing gave credentials."""

T = TypeVar("T")


@dataclass(frozen=True)
class ApiAnswer:
    """One answered read: its rows; ``now`` is seconds since the epoch on the clock of the API's host.

    ``complete`` is False where the pages or the subjects were too many: what is not in it may exist all the same.
    ``asked`` are the subjects of a read that is repeated over the rows of another one.
    """

    rows: tuple[Row, ...]
    now: float
    complete: bool
    asked: frozenset[str]
    node: str
    source: str

    def evidence(self, line: str) -> Evidence:
        """``line`` as evidence of this answer."""
        return Evidence(self.node, self.source, line)


def answer(results: NodeResults, probe: Probe) -> ApiAnswer:
    """What the API said.

    Raises NotApplicable where nobody on this node had credentials, or the service or the resource is not there;
    CouldNotCheck where it did not answer, and ParseError.
    """
    source = source_of(results)
    found = results.results.get((probe.id, ""))
    if found is None:
        raise CouldNotCheck(_no_token(source))
    if found.status is Status.MISSING:
        raise NotApplicable(found.reason)
    value = json_value(output(found))
    if not isinstance(value, dict):
        raise ParseError(f"{probe.id}: not an object")
    date, asked = value.get("date"), value.get("of")
    return ApiAnswer(
        rows=rows_in(value.get("rows")),
        now=float(date) if isinstance(date, int | float) and abs(date) < 1e11 else found.started,
        complete=value.get("complete") is True,
        asked=frozenset(map(str, asked)) if isinstance(asked, list) else frozenset(),
        node=results.node.name,
        source=found.command,
    )


def source_of(results: NodeResults) -> Result:
    """How the credentials were found and used; raises NotApplicable where there are none, or nobody could look."""
    source = results.results.get((API_SOURCE.id, ""))
    if source is None or source.status is Status.MISSING or (source.status is Status.NOT_RUN and not source.stdout):
        raise NotApplicable("no credentials here")
    return source


def _no_token(source: Result) -> str:
    if source.status is Status.RAN and not source.exit:
        return "the time for the APIs was used up"
    return f"{source.command}: no token ({source.reason or source.status.value})"


def listed(row: Row, key: str) -> tuple[Row, ...]:
    """The objects in the list under ``key``; none if it is absent.  Raises ParseError."""
    value = row.get(key)
    return () if value is None else rows_in(value)


def instant(row: Row, key: str) -> float | None:
    """A time of OpenStack's APIs (UTC, with or without ``T``, ``Z`` and fraction) as seconds since the epoch.

    >>> instant({"updated_at": "2026-11-22T22:03:15.000000"}, "updated_at")
    1795384995.0
    >>> instant({"heartbeat_timestamp": "2026-11-22 22:03:14"}, "heartbeat_timestamp")
    1795384994.0
    """
    words = text(row, key)
    if not words:
        return None
    try:
        moment = datetime.fromisoformat(words.removesuffix("Z").partition("+")[0][:26])
    except ValueError as error:
        raise ParseError(f"{key!r} is not a time: {words[:60]}") from error
    return moment.replace(tzinfo=timezone.utc).timestamp()


def known(row: Row, key: str) -> str:
    """The text under ``key``, which must be there.  Raises ParseError."""
    value = text(row, key)
    if not value:
        raise ParseError(f"no {key} in {str(dict(row))[:120]}")
    return value


def chosen(cloud: Cloud[T] | None) -> T | None:
    """One source's fact, where several nodes asked the same APIs: one that is complete if there is one.

    The same one is chosen of every kind of fact: the first in the order of names.
    """
    facts: Mapping[str, T] = cloud.facts if cloud is not None else {}
    names: Iterable[str] = sorted(facts, key=lambda name: (not getattr(facts[name], "complete", True), name))
    return next((facts[name] for name in names), None)

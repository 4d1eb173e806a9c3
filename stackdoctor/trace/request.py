"""One request through all services and nodes: who had it when, and where it was seen last."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stackdoctor.errors import UsageError
from stackdoctor.model import Evidence
from stackdoctor.trace.records import LogRecord, Records
from stackdoctor.trace.steps import FAILED, PROVEN, Step, Trace

__all__ = ["SILENCE", "Stretch", "last_request", "request_id", "request_trace", "stretches"]

SILENCE = 2.0
"""Seconds without a record that are shown as a gap."""

_ID = re.compile(r"(?:req-)?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")

_HTTP = re.compile(r'"(?P<call>(?:GET|POST|PUT|PATCH|DELETE|HEAD) \S+)[^"]*" (?:status: )?(?P<status>\d{3})')
"""nova.api.openstack.requestlog, neutron.wsgi, eventlet.wsgi.server and placement.requestlog write it alike."""

_HEALTH = re.compile(r'"(?:GET|HEAD|OPTIONS) /(?: [^"]*)?" (?:status: )?[23]\d\d')
"""A load balancer's question whether the API lives: a thread of Nova's logs it with the context of its last request."""

_TASK = re.compile(r"Lifecycle Event|sync_power_state|During the sync")
"""What nova-compute logs of an instance by itself, under a request id of its own."""


@dataclass(frozen=True)
class Stretch:
    """Records of one service on one node that no other's come between."""

    node: str
    service: str
    records: tuple[LogRecord, ...]

    @property
    def begin(self) -> float:
        """When its first record was written, on our clock."""
        return self.records[0].time

    @property
    def end(self) -> float:
        """When its last record was written, on our clock."""
        return self.records[-1].time

    @property
    def error(self) -> LogRecord | None:
        """The first record that says that something went wrong: of level ERROR, or an answer of 5xx."""
        return next((r for r in self.records if r.failed or _status(r) >= 500), None)


def request_id(text: str) -> str:
    """``text`` as services write it; raises UsageError where it is no request id.

    >>> request_id("9feb6515-b53e-492b-b474-c38ff33786d7")
    'req-9feb6515-b53e-492b-b474-c38ff33786d7'
    """
    match = _ID.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is no request id: they look like req-9feb6515-b53e-492b-b474-c38ff33786d7")
    return f"req-{match[1]}"


def request_trace(subject: str, records: Records) -> Trace:
    """The way of the request that ``records`` are of; raises UsageError when there are none."""
    if not records.records:
        where = "nothing in these logs" if not records.gaps else "nothing in the logs that could be read"
        raise UsageError(
            f"{where} names {subject} in this time: look further back with --since, or check the id"
            + ("" if records.complete else " (a snapshot keeps few records: without --from all logs are searched)")
        )
    own = tuple(record for record in records.records if not _HEALTH.search(record.message))
    steps = [_step(stretch) for stretch in stretches(own or records.records)]
    more = [
        f"debug = True in the configuration of {service}: it would log each call that it makes and gets"
        for service in dict.fromkeys(step.service for step in steps[-1:])
    ]
    if not records.complete:
        more.insert(0, "the same without --from: a snapshot keeps only records that a log signature matches")
    return Trace("request", subject, tuple(steps), tuple(more), records.gaps, _about(records.records))


def last_request(instance: str, records: Records) -> str:
    """The id of the last request that changed ``instance``; raises UsageError where no record tells of one."""
    for record in reversed(records.records):
        match = _HTTP.search(record.message)
        read = match is not None and match["call"].startswith(("GET", "HEAD"))
        if record.requests and not read and not _TASK.search(record.message):
            return record.requests[0]
    raise UsageError(f"no request on {instance} is in the logs of this time: look further back with --since")


def _about(records: tuple[LogRecord, ...]) -> dict[str, str]:
    calls = [match for r in records if (match := _HTTP.search(r.message))]
    called = next((call for call in calls if not call["call"].startswith(("GET", "HEAD"))), calls[0] if calls else None)
    instance = next((r.instance for r in records if r.instance), "")
    about = {"seconds": f"{records[-1].time - records[0].time:.3f}"}
    if called:
        about["call"] = f"{called['call']} → {called['status']}"
    if instance:
        about["instance"] = instance
    return about


def stretches(records: tuple[LogRecord, ...]) -> Iterator[Stretch]:
    """``records`` cut where another service or another node has the next one."""
    run: list[LogRecord] = []
    for record in records:
        if run and (run[-1].node, run[-1].service) != (record.node, record.service):
            yield Stretch(run[0].node, run[0].service, tuple(run))
            run = []
        run.append(record)
    if run:
        yield Stretch(run[0].node, run[0].service, tuple(run))


def _step(stretch: Stretch) -> Step:
    error = stretch.error
    shown = error or stretch.records[-1]
    said = _said(shown)
    count = len(stretch.records)
    return Step(
        name=stretch.service,
        state=FAILED if error else PROVEN,
        text=said if count == 1 else f"{said} ({count} records, {stretch.end - stretch.begin:.3f} s)",
        node=stretch.node,
        service=stretch.service,
        time=stretch.begin,
        evidence=(Evidence(shown.node, shown.evidence.source, shown.evidence.line),),
    )


def _said(record: LogRecord) -> str:
    match = _HTTP.search(record.message)
    return f"{match['call']} → {match['status']}" if match else record.message


def _status(record: LogRecord) -> int:
    match = _HTTP.search(record.message)
    return int(match["status"]) if match else 0

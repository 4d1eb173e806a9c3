"""What the nodes say of a step that failed: the trace of its request or of the boot, and a diagnosis."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stackdoctor.cli.look import Looking, look
from stackdoctor.cli.trace import dhcp_traces
from stackdoctor.diagnose.knowledge import Knowledge, load_knowledge
from stackdoctor.errors import StackdoctorError

if TYPE_CHECKING:
    from stackdoctor.active.smoke_proof import Ping
    from stackdoctor.report.report import Report
    from stackdoctor.trace.steps import Trace

__all__ = ["Followed", "follow_up", "followed_value", "pinger", "show_followed"]


@dataclass(frozen=True)
class Followed:
    """The traces and the report; ``notes`` say why there is none."""

    traces: tuple[Trace, ...] = ()
    report: Report | None = None
    notes: tuple[str, ...] = field(default=())


def follow_up(looking: Looking, requests: tuple[str, ...], server: str, port: str) -> Followed:
    """Look at the nodes, and find the cause.

    Traced are the boot of ``server``, or where that is empty the last of ``requests``; and the DHCP exchange of
    ``port``, where it is not empty.
    """
    traces: list[Trace] = []
    notes: list[str] = []
    report = None
    try:
        traces += _traces(looking, requests, server)
    except StackdoctorError as why:
        notes.append(f"no trace: {why}")
    try:
        traces += dhcp_traces(port, (), looking) if port else ()
    except StackdoctorError as why:
        notes.append(f"no trace of DHCP: {why}")
    try:
        report = _diagnosis(looking)
    except StackdoctorError as why:
        notes.append(f"no diagnosis: {why}")
    return Followed(tuple(traces), report, tuple(notes))


def _traces(looking: Looking, requests: tuple[str, ...], server: str) -> list[Trace]:
    from stackdoctor.facts.libvirt import Domains
    from stackdoctor.trace.boot import boot_trace
    from stackdoctor.trace.named import instance_named
    from stackdoctor.trace.records import read_records
    from stackdoctor.trace.request import request_trace

    words = (*((server,) if server else ()), *requests)
    if not words:
        return []
    nodes = look(looking, Knowledge((), (), ()), (Domains,) if server else (), words).nodes
    if server:
        uuid, name, domains = instance_named(server, lambda _: nodes)
        return [boot_trace(uuid, name, read_records(nodes, words), domains)]
    last = requests[-1]
    return [request_trace(last, read_records(nodes, (last,)))]


def _diagnosis(looking: Looking) -> Report:
    from stackdoctor.diagnose.analyse import analyse
    from stackdoctor.report.make import make_report

    knowledge = load_knowledge()
    snapshot = look(looking, knowledge)
    return make_report(snapshot, analyse(snapshot, knowledge))


def pinger(looking: Looking) -> Ping:
    """A ping out of the namespace of a network's DHCP server, on whichever of the nodes has it."""
    from stackdoctor.active.programs import NotRun, answer_of, probe_of
    from stackdoctor.active.reach import ping_outcome
    from stackdoctor.cli.active_places import asked, known_nodes
    from stackdoctor.facts.neutron_names import dhcp_namespace

    places = list(known_nodes(looking)[0])

    def ping(network: str, address: str) -> str | None:
        namespace = dhcp_namespace(network)
        probe = probe_of("smoke.ping", "ping", ("ping", address, "2"), 12, namespace)
        why = ""
        for name, node in asked(looking, {name: [probe] for name in places}).items():
            try:
                answer = answer_of(node, probe.id)
            except NotRun:
                continue
            if any(took is not None for took in answer.get("times", ())):
                return None
            places[:] = [name]
            why = f"{ping_outcome(name, address, answer).says}, asked from {namespace} on {name}"
        return why

    return ping


def show_followed(followed: Followed) -> None:
    """Print it as `trace` and `diagnose` do."""
    from rich.console import Console

    from stackdoctor.cli.trace_page import show
    from stackdoctor.report.page import Page
    from stackdoctor.report.terminal import render

    console = Console(highlight=False)
    page = Page(console)
    for trace in followed.traces:
        show(trace)
        page.blank()
    if followed.report is not None:
        render(followed.report, console)
        page.blank()
    for note in followed.notes:
        page.write(page.text(note))


def followed_value(followed: Followed) -> dict[str, Any]:
    """The same as JSON has it (docs/smoke.md)."""
    from stackdoctor.report.as_json import to_json
    from stackdoctor.trace.steps import trace_value

    return {
        "traces": [trace_value(trace) for trace in followed.traces],
        "report": None if followed.report is None else json.loads(to_json(followed.report)),
        "notes": list(followed.notes),
    }

"""`stackdoctor trace`: follow one thing step by step, and see where it stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from stackdoctor.cli.active_broker import LOGIN, login_options
from stackdoctor.cli.consent import consent_option
from stackdoctor.cli.look import Looking, look
from stackdoctor.cli.options import SECONDS, node_options, run_options
from stackdoctor.cli.pager import paged
from stackdoctor.cli.source import read_sources, source_option
from stackdoctor.cli.trace_page import show
from stackdoctor.diagnose.knowledge import Knowledge
from stackdoctor.errors import UsageError
from stackdoctor.facts.fact import Fact
from stackdoctor.snapshot.format import Snapshot
from stackdoctor.trace.steps import FAILED, MISSING, SCHEMA, Trace, trace_value

__all__ = ["command"]

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group("trace")
def command() -> None:
    """Follow one thing step by step, and see where it stopped.

    Exit status: 0 every step is proven, 1 it stopped at a step, 2 wrong use, or not all could be looked at.
    """


def options(function: Command) -> Command:
    """Where to look and how to print: the options of every trace."""
    for option in (
        click.option(
            "--format", "form", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True
        ),
        run_options,
        source_option,
        node_options,
    ):
        function = option(function)
    return function


def snapshot_of(
    sources: tuple[Path, ...], looking: Looking, facts: Iterable[type[Fact]], words: Iterable[str] = ()
) -> Snapshot:
    """The snapshot named, or one made now with ``facts`` and every log record that has one of ``words``."""
    knowledge = Knowledge((), (), ())
    if not sources:
        return look(looking, knowledge, facts, tuple(words))
    return read_sources(sources, looking, knowledge, facts, tuple(words))


def told(trace: Trace, form: str) -> int:
    """Print the trace; the exit status that goes with it."""
    if form == "json":
        click.echo(json.dumps({"schema": SCHEMA, **trace_value(trace)}, indent=2, allow_nan=False))
    else:
        with paged():
            show(trace)
    if any(step.state in (FAILED, MISSING) for step in trace.steps):
        return 1
    return 0 if trace.whole else 2


@command.command("request")
@click.argument("what", metavar="REQ_ID|INSTANCE")
@options
def request(what: str, sources: tuple[Path, ...], form: str, **run: Any) -> int:
    """Follow a request id, or the last request on an instance, through all services and nodes."""
    from stackdoctor.trace.named import instance_named, looks_like_request
    from stackdoctor.trace.records import read_records
    from stackdoctor.trace.request import last_request, request_id, request_trace

    looking = Looking(**run)
    if looks_like_request(what):
        id_ = request_id(what)
        return told(request_trace(id_, read_records(snapshot_of(sources, looking, (), (id_,)).nodes, (id_,))), form)
    uuid, _, _ = instance_named(what, lambda facts: snapshot_of(sources, looking, facts).nodes)
    first = read_records(snapshot_of(sources, looking, (), (uuid,)).nodes, (uuid,))
    id_ = last_request(uuid, first)
    snapshot = snapshot_of(sources, looking, (), (uuid, id_))
    return told(request_trace(id_, read_records(snapshot.nodes, (id_,))), form)


@command.command("boot")
@click.argument("what", metavar="INSTANCE")
@options
def boot(what: str, sources: tuple[Path, ...], form: str, **run: Any) -> int:
    """Follow an instance's boot from the API to a running domain."""
    from stackdoctor.trace.boot import boot_requests, boot_trace
    from stackdoctor.trace.named import instance_named
    from stackdoctor.trace.records import read_records

    looking = Looking(**run)
    uuid, name, domains = instance_named(what, lambda facts: snapshot_of(sources, looking, facts).nodes)
    first = read_records(snapshot_of(sources, looking, (), (uuid,)).nodes, (uuid,))
    words = (uuid, *boot_requests(first))
    records = read_records(snapshot_of(sources, looking, (), words).nodes, words)
    return told(boot_trace(uuid, name, records, domains), form)


@command.command("rpc")
@click.argument("what", required=False, metavar="[MSG_ID|worst]")
@click.option("--topic", default="", help="The server's topic, or its queue: conductor, compute.compute1.")
@click.option("--host", default="", help="One server of the topic.")
@click.option("--live", "seconds", type=SECONDS, help="Watch the broker for so long instead, by its own tracer.")
@click.option("--read-from", "place", default="", metavar="NODE", help="--live: read the trace through this node.")
@login_options
@consent_option
@options
def rpc(
    what: str | None,
    topic: str,
    host: str,
    seconds: float | None,
    place: str,
    yes: bool,
    sources: tuple[Path, ...],
    form: str,
    **run: Any,
) -> int:
    """Follow an RPC call through its five steps: one message, the calls to one server, or the worst there are.

    With --live the calls are watched as they go through the broker, which needs consent and a login to it; the
    exit status is then 1 where one had no reply, 3 where nothing could be traced.
    """
    from stackdoctor.diagnose.knowledge import load_knowledge
    from stackdoctor.trace.records import read_records
    from stackdoctor.trace.rpc import FACTS, message_id, message_trace, server_trace, target_of, worst

    if what and what != "worst" and (topic or host):
        raise UsageError("a message id names one call: leave out --topic and --host")
    if host and not topic:
        raise UsageError("--host needs --topic: which of its services is called? For example --topic compute")
    login = {name: run.pop(name) for name in LOGIN}
    looking = Looking(**run)
    if seconds is not None:
        from stackdoctor.cli.trace_live import live

        if sources or what == "worst":
            raise UsageError("--live watches what goes on: leave out --from and worst")
        return live(looking, login, seconds, message_id(what) if what else "", topic, host, place, form, yes)
    if what and what != "worst":
        id_ = message_id(what)
        records = read_records(snapshot_of(sources, looking, (), (id_,)).nodes, (id_,))
        trace = message_trace(id_, records)
        if form == "json" or not target_of(records):
            return told(trace, form)
        told(trace, form)
        topic = target_of(records)
    if not sources:
        nodes = look(looking, load_knowledge(("log.rpc-*",)), FACTS).nodes
    else:
        nodes = snapshot_of(sources, looking, FACTS).nodes
    if not topic:
        topic, host = worst(nodes)
    return told(server_trace(nodes, topic, host), form)


@command.command("volume")
@click.argument("what", metavar="VOLUME")
@options
def volume(what: str, sources: tuple[Path, ...], form: str, **run: Any) -> int:
    """Follow a volume from the API over its target and session to the disk in a guest."""
    from stackdoctor.trace.records import read_records
    from stackdoctor.trace.volume import FACTS, volume_id, volume_of, volume_trace

    id_ = volume_id(what)
    nodes = snapshot_of(sources, Looking(**run), FACTS, (id_,)).nodes
    return told(volume_trace(volume_of(nodes, id_), read_records(nodes, (id_,))), form)


@command.command("dhcp")
@click.argument("what", metavar="PORT|INSTANCE|MAC|IP")
@click.option("--live", "seconds", type=SECONDS, help="Also copy its packets on every hop, for so long.")
@consent_option
@options
def dhcp(what: str, seconds: float | None, yes: bool, sources: tuple[Path, ...], form: str, **run: Any) -> int:
    """Follow a guest's DHCP exchange: DISCOVER, OFFER, REQUEST, ACK.

    With --live tcpdump runs on the hops of its way, which needs consent: what is seen there counts for more than
    what logs and states tell.
    """
    if seconds is not None and sources:
        raise UsageError("--live watches what goes on: leave out --from")
    return max(told(trace, form) for trace in dhcp_traces(what, sources, Looking(**run), seconds, yes))


def dhcp_traces(
    what: str, sources: tuple[Path, ...], looking: Looking, seconds: float | None = None, yes: bool = False
) -> list[Trace]:
    """The DHCP exchange of a port, instance, MAC or address with each server; raises UsageError where none is.

    With ``seconds`` its packets are copied for so long as well.
    """
    from stackdoctor.trace.dhcp import dhcp_trace
    from stackdoctor.trace.endpoints import find
    from stackdoctor.trace.path import paths
    from stackdoctor.trace.records import read_records
    from stackdoctor.trace.wiring import FACTS, Wiring

    wiring = Wiring.of(snapshot_of(sources, looking, FACTS).nodes)
    guest = find(wiring, what)
    records = read_records(snapshot_of(sources, looking, (), (guest.mac,)).nodes, (guest.mac,))
    ways = paths(wiring, guest, "dhcp")
    traces = [dhcp_trace(wiring, guest, path, records) for path in ways]
    if seconds is None:
        return traces
    from stackdoctor.cli.trace_dhcp_live import watched

    return [
        watched(looking, wiring, guest, path, trace, seconds, yes) for path, trace in zip(ways, traces, strict=True)
    ]

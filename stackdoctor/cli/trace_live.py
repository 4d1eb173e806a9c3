"""`stackdoctor trace rpc --live`: RPC calls as they go through the broker, by its own tracer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from stackdoctor.cli.active_broker import brokers, places_of
from stackdoctor.cli.active_places import asked
from stackdoctor.cli.consent import need_consent
from stackdoctor.cli.look import Looking, look
from stackdoctor.cli.services_page import Dissected, services_value, show_services
from stackdoctor.errors import UsageError

if TYPE_CHECKING:
    from stackdoctor.active.rpc_calls import Call
    from stackdoctor.active.rpc_live import Reader

__all__ = ["live"]

SCHEMA = "stackdoctor/trace-live/1"
PENDING = 1.0
"""A call that began so many seconds before the end may still be answered in time."""


def live(
    looking: Looking,
    login: Mapping[str, Any],
    seconds: float,
    message: str,
    topic: str,
    host: str,
    place: str,
    form: str,
    yes: bool,
) -> int:
    """Trace the calls to ``topic`` (and ``host``), or the call ``message``, for ``seconds``.

    The exit status: 0 all were answered, 1 one was not, 3 nothing could be traced.
    """
    from stackdoctor.active.rpc_calls import by_kind
    from stackdoctor.active.rpc_live import PROBE, Reader, tracing_probe

    if not message and not topic:
        raise UsageError("--live needs a message id or --topic: which calls?")
    if not 1 <= seconds <= 600:
        raise UsageError("--live takes 1 s to 10 min: the tracer copies every message of the virtual host")
    broker = brokers(login)[0]
    starts, ways = places_of(looking, (place,) if place else ())
    nodes = _brokers_nodes(looking)
    need_consent(
        [
            f"on {', '.join(nodes)}: `rabbitmqctl trace_on -p {broker.vhost}` for {seconds:g} s, then `trace_off`, also"
            " after Ctrl-C or a lost connection; where it is on already it is left on",
            "the broker copies every message of the virtual host meanwhile: on a busy one that costs it CPU",
            f"read them as {broker} by an exclusive queue of at most 20000 messages",
        ],
        yes,
    )
    reader = Reader(broker, starts[0], ways)
    reader.start()
    reader.ready.wait(30.0)
    if reader.failure:
        return _nothing(reader, form)
    try:
        answers = asked(looking, {node: [tracing_probe(broker.vhost, seconds)] for node in nodes})
    finally:
        reader.stop()
    gaps = _gaps(answers, PROBE)
    wanted = [call for call in _calls(reader) if _is_wanted(call, message, topic, host)]
    kinds = by_kind(wanted)
    end = max((message.time for message in reader.messages), default=0.0)
    late = [c for c in wanted if c.answered is None and c.begun is not None and c.begun < end - PENDING]
    found = Dissected(str(broker), kinds, (), ())
    if form == "json":
        value = {"schema": SCHEMA, **services_value(found), "messages": len(reader.messages), "gaps": gaps}
        value["calls"] = [{**vars(call), "seconds": call.seconds} for call in wanted[:200]]
        value["late"] = [call.message_id for call in late]
        click.echo(json.dumps(value, indent=2))
    else:
        _show(found, wanted, late, reader, gaps)
    if not reader.messages and gaps:
        return 3
    return 1 if late else 0


def _calls(reader: Reader) -> tuple[Call, ...]:
    from stackdoctor.active.rpc_calls import calls_of

    return calls_of(tuple(reader.messages))


def _is_wanted(call: Call, message: str, topic: str, host: str) -> bool:
    if message:
        return call.message_id == message
    return call.queue in ((f"{topic}.{host}",) if host else (topic,)) or (
        not host and call.queue.startswith(f"{topic}.")
    )


def _brokers_nodes(looking: Looking) -> list[str]:
    """The nodes with a broker that runs: each traces what its own channels carry."""
    from stackdoctor.diagnose.knowledge import Knowledge
    from stackdoctor.errors import CouldNotCheck, NotApplicable
    from stackdoctor.facts.rabbitmq import BrokerStatus

    found, why = [], []
    for node in look(looking, Knowledge((), (), ()), (BrokerStatus,)).nodes:
        try:
            status = BrokerStatus.parse(node)
            if status.answering:
                found.append(node.node.name)
            elif status.configured:
                why.append(f"{node.node.name}: {status.reason}")
        except NotApplicable:
            continue
        except CouldNotCheck as error:
            why.append(f"{node.node.name}: {error}")
    if not found:
        raise UsageError("no broker runs on the nodes" + (f" ({'; '.join(why[:3])})" if why else ""))
    return found


def _gaps(answers: Mapping[str, Any], probe: str) -> list[str]:
    """What went wrong with the tracer on each node."""
    from stackdoctor.active.programs import NotRun, answer_of

    gaps = []
    for node, results in answers.items():
        try:
            answer = answer_of(results, probe)
        except NotRun as why:
            gaps.append(f"{node}: {why}")
            continue
        if answer.get("error"):
            gaps.append(f"{node}: {answer['error']}")
        elif answer.get("before"):
            gaps.append(f"{node}: the tracer was on before, and is left on")
        elif not answer.get("off"):
            gaps.append(f"{node}: it is not certain that the tracer is off: run `rabbitmqctl trace_off` there")
    return gaps


def _show(found: Dissected, wanted: list[Call], late: list[Call], reader: Reader, gaps: list[str]) -> None:
    from rich.console import Console

    from stackdoctor.report.page import Page

    show_services(found)
    page = Page(Console(highlight=False))
    page.blank()
    for call in late[:10]:
        who = f" from {call.client}" if call.client else ""
        did = "was taken and not answered" if call.taken else "was not taken by any server"
        text = f"{call.method} to {call.queue}{who} ({call.message_id}) {did}"
        page.write(page.text(text), 0, page.text("NO REPLY: ", "bold red"))
    page.write(page.text(f"{len(wanted)} calls in {len(reader.messages)} messages that the broker traced."))
    if reader.cut:
        page.write(page.text("There were more messages than are kept: the last are missing.", "yellow"))
    for gap in gaps:
        page.write(page.text(gap), 0, page.text("Tracer: ", "yellow"))


def _nothing(reader: Reader, form: str) -> int:
    if form == "json":
        click.echo(json.dumps({"schema": SCHEMA, "unread": reader.failure, "calls": []}, indent=2))
    else:
        from stackdoctor.report.hostile import plain

        click.echo(plain(re.sub(r"\s+", " ", f"the trace cannot be read: {reader.failure} {reader.advice}")))
    return 3

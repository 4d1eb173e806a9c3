"""One RPC call, or the calls to one server, through the five steps of the flow: where it is stuck, and who is silent.

1 the client publishes, 2 the broker routes the request to a queue and a server takes it, 3 the server works,
4 it publishes the reply, 5 the client gets it (oslo.messaging, ``_drivers/amqpdriver.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError, UsageError
from stackdoctor.facts.fact import Fact
from stackdoctor.facts.logs import LogHit, LogHits
from stackdoctor.facts.processes import Process, Processes
from stackdoctor.facts.rabbitmq_connections import Channels, Connection, Connections, Consumers
from stackdoctor.facts.rabbitmq_holders import queue_holders
from stackdoctor.facts.rabbitmq_queues import Queue, Queues
from stackdoctor.facts.topics import programs_of
from stackdoctor.model import NodeResults
from stackdoctor.trace.records import LogRecord, Records
from stackdoctor.trace.steps import FAILED, MISSING, PROVEN, UNKNOWN, Step, Trace, implied

__all__ = ["FACTS", "STEPS", "message_id", "message_trace", "server_trace", "target_of", "worst"]

STEPS = (
    "client publishes the request",
    "broker routes it, a server takes it",
    "server works",
    "server publishes the reply",
    "client gets the reply",
)

FACTS: tuple[type[Fact], ...] = (Queues, Consumers, Channels, Connections, Processes)

F = TypeVar("F", bound=Fact)

_MESSAGE = re.compile(r"[0-9a-f]{32}")
_TARGET = re.compile(r"CALL msg_id: \S+ exchange '[^']*' topic '(?P<topic>[^']+)'")
_SAID = (
    r"CALL msg_id: ",
    r"received message (?:msg_id: |with unique_id: )",
    r"",
    r"sending reply msg_id: ",
    r"received reply msg_id: |No calling threads waiting for msg_id",
)
"""What debug logs say at each step (amqpdriver.py); of step 3, only that step 4 came."""

_TIMED_OUT = r"Timed out waiting for a reply|MessagingTimeout"


def message_id(text: str) -> str:
    """``text`` as oslo.messaging writes it; raises UsageError where it is no message id."""
    id_ = text.strip().lower().replace("-", "")
    if not _MESSAGE.fullmatch(id_):
        raise UsageError(
            f"{text!r} is no message id: they are 32 hexadecimal digits, as in `message ID cc8c02f1714a...`"
        )
    return id_


def message_trace(id_: str, records: Records) -> Trace:
    """The five steps of the call ``id_``, as the logs tell of them; raises UsageError when none names it."""
    if not records.records:
        raise UsageError(
            f"no log of this time names message {id_}: look further back with --since"
            + ("" if records.complete else " (a snapshot keeps few records: without --from all logs are searched)")
        )
    timed_out = next((r for r in records.records if re.search(_TIMED_OUT, r.text)), None)
    steps = []
    for place, name in enumerate(STEPS):
        said = next((r for r in records.records if _SAID[place] and re.search(_SAID[place], r.message)), None)
        if said is not None:
            steps.append(_step(name, PROVEN, said))
        elif place == 0 and timed_out is not None:
            steps.append(Step(name, PROVEN, "its caller waited for the reply", timed_out.node, timed_out.service))
        elif place == len(STEPS) - 1 and timed_out is not None:
            steps.append(_step(name, FAILED, timed_out))
        else:
            steps.append(Step(name, UNKNOWN, "services log this at level DEBUG only"))
    topic = target_of(records)
    more = ["debug = True in the configuration of the services on both sides"]
    if topic:
        more.insert(0, f"stackdoctor trace rpc --topic {topic}")
    return Trace("rpc", id_, implied(steps), tuple(more), records.gaps, {"topic": topic} if topic else {})


def target_of(records: Records) -> str:
    """The topic that the call went to, empty where no record tells."""
    return next((match["topic"] for r in records.records if (match := _TARGET.search(r.message))), "")


def _step(name: str, state: str, record: LogRecord) -> Step:
    return Step(name, state, record.message, record.node, record.service, record.time, (record.evidence,))


@dataclass(frozen=True)
class Broker:
    """What the broker of ``node`` shows.  ``processes`` are those of all nodes."""

    node: str
    queues: Queues
    consumers: Consumers | None
    channels: Channels | None
    connections: Connections | None


def _brokers(nodes: Sequence[NodeResults]) -> tuple[list[Broker], list[str]]:
    found, gaps = [], []
    for node in nodes:
        try:
            queues = Queues.parse(node)
        except NotApplicable:
            continue
        except (CouldNotCheck, ParseError) as why:
            if node.results:
                gaps.append(f"the queues on {node.node.name}: {why}")
            continue
        found.append(
            Broker(node.node.name, queues, _fact(node, Consumers), _fact(node, Channels), _fact(node, Connections))
        )
    return found, gaps


def _fact(node: NodeResults, kind: type[F]) -> F | None:
    try:
        return kind.parse(node)  # type: ignore[return-value]
    except (CouldNotCheck, NotApplicable, ParseError):
        return None


def worst(nodes: Sequence[NodeResults]) -> tuple[str, str]:
    """Topic and host (empty: any) of the server whose calls fare worst; raises UsageError where none waits.

    A queue without a consumer is worse than one that does not drain, that is worse than time-outs alone.  While
    the broker blocks publishers every call waits: any topic shows it.
    """
    brokers, gaps = _brokers(nodes)
    waiting = [q for b in brokers for q in b.queues.rpc_topics() if q.messages and not q.draining]
    if waiting:
        queue = max(waiting, key=lambda q: (not q.consumers, q.stuck, q.messages))
        return queue.topic, queue.server_host
    if any(c.blocked for b in brokers if b.connections for c in b.connections.rows):
        return "conductor", ""
    missed = [hit for hit in _hits(nodes, "rpc-timeout") if hit.keys.get("topic")]
    if missed:
        newest = max(missed, key=lambda hit: (hit.last, hit.count))
        return newest.keys["topic"], ""
    what = f" ({'; '.join(gaps)})" if gaps else ""
    raise UsageError(
        f"no call waits: every RPC queue that was seen is empty or drains, and no log tells of a time-out{what}"
    )


def server_trace(nodes: Sequence[NodeResults], topic: str, host: str) -> Trace:
    """How calls to ``topic`` (of ``host``, if not empty) fare: the steps as queues, connections and processes tell."""
    brokers, gaps = _brokers(nodes)
    if not brokers:
        raise UsageError("no broker could be looked at" + (f": {'; '.join(gaps)}" if gaps else ""))
    wanted = host.lower().split(".", 1)[0]
    queues = [
        (broker, queue)
        for broker in brokers
        for queue in broker.queues.rpc_topics()
        if topic in (queue.topic, queue.name)
        and (not wanted or not queue.server_host or queue.server_host.lower().split(".", 1)[0] == wanted)
    ]
    own = [(b, q) for b, q in queues if (wanted or topic == q.name) and q.server_host]
    chosen = own or [(b, q) for b, q in queues if not q.server_host] or queues
    if not chosen:
        raise UsageError(_no_queue(brokers, topic, host))
    broker, queue = max(chosen, key=lambda found: found[1].messages)
    callers = _callers(nodes, queue)
    steps = (
        _published(broker, callers),
        _routed(broker, queue),
        _worked(nodes, broker, queue),
        _answered(nodes, broker, queue),
        _received(broker, callers),
    )
    about = {"queue": queue.name, "served by": queue.service or "unknown", "broker": broker.node}
    more = [
        f"rabbitmqctl list_consumers | grep {queue.name}",
        f"stackdoctor trace rpc --topic {queue.name} --live 10 --yes: the broker's own tracer, for 10 seconds",
    ]
    return Trace("rpc", f"{queue.topic}{' on ' + host if host else ''}", steps, tuple(more), tuple(gaps), about)


def _no_queue(brokers: Iterable[Broker], topic: str, host: str) -> str:
    import difflib

    names = sorted({name for b in brokers for q in b.queues.rpc_topics() for name in (q.name, q.topic)})
    asked = f"{topic}.{host}" if host else topic
    near = difflib.get_close_matches(asked, names, 3)
    return f"no broker has a queue for {asked}" + (f". Did you mean {' or '.join(near)}?" if near else "")


def _hits(nodes: Sequence[NodeResults], signature: str) -> Iterator[LogHit]:
    for node in nodes:
        logs = _fact(node, LogHits)
        if logs is not None:
            yield from logs.of(signature)


def _callers(nodes: Sequence[NodeResults], queue: Queue) -> list[LogHit]:
    """The time-outs of calls to the queue's topic, or to its service, newest last."""
    return sorted(
        (
            hit
            for hit in _hits(nodes, "rpc-timeout")
            if hit.keys.get("topic") == queue.topic
            or (hit.keys.get("callee") and hit.keys.get("callee") == queue.service)
        ),
        key=lambda hit: hit.last,
    )


def _published(broker: Broker, callers: list[LogHit]) -> Step:
    name = STEPS[0]
    blocked = [c for c in broker.connections.rows if c.blocked] if broker.connections else []
    if blocked:
        text = f"the broker blocks {len(blocked)} connections that publish, {blocked[0]} among them"
        return Step(name, FAILED, text, broker.node, "rabbitmq-server", evidence=(blocked[0].evidence,))
    if callers:
        last = callers[-1]
        text = f"{last.service} on {last.node} waited in vain {last.count} times"
        return Step(name, PROVEN, text, last.node, last.service, last.last, (last.evidence,))
    return Step(name, UNKNOWN, "no log of this time tells of a caller that waited in vain")


def _routed(broker: Broker, queue: Queue) -> Step:
    name = STEPS[1]
    held = f"{queue.ready} ready, {queue.unacked} taken and not acknowledged, {queue.consumers} consumers"
    state = PROVEN if queue.consumers else FAILED
    text = f"{queue.name}: {held}" if queue.consumers else f"nobody consumes {queue.name} ({held})"
    return Step(name, state, text, broker.node, "rabbitmq-server", evidence=(queue.evidence,))


def _holders(broker: Broker, queue: Queue) -> list[Connection]:
    if broker.consumers is None or broker.channels is None or broker.connections is None:
        return []
    return list(queue_holders((queue,), broker.consumers, broker.channels, broker.connections).get(queue.name, ()))


def _servers(nodes: Sequence[NodeResults], broker: Broker, queue: Queue) -> list[tuple[str, Process]]:
    """The processes that serve the queue: on the hosts that consume it, else wherever the service runs."""
    pids = {c.program_pid for c in _holders(broker, queue) if c.program_pid}
    found = [
        (node.node.name, process)
        for node in nodes
        if (processes := _fact(node, Processes)) is not None
        for program in programs_of(queue.service)
        for process in processes.of(program)
    ]
    wanted = queue.server_host.lower().split(".", 1)[0]
    here = [(n, p) for n, p in found if not wanted or n.lower().split(".", 1)[0] == wanted]
    return [(n, p) for n, p in here if p.pid in pids] or here


def _worked(nodes: Sequence[NodeResults], broker: Broker, queue: Queue) -> Step:
    name = STEPS[2]
    servers = _servers(nodes, broker, queue)
    halted = [(n, p) for n, p in servers if p.stopped or p.uninterruptible]
    if halted:
        node, process = halted[0]
        why = "is stopped by a signal" if process.stopped else f"waits in the kernel ({process.wchan or 'D'})"
        text = f"{process} {why}" + (f", and {len(halted) - 1} more" if len(halted) > 1 else "")
        return Step(name, FAILED, text, node, queue.service, evidence=(process.evidence,))
    if not servers and not queue.consumers:
        return Step(name, MISSING, f"no node that was looked at runs {queue.service or 'its server'}")
    if queue.stuck:
        text = f"its {queue.messages} messages do not get fewer while its process runs: it is blocked, or very busy"
        return Step(name, UNKNOWN, text, broker.node, queue.service, evidence=(queue.evidence,))
    if not queue.messages or queue.draining:
        text = "the queue drains" if queue.messages else "nothing waits in the queue"
        return Step(name, PROVEN, text, broker.node, queue.service, evidence=(queue.evidence,))
    return Step(name, UNKNOWN, f"{queue.messages} messages, and no second look at them")


def _answered(nodes: Sequence[NodeResults], broker: Broker, queue: Queue) -> Step:
    name = STEPS[3]
    blocked = [c for c in _holders(broker, queue) if c.blocked]
    if blocked:
        return Step(
            name, FAILED, f"the broker blocks {blocked[0]}", broker.node, queue.service, evidence=(blocked[0].evidence,)
        )
    lost = sorted(
        (
            hit
            for signature in ("rpc-reply-q-abandoned", "rpc-drop-reply")
            for hit in _hits(nodes, signature)
            if not queue.service or hit.service in (queue.service, *programs_of(queue.service))
        ),
        key=lambda hit: hit.last,
    )
    if lost:
        hit = lost[-1]
        gone = f"the reply queue {hit.keys['queue']} is gone" if hit.keys.get("queue") else "a reply queue is gone"
        text = f"{hit.service} on {hit.node} could not publish {hit.count} replies: {gone}"
        return Step(name, FAILED, text, hit.node, hit.service, hit.last, (hit.evidence,))
    late = sorted(_hits(nodes, "rpc-late-reply"), key=lambda hit: hit.last)
    if late:
        hit = late[-1]
        text = f"{hit.service} on {hit.node} got replies after it had given up: they come, too late"
        return Step(name, UNKNOWN, text, hit.node, hit.service, hit.last, (hit.evidence,))
    return Step(name, UNKNOWN, "a reply leaves no trace in queues or at the default log level")


def _received(broker: Broker, callers: list[LogHit]) -> Step:
    name = STEPS[4]
    abandoned = [q for q in broker.queues if q.kind == "reply" and q.messages and not q.consumers]
    if abandoned:
        queue = max(abandoned, key=lambda q: q.messages)
        text = f"{queue.name} holds {queue.messages} replies and has no consumer: its client is gone"
        return Step(name, UNKNOWN, text, broker.node, "rabbitmq-server", evidence=(queue.evidence,))
    if callers:
        last = callers[-1]
        return Step(
            name,
            FAILED,
            f"{last.service} on {last.node} timed out",
            last.node,
            last.service,
            last.last,
            (last.evidence,),
        )
    return Step(name, UNKNOWN, "no caller says that it did not")

"""The queues of a RabbitMQ broker, twice within a few seconds, and what each is for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.rabbitmq_status import STATUS, BrokerStatus, refuse_without_broker
from stackdoctor.facts.rabbitmq_text import (
    RABBITMQCTL,
    RABBITMQCTL_ENV,
    Record,
    amqp_table,
    count,
    erlang_pid,
    flag,
    records,
)
from stackdoctor.facts.topics import Kind, Purpose, purpose
from stackdoctor.model import Each, Evidence, NodeResults, Probe, Result, Status

__all__ = ["Counts", "Queue", "Queues", "vhosts"]

# a virtual host may be called "name": the second column tells the header (3.7 and later) from a row
vhosts = Each((*RABBITMQCTL, "list_vhosts", "name", "tracing"), pattern=r"^([^\t]+)\t(?:true|false)$", limit=24)
"""Each virtual host takes several rabbitmqctl, and a second of CPU each: a broker may have a hundred of them."""

AGAIN = "#2"

_NEEDED = ("name", "messages_ready", "messages_unacknowledged", "messages", "consumers")
_USUAL = (*_NEEDED, "memory", "state", "pid", "durable", "auto_delete", "arguments", "policy")


@dataclass(frozen=True)
class Counts:
    """Messages and consumers of a queue at one moment."""

    ready: int
    unacked: int
    messages: int
    consumers: int


@dataclass(frozen=True)
class Queue:
    """One queue.  ``later`` are the counts a few seconds after, None where there is no second sample.

    ``counted`` is False where the broker has no counts to give because the queue's process is down: all
    are 0 then.  ``memory`` is in bytes; ``node`` is the broker that holds it, empty where the output does not say.
    """

    name: str
    vhost: str
    ready: int
    unacked: int
    messages: int
    consumers: int
    evidence: Evidence
    memory: int = 0
    state: str = ""
    node: str = ""
    durable: bool = False
    auto_delete: bool = False
    policy: str = ""
    arguments: Mapping[str, object] = field(default_factory=dict)
    later: Counts | None = None
    counted: bool = True
    purpose: Purpose = field(default_factory=lambda: Purpose("other"))

    def __str__(self) -> str:
        return self.name

    @property
    def kind(self) -> Kind:
        """What sort of oslo.messaging queue it is."""
        return self.purpose.kind

    @property
    def topic(self) -> str:
        """The RPC topic, empty for replies and foreign queues."""
        return self.purpose.topic

    @property
    def server_host(self) -> str:
        """The host whose server alone consumes it, empty if any may."""
        return self.purpose.host

    @property
    def service(self) -> str:
        """The OpenStack service that consumes it, empty if unknown."""
        return self.purpose.service

    @property
    def growing(self) -> bool:
        """More messages in the second sample; False without one."""
        return self.later is not None and self.later.messages > self.messages

    @property
    def draining(self) -> bool:
        """Fewer messages in the second sample; False without one."""
        return self.later is not None and self.later.messages < self.messages

    @property
    def stuck(self) -> bool:
        """Messages in both samples, and not fewer in the second; False without one."""
        return self.later is not None and 0 < self.messages <= self.later.messages


@dataclass(frozen=True)
class Queues:
    """All queues of a broker.  ``unread`` says for which virtual hosts they could not be read, and why.

    Read from ``rabbitmqctl -q list_queues -p VHOST name messages_ready ...`` (3.10)::

        name	messages_ready	messages_unacknowledged	messages	consumers	memory	state	...
        conductor	0	3	3	1	34856	running	false	false	[]
        reply_5eb0cc377b514c0a82ce4ad20d6b88bf	0	0	0	1	35256	running	false	false	[{"x-expires",1800000}]

    (3.5 and 3.6 print no header; the JSON of 3.7 and later is read as well.)
    """

    probes: ClassVar[tuple[Probe, ...]] = (
        Probe(
            "rabbitmq.queues",
            (*RABBITMQCTL, "list_queues", "-p", "{each}", *_USUAL),
            # one unknown column fails the whole command: those that every version has
            otherwise=((*RABBITMQCTL, "list_queues", "-p", "{each}", *_NEEDED),),
            each=vhosts,
            root=True,
            container="rabbitmq",
            timeout=30.0,
            cap=16 * 1024 * 1024,
            again_after=3.0,
            env=RABBITMQCTL_ENV,
            after=STATUS.id,
        ),
        Probe(
            "rabbitmq.vhosts",
            vhosts.argv,
            root=True,
            container="rabbitmq",
            timeout=30.0,
            env=RABBITMQCTL_ENV,
            after=STATUS.id,
        ),
        *BrokerStatus.probes,
    )

    rows: tuple[Queue, ...]
    unread: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Queue]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def gaps(self) -> tuple[tuple[str, str], ...]:
        """The virtual hosts whose queues could not be read."""
        return tuple(("rabbitmq.queue.*", f"virtual host {unread}") for unread in self.unread)

    def rpc_topics(self) -> tuple[Queue, ...]:
        """The queues that carry RPC requests to a server: those of a topic and those of one server of it."""
        return tuple(queue for queue in self.rows if queue.kind in ("rpc", "rpc-host"))

    @classmethod
    def parse(cls, results: NodeResults) -> Queues:
        """The queues of every virtual host.  Raises CouldNotCheck if none could be read, ParseError, NotApplicable."""
        refuse_without_broker(results)
        answers = {result.subject: result for result in results.every(cls.probes[0])}
        results.usable(cls.probes[0])
        rows: list[Queue] = []
        unread: list[str] = []
        failure: CouldNotCheck | None = None
        for vhost, result in answers.items():
            if vhost.endswith(AGAIN) and vhost.removesuffix(AGAIN) in answers:
                continue
            try:
                rows += _queues(results, result, vhost, answers.get(vhost + AGAIN))
            except ParseError:
                raise
            except CouldNotCheck as error:
                unread.append(f"{vhost}: {error}")
                failure = error
        if failure is not None and len(unread) == sum(not name.endswith(AGAIN) for name in answers):
            raise failure
        if left_out := _left_out(results, cls.probes[1], answers):
            unread.append(f"{left_out[0]} and {len(left_out) - 1} more were not asked: no more than {vhosts.limit} are")
        return cls(tuple(rows), tuple(unread))


def _left_out(results: NodeResults, probe: Probe, asked: Mapping[str, Result]) -> list[str]:
    """The virtual hosts that there are and that were not asked; empty where their list is not known."""
    try:
        listed = results.one(probe)
    except (CouldNotCheck, NotApplicable):
        return []
    pattern = re.compile(vhosts.pattern)
    names = (match[1] for line in listed.text.splitlines() if (match := pattern.match(line)))
    return [name for name in names if name not in asked]


def _node(pid: object) -> str:
    try:
        return erlang_pid(pid).node
    except ParseError:
        return ""


def _counts(row: Record) -> Counts:
    return Counts(
        count(row, "messages_ready"),
        count(row, "messages_unacknowledged"),
        count(row, "messages"),
        count(row, "consumers"),
    )


def _later(again: Result | None) -> Mapping[str, Counts]:
    """The second sample by name; empty where it failed, for it only adds to the first."""
    if again is None or again.status is not Status.RAN:
        return {}
    try:
        return {str(row["name"]): _counts(row) for row, _ in records(again, _USUAL, _NEEDED)}
    except CouldNotCheck:
        return {}


def _queues(results: NodeResults, result: Result, vhost: str, again: Result | None) -> list[Queue]:
    later = _later(again)
    # thousands of queues have a handful of different arguments
    tables: dict[str, Mapping[str, object]] = {}
    queues = []
    for row, line in records(result, _USUAL, _NEEDED):
        name, given, raw = str(row["name"]), _counts(row), row.get("arguments", "")
        table = tables.get(str(raw))
        if table is None:
            table = tables[str(raw)] = amqp_table(raw)
        queues.append(
            Queue(
                name,
                vhost,
                given.ready,
                given.unacked,
                given.messages,
                given.consumers,
                results.evidence(result, line),
                memory=count(row, "memory"),
                state=str(row.get("state", "")),
                node=_node(row.get("pid")),
                durable=flag(row, "durable"),
                auto_delete=flag(row, "auto_delete"),
                policy=str(row.get("policy") or ""),
                arguments=table,
                later=later.get(name),
                counted=row["messages"] not in ("", None),
                purpose=purpose(name),
            )
        )
    return queues

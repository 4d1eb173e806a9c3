"""Who is connected to a RabbitMQ broker, and what each consumes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck
from stackdoctor.facts.answers import integer
from stackdoctor.facts.rabbitmq_queues import vhosts
from stackdoctor.facts.rabbitmq_status import STATUS, BrokerStatus, refuse_without_broker
from stackdoctor.facts.rabbitmq_text import (
    RABBITMQCTL,
    RABBITMQCTL_ENV,
    ErlangPid,
    Record,
    amqp_table,
    count,
    erlang_pid,
    flag,
    peer,
    records,
)
from stackdoctor.model import Evidence, NodeResults, Probe, Result, Status

__all__ = ["Channel", "Channels", "Connection", "Connections", "Consumer", "Consumers"]

_CONSUMER = ("queue_name", "channel_pid", "consumer_tag", "ack_required", "prefetch_count", "arguments")
_CONSUMER_OLD = ("queue_name", "channel_pid", "consumer_tag", "ack_required", "arguments")
_CHANNEL = ("pid", "connection", "consumer_count", "messages_unacknowledged", "prefetch_count")
_CONNECTION = (
    *("pid", "name", "peer_host", "peer_port", "user", "vhost", "state", "channels", "send_pend", "timeout"),
    *("connected_at", "recv_oct", "client_properties"),
)
# as this was asked for before the octets were of interest (snapshots of then are read as well), and what 3.4 knows
_CONNECTION_BEFORE = tuple(name for name in _CONNECTION if name != "recv_oct")
_CONNECTION_OLD = tuple(name for name in _CONNECTION_BEFORE if name != "connected_at")
AGAIN = "#2"
HEARTBEATS = 16
"""Bytes of two heartbeats, more than a client sends within seconds; one acknowledgement has 21 (AMQP 0-9-1, 4.2.3)."""


def _probe(id: str, *arguments: str, otherwise: tuple[str, ...] = (), again_after: float = 0.0) -> Probe:
    # tables, not JSON: JSON prints processes without the name of their node, which then join in a cluster only by luck
    return Probe(
        id,
        (*RABBITMQCTL, *arguments),
        otherwise=((*RABBITMQCTL, *otherwise),) if otherwise else (),
        each=vhosts if "{each}" in arguments else None,
        root=True,
        container="rabbitmq",
        timeout=30.0,
        cap=16 * 1024 * 1024,
        again_after=again_after,
        env=RABBITMQCTL_ENV,
        after=STATUS.id,
    )


@dataclass(frozen=True)
class Consumer:
    """One subscription: messages of ``queue`` go to ``channel``; ``prefetch`` 0 is without limit."""

    queue: str
    vhost: str
    channel: ErlangPid
    tag: str
    ack_required: bool
    prefetch: int
    evidence: Evidence


@dataclass(frozen=True)
class Consumers:
    """All consumers of a broker, as ``rabbitmqctl -q list_consumers -p VHOST`` (3.10) shows them::

    queue_name	channel_pid	consumer_tag	ack_required	prefetch_count	active	arguments
    conductor	<rabbit@controller.1795363530.3087.0>	1	true	0	true	[]
    """

    probes: ClassVar[tuple[Probe, ...]] = (
        _probe("rabbitmq.consumers", "list_consumers", "-p", "{each}"),
        *BrokerStatus.probes,
    )

    rows: tuple[Consumer, ...]

    def __iter__(self) -> Iterator[Consumer]:
        return iter(self.rows)

    @classmethod
    def parse(cls, results: NodeResults) -> Consumers:
        """The consumers of every virtual host.  Raises CouldNotCheck, ParseError or NotApplicable."""
        refuse_without_broker(results)
        rows = []
        for result in results.usable(cls.probes[0]):
            for row, line in records(result, _CONSUMER, _CONSUMER_OLD):
                rows.append(
                    Consumer(
                        str(row["queue_name"]),
                        result.subject,
                        erlang_pid(row["channel_pid"]),
                        str(row["consumer_tag"]),
                        flag(row, "ack_required"),
                        count(row, "prefetch_count"),
                        results.evidence(result, line),
                    )
                )
        return cls(tuple(rows))


@dataclass(frozen=True)
class Channel:
    """One channel of a connection, and how many messages it took and has not acknowledged."""

    pid: ErlangPid
    connection: ErlangPid
    consumers: int
    unacked: int
    prefetch: int
    evidence: Evidence


@dataclass(frozen=True)
class Channels:
    """All channels of a broker, as ``rabbitmqctl -q list_channels pid connection ...`` (3.10) shows them::

    pid	connection	consumer_count	messages_unacknowledged	prefetch_count
    <rabbit@controller.1795372628.822.0>	<rabbit@controller.1795372628.813.0>	3	0	0
    """

    probes: ClassVar[tuple[Probe, ...]] = (
        _probe("rabbitmq.channels", "list_channels", *_CHANNEL),
        *BrokerStatus.probes,
    )

    rows: tuple[Channel, ...]

    def __iter__(self) -> Iterator[Channel]:
        return iter(self.rows)

    @classmethod
    def parse(cls, results: NodeResults) -> Channels:
        """The channels of every virtual host.  Raises CouldNotCheck, ParseError or NotApplicable."""
        refuse_without_broker(results)
        result = results.one(cls.probes[0])
        return cls(
            tuple(
                Channel(
                    erlang_pid(row["pid"]),
                    erlang_pid(row["connection"]),
                    count(row, "consumer_count"),
                    count(row, "messages_unacknowledged"),
                    count(row, "prefetch_count"),
                    results.evidence(result, line),
                )
                for row, line in records(result, _CHANNEL)
            )
        )


@dataclass(frozen=True)
class Connection:
    """One client of a broker.

    ``state`` is running, blocked (an alarm: what it published waits), blocking (it will be blocked once it
    publishes), flow (throttled) or one of opening and closing.  ``connection_name`` is what an oslo.messaging
    client calls itself, ``program:pid:uuid`` (Newton and later); ``program`` and ``program_pid`` are read
    off it and empty and None for others.  ``timeout`` is the heartbeat in seconds, ``connected_at`` seconds
    since the epoch on the broker's clock.  ``said`` are the bytes that the client sent between two looks some
    seconds apart, None where there were not two.
    """

    pid: ErlangPid
    name: str
    peer_host: str
    peer_port: int
    user: str
    vhost: str
    state: str
    channels: int
    send_pend: int
    timeout: int
    connected_at: float | None
    connection_name: str
    program: str
    program_pid: int | None
    evidence: Evidence
    said: int | None = None

    def __str__(self) -> str:
        return f"{self.program or self.name} on {self.peer_host}" if self.program else self.name

    @property
    def blocked(self) -> bool:
        """An alarm of the broker stops what it publishes."""
        return self.state in ("blocked", "blocking")

    @property
    def lively(self) -> bool | None:
        """Whether the client sent more than heartbeats between the two looks; None where there were not two."""
        return None if self.said is None else self.said > HEARTBEATS


@dataclass(frozen=True)
class Connections:
    """All client connections of a broker, as ``rabbitmqctl -q list_connections pid name ...`` shows them.

    With the columns asked for, 3.10 prints a header and rows such as (here without the first ones)::

        [{"product","py-amqp"},...,{"connection_name","nova-conductor:995:499a2985-a794-450b-8a72-9f676b85ff39"}]
    """

    probes: ClassVar[tuple[Probe, ...]] = (
        _probe(
            "rabbitmq.connections",
            "list_connections",
            *_CONNECTION,
            otherwise=("list_connections", *_CONNECTION_OLD),
            again_after=3.0,
        ),
        *BrokerStatus.probes,
    )

    rows: tuple[Connection, ...]

    def __iter__(self) -> Iterator[Connection]:
        return iter(self.rows)

    def of(self, program: str) -> tuple[Connection, ...]:
        """The connections of ``program``."""
        return tuple(connection for connection in self.rows if connection.program == program)

    @classmethod
    def parse(cls, results: NodeResults) -> Connections:
        """The connections of every virtual host.  Raises CouldNotCheck, ParseError or NotApplicable."""
        refuse_without_broker(results)
        result = results.one(cls.probes[0])
        later = _octets(next((r for r in results.every(cls.probes[0]) if r.subject == AGAIN), None))
        rows = []
        for row, line in records(result, _CONNECTION, _CONNECTION_BEFORE, _CONNECTION_OLD):
            called = amqp_table(row["client_properties"]).get("connection_name", "")
            called = called if isinstance(called, str) else ""
            program, pid = _program(called)
            connected = count(row, "connected_at")
            rows.append(
                Connection(
                    erlang_pid(row["pid"]),
                    str(row["name"]),
                    peer(row["peer_host"]),
                    count(row, "peer_port"),
                    str(row["user"]),
                    str(row["vhost"]),
                    str(row["state"]),
                    count(row, "channels"),
                    count(row, "send_pend"),
                    count(row, "timeout"),
                    connected / 1000 if connected else None,
                    called,
                    program,
                    pid,
                    results.evidence(result, line),
                    said=_said(row, later),
                )
            )
        return cls(tuple(rows))


def _octets(again: Result | None) -> Mapping[str, int]:
    """The bytes from each client as of the second look; empty where it failed, for it only adds to the first."""
    if again is None or again.status is not Status.RAN:
        return {}
    try:
        rows = records(again, _CONNECTION, _CONNECTION_BEFORE, _CONNECTION_OLD)
        return {str(row["pid"]): count(row, "recv_oct") for row, _ in rows if row.get("recv_oct") not in ("", None)}
    except CouldNotCheck:
        return {}


def _said(row: Record, later: Mapping[str, int]) -> int | None:
    then = later.get(str(row["pid"]))
    return None if then is None or row.get("recv_oct") in ("", None) else then - count(row, "recv_oct")


def _program(connection_name: str) -> tuple[str, int | None]:
    """Program and process of ``program:pid:uuid`` (oslo.messaging ``impl_rabbit.py``)."""
    program, _, pid = connection_name.rpartition(":")[0].rpartition(":")
    number = integer(pid)
    return (program, number) if program and number is not None else ("", None)

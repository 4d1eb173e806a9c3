"""Who is connected to a RabbitMQ broker, what each consumes, and who holds the messages of a queue."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import ParseError
from stackdoctor.facts.answers import integer
from stackdoctor.facts.rabbitmq_queues import Queue, vhosts
from stackdoctor.facts.rabbitmq_status import STATUS, BrokerStatus, refuse_without_broker
from stackdoctor.facts.rabbitmq_text import (
    RABBITMQCTL,
    RABBITMQCTL_ENV,
    ErlangPid,
    amqp_table,
    count,
    erlang_pid,
    flag,
    records,
)
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = ["Channel", "Channels", "Connection", "Connections", "Consumer", "Consumers", "queue_holders"]

_CONSUMER = ("queue_name", "channel_pid", "consumer_tag", "ack_required", "prefetch_count", "arguments")
_CONSUMER_OLD = ("queue_name", "channel_pid", "consumer_tag", "ack_required", "arguments")
_CHANNEL = ("pid", "connection", "consumer_count", "messages_unacknowledged", "prefetch_count")
_CONNECTION = (
    *("pid", "name", "peer_host", "peer_port", "user", "vhost", "state", "channels", "send_pend", "timeout"),
    *("connected_at", "client_properties"),
)
_CONNECTION_OLD = tuple(name for name in _CONNECTION if name != "connected_at")


def _probe(id: str, *arguments: str, otherwise: tuple[str, ...] = ()) -> Probe:
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
    since the epoch on the broker's clock.
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

    def __str__(self) -> str:
        return f"{self.program or self.name} on {self.peer_host}" if self.program else self.name

    @property
    def blocked(self) -> bool:
        """An alarm of the broker stops what it publishes."""
        return self.state in ("blocked", "blocking")


@dataclass(frozen=True)
class Connections:
    """All client connections of a broker, as ``rabbitmqctl -q list_connections pid name ...`` shows them.

    With the twelve columns asked for, 3.10 prints a header and rows such as (here without the first eleven)::

        [{"product","py-amqp"},...,{"connection_name","nova-conductor:995:499a2985-a794-450b-8a72-9f676b85ff39"}]
    """

    probes: ClassVar[tuple[Probe, ...]] = (
        _probe(
            "rabbitmq.connections",
            "list_connections",
            *_CONNECTION,
            otherwise=("list_connections", *_CONNECTION_OLD),
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
        rows = []
        for row, line in records(result, _CONNECTION, _CONNECTION_OLD):
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
                )
            )
        return cls(tuple(rows))


def peer(value: object) -> str:
    """A client's address: JSON prints it as its numbers, and IPv4 over IPv6 sockets is the IPv4 address.

    >>> peer([192, 168, 199, 10]), peer("::ffff:192.0.2.7"), peer([0, 0, 0, 0, 0, 65535, 49152, 519])
    ('192.168.199.10', '192.0.2.7', '192.0.2.7')
    """
    if isinstance(value, list) and all(type(part) is int and 0 <= part <= 0xFFFF for part in value):
        value = ".".join(map(str, value)) if len(value) == 4 else ":".join(f"{part:x}" for part in value)
    if not isinstance(value, str):
        raise ParseError(f"not an address: {str(value)[:80]}")
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return value
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _program(connection_name: str) -> tuple[str, int | None]:
    """Program and process of ``program:pid:uuid`` (oslo.messaging ``impl_rabbit.py``)."""
    program, _, pid = connection_name.rpartition(":")[0].rpartition(":")
    number = integer(pid)
    return (program, number) if program and number is not None else ("", None)


class _ByPid:
    """Looks connections up by the broker's process, whose node only some outputs name."""

    def __init__(self, rows: Iterable[tuple[ErlangPid, Connection]]) -> None:
        self._exact: dict[ErlangPid, Connection] = {}
        self._numbers: defaultdict[tuple[int, int], list[tuple[str, Connection]]] = defaultdict(list)
        for pid, connection in rows:
            self._exact[pid] = connection
            self._numbers[pid.number, pid.serial].append((pid.node, connection))

    def get(self, pid: ErlangPid) -> Connection | None:
        """The connection of ``pid``; None too where several nodes of a cluster have one with these numbers."""
        if pid.node and pid in self._exact:
            return self._exact[pid]
        near = [
            connection
            for node, connection in self._numbers.get((pid.number, pid.serial), ())
            if not (node and pid.node)
        ]
        return near[0] if len(near) == 1 else None


def queue_holders(
    queues: Iterable[Queue], consumers: Consumers, channels: Channels, connections: Connections
) -> Mapping[str, tuple[Connection, ...]]:
    """Who consumes each of ``queues``, by the queue's name: consumer, its channel, its connection.

    A queue without a consumer has an empty tuple.  With unacknowledged messages in the queue, its holder is
    the one of these whose process did not answer.
    """
    of_connection = _ByPid((connection.pid, connection) for connection in connections)
    of_channel = _ByPid(
        (channel.pid, connection)
        for channel in channels
        if (connection := of_connection.get(channel.connection)) is not None
    )
    wanted = {(queue.vhost, queue.name) for queue in queues}
    holders: dict[str, dict[ErlangPid, Connection]] = {name: {} for _, name in wanted}
    for consumer in consumers:
        if (consumer.vhost, consumer.queue) in wanted and (found := of_channel.get(consumer.channel)) is not None:
            holders[consumer.queue][found.pid] = found
    return {name: tuple(found.values()) for name, found in holders.items()}

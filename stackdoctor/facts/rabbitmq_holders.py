"""Who holds the messages of a queue: its consumers, their channels, and the connections of these."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from stackdoctor.facts.rabbitmq_connections import Channels, Connection, Connections, Consumers
from stackdoctor.facts.rabbitmq_queues import Queue
from stackdoctor.facts.rabbitmq_text import ErlangPid

__all__ = ["queue_holders"]


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

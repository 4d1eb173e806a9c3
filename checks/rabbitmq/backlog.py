"""RPC queues whose messages do not get fewer: by a consumer that hangs, or by one that has much to do."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.checks.rabbitmq.hosts import UNKNOWN
from stackdoctor.checks.rabbitmq.queues import every_queue

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.rabbitmq_connections import Channels, Connection, Connections, Consumers
from stackdoctor.facts.rabbitmq_holders import queue_holders
from stackdoctor.facts.rabbitmq_queues import Queue, Queues

Holder = tuple[str, str]
"""Address and program of a consumer."""


@check("rabbitmq.queue.stuck", severity=Severity.WARNING)
def queue_that_does_not_drain(
    cloud: Cloud[Queues], consumers: Cloud[Consumers], channels: Cloud[Channels], connections: Cloud[Connections]
) -> Iterator[Finding]:
    """An RPC queue has consumers and its messages do not get fewer within seconds: who took them does not answer.

    Of several consumers those are named whose channels hold messages; where none is seen to, `holds` is "unclear"
    and each may be the one.  oslo.messaging acknowledges a request when it takes it up, so `acks` is "none" where
    a consumer that holds messages sent the broker nothing but heartbeats for those seconds: it is stopped, blocked,
    or all its workers wait.  One that acknowledges is at work and is left out (rabbitmq.queue.behind).
    """
    for node, queue, found, certain in _stuck(cloud, consumers, channels, connections):
        for (peer, program), acks in sorted(found.items()):
            if acks == "some":
                continue
            yield Finding(
                queue,
                f"queue {queue.name} has {queue.consumers} consumers, and its {queue.messages} messages"
                f" ({queue.unacked} taken and not acknowledged) do not get fewer"
                + (f": {program or 'the consumer'} on {peer} acknowledges none" if acks == "none" else ""),
                node=node,
                queue=queue.name,
                vhost=queue.vhost,
                topic=queue.topic,
                service=program or queue.service,
                host=peer,
                messages=queue.messages,
                unacked=queue.unacked,
                growing="yes" if queue.growing else "no",
                holds="yes" if certain else "unclear",
                acks=acks,
            )


@check("rabbitmq.queue.behind", severity=Severity.INFO)
def queue_with_more_than_is_done(
    cloud: Cloud[Queues], consumers: Cloud[Consumers], channels: Cloud[Channels], connections: Cloud[Connections]
) -> Iterator[Finding]:
    """An RPC queue fills as fast as its consumers work, and they do work: they acknowledge messages all the time.

    The service is busy.  It is a fault only where its callers time out: then it has too few workers, or what it
    waits for (the database, as a rule) is slow.
    """
    for node, queue, found, _ in _stuck(cloud, consumers, channels, connections):
        for (peer, program), acks in sorted(found.items()):
            if acks == "some":
                yield Finding(
                    queue,
                    f"queue {queue.name} has {queue.messages} messages and does not get shorter, while"
                    f" {program or 'its consumer'} on {peer} works on them",
                    node=node,
                    queue=queue.name,
                    vhost=queue.vhost,
                    topic=queue.topic,
                    service=program or queue.service,
                    host=peer,
                    messages=queue.messages,
                    growing="yes" if queue.growing else "no",
                )


def _stuck(
    cloud: Cloud[Queues], consumers: Cloud[Consumers], channels: Cloud[Channels], connections: Cloud[Connections]
) -> Iterator[tuple[str, Queue, dict[Holder, str], bool]]:
    """Each queue that does not drain, who may hold its messages and what they acknowledge, and whether that is sure."""
    of_node: dict[str, list[Queue]] = {}
    for node, queue in every_queue(cloud):
        if queue.kind in ("rpc", "rpc-host") and queue.consumers and queue.stuck:
            of_node.setdefault(node, []).append(queue)
    for node, queues in of_node.items():
        if node in consumers.facts and node in channels.facts and node in connections.facts:
            holding = Channels(tuple(channel for channel in channels.facts[node] if channel.unacked))
            sure, possible = (
                queue_holders(queues, consumers.facts[node], among, connections.facts[node])
                for among in (holding, channels.facts[node])
            )
            for queue in queues:
                yield node, queue, *_holders(queue, sure.get(queue.name, ()), possible.get(queue.name, ()))


def _holders(
    queue: Queue, sure: tuple[Connection, ...], possible: tuple[Connection, ...]
) -> tuple[dict[Holder, str], bool]:
    """Those who may hold the queue's messages with what they acknowledge, and whether it is sure that they do."""
    found: dict[Holder, list[Connection]] = {}
    for connection in sure or possible:
        found.setdefault((connection.peer_host, connection.program), []).append(connection)
    if not found:
        return {(queue.server_host or UNKNOWN, ""): "unknown"}, True
    return {holder: _acks(own) for holder, own in found.items()}, bool(sure) or len(found) == 1


def _acks(connections: list[Connection]) -> str:
    """Whether these acknowledge "some" messages or "none"; of a service's processes one that does not is enough."""
    lively = [connection.lively for connection in connections]
    if False in lively:
        return "none"
    return "some" if all(lively) else "unknown"

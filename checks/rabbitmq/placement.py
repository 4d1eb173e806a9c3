"""Queues that are there and cannot be used, because of the members of the cluster that they lie on."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.checks.rabbitmq.queues import every_queue

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.rabbitmq_queues import Queue, Queues
from stackdoctor.facts.rabbitmq_status import BrokerStatus


def _is_quorum(queue: Queue) -> bool:
    return queue.arguments.get("x-queue-type") == "quorum"


def _lame(cloud: Cloud[Queues], states: tuple[str, ...], quorum: bool) -> Iterator[tuple[str, Queue]]:
    for node, queue in every_queue(cloud):
        if _is_quorum(queue) == quorum and queue.state in states and not queue.auto_delete:
            yield node, queue


@check("rabbitmq.queue.home-down", severity=Severity.ERROR)
def home_down(cloud: Cloud[Queues], brokers: Cloud[BrokerStatus]) -> Iterator[Finding]:
    """A durable classic queue lies on a member of the cluster that does not run, and has no copy anywhere else.

    Nobody can declare it, publish to it or consume from it until that member is back: the topic is dead although
    the broker answers.  Reply and fanout queues are left out, since their owners make new ones.
    """
    for node, queue in _lame(cloud, ("down", "stopped"), quorum=False):
        status = brokers.facts.get(node)
        if queue.kind not in ("rpc", "rpc-host", "notification") or not queue.node or status is None:
            continue
        if not status.running_nodes or queue.node in status.running_nodes:
            continue
        yield Finding(
            queue,
            f"queue {queue.name} lies on {queue.node} alone, which does not run"
            + ("" if queue.policy else ", and no policy gives it copies"),
            node=node,
            queue=queue.name,
            vhost=queue.vhost,
            topic=queue.topic,
            service=queue.service,
            broker=queue.node,
            policy=queue.policy or "none",
        )


@check("rabbitmq.queue.leaderless", severity=Severity.ERROR)
def leaderless(cloud: Cloud[Queues]) -> Iterator[Finding]:
    """A quorum queue has no leader: too few of its members run, and what is published to it waits or fails.

    Only members of the cluster that the queue was made on count for it.  (3.10 does not list such a queue at all
    while its leader is gone; `rabbitmq-queues quorum_status QUEUE` does.)
    """
    for node, queue in _lame(cloud, ("down", "minority", "stopped"), quorum=True):
        yield Finding(
            queue,
            f"quorum queue {queue.name} has no leader (state {queue.state})",
            node=node,
            queue=queue.name,
            vhost=queue.vhost,
            topic=queue.topic,
            service=queue.service,
        )

"""RPC queues that nobody serves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.rabbitmq_connections import Channels, Connections, Consumers, queue_holders
from stackdoctor.facts.rabbitmq_queues import Queue, Queues
from stackdoctor.facts.reach import Reach
from stackdoctor.facts.services import Services
from stackdoctor.facts.topics import programs_of

UNKNOWN = "unknown"


def every_queue(cloud: Cloud[Queues]) -> Iterator[tuple[str, Queue]]:
    """Each queue once: every node of a broker's cluster lists all of them."""
    seen: set[tuple[str, str, str]] = set()
    for node, queues in cloud:
        for queue in queues:
            if (queue.node, queue.vhost, queue.name) not in seen:
                seen.add((queue.node, queue.vhost, queue.name))
                yield node, queue


@check("rabbitmq.queue.no-consumer", severity=Severity.ERROR)
def queue_without_consumer(
    cloud: Cloud[Queues], services: Cloud[Services] | None, reach: Cloud[Reach]
) -> Iterator[Finding]:
    """A service's RPC queue holds messages and nobody consumes them: the service is down or cut off.

    A queue that is empty, a fanout or a reply queue is left out: those of processes that ended stay until
    they expire, and nobody waits for them.  The hosts of a queue that several servers share are read off
    the servers' own queues (`conductor.HOST`) that lost their consumer with it.  A host that is none of
    the nodes looked at gives a warning only: it may have left the cloud for good.
    """
    queues = list(every_queue(cloud))
    own = {(q.topic, q.server_host): q for _, q in queues if q.kind == "rpc-host"}
    for node, queue in queues:
        if queue.kind not in ("rpc", "rpc-host") or not _unserved(queue):
            continue
        shared = queue.kind == "rpc"
        hosts = _hosts_of_topic(queue, own.values(), services) if shared else [queue.server_host]
        for host in hosts:
            known = shared or _is_known(host, reach)
            found = _services_on(host, services)
            service = _service(queue, found)
            yield Finding(
                queue,
                f"queue {queue.name} holds {queue.messages} messages and has no consumer",
                node=node,
                severity=None if known else Severity.WARNING,
                queue=queue.name,
                vhost=queue.vhost,
                topic=queue.topic,
                service=service,
                host=host,
                kind="shared" if shared else "own",
                known="yes" if known else "no",
                unit_down="yes" if found is not None and any(s.down for s in found.of(service)) else "no",
                messages=queue.messages,
            )


def _unserved(queue: Queue) -> bool:
    later = queue.later
    now = queue.messages > 0 and queue.consumers == 0
    return now and (later is None or (later.messages > 0 and later.consumers == 0))


def _hosts_of_topic(queue: Queue, own: Iterable[Queue], services: Cloud[Services] | None) -> list[str]:
    hosts = [q.server_host for q in own if q.topic == queue.topic and not q.consumers]
    if not hosts and services is not None:
        hosts = [node for node, found in services if any(s.down for s in found.of(queue.service))]
    return hosts or [UNKNOWN]


def _is_known(host: str, reach: Cloud[Reach]) -> bool:
    """Whether ``host`` is a node that was looked at, under the name that the services use for it."""
    short = host.split(".", 1)[0].lower()
    return any(short == node.split(".", 1)[0].lower() for node, _ in reach)


def _services_on(host: str, services: Cloud[Services] | None) -> Services | None:
    """What the manager of ``host`` knows, under the name that the services use for it."""
    short = host.split(".", 1)[0].lower()
    return next((found for node, found in services or () if node.split(".", 1)[0].lower() == short), None)


def _service(queue: Queue, found: Services | None) -> str:
    """The service that consumes the queue; where several could (layer 2 agents), the one that the host has."""
    programs = programs_of(queue.service)
    if len(programs) > 1 and found is not None:
        return next((p for p in programs if found.of(p)), queue.service)
    return queue.service


@check("rabbitmq.queue.stuck", severity=Severity.WARNING)
def queue_that_does_not_drain(
    cloud: Cloud[Queues], consumers: Cloud[Consumers], channels: Cloud[Channels], connections: Cloud[Connections]
) -> Iterator[Finding]:
    """An RPC queue has consumers and its messages do not get fewer within seconds: who took them does not answer.

    A warning by itself: a busy service may have requests in flight each time one looks.  Services before
    oslo.messaging 9 (Stein) acknowledge a request when they have carried it out, later ones on receipt.
    """
    for node, queue in every_queue(cloud):
        if queue.kind not in ("rpc", "rpc-host") or not queue.consumers or not queue.stuck:
            continue
        if node not in consumers.facts or node not in channels.facts or node not in connections.facts:
            continue
        holders = queue_holders((queue,), consumers.facts[node], channels.facts[node], connections.facts[node])
        hosts = {(c.peer_host, c.program) for c in holders.get(queue.name, ())}
        for peer, program in sorted(hosts) or [(queue.server_host or UNKNOWN, "")]:
            yield Finding(
                queue,
                f"queue {queue.name} has {queue.consumers} consumers, and its {queue.messages} messages"
                f" ({queue.unacked} taken and not acknowledged) do not get fewer",
                node=node,
                queue=queue.name,
                vhost=queue.vhost,
                topic=queue.topic,
                service=program or queue.service,
                host=peer,
                messages=queue.messages,
                unacked=queue.unacked,
                growing="yes" if queue.growing else "no",
            )

"""Servers that wait where nobody asks: under another host name, or in another virtual host."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.checks.rabbitmq.queues import every_queue

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.rabbitmq_connections import Connections
from stackdoctor.facts.rabbitmq_queues import Queue, Queues

# whom all services of a project need: Nova's cells have a conductor each
CENTRE = {
    "nova": "conductor",
    "neutron": "q-plugin",
    "cinder": "cinder-scheduler",
    "heat": "engine",
    "manila": "manila-scheduler",
}


@check("rabbitmq.queue.other-name", severity=Severity.WARNING)
def served_under_another_name(cloud: Cloud[Queues]) -> Iterator[Finding]:
    """Requests wait for a server under one form of its host's name, while it serves under another one.

    `compute.node1` has messages and no consumer, `compute.node1.example.com` has one: the host was renamed, its
    name became fully qualified or short, or `host` is set in one configuration and not in the other.  Records in
    the database still carry the old name, and what is sent there is never carried out.
    """
    served: dict[tuple[str, str, str], Queue] = {}
    waiting: list[tuple[str, Queue]] = []
    for node, queue in every_queue(cloud):
        if queue.kind != "rpc-host" or not queue.server_host or queue.purpose.backend:
            continue
        if queue.consumers:
            served[queue.vhost, queue.topic, _short(queue)] = queue
        elif queue.messages and (queue.later is None or (queue.later.messages and not queue.later.consumers)):
            waiting.append((node, queue))
    for node, queue in waiting:
        other = served.get((queue.vhost, queue.topic, _short(queue)))
        if other is not None and other.server_host != queue.server_host:
            yield Finding(
                queue,
                f"queue {queue.name} holds {queue.messages} messages and has no consumer, while"
                f" {queue.service or 'its server'} consumes {other.name}",
                node=node,
                evidence=(queue.evidence, other.evidence),
                queue=queue.name,
                vhost=queue.vhost,
                topic=queue.topic,
                service=queue.service,
                host=queue.server_host,
                name=queue.server_host,
                served_as=other.server_host,
                growing="yes" if queue.growing else "no",
            )


def _short(queue: Queue) -> str:
    return queue.server_host.partition(".")[0].lower()


@check("rabbitmq.vhost.apart", severity=Severity.WARNING)
def alone_in_its_vhost(queues: Cloud[Queues], connections: Cloud[Connections]) -> Iterator[Finding]:
    """A service is connected to a virtual host where the one that it asks has never been, and is in another one.

    Exchanges and queues are each virtual host's own: the login succeeds and nobody hears the service.  The end of
    its transport_url differs from the others', often by a slash.  A service that is connected to the right one as well
    is left out: it has another one for its notifications.
    """
    for node, found in queues:
        if node not in connections.facts or found.unread:
            continue
        present = {(q.vhost, q.name) for q in found}
        homes: dict[str, str] = {}
        for queue in found:
            if queue.consumers and queue.name in CENTRE.values():
                homes.setdefault(queue.name, queue.vhost)
        told: set[tuple[str, str, str]] = set()
        at_home = {
            (c.program, c.peer_host)
            for c in connections.facts[node]
            if (c.vhost, CENTRE.get(c.program.partition("-")[0], "")) in present
        }
        for connection in connections.facts[node]:
            topic = CENTRE.get(connection.program.partition("-")[0], "")
            key = (connection.program, connection.peer_host, connection.vhost)
            if topic not in homes or (connection.vhost, topic) in present or key in told:
                continue
            if key[:2] in at_home:
                continue  # notifications may have a virtual host of their own
            told.add(key)
            yield Finding(
                connection,
                f"{connection.program} on {connection.peer_host} is in the virtual host {connection.vhost}, where there"
                f" is no queue {topic}; it is served in {homes[topic]}",
                node=node,
                evidence=connection.evidence,
                service=connection.program,
                host=connection.peer_host,
                vhost=connection.vhost,
                expected=homes[topic],
                topic=topic,
            )

"""RPC queues that nobody serves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stackdoctor.checks.rabbitmq.hosts import UNKNOWN, Hosts

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.host import HostsFile
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.rabbitmq_queues import Queue, Queues
from stackdoctor.facts.reach import NodeClock, Reach
from stackdoctor.facts.services import Services
from stackdoctor.facts.topics import programs_of


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
    cloud: Cloud[Queues],
    services: Cloud[Services] | None,
    processes: Cloud[Processes] | None,
    files: Cloud[HostsFile] | None,
    clocks: Cloud[NodeClock] | None,
    reach: Cloud[Reach],
) -> Iterator[Finding]:
    """A service's RPC queue holds messages and nobody consumes them: the service is down or cut off.

    A queue that is empty, a fanout or a reply queue is left out: those of processes that ended stay until
    they expire, and nobody waits for them.  The hosts of a queue that several servers share are read off
    the servers' own queues (`conductor.HOST`) that lost their consumer with it, and off where the service
    is down, stopped, or runs all the same.  A host that is none of the nodes looked at gives a warning
    only: it may have left the cloud for good.  So does one where the service neither runs nor is meant to: it was
    taken off.  While the service is being started or stopped it is a note.
    """
    queues = list(every_queue(cloud))
    own = {(q.topic, q.server_host): q for _, q in queues if q.kind == "rpc-host"}
    known = Hosts(reach, files, services, processes, clocks)
    for node, queue in queues:
        if queue.kind not in ("rpc", "rpc-host") or not _unserved(queue):
            continue
        shared = queue.kind == "rpc"
        for host in _hosts_of_topic(queue, own.values(), known) if shared else _hosts_of_server(queue, known):
            is_known = shared or (known.node(host) is not None and not known.without(host, queue.service))
            found = known.services(host)
            service = _service(queue, found)
            changing = known.changing(host, service)
            yield Finding(
                queue,
                f"queue {queue.name} holds {queue.messages} messages and has no consumer"
                + (f" while {service} on {host} is being started or stopped" if changing else ""),
                node=node,
                severity=Severity.INFO if changing else None if is_known else Severity.WARNING,
                queue=queue.name,
                vhost=queue.vhost,
                topic=queue.topic,
                service=service,
                host=host,
                kind="shared" if shared else "own",
                known="yes" if is_known else "no",
                changing="yes" if changing else "no",
                unit_down="yes" if found is not None and any(s.down for s in found.of(service)) else "no",
                messages=queue.messages,
            )


def _unserved(queue: Queue) -> bool:
    later = queue.later
    now = queue.messages > 0 and queue.consumers == 0
    return now and (later is None or (later.messages > 0 and later.consumers == 0))


def _hosts_of_topic(queue: Queue, own: Iterable[Queue], known: Hosts) -> list[str]:
    lost = [q.server_host for q in own if q.topic == queue.topic and not q.consumers and q.server_host]
    here = [host for host in lost if known.node(host) is not None]
    return here or known.that_should_serve(queue.service) or lost or [UNKNOWN]


def _hosts_of_server(queue: Queue, known: Hosts) -> list[str]:
    """The server's host.  Cinder's may be called otherwise than any node (backend_host): where it does not run."""
    if queue.purpose.backend and known.node(queue.server_host) is None:
        return known.that_should_serve(queue.service) or [queue.server_host]
    return [queue.server_host or UNKNOWN]


def _service(queue: Queue, found: Services | None) -> str:
    """The service that consumes the queue; where several could (layer 2 agents), the one that the host has."""
    programs = programs_of(queue.service)
    if len(programs) > 1 and found is not None:
        return next((p for p in programs if found.of(p)), queue.service)
    return queue.service

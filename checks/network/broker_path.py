"""The way from a node to its broker."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.reach import Reach
from stackdoctor.facts.service_config import ServiceConfig
from stackdoctor.facts.sockets import Socket, Sockets

AMQP_PORTS = (5672, 5671)
ON_THE_HOST = (
    *("nova-compute", "neutron-linuxbridge-agent", "neutron-openvswitch-agent", "neutron-l3-agent"),
    *("neutron-dhcp-agent", "cinder-volume"),
)
"""What works on the host's own network and disks: in a container too its connections are in the host's namespace."""


@check("amqp.connection.unanswered", severity=Severity.ERROR)
def unanswered_connection(sockets: Sockets, processes: Processes | None) -> Iterator[Finding]:
    """The broker does not answer a service that connects (SYN-SENT), or acknowledges nothing of what it sent.

    Packets are lost on the way.  A broker that is down refuses at once, and one that hangs acknowledges, its kernel
    does it; silence comes from a firewall, a route, a switch, or a host that is down.  Where other connections from
    here to the same broker are alive (nothing that was sent on them is unacknowledged) it may have been caught in the
    moment of its making, and is a warning.  Programs that are none of the cloud's are left out.
    """
    for (broker, port), waiting in sockets.unanswered(*AMQP_PORTS).items():
        found = [socket for socket in waiting if not _is_foreign(socket, processes)]
        if not found:
            continue
        alive = sockets.alive(port, broker)
        programs = ", ".join(sorted({s.program for s in found if s.program})) or "a service"
        yield Finding(
            f"{broker}:{port}",
            f"{len(found)} connections to the broker {broker}:{port} get no answer ({programs})",
            severity=Severity.WARNING if alive else None,
            evidence=found[0].evidence,
            count=len(found),
            host=found[0].evidence.node,
            broker=broker,
            port=port,
            others="alive" if alive else "none",
        )


@check("amqp.connection.none", severity=Severity.INFO)
def no_connection(sockets: Sockets, processes: Processes, config: ServiceConfig, reach: Reach) -> Iterator[Finding]:
    """A service that runs has no live connection to any of the brokers that its configuration names.

    By itself it is a note: why, its log says.  Asked of services that work on the host's own network or disks.
    """
    for service in ON_THE_HOST:
        settings = config.of(service)
        transport = settings.transport if settings is not None else None
        if settings is None or transport is None or not transport.driver.startswith(("rabbit", "kombu")):
            continue
        running = [process for process in processes.of(service) if not process.zombie]
        if running and not any(sockets.alive(port) for _, port in transport.hosts):
            for host, port in transport.hosts:
                yield Finding(
                    f"{service} {host}:{port}",
                    f"{service} on {reach.node} has no live connection to the broker {host}:{port}",
                    evidence=(running[0].evidence, settings.transport_evidence),
                    service=service,
                    host=reach.node,
                    broker=host,
                    port=port,
                )


def _is_foreign(socket: Socket, processes: Processes | None) -> bool:
    """Whether all processes behind ``socket`` are known and none of them is a service."""
    owners = [processes.get(pid) for pid in socket.pids] if processes is not None else []
    return bool(owners) and all(owner is not None and not owner.service for owner in owners)

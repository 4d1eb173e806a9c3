"""The way from a node to its broker."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.sockets import Socket, Sockets

AMQP_PORTS = (5672, 5671)


@check("amqp.connection.unanswered", severity=Severity.ERROR)
def unanswered_connection(sockets: Sockets, processes: Processes | None) -> Iterator[Finding]:
    """A service waits for the broker to answer its connection (SYN-SENT): packets are lost on the way.

    A broker that is down refuses at once; silence comes from a firewall, a route, a switch, or a host that
    is down.  Where other connections from here to the same broker are alive (nothing that was sent on them is
    unacknowledged) it may have been caught in the moment of its making, and is a warning.  Programs that are
    none of the cloud's are left out.
    """
    for (broker, port), waiting in sockets.unanswered(*AMQP_PORTS).items():
        found = [socket for socket in waiting if not _is_foreign(socket, processes)]
        if not found:
            continue
        alive = any(s.state == "ESTAB" and s.peer == broker and not s.send_q for s in sockets.to_port(port))
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


def _is_foreign(socket: Socket, processes: Processes | None) -> bool:
    """Whether all processes behind ``socket`` are known and none of them is a service."""
    owners = [processes.get(pid) for pid in socket.pids] if processes is not None else []
    return bool(owners) and all(owner is not None and not owner.service for owner in owners)

"""The way from a node to its broker."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.sockets import Sockets

AMQP_PORTS = (5672, 5671)


@check("amqp.connection.unanswered", severity=Severity.ERROR)
def unanswered_connection(sockets: Sockets) -> Iterator[Finding]:
    """A service waits for the broker to answer its connection (SYN-SENT): packets are lost on the way.

    A broker that is down refuses at once; silence comes from a firewall, a route, a switch, or a host that
    is down.
    """
    for (broker, port), found in sockets.unanswered(*AMQP_PORTS).items():
        programs = ", ".join(sorted({s.program for s in found if s.program})) or "a service"
        yield Finding(
            f"{broker}:{port}",
            f"{len(found)} connections to the broker {broker}:{port} get no answer ({programs})",
            evidence=found[0].evidence,
            count=len(found),
            host=found[0].evidence.node,
            broker=broker,
            port=port,
        )

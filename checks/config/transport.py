"""Where services look for their broker, and whether there is one."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.host import HostsFile
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.reach import Reach
from stackdoctor.facts.service_config import ServiceConfig, Settings
from stackdoctor.facts.services import Services
from stackdoctor.facts.sockets import Sockets

BROKER = "rabbitmq-server"


class Places:
    """Which node an address or a name is, and whether a broker is there."""

    def __init__(
        self,
        reach: Cloud[Reach],
        addresses: Cloud[Addresses],
        files: Cloud[HostsFile] | None,
        sockets: Cloud[Sockets],
        processes: Cloud[Processes],
        services: Cloud[Services],
    ) -> None:
        self._sockets, self._processes, self._services = sockets.facts, processes.facts, services.facts
        self._files = files.facts if files is not None else {}
        self._nodes: dict[str, set[str]] = {}
        for node, found in addresses:
            for address in found.addresses:
                if not address.namespace:
                    self._nodes.setdefault(address.ip, set()).add(node)
        for node, reached in reach:
            for name in (node, reached.hostname):
                if name:
                    self._nodes.setdefault(name.lower(), set()).add(node)

    def node(self, host: str, seen_from: str) -> str | None:
        """The one node that ``host`` is when looked at from a node; None where that is not known."""
        places = self._files.get(seen_from)
        known = places.addresses(host) if places is not None else ()
        for name in (*known, host.lower()):
            if name == "localhost" or _is_loopback(name):
                return seen_from
            nodes = self._nodes.get(name, set())
            if nodes or known:
                return next(iter(nodes)) if len(nodes) == 1 else None
        return None

    def without_broker(self, node: str, port: int) -> bool:
        """Whether it is sure that ``node`` has none: nothing listens, none runs, and none is installed to run."""
        if node not in self._sockets or node not in self._processes or node not in self._services:
            return False
        units = self._services[node].of(BROKER)
        return (
            not self._sockets[node].listening(port)
            and not self._processes[node].of(BROKER)
            and not any(unit.enabled or unit.ran or unit.active != "inactive" for unit in units)
        )

    def runs(self, node: str, settings: Settings) -> str:
        """A service with these settings that runs on ``node``; empty if there is none."""
        prefix = settings.owner.replace("_", "-") or f"{settings.project}-"
        names = {p.service for p in self._processes[node] if not p.zombie} if node in self._processes else set()
        return min((name for name in names if name.startswith(prefix)), default="")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@check("config.transport.no-broker", severity=Severity.ERROR)
def transport_without_broker(
    cloud: Cloud[ServiceConfig],
    reach: Cloud[Reach],
    addresses: Cloud[Addresses],
    files: Cloud[HostsFile] | None,
    sockets: Cloud[Sockets],
    processes: Cloud[Processes],
    services: Cloud[Services],
) -> Iterator[Finding]:
    """A service that runs has a transport_url that names a node without a broker.

    Nothing listens there, no RabbitMQ runs there, and none is meant to.  Where the URL names other hosts that may
    have one (`others`) the service goes on to these, and it is a note.  An address that is none of the nodes
    looked at (a virtual one, a load balancer) is not judged.
    """
    places = Places(reach, addresses, files, sockets, processes, services)
    for node, config in cloud:
        for settings in config:
            transport, service = settings.transport, places.runs(node, settings)
            if not settings.owner and any(other.project == settings.project and other.owner for other in config):
                continue  # containers have their own; this one is left of a package
            if transport is None or not service or not transport.driver.startswith(("rabbit", "kombu")):
                continue
            empty = []
            for host, port in transport.hosts:
                place = places.node(host, node)
                if place is not None and places.without_broker(place, port):
                    empty.append(f"{host}:{port}")
            others = len(transport.hosts) - len(empty)
            for address in empty:
                yield Finding(
                    settings,
                    f"transport_url of {service} on {node} names {address}, where there is no broker",
                    node=node,
                    severity=Severity.INFO if others else None,
                    evidence=settings.transport_evidence,
                    service=service,
                    host=node,
                    address=address,
                    others="some" if others else "none",
                )

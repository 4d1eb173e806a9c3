"""Where the servers of a queue are: what the services call a host, and which node that is."""

from __future__ import annotations

from stackdoctor.api import Cloud
from stackdoctor.facts.host import HostsFile
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.reach import NodeClock, Reach
from stackdoctor.facts.services import Service, Services
from stackdoctor.facts.topics import programs_of

UNKNOWN = "unknown"
"""The host of a queue that says nothing of where its server is."""

START_LIMIT = 90.0
"""Seconds that systemd gives a unit to start or stop by default (DefaultTimeoutStartSec in systemd-system.conf(5))."""


class Hosts:
    """The nodes that were looked at, under the names that the services use for them."""

    def __init__(
        self,
        reach: Cloud[Reach],
        files: Cloud[HostsFile] | None,
        services: Cloud[Services] | None,
        processes: Cloud[Processes] | None,
        clocks: Cloud[NodeClock] | None,
    ) -> None:
        self._services = services.facts if services is not None else {}
        self._processes = processes.facts if processes is not None else {}
        self._clocks = clocks.facts if clocks is not None else {}
        addresses = {found.address: node for node, found in reach if found.address}
        self._nodes = {
            name.lower().split(".", 1)[0]: addresses[address]
            for _, file in files or ()
            for address, names in file.names.items()
            if address in addresses
            for name in names
        }
        self._nodes |= {found.hostname.lower().split(".", 1)[0]: node for node, found in reach if found.hostname}
        self._nodes |= {node.lower().split(".", 1)[0]: node for node, _ in reach if not node.replace(".", "").isdigit()}

    def node(self, host: str) -> str | None:
        """The node that a service calls ``host``, None for one that was not looked at."""
        return self._nodes.get(host.lower().split(".", 1)[0])

    def services(self, host: str) -> Services | None:
        """What the manager of ``host`` knows."""
        node = self.node(host)
        return None if node is None else self._services.get(node)

    def without(self, host: str, service: str) -> bool:
        """Whether it is sure that ``service`` neither runs on ``host`` nor is meant to."""
        node, programs = self.node(host) or "", programs_of(service)
        if node not in self._services or node not in self._processes or not programs:
            return False
        found = self._services[node]
        units = [unit for program in programs for unit in found.of(program)]
        if not units and (found.unread or not found.rows):
            return False
        return not any(found.meant(p) or self._processes[node].of(p) for p in programs)

    def that_should_serve(self, service: str) -> list[str]:
        """The nodes where ``service`` is down; without one where it is stopped; without one where it runs."""
        programs = programs_of(service)
        down = [n for n, found in self._services.items() if any(s.down for p in programs for s in found.of(p))]
        runs = {n: [p for name in programs for p in found.of(name)] for n, found in self._processes.items()}
        stopped = [n for n, found in runs.items() if any(p.stopped for p in found)]
        return down or stopped or [n for n, found in runs.items() if found]

    def changing(self, host: str, service: str) -> bool:
        """Whether ``service`` is being started or stopped on ``host``, within the time that this may take."""
        found, node = self.services(host), self.node(host)
        clock = self._clocks.get(node or "")
        return any(_changes(unit, clock) for unit in (found.of(service) if found is not None else ()))


def _changes(unit: Service, clock: NodeClock | None) -> bool:
    if unit.active not in ("activating", "deactivating", "reloading") or unit.flapping:
        return False
    return unit.since is None or clock is None or clock.now - unit.since < START_LIMIT

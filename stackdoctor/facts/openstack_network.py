"""Networks, ports and routers as Neutron believes them.

{"id": "3784735a-...", "status": "ACTIVE", "device_owner": "compute:nova", "binding:host_id": "compute1", ...}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from stackdoctor.collect.api_reads import API_READS, API_SOURCE
from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.answers import nested, number, text
from stackdoctor.facts.openstack_answers import NOWHERE, ApiAnswer, answer, instant, known, listed
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = [
    "FloatingIp",
    "FloatingIps",
    "Hosting",
    "Network",
    "Networks",
    "Port",
    "Ports",
    "Router",
    "Routers",
    "Subnet",
]


@dataclass(frozen=True)
class Port:
    """One port.  ``owner`` is device_owner (compute:nova, network:dhcp ...), ``age`` seconds since it was changed."""

    id: str
    status: str
    enabled: bool
    owner: str
    device: str
    network: str
    mac: str
    ips: tuple[tuple[str, str], ...]
    host: str
    vif: str
    vnic: str
    age: float
    evidence: Evidence

    def __str__(self) -> str:
        return f"port {self.id}"

    @property
    def of_server(self) -> bool:
        """Whether it is a server's."""
        return self.owner.startswith("compute:")


@dataclass(frozen=True)
class Ports:
    """All ports of all projects (``openstack port list``); ``complete`` is False where there are more."""

    rows: tuple[Port, ...]
    complete: bool
    nowhere: ClassVar[str] = NOWHERE
    probes: ClassVar[tuple[Probe, ...]] = (API_SOURCE, API_READS["api.network.ports"].probe)

    def __iter__(self) -> Iterator[Port]:
        return iter(self.rows)

    @cached_property
    def prefixes(self) -> frozenset[str]:
        """The first 10 characters of every port's id: what the names of devices and chains hold at least."""
        return frozenset(port.id[:10] for port in self.rows)

    @classmethod
    def parse(cls, results: NodeResults) -> Ports:
        """Raises NotApplicable, CouldNotCheck or ParseError."""
        found = answer(results, cls.probes[1])
        rows = tuple(
            Port(
                id=known(row, "id"),
                status=text(row, "status"),
                enabled=row.get("admin_state_up") is not False,
                owner=text(row, "device_owner"),
                device=text(row, "device_id"),
                network=text(row, "network_id"),
                mac=text(row, "mac_address").lower(),
                ips=tuple((text(ip, "subnet_id"), text(ip, "ip_address")) for ip in listed(row, "fixed_ips")),
                host=text(row, "binding:host_id"),
                vif=text(row, "binding:vif_type"),
                vnic=text(row, "binding:vnic_type"),
                # Neutron has told it since Newton; of an older one nothing is known to have lasted
                age=found.now - (instant(row, "updated_at") or found.now),
                evidence=found.evidence(
                    f"{known(row, 'id')} {text(row, 'status')} {text(row, 'device_owner')}"
                    f" host={text(row, 'binding:host_id')} vif_type={text(row, 'binding:vif_type')}"
                ),
            )
            for row in found.rows
        )
        return cls(rows, found.complete)


@dataclass(frozen=True)
class Subnet:
    """One subnet; ``dhcp`` says whether Neutron's DHCP shall serve it."""

    id: str
    network: str
    cidr: str
    dhcp: bool
    version: int


@dataclass(frozen=True)
class Network:
    """One network; ``free`` are the addresses left in its pools, None where Neutron does not say."""

    id: str
    name: str
    enabled: bool
    external: bool
    age: float
    subnets: tuple[Subnet, ...]
    free: int | None
    total: int | None
    evidence: Evidence

    def __str__(self) -> str:
        return f"network {self.name or self.id}"

    @property
    def dhcp(self) -> bool:
        """Whether one of its subnets wants a DHCP server."""
        return any(subnet.dhcp for subnet in self.subnets)


@dataclass(frozen=True)
class Networks:
    """All networks with their subnets."""

    rows: tuple[Network, ...]
    complete: bool
    nowhere: ClassVar[str] = NOWHERE
    probes: ClassVar[tuple[Probe, ...]] = (
        API_SOURCE,
        API_READS["api.network.networks"].probe,
        API_READS["api.network.subnets"].probe,
        API_READS["api.network.availability"].probe,
    )

    def __iter__(self) -> Iterator[Network]:
        return iter(self.rows)

    @classmethod
    def parse(cls, results: NodeResults) -> Networks:
        """Raises NotApplicable, CouldNotCheck or ParseError."""
        found = answer(results, cls.probes[1])
        below = answer(results, cls.probes[2])
        subnets: dict[str, list[Subnet]] = {}
        for row in below.rows:
            network = known(row, "network_id")
            version = number(row, "ip_version") or 4
            subnet = Subnet(known(row, "id"), network, text(row, "cidr"), row.get("enable_dhcp") is True, version)
            subnets.setdefault(network, []).append(subnet)
        used = _availability(results, cls.probes[3])
        rows = tuple(
            Network(
                id=known(row, "id"),
                name=text(row, "name"),
                enabled=row.get("admin_state_up") is not False,
                external=row.get("router:external") is True,
                age=found.now - (instant(row, "updated_at") or found.now),
                subnets=tuple(subnets.get(known(row, "id"), ())),
                free=used.get(known(row, "id"), (None, None))[0],
                total=used.get(known(row, "id"), (None, None))[1],
                evidence=found.evidence(f"{known(row, 'id')} {text(row, 'name')} {text(row, 'status')}"),
            )
            for row in found.rows
        )
        return cls(rows, found.complete and below.complete)


def _availability(results: NodeResults, probe: Probe) -> Mapping[str, tuple[int | None, int | None]]:
    """Free and total addresses by network: of IPv4 alone, IPv6 has no end."""
    try:
        found = answer(results, probe)
    except (CouldNotCheck, NotApplicable):
        return {}
    by_network: dict[str, tuple[int | None, int | None]] = {}
    for row in found.rows:
        own = [s for s in listed(row, "subnet_ip_availability") if number(s, "ip_version") == 4]
        total = sum(number(s, "total_ips") or 0 for s in own)
        if total:
            by_network[known(row, "network_id")] = (total - sum(number(s, "used_ips") or 0 for s in own), total)
    return by_network


@dataclass(frozen=True)
class Router:
    """One router; ``gateway`` is the id of the external network it leads to."""

    id: str
    name: str
    status: str
    enabled: bool
    spread: bool
    distributed: bool
    gateway: str
    age: float
    evidence: Evidence

    def __str__(self) -> str:
        return f"router {self.name or self.id}"


@dataclass(frozen=True)
class Routers:
    """All routers; ``spread`` ones are ``distributed`` or highly available and are on several hosts at once."""

    rows: tuple[Router, ...]
    complete: bool
    nowhere: ClassVar[str] = NOWHERE
    probes: ClassVar[tuple[Probe, ...]] = (API_SOURCE, API_READS["api.network.routers"].probe)

    def __iter__(self) -> Iterator[Router]:
        return iter(self.rows)

    @classmethod
    def parse(cls, results: NodeResults) -> Routers:
        """Raises NotApplicable, CouldNotCheck or ParseError."""
        found = answer(results, cls.probes[1])
        rows = tuple(
            Router(
                id=known(row, "id"),
                name=text(row, "name"),
                status=text(row, "status"),
                enabled=row.get("admin_state_up") is not False,
                spread=row.get("ha") is True or row.get("distributed") is True,
                distributed=row.get("distributed") is True,
                gateway=text(nested(row, "external_gateway_info"), "network_id"),
                age=found.now - (instant(row, "updated_at") or found.now),
                evidence=found.evidence(f"{known(row, 'id')} {text(row, 'name')} {text(row, 'status')}"),
            )
            for row in found.rows
        )
        return cls(rows, found.complete)


@dataclass(frozen=True)
class Hosting:
    """Which agents (by id) serve which networks with DHCP, and host which routers.

    ``networks`` or ``routers`` is None where not every agent could be asked.
    """

    networks: Mapping[str, frozenset[str]] | None
    routers: Mapping[str, frozenset[str]] | None
    nowhere: ClassVar[str] = NOWHERE
    probes: ClassVar[tuple[Probe, ...]] = (
        API_SOURCE,
        API_READS["api.network.dhcp-hosting"].probe,
        API_READS["api.network.l3-hosting"].probe,
    )

    @classmethod
    def parse(cls, results: NodeResults) -> Hosting:
        """Raises NotApplicable, CouldNotCheck or ParseError."""
        return cls(_agents(answer(results, cls.probes[1])), _agents(answer(results, cls.probes[2])))


def _agents(found: ApiAnswer) -> Mapping[str, frozenset[str]] | None:
    hosting: dict[str, set[str]] = {}
    for row in found.rows:
        hosting.setdefault(known(row, "id"), set()).add(known(row, "of"))
    return {id_: frozenset(agents) for id_, agents in hosting.items()} if found.complete else None


@dataclass(frozen=True)
class FloatingIp:
    """One floating address, of ``port`` and its ``fixed`` address; both are empty while it is nobody's.

    One with port forwardings has a ``router`` alone.  ``age`` are the seconds since it was changed, None where
    Neutron does not say.
    """

    id: str
    address: str
    fixed: str
    port: str
    router: str
    status: str
    age: float | None
    evidence: Evidence

    def __str__(self) -> str:
        return f"floating IP {self.address}"


@dataclass(frozen=True)
class FloatingIps:
    """All floating addresses."""

    rows: tuple[FloatingIp, ...]
    complete: bool
    nowhere: ClassVar[str] = NOWHERE
    probes: ClassVar[tuple[Probe, ...]] = (API_SOURCE, API_READS["api.network.floatingips"].probe)

    def __iter__(self) -> Iterator[FloatingIp]:
        return iter(self.rows)

    @classmethod
    def parse(cls, results: NodeResults) -> FloatingIps:
        """Raises NotApplicable, CouldNotCheck or ParseError."""
        found = answer(results, cls.probes[1])
        rows = tuple(
            FloatingIp(
                known(row, "id"),
                text(row, "floating_ip_address"),
                text(row, "fixed_ip_address"),
                text(row, "port_id"),
                text(row, "router_id"),
                text(row, "status"),
                None if (changed := instant(row, "updated_at")) is None else found.now - changed,
                found.evidence(
                    f"{text(row, 'floating_ip_address')} {text(row, 'status')} {text(row, 'fixed_ip_address')}"
                    f" port={text(row, 'port_id')} router={text(row, 'router_id')}"
                ),
            )
            for row in found.rows
        )
        return cls(rows, found.complete)

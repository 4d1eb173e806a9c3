"""Gateways: those of networks, which a router must hold somewhere, and those that routers themselves send to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackdoctor.checks.believed.motion import SETTLED, settled
from stackdoctor.checks.network.routers import keys_of, routers_of
from stackdoctor.checks.network.segments import Interfaces, namespace_taps, serves

from stackdoctor.api import Cloud, Evidence, Finding, Severity, check
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.bridges import Fdb
from stackdoctor.facts.dnsmasq import DhcpHost, DhcpNetwork, Dnsmasq
from stackdoctor.facts.libvirt import Domains
from stackdoctor.facts.links import Links
from stackdoctor.facts.namespaces import Namespaces
from stackdoctor.facts.neighbours import Neighbour, Neighbours
from stackdoctor.facts.neutron_names import network_prefix_of, port_prefix_of
from stackdoctor.facts.openstack_answers import chosen
from stackdoctor.facts.openstack_network import Ports, Routers
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.reach import Reach
from stackdoctor.facts.routes import Routes

L3_AGENT = "neutron-l3-agent"
METADATA = "169.254.169.254/32"
FRESH = 120
"""Seconds within which a packet wanted the gateway: nobody answers now, and not only once upon a time."""

SILENT = ("FAILED", "INCOMPLETE")


@check("router.gateway.unanswered", severity=Severity.ERROR)
def unanswered_gateway(
    namespaces: Namespaces,
    links: Links,
    addresses: Addresses,
    routes: Routes,
    neighbours: Neighbours,
    routers: Cloud[Routers] | None,
) -> Iterator[Finding]:
    """A router asks who has its own gateway's address in the external network, and nobody answers (ARP FAILED).

    The router is set up as it should be; what it sends gets no further than its own interface.  A warning while it
    still asks (INCOMPLETE), which takes three seconds where all is well with the rest.  Information where nothing
    shows that a packet wanted the gateway within the last two minutes: the kernel keeps a failure until somebody asks
    again, for ever in a small table.
    """
    interfaces = Interfaces(links)
    taps = {(t.inner.namespace, t.inner.name): t.tap for t in namespace_taps(interfaces)}
    for router in routers_of(settled(namespaces, routers), interfaces, addresses):
        name = router.namespace.name
        for route in routes.within(name):
            if not (route.default and route.gateway and route.device.startswith("qg-")):
                continue
            silent = _silent(neighbours.of(route.gateway, name))
            tap = taps.get((name, route.device))
            if silent is None:
                continue
            yield Finding(
                silent,
                f"nobody answers for {route.gateway}, the gateway of router {router.namespace.object_id}",
                severity=_severity(silent),
                evidence=(silent.evidence, route.evidence),
                ip=route.gateway,
                device=route.device,
                tap=tap.name if tap is not None else "",
                port=port_prefix_of(route.device),
                bridge=tap.master if tap is not None else "",
                network=(network_prefix_of(tap.master) or "") if tap is not None else "",
                **keys_of(router),
            )


def _severity(silent: Neighbour) -> Severity | None:
    if silent.state == "INCOMPLETE":
        return Severity.WARNING
    return None if silent.idle is not None and silent.idle <= FRESH else Severity.INFO


def _silent(entries: tuple[Neighbour, ...]) -> Neighbour | None:
    """The entry that nobody answered; None where there is none, or another one that was answered."""
    if any(entry.mac for entry in entries):
        return None
    return next((entry for entry in entries if entry.state in SILENT), None)


@dataclass(frozen=True)
class Gateway:
    """A router's port that a network's guests are told to send to."""

    node: str
    network: DhcpNetwork
    port: DhcpHost
    evidence: Evidence


@check("router.not-hosted", severity=Severity.WARNING)
def router_nowhere(
    dnsmasq: Cloud[Dnsmasq],
    links: Cloud[Links],
    namespaces: Cloud[Namespaces],
    addresses: Cloud[Addresses],
    reach: Cloud[Reach],
    processes: Cloud[Processes] | None,
    domains: Cloud[Domains] | None,
    tables: Cloud[Fdb] | None,
    ports: Cloud[Ports] | None,
) -> Iterator[Finding]:
    """Neutron has a router for a network, and no router on any node has that network's gateway address.

    That there is one is told by the DHCP options: the route to 169.254.169.254 leads to the gateway only where the
    gateway's port is a router's.  Said only where an L3 agent is on a node that was looked at, every node answered,
    and no tunnel leads to a node that is not in the inventory: the router may be there.  A port of the router's that
    Neutron has changed a moment ago, or has no more, says nothing.
    """
    if any(found.absent for _, found in links) or any(r.failure for _, r in reach):
        return
    if any(a.applicable for a in links.absent.values()) or not _has_l3_agent(processes, namespaces):
        return
    if _strangers(tables, addresses) or any(found.absent for _, found in domains or ()):
        return
    present = {link.mac.lower() for _, found in links for link in found.links}
    present |= {i.mac for _, found in domains or () for d in found.domains for i in d.interfaces}
    believed = chosen(ports)
    lasting = {port.mac for port in believed or () if not 0.0 < port.age < SETTLED}
    for gateway in {g.port.mac: g for g in _gateways(dnsmasq) if g.port.mac not in present}.values():
        if believed is not None and believed.complete and gateway.port.mac not in lasting:
            continue
        address = gateway.port.addresses[0]
        yield Finding(
            gateway.network,
            f"the router of network {gateway.network.network_id} ({address}, {gateway.port.mac}) is on no node",
            node=gateway.node,
            evidence=(gateway.port.evidence, gateway.evidence),
            host=gateway.node,
            network=gateway.network.network_id,
            mac=gateway.port.mac,
            ip=address,
            agent=L3_AGENT,
        )


def _has_l3_agent(processes: Cloud[Processes] | None, namespaces: Cloud[Namespaces]) -> bool:
    runs = any(found.of(L3_AGENT) for _, found in processes or ())
    return runs or any(found.of_kind("qrouter") for _, found in namespaces)


def _strangers(tables: Cloud[Fdb] | None, addresses: Cloud[Addresses]) -> bool:
    """Whether tunnels lead to addresses that no node of the inventory has."""
    ends = {entry.dst for _, fdb in tables or () for entry in fdb.entries if entry.dst}
    own = {a.ip for _, found in addresses for a in found.within("")}
    return bool(ends - own)


def _gateways(dnsmasq: Cloud[Dnsmasq]) -> Iterator[Gateway]:
    """Neutron ``agent/linux/dhcp.py``, ``_generate_opts_per_subnet`` and ``get_isolated_subnets``."""
    for node, served in dnsmasq:
        for network in served.networks:
            for option in network.options if serves(network.process) else ():
                way = dict(zip(option.values[::2], option.values[1::2], strict=False)).get(METADATA, "")
                port = next((h for h in network.hosts if way and way in h.addresses), None)
                if port is not None:
                    yield Gateway(node, network, port, option.evidence)

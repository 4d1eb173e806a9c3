"""Addresses that two stations use, and what deleted networks and ports left behind."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from stackdoctor.checks.network.segments import Interfaces, namespace_taps, running_guests

from stackdoctor.api import Cloud, Evidence, Finding, Severity, check
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.bridges import Fdb
from stackdoctor.facts.dnsmasq import Dnsmasq
from stackdoctor.facts.libvirt import Domains
from stackdoctor.facts.links import Link, Links
from stackdoctor.facts.namespaces import Namespaces
from stackdoctor.facts.neighbours import Neighbours
from stackdoctor.facts.neutron_names import network_prefix_of, port_prefix_of

ANSWERED = frozenset(("REACHABLE", "DELAY", "PROBE"))
"""States of a neighbour that answered within about a minute."""

KNOWN = frozenset((*ANSWERED, "STALE"))
VIRTUAL_ROUTER = "00:00:5e:00:0"
"""Stations of VRRP (RFC 5798): whoever is active answers for the address."""


@dataclass(frozen=True)
class Claim:
    """A station that uses ``ip`` in a network; ``fresh`` says that it did so within minutes."""

    network: str
    ip: str
    mac: str
    node: str
    device: str
    fresh: bool
    evidence: Evidence


@dataclass(frozen=True)
class Owners:
    """Whom Neutron gave each address of each network; which stations are really there, and in which guest."""

    macs: dict[tuple[str, str], dict[str, Evidence]]
    ports: frozenset[str]
    live: frozenset[str]
    guests: dict[str, str]


@dataclass(frozen=True)
class Place:
    """Where a bridge has heard a station of late; ``direct`` if not over a tunnel."""

    node: str
    device: str
    direct: bool


@check("network.duplicate-address", severity=Severity.ERROR)
def duplicate_address(
    links: Cloud[Links],
    neighbours: Cloud[Neighbours],
    addresses: Cloud[Addresses],
    dnsmasq: Cloud[Dnsmasq],
    domains: Cloud[Domains] | None,
    tables: Cloud[Fdb] | None,
) -> Iterator[Finding]:
    """Another station than Neutron's port uses the port's address in the same network.

    Seen in the neighbour tables of routers and DHCP servers, or as an address of an interface on the network's
    bridge.  An error where the owner is there as well (a running guest, a router) and the other one was heard
    within minutes.  An address that several ports share on purpose (VRRP: its own port is nowhere) is left out,
    and so is an entry that nobody has confirmed since: it may be of a port that was deleted.
    """
    nodes = {node: Interfaces(found) for node, found in links}
    owners = _owners(nodes, addresses, dnsmasq, domains)
    heard = _heard(tables)
    claims: dict[tuple[str, str, str], Claim] = {}
    for claim in (*_neighbour_claims(nodes, neighbours, heard), *_interface_claims(nodes, addresses)):
        key = (claim.network, claim.ip, claim.mac)
        if key not in claims or (claim.fresh and not claims[key].fresh):
            claims[key] = claim
    for (network, ip, mac), claim in claims.items():
        own = owners.macs.get((network, ip))
        if not own or mac in own or mac.startswith(VIRTUAL_ROUTER) or not claim.fresh:
            continue
        owner = next(iter(own))
        owner_lives = bool(own.keys() & owners.live)
        if (mac in owners.ports and not owner_lives) or (mac in owners.guests and _one_guest(mac, own, owners)):
            continue
        place = heard.get(mac)
        where, device = (place.node, place.device) if place is not None else (claim.node, claim.device)
        yield Finding(
            ip,
            f"{ip} of network {network} belongs to {owner} and is used by {mac} ({device} on {where})",
            node=claim.node,
            severity=None if owner_lives else Severity.WARNING,
            evidence=(claim.evidence, own[owner]),
            host=where,
            ip=ip,
            mac=mac,
            owner=owner,
            network=network,
            device=device,
            port=port_prefix_of(device),
        )


def _one_guest(mac: str, own: dict[str, Evidence], owners: Owners) -> bool:
    """Whether owner and user are two interfaces of one guest: Linux answers ARP on either for both."""
    return any(owners.guests.get(other) == owners.guests[mac] for other in own)


def _owners(
    nodes: dict[str, Interfaces], addresses: Cloud[Addresses], dnsmasq: Cloud[Dnsmasq], domains: Cloud[Domains] | None
) -> Owners:
    macs: dict[tuple[str, str], dict[str, Evidence]] = {}
    ports: set[str] = set()
    guests = {guest.interface.mac: guest.domain.uuid or guest.domain.name for guest in running_guests(domains)}
    live = set(guests)
    for _, served in dnsmasq:
        for network in served.networks:
            for host in network.hosts:
                ports.add(host.mac)
                for ip in host.addresses:
                    macs.setdefault((network.network_id[:11], ip), {})[host.mac] = host.evidence
    for node, interfaces in nodes.items():
        for found in namespace_taps(interfaces):
            live.add(found.inner.mac)
            network_prefix = network_prefix_of(found.tap.master)
            own = addresses.facts[node].on(found.inner.name, found.inner.namespace) if node in addresses.facts else ()
            for address in own if network_prefix else ():
                if address.scope == "global" and not address.ip.startswith("169.254."):
                    macs.setdefault((network_prefix or "", address.ip), {})[found.inner.mac] = address.evidence
    return Owners(macs, frozenset(ports | live), frozenset(live), guests)


def _heard(tables: Cloud[Fdb] | None) -> dict[str, Place]:
    """Stations that bridges have heard within minutes (their tables forget after 300 s)."""
    found: dict[str, Place] = {}
    for node, fdb in tables or ():
        for entry in fdb.entries:
            if entry.master and not entry.dst and not entry.flags & {"permanent", "static", "local"}:
                place = Place(node, entry.device, not entry.device.startswith("vxlan-"))
                if place.direct or entry.mac not in found:
                    found[entry.mac] = place
    return found


def _neighbour_claims(
    nodes: dict[str, Interfaces], neighbours: Cloud[Neighbours], heard: dict[str, Place]
) -> Iterator[Claim]:
    """Who answered the routers and DHCP servers."""
    for node, found in neighbours:
        inner = {(t.inner.namespace, t.inner.name): t for t in namespace_taps(nodes[node])} if node in nodes else {}
        for entry in found.neighbours:
            tap = inner.get((entry.namespace, entry.device))
            network = network_prefix_of(tap.tap.master) if tap is not None else None
            if network is None or not entry.mac or entry.proxy or entry.state not in KNOWN:
                continue
            place = heard.get(entry.mac.lower())
            fresh = entry.state in ANSWERED or (place is not None and place.direct)
            yield Claim(network, entry.address, entry.mac.lower(), node, entry.device, fresh, entry.evidence)


def _interface_claims(nodes: dict[str, Interfaces], addresses: Cloud[Addresses]) -> Iterator[Claim]:
    """Addresses of interfaces that are on a network's bridge, or at the other end of a veth pair that is."""
    for node, found in addresses:
        interfaces = nodes.get(node)
        for address in found.addresses if interfaces is not None else ():
            link = interfaces.named(address.device, address.namespace) if interfaces is not None else None
            neutrons = link is not None and bool(link.namespace) and port_prefix_of(link.name) is not None
            if link is None or interfaces is None or neutrons or not link.up or address.scope != "global":
                continue
            network, device = _network_of(link, interfaces)
            if network is not None and not ipaddress.ip_address(address.ip).is_link_local:
                yield Claim(network, address.ip, link.mac.lower(), node, device, True, address.evidence)


def _network_of(link: Link, interfaces: Interfaces) -> tuple[str | None, str]:
    """The network that ``link`` is in, and the device by which it is seen from the host."""
    if not link.namespace:
        return network_prefix_of(link.name) or network_prefix_of(link.master), link.name
    peer = interfaces.links.peer(link) if link.kind == "veth" else None
    return (network_prefix_of(peer.master), peer.name) if peer is not None else (None, link.name)


@check("network.orphan.namespace", severity=Severity.INFO)
def orphaned_namespace(namespaces: Namespaces, links: Links, dnsmasq: Dnsmasq | None) -> Iterator[Finding]:
    """A namespace of a DHCP server or a router with nothing in it: its network or router was deleted or moved."""
    interfaces = Interfaces(links)
    for namespace in namespaces.namespaces:
        inside = interfaces.within(namespace.name)
        served = dnsmasq is not None and dnsmasq.network(namespace.object_id) is not None
        empty = bool(inside) and all(link.name == "lo" for link in inside)
        if namespace.kind in ("qdhcp", "qrouter", "snat") and empty and not served:
            yield Finding(
                namespace,
                f"{namespace.name} is empty: a leftover",
                host=namespace.evidence.node,
                namespace=namespace.name,
            )


@check("network.orphan.tap", severity=Severity.INFO)
def orphaned_tap(links: Links, domains: Domains) -> Iterator[Finding]:
    """A guest's tap that no guest of this node has: a leftover."""
    known = {interface.device for domain in domains.domains for interface in domain.interfaces}
    if not domains.running or domains.absent:
        return
    for link in links.within(""):
        if link.kind == "tun" and link.name.startswith("tap") and port_prefix_of(link.name) and link.name not in known:
            yield Finding(
                link,
                f"{link.name} belongs to no guest of this node",
                host=link.evidence.node,
                device=link.name,
                port=port_prefix_of(link.name),
            )

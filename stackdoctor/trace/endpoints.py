"""The ends of a path: guests' network cards and the ports of DHCP servers and routers, and finding one by its name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackdoctor.errors import UsageError
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.dnsmasq import Dnsmasq
from stackdoctor.facts.domain_xml import DomainInterface
from stackdoctor.facts.iptables import Iptables
from stackdoctor.facts.libvirt import Domain, Domains
from stackdoctor.facts.links import Link
from stackdoctor.facts.namespaces import Namespaces
from stackdoctor.facts.neutron_names import namespace_kind, network_prefix_of, port_prefix_of
from stackdoctor.facts.ovs_db import OpenvSwitch
from stackdoctor.facts.ovs_ports import OvsPort
from stackdoctor.firewall.ports import BridgedPort
from stackdoctor.model import Evidence
from stackdoctor.trace.port import CloudPort, find_port
from stackdoctor.trace.wiring import Site, Wiring

__all__ = ["Endpoint", "endpoints", "find", "same_network"]

OWNERS = {"ns-": "dhcp", "tap": "dhcp", "qr-": "router", "qg-": "external", "sg-": "snat", "fg-": "external"}
"""What a port's device inside a namespace belongs to, by its first letters; Open vSwitch calls that of DHCP tap."""

NOWHERE = "a node that was not looked at"


@dataclass(frozen=True)
class Endpoint:
    """One end: a guest's card (``domain``, ``card``), or a port inside a namespace (``inner`` is its interface).

    ``owner`` is instance, dhcp, router, external or snat.  ``node`` is empty where none that was looked at has
    it and only a DHCP server knows it.  ``port`` is the port's id or its first 11 characters, ``network`` the
    network's id, its first 11 characters, or empty where neither a name nor a DHCP server tells.
    """

    node: str
    owner: str
    port: str
    device: str
    mac: str
    addresses: tuple[str, ...]
    network: str
    namespace: str = ""
    inner: str = ""
    domain: Domain | None = None
    card: DomainInterface | None = None

    def __str__(self) -> str:
        at = f" on {self.node}" if self.node else ""
        return f"{self.title}{at}"

    @property
    def title(self) -> str:
        """What it is, in a few words."""
        if self.domain is not None:
            return f"{self.domain.nova_name or self.domain.name} ({self.device or self.mac})"
        return self.inner or self.device or self.mac


def same_network(one: str, other: str) -> bool:
    """Whether two network ids, either of which may be cut, are the same.

    >>> same_network("8af4f28b-a6", "8af4f28b-a650-4777-9df9-e50d1c68e83d"), same_network("", "8af4f28b-a6")
    (True, False)
    """
    return bool(one and other) and (one.startswith(other) or other.startswith(one))


def endpoints(wiring: Wiring) -> tuple[Endpoint, ...]:
    """All ends there are, those that only a DHCP server knows last."""
    found = [end for site in wiring.sites.values() for end in (*_guests(wiring, site), *_inner(wiring, site))]
    seen = {end.mac for end in found}
    for mac, known in wiring.reservations.items():
        for network, host in known:
            if mac not in seen:
                found.append(Endpoint("", "instance", "", "", mac, host.addresses, network.network_id))
    return tuple(found)


def _guests(wiring: Wiring, site: Site) -> Iterator[Endpoint]:
    known = site.fact(Domains)
    for domain in known.domains if known else ():
        for card in domain.interfaces:
            port = card.port_id or port_prefix_of(card.device) or ""
            link = site.link(card.device)
            bridges = (link.master if link else "", card.source)
            plug = _plug(site, (f"qvo{port}", card.device), card.port_id)
            network = next((p for p in map(network_prefix_of, bridges) if p), plug.network if plug else "")
            network, addresses = _reserved(wiring, card.mac, network)
            yield Endpoint(
                site.name, "instance", port, card.device, card.mac, addresses, network, domain=domain, card=card
            )


def _plug(site: Site, names: tuple[str, ...], port_id: str = "") -> OvsPort | None:
    """The port of Open vSwitch with one of these names, or of this Neutron port."""
    switch = site.fact(OpenvSwitch)
    if switch is None:
        return None
    found = switch.of_neutron(port_id) if port_id else None
    return found or next((port for name in names if name and (port := switch.port(name)) is not None), None)


def _reserved(wiring: Wiring, mac: str, network: str) -> tuple[str, tuple[str, ...]]:
    """The network's whole id and the station's addresses, as a DHCP server has them."""
    known = wiring.reservations.get(mac, ())
    fitting = [k for k in known if same_network(network, k[0].network_id)] if network else known
    if len(fitting) != 1:
        return network, ()
    return fitting[0][0].network_id, fitting[0][1].addresses


def _inner(wiring: Wiring, site: Site) -> Iterator[Endpoint]:
    """The ports inside qdhcp, qrouter and snat namespaces; a DHCP port also where its namespace cannot be entered."""
    namespaces = site.fact(Namespaces)
    served = site.fact(Dnsmasq)
    listed = {n.name for n in namespaces.namespaces} if namespaces else set()
    listed |= {f"qdhcp-{n.network_id}" for n in served.networks} if served else set()
    for name in sorted(listed):
        kind, object_id = namespace_kind(name)
        found = [link for link in site.within(name) if port_prefix_of(link.name) and link.name[:3] in OWNERS]
        for link in found:
            yield _port(wiring, site, name, link, object_id if kind == "qdhcp" else "")
        if not found and kind == "qdhcp":
            network = served.network(object_id) if served else None
            device = network.interface if network else ""
            port = port_prefix_of(device) or ""
            yield Endpoint(site.name, "dhcp", port, f"tap{port}" if port else "", "", (), object_id, name, device)


def _port(wiring: Wiring, site: Site, namespace: str, link: Link, network: str) -> Endpoint:
    port = port_prefix_of(link.name) or ""
    tap = f"tap{port}" if link.kind == "veth" else ""
    plug = _plug(site, (link.name,))
    if not network and plug is not None and plug.network:
        network = plug.network
    elif not network:
        outer = site.link(tap) if tap else None
        network, _ = _reserved(wiring, link.mac, (network_prefix_of(outer.master) if outer else "") or "")
    addresses = site.addresses(link.name, namespace)
    return Endpoint(
        site.name, OWNERS[link.name[:3]], port, tap, link.mac, addresses, network, namespace, inner=link.name
    )


def find(wiring: Wiring, text: str) -> Endpoint:
    """The end that ``text`` names: as ``find_port`` takes it, or by a floating address or a device in a namespace.

    Raises UsageError where nothing or more than one thing is called so.
    """
    by_port = {_as_port(end): end for end in endpoints(wiring)}
    wanted = text.strip().lower()
    wanted = _fixed_address(wiring, wanted) or wanted
    inside = [port for port, end in by_port.items() if end.inner and end.inner == wanted]
    try:
        return by_port[find_port(inside or by_port, wanted if not inside else inside[0].place.device)]
    except UsageError as error:
        unseen = "".join(f"; {node} was not looked at ({why})" for node, why in wiring.not_seen.items())
        raise UsageError(f"{error}{unseen}") from None


def _as_port(end: Endpoint) -> CloudPort:
    guest, evidence = end.domain, end.card.evidence if end.card else Evidence("", "", "")
    return CloudPort(
        BridgedPort(
            end.node or NOWHERE,
            end.device or end.inner,
            end.port,
            bridge="",
            uplinks=(),
            guest=end.owner == "instance",
            mac=end.mac,
            instance=guest.name if guest else "",
            nova_name=guest.nova_name if guest else "",
            server_id=guest.uuid if guest else "",
            running=guest.running if guest else bool(end.addresses),
            filtered=None,
            evidence=evidence,
        ),
        end.addresses,
    )


def _fixed_address(wiring: Wiring, address: str) -> str:
    """The address behind a floating one: what a router's nat table makes of it; empty for others."""
    for site in wiring.sites.values():
        known = site.fact(Addresses)
        at = next((a for a in known.holding(address) if namespace_kind(a.namespace)[0]), None) if known else None
        tables = site.fact(Iptables) if at else None
        inside = tables.namespaces.get(at.namespace) if tables and at else None
        nat = inside.tables.get("nat") if inside else None
        for chain in nat.chains.values() if nat else ():
            for line in chain.lines:
                if f" -d {address}/32 -j DNAT --to-destination " in line:
                    return line.rpartition(" ")[2]
    return ""

"""What the Linux bridge agent builds of a network on a node: its bridge, the taps on it, and the way out of the node.

From neutron ``plugins/ml2/drivers/linuxbridge/agent/linuxbridge_neutron_agent.py`` and ``agent/linux/interface.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stackdoctor.api import Cloud
from stackdoctor.facts.dnsmasq import Dnsmasq, DnsmasqProcess
from stackdoctor.facts.domain_xml import DomainInterface
from stackdoctor.facts.libvirt import Domain, Domains
from stackdoctor.facts.links import Link, Links
from stackdoctor.facts.neutron_names import network_prefix_of, port_prefix_of

__all__ = [
    "Guest",
    "Interfaces",
    "NamespaceTap",
    "Segment",
    "is_highly_available",
    "namespace_taps",
    "networks_of_macs",
    "running_guests",
    "serves",
    "uses_open_vswitch",
]

INNER = ("ns-", "qr-", "qg-", "sg-", "fg-", "ha-")
"""First letters of a port's device inside a namespace; the host's end is called tap and the same letters of the id."""

OPEN_VSWITCH = ("ovs-system", "ovs-netdev", "br-int")


@dataclass(frozen=True)
class Segment:
    """A network on one node: bridge ``brq...`` and its ports."""

    network: str
    bridge: Link
    ports: tuple[Link, ...]
    uplinks: tuple[Link, ...]

    @property
    def taps(self) -> tuple[Link, ...]:
        """The ports that belong to Neutron ports: guests, DHCP, routers."""
        return tuple(link for link in self.ports if port_prefix_of(link.name))


class Interfaces:
    """A node's links, looked up by name and by bridge in constant time."""

    def __init__(self, links: Links) -> None:
        self.links = links
        self._named: dict[tuple[str, str], Link] = {}
        self._ports: dict[str, list[Link]] = {}
        self._namespaces: dict[str, list[Link]] = {}
        for link in links.links:
            self._named[link.namespace, link.name] = link
            self._namespaces.setdefault(link.namespace, []).append(link)
            if link.master and not link.namespace:
                self._ports.setdefault(link.master, []).append(link)

    def named(self, name: str, namespace: str = "") -> Link | None:
        """The interface called ``name``."""
        return self._named.get((namespace, name))

    def within(self, namespace: str) -> tuple[Link, ...]:
        """The interfaces of a namespace; the host's for an empty name."""
        return tuple(self._namespaces.get(namespace, ()))

    def segments(self) -> Iterator[Segment]:
        """The networks of this node."""
        for bridge in self.within(""):
            network = network_prefix_of(bridge.name)
            if network is not None and bridge.kind == "bridge":
                ports = tuple(self._ports.get(bridge.name, ()))
                yield Segment(network, bridge, ports, tuple(p for p in ports if self.leads_out(p)))

    def leads_out(self, port: Link) -> bool:
        """Whether a bridge's port is the way out of the node: a tunnel, a VLAN, a physical interface.

        Neither a tap nor a veth pair into a named namespace is; the simulated NIC of a nested host is a veth as well.
        """
        if port_prefix_of(port.name) or port.kind == "tun":
            return False
        return port.kind != "veth" or not (port.peer_namespace or self.links.peer(port))


@dataclass(frozen=True)
class NamespaceTap:
    """The host's end of a DHCP server's or router's port, and its ``inner`` end; ``owner`` is dhcp or router."""

    tap: Link
    inner: Link
    owner: str
    port: str


def namespace_taps(interfaces: Interfaces) -> Iterator[NamespaceTap]:
    """The veth pairs between the host and the namespaces of DHCP servers and routers, by their names."""
    for inner in interfaces.links.links:
        port = port_prefix_of(inner.name)
        if not inner.namespace or port is None or not inner.name.startswith(INNER) or inner.kind != "veth":
            continue
        tap = interfaces.named("tap" + port)
        if tap is not None and tap.kind == "veth":
            yield NamespaceTap(tap, inner, "dhcp" if inner.name.startswith("ns-") else "router", port)


@dataclass(frozen=True)
class Guest:
    """A running guest's interface on a network's bridge (the one that libvirt was told)."""

    node: str
    domain: Domain
    interface: DomainInterface
    network: str


def running_guests(domains: Cloud[Domains] | None) -> Iterator[Guest]:
    """The running guests of all nodes that are on a network's own bridge."""
    for node, found in domains or ():
        for domain in found.domains:
            for interface in domain.interfaces if domain.running else ():
                network = network_prefix_of(interface.source)
                if network is not None:
                    yield Guest(node, domain, interface, network)


def uses_open_vswitch(interfaces: Interfaces) -> bool:
    """Whether Open vSwitch is here: its ports need no master that the kernel shows."""
    return any(interfaces.named(name) is not None for name in OPEN_VSWITCH)


def networks_of_macs(dnsmasq: Cloud[Dnsmasq] | None) -> Mapping[str, str]:
    """The network of each station that a DHCP server's host file lists, by MAC; one of two networks is left out."""
    found: dict[str, set[str]] = {}
    for _, served in dnsmasq or ():
        for network in served.networks:
            for host in network.hosts:
                found.setdefault(host.mac, set()).add(network.network_id)
    return {mac: next(iter(networks)) for mac, networks in found.items() if len(networks) == 1}


def serves(process: DnsmasqProcess | None) -> bool:
    """Whether the process runs: neither ended (Z, X) nor stopped (T, t)."""
    return process is not None and process.state[:1] not in ("Z", "X", "T", "t")


def is_highly_available(interfaces: Interfaces, namespace: str) -> bool:
    """Whether keepalived moves this router: its standby has the interfaces and rules, and no address on them."""
    return any(link.name.startswith("ha-") for link in interfaces.within(namespace))

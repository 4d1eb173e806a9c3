"""How the interfaces of a cloud are wired: one graph over all nodes, worked out from what each node listed.

Its vertices are the interfaces (node, network namespace, name) and the guests' network cards.  Its edges:

- a veth pair, by index and namespace id;
- an interface and the bridge that is its master;
- a VLAN device and the interface below it;
- a VXLAN device and its underlay device, and the other nodes' VXLAN devices with its identifier;
- a guest's card and its tap, as libvirt has them attached.

Open vSwitch keeps its own tables, which the kernel's listing of links does not show: its ports, VLANs and flows come
from its database and its bridges (trace.ovs_port, trace.ovs_way).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar, cast

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.bridges import Fdb
from stackdoctor.facts.dnsmasq import DhcpHost, DhcpNetwork, Dnsmasq
from stackdoctor.facts.fact import Fact
from stackdoctor.facts.iptables import Iptables
from stackdoctor.facts.libvirt import Domains
from stackdoctor.facts.links import Link, Links
from stackdoctor.facts.namespaces import Listeners, Namespaces
from stackdoctor.facts.neighbours import Neighbours
from stackdoctor.facts.neutron_names import port_prefix_of
from stackdoctor.facts.ovs_db import OpenvSwitch
from stackdoctor.facts.ovs_flows import OvsFlows
from stackdoctor.firewall.ports import PortFilter
from stackdoctor.model import Absence, NodeResults

__all__ = ["FACTS", "OPEN_VSWITCH", "Site", "Wiring"]

FACTS: tuple[type[Fact], ...] = (
    Links,
    Addresses,
    Fdb,
    Namespaces,
    Neighbours,
    Listeners,
    Dnsmasq,
    Domains,
    Iptables,
    PortFilter,
    OpenvSwitch,
    OvsFlows,
)
"""What a node is asked for so that a path can be followed over it."""

OPEN_VSWITCH = ("ovs-system", "ovs-netdev")
"""The master that the kernel shows of every port of Open vSwitch, whatever its bridge."""

F = TypeVar("F", bound=Fact)


@dataclass(frozen=True)
class Site:
    """One node's part of the graph.  Each fact is parsed when it is first asked for, and once."""

    results: NodeResults
    _facts: dict[type[Fact], Fact | Absence] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The node's name."""
        return self.results.node.name

    def fact(self, kind: type[F]) -> F | None:
        """The fact, or None where it is not known; ``why_not`` says why."""
        found = self._read(kind)
        return None if isinstance(found, Absence) else cast(F, found)

    def why_not(self, kind: type[Fact]) -> str:
        """Why the fact is not known; empty where it is."""
        found = self._read(kind)
        return found.reason if isinstance(found, Absence) else ""

    def could_have(self, kind: type[Fact]) -> bool:
        """Whether the fact may exist on this node: it is known, or it could not be read."""
        found = self._read(kind)
        return not isinstance(found, Absence) or found.applicable

    def _read(self, kind: type[Fact]) -> Fact | Absence:
        if kind not in self._facts:
            try:
                self._facts[kind] = kind.parse(self.results)
            except NotApplicable as error:
                self._facts[kind] = Absence(str(error), applicable=False)
            except CouldNotCheck as error:
                self._facts[kind] = Absence(str(error), applicable=True)
            except Exception as error:  # hostile text may find a parser's mistake: that fact is lost, not the path
                self._facts[kind] = Absence(f"{kind.__name__}: {type(error).__name__}: {error}", applicable=True)
        return self._facts[kind]

    @cached_property
    def _named(self) -> Mapping[tuple[str, str], Link]:
        links = self.fact(Links)
        return {(link.namespace, link.name): link for link in (links.links if links else ())}

    @cached_property
    def _ports(self) -> Mapping[str, tuple[Link, ...]]:
        ports: dict[str, list[Link]] = {}
        for link in self.within(""):
            if link.master:
                ports.setdefault(link.master, []).append(link)
        return {bridge: tuple(found) for bridge, found in ports.items()}

    def within(self, namespace: str) -> tuple[Link, ...]:
        """The interfaces of a namespace; the host's own for an empty name."""
        links = self.fact(Links)
        return links.within(namespace) if links else ()

    def link(self, name: str, namespace: str = "") -> Link | None:
        """The interface called ``name``."""
        return self._named.get((namespace, name))

    def unseen(self, namespace: str = "") -> str:
        """Why the interfaces of a namespace are not known; empty where they are."""
        links = self.fact(Links)
        if links is None:
            return self.why_not(Links)
        return (links.absent.get(namespace) or links.absent.get("*", "")) if namespace else ""

    @property
    def closed(self) -> Mapping[str, str]:
        """The namespaces that are listed and could not be entered, and why: one may have vanished in between."""
        links = self.fact(Links)
        return links.absent if links else {}

    def peer(self, link: Link) -> Link | None:
        """The other end of a veth pair."""
        links = self.fact(Links)
        return links.peer(link) if links else None

    def ports(self, bridge: str) -> tuple[Link, ...]:
        """The interfaces whose master is ``bridge``."""
        return self._ports.get(bridge, ())

    def uplinks(self, bridge: str) -> tuple[Link, ...]:
        """The ports of a bridge that lead out of the node: tunnels first, then VLANs, then physical interfaces.

        No tap is one, and no veth pair into a named namespace; the interface of a nested host is a veth as well.
        """
        found = [link for link in self.ports(bridge) if self._leads_out(link)]
        return tuple(sorted(found, key=lambda link: {"vxlan": 0, "vlan": 1}.get(link.kind, 2)))

    def _leads_out(self, port: Link) -> bool:
        if port_prefix_of(port.name) or port.kind in ("tun", "openvswitch"):
            return False
        return port.kind != "veth" or not (port.peer_namespace or self.peer(port))

    def below(self, link: Link) -> Link | None:
        """What a VLAN device or a tunnel sends through."""
        if link.kind == "vlan":
            return self.link(link.parent, link.namespace)
        if link.vxlan is None:
            return None
        if link.vxlan.device:
            return self.link(link.vxlan.device)
        addresses = self.fact(Addresses)
        at = addresses.holding(link.vxlan.local) if addresses and link.vxlan.local else ()
        return self.link(at[0].device) if at else None

    def tunnel_address(self, link: Link) -> str:
        """The address that a VXLAN device sends from; empty where it is not known."""
        if link.vxlan is None:
            return ""
        if link.vxlan.local:
            return link.vxlan.local
        addresses = self.fact(Addresses)
        on = addresses.on(link.vxlan.device) if addresses else ()
        return next((a.ip for a in on if a.interface.version == 4), "")

    def addresses(self, device: str, namespace: str = "") -> tuple[str, ...]:
        """An interface's addresses, link-local ones left out."""
        known = self.fact(Addresses)
        on = known.on(device, namespace) if known else ()
        return tuple(a.ip for a in on if not a.interface.is_link_local)


@dataclass(frozen=True)
class Wiring:
    """The graph of all nodes, by node name."""

    sites: Mapping[str, Site]

    @classmethod
    def of(cls, nodes: Iterable[NodeResults]) -> Wiring:
        """The wiring of these nodes; one that could not be looked at is a site that knows nothing."""
        return cls({results.node.name: Site(results) for results in nodes})

    @property
    def not_seen(self) -> Mapping[str, str]:
        """The nodes whose interfaces are not known, and why."""
        return {site.name: site.why_not(Links) for site in self.sites.values() if site.fact(Links) is None}

    def dhcp_networks(self) -> Iterator[tuple[Site, DhcpNetwork]]:
        """Every network that a node serves DHCP for."""
        for site in self.sites.values():
            served = site.fact(Dnsmasq)
            for network in served.networks if served else ():
                yield site, network

    @cached_property
    def reservations(self) -> Mapping[str, tuple[tuple[DhcpNetwork, DhcpHost], ...]]:
        """What the DHCP servers know of each station: its network and addresses, by MAC."""
        found: dict[str, dict[str, tuple[DhcpNetwork, DhcpHost]]] = {}
        for _, network in self.dhcp_networks():
            for host in network.hosts:
                if host.addresses:
                    found.setdefault(host.mac, {}).setdefault(network.network_id, (network, host))
        return {mac: tuple(by_network.values()) for mac, by_network in found.items()}

    def tunnel_ends(self, vni: int) -> Iterator[tuple[Site, Link]]:
        """The VXLAN devices with this identifier, one a node."""
        for site in self.sites.values():
            for link in site.within(""):
                if link.vxlan is not None and link.vxlan.vni == vni:
                    yield site, link

    def tunnel_site(self, vni: int, address: str) -> Site | None:
        """The node whose tunnel of this identifier ends at ``address``."""
        return next((s for s, link in self.tunnel_ends(vni) if s.tunnel_address(link) == address), None)

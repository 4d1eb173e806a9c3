"""The bridged ports of a node, and how a packet to or from one of them meets the node's rules.

A guest's tap stands on the bridge of its network (``brq``, Linux bridge agent) or on one of its own before Open
vSwitch (``qbr``, hybrid plugging).  Neutron guards it by chains in the filter table: ``i`` for what the guest is
sent, ``o`` for what it sends, ``s`` for the addresses it may send from (neutron
``agent/linux/iptables_firewall.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts import neutron_names
from stackdoctor.facts.bridges import BridgeNetfilter
from stackdoctor.facts.domain_xml import DomainInterface
from stackdoctor.facts.fact import Fact
from stackdoctor.facts.ipset import IpSets
from stackdoctor.facts.iptables import Chain, Ip6tables, Iptables
from stackdoctor.facts.libvirt import Domain, Domains
from stackdoctor.facts.links import Link, Links
from stackdoctor.facts.neutron_names import LINUXBRIDGE_CHAINS, OPENVSWITCH_CHAINS, port_prefix_of
from stackdoctor.firewall.packet import Packet
from stackdoctor.firewall.traverse import traverse
from stackdoctor.firewall.verdict import Ending
from stackdoctor.firewall.walk import Firewall
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = [
    "AGENTS",
    "BridgedPort",
    "Drop",
    "PortFilter",
    "PortFilter6",
    "bridged_ports",
    "from_port",
    "head",
    "read",
    "to_port",
]

AGENTS = (LINUXBRIDGE_CHAINS, OPENVSWITCH_CHAINS)
"""How the chains of the agents that filter with iptables begin."""

ENDED = frozenset({"shut off", "crashed", "dying"})

FactType = TypeVar("FactType", bound=Fact)


@dataclass(frozen=True)
class BridgedPort:
    """The host's end of a Neutron port.

    ``port`` is the first 11 characters of the port's id.  ``uplinks`` are the other ways out of ``bridge``: not
    taps, if there are any.  A ``guest`` has a virtual machine behind it (else a DHCP server's or a router's
    namespace); ``mac``, ``instance``, ``nova_name`` and ``server_id`` are empty where libvirt does not know it.
    ``filtered`` says whether frames that the bridge forwards go through iptables; None: not known.
    """

    node: str
    device: str
    port: str
    bridge: str
    uplinks: tuple[str, ...]
    guest: bool
    mac: str
    instance: str
    nova_name: str
    server_id: str
    running: bool
    filtered: bool | None
    evidence: Evidence

    def __str__(self) -> str:
        name = self.nova_name or self.instance
        return f"{self.device} ({name})" if name else self.device


def bridged_ports(
    node: str,
    links: Links | None,
    domains: Domains | None,
    netfilter: BridgeNetfilter | None = None,
    family: int = 4,
) -> tuple[BridgedPort, ...]:
    """The taps on a node, those that libvirt knows first; a tap that ``links`` do not show is not there."""
    host = {link.name: link for link in links.within("")} if links is not None else {}
    on_bridge: dict[str, list[str]] = {}
    for link in host.values():
        if link.master:
            on_bridge.setdefault(link.master, []).append(link.name)

    def made(device: str, bridge: str, evidence: Evidence, guest: tuple[Domain, DomainInterface] | None) -> BridgedPort:
        others = [name for name in on_bridge.get(bridge, ()) if name != device]
        domain, interface = guest or (None, None)
        return BridgedPort(
            node,
            device,
            port_prefix_of(device) or "",
            bridge,
            tuple([name for name in others if not name.startswith("tap")] or others),
            guest is not None or (device in host and host[device].kind != "veth"),
            interface.mac if interface else "",
            domain.name if domain else "",
            domain.nova_name if domain else "",
            domain.uuid if domain else "",
            domain.running if domain else True,
            _filtered(netfilter, host.get(bridge), family),
            evidence,
        )

    found: dict[str, BridgedPort] = {}
    for domain in domains.domains if domains is not None else ():
        for interface in domain.interfaces if domain.state not in ENDED else ():
            device, tap = interface.device, host.get(interface.device)
            if device.startswith("tap") and port_prefix_of(device) and (tap is not None or links is None):
                bridge = tap.master if tap is not None else interface.source
                found[device] = made(device, bridge, interface.evidence, (domain, interface))
    for link in host.values():
        if link.name.startswith("tap") and port_prefix_of(link.name) and link.name not in found:
            found[link.name] = made(link.name, link.master, link.evidence, None)
    return tuple(found.values())


def _filtered(netfilter: BridgeNetfilter | None, bridge: Link | None, family: int) -> bool | None:
    if family == 6:
        return None if netfilter is None else netfilter.loaded and netfilter.ip6tables
    if bridge is not None and bridge.nf_call_iptables:
        return True
    return None if netfilter is None else netfilter.loaded and netfilter.iptables


@dataclass(frozen=True)
class Drop:
    """What decides over a packet: the chain, and the line of the listing (a rule's, or a chain's with its policy)."""

    chain: str
    line: str


@dataclass(frozen=True)
class PortFilter:
    """A node's IPv4 rules, ready to be asked, and the ports that they guard.  A fact made of other facts."""

    node: str
    firewall: Firewall
    ports: tuple[BridgedPort, ...]

    rules: ClassVar[type[Iptables]] = Iptables
    probes: ClassVar[tuple[Probe, ...]] = (
        *Iptables.probes,
        *IpSets.probes,
        *Links.probes,
        *Domains.probes,
        *BridgeNetfilter.probes,
    )

    @classmethod
    def parse(cls, results: NodeResults) -> PortFilter:
        """Raises as Iptables does, and CouldNotCheck where neither libvirt nor the links could be asked."""
        iptables = cls.rules.parse(results)
        links, domains = read(Links, results), read(Domains, results)
        if links is None and domains is None:
            Links.parse(results)
        ports = bridged_ports(results.node.name, links, domains, read(BridgeNetfilter, results), cls.rules.family)
        return cls(results.node.name, Firewall(iptables, read(IpSets, results)), ports)

    @property
    def agents(self) -> tuple[str, ...]:
        """How the chains of the agents begin that filter on this node."""
        return tuple(agent for agent in AGENTS if self.named(f"{agent}-sg-chain") is not None)

    def named(self, name: str) -> Chain | None:
        """The chain of the filter table, in the tables of iptables or in legacy ones beside them."""
        for tables in self.firewall.ready:
            found = tables.chain("filter", name)
            if found is not None:
                return found.chain
        return None

    def chain(self, port: BridgedPort, letter: str) -> Chain | None:
        """The chain of a port: ``i``, ``o`` or ``s``."""
        found = (self.named(neutron_names.chain(port.port, letter, agent)) for agent in AGENTS)
        return next((c for c in found if c is not None), None)

    def is_trusted(self, port: BridgedPort) -> bool:
        """Whether Neutron accepts all of the port by rule: port security is off, or it is the network's own port."""
        for tables in self.firewall.ready:
            for agent in AGENTS:
                ready = tables.chain("filter", f"{agent}-FORWARD")
                for rule in ready.rules if ready is not None else ():
                    if rule.rule.target == "ACCEPT" and port.device in rule.ports:
                        return True
        return False

    def dropped(self, packets: Iterable[Packet], way: str = "forward") -> Drop | None:
        """By what all of ``packets`` (the ways in or out of one bridge) are dropped; None unless it is certain."""
        drop: Drop | None = None
        for packet in packets:
            verdict = traverse(self.firewall, packet, way)
            if verdict.passes is not False:
                return None
            drop = self.decided_by(verdict.endings[-1])
        return drop

    def decided_by(self, ending: Ending) -> Drop:
        """The last step of a packet's way."""
        step = ending.path[-1]
        if step.rule is not None:
            return Drop(step.chain, step.rule.line)
        chain = self.named(step.chain) if step.table == "filter" else None
        return Drop(step.chain, head(chain) if chain is not None else f":{step.chain} {step.action} ({step.table})")


@dataclass(frozen=True)
class PortFilter6(PortFilter):
    """A node's IPv6 rules, in the same form; ``filtered`` is of bridge-nf-call-ip6tables."""

    rules: ClassVar[type[Iptables]] = Ip6tables
    probes: ClassVar[tuple[Probe, ...]] = (*Ip6tables.probes, *PortFilter.probes[len(Iptables.probes) :])


def head(chain: Chain) -> str:
    """The chain's line in the listing."""
    return f":{chain.name} {chain.policy or '-'} [{chain.packets}:{chain.bytes}]"


def read(fact: type[FactType], results: NodeResults) -> FactType | None:
    """The fact, or None where the node has no such thing or it could not be read."""
    try:
        return fact.parse(results)  # type: ignore[return-value]
    except (CouldNotCheck, NotApplicable):
        return None


def to_port(port: BridgedPort, packet: Packet) -> Iterator[Packet]:
    """``packet`` on its way to the port's tap, once for each way that it may come in."""
    everybody = packet.dst is not None and str(packet.dst) == "255.255.255.255"
    dst_mac = packet.dst_mac or ("ff:ff:ff:ff:ff:ff" if everybody else port.mac or None)
    filled = replace(packet, dst_mac=dst_mac, physdev_out=port.device)
    for uplink in _ways(port, packet.physdev_in):
        yield replace(_bridged(filled, port), physdev_in=uplink)


def from_port(port: BridgedPort, packet: Packet) -> Iterator[Packet]:
    """``packet`` as it comes from the port's tap, once for each way out."""
    filled = replace(packet, src_mac=packet.src_mac or port.mac or None, physdev_in=port.device)
    for uplink in _ways(port, packet.physdev_out):
        yield replace(_bridged(filled, port), physdev_out=uplink)


def _ways(port: BridgedPort, given: str | None) -> Iterable[str | None]:
    return (given,) if given is not None else port.uplinks or (None,)


def _bridged(packet: Packet, port: BridgedPort) -> Packet:
    bridge = port.bridge or None
    return replace(packet, is_bridged=True, in_iface=packet.in_iface or bridge, out_iface=packet.out_iface or bridge)

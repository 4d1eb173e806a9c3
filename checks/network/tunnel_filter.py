"""Tunnels that the nodes' own firewalls cut off, told by sending their packets through the rules as listed."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from stackdoctor.checks.network.overlay import AGENT, Tunnel, tunnels_in

from stackdoctor.api import Cloud, Evidence, Finding, Severity, check
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.libvirt import Domains
from stackdoctor.facts.links import Links
from stackdoctor.firewall.packet import Interface, Packet
from stackdoctor.firewall.ports import Drop, PortFilter

LINUX_PORT = 8472
"""The UDP port of a VXLAN device that names none (drivers/net/vxlan); IANA's is 4789."""


@dataclass(frozen=True)
class End:
    """Where a node's tunnels begin: the address and the port that it shares with its peers."""

    node: str
    address: ipaddress.IPv4Address
    port: int


@check("overlay.vxlan.filtered", severity=Severity.ERROR)
def filtered_tunnel(
    filters: Cloud[PortFilter],
    links: Cloud[Links],
    addresses: Cloud[Addresses] | None,
    domains: Cloud[Domains] | None,
) -> Iterator[Finding]:
    """The firewall of a node drops the packets of its tunnels, to or from nodes that carry the same networks.

    Guests of a network that are on both nodes do not hear of each other, nor of the DHCP server and the router.
    Nothing else shows it: VXLAN has no connections that could fail.
    """
    tunnels = [t for t in tunnels_in(links, domains) if t.used and t.link.up and _address(t) is not None]
    peers = _peers(tunnels)
    for end, others in peers.items():
        found = filters.facts.get(end.node)
        if found is None or found.firewall.iptables.family != 4:
            continue
        own = addresses.facts.get(end.node) if addresses is not None else None
        device = _device(end, own)
        held = frozenset(a.interface for a in own.within("")) if own is not None else None
        for way in ("input", "output"):
            yield from _dropped(found, end, others, way, device, held)


def _peers(tunnels: Iterable[Tunnel]) -> Mapping[End, Mapping[ipaddress.IPv4Address, str]]:
    """For each end the addresses and nodes that share a network with it, and its port."""
    by_network: dict[int, set[End]] = {}
    for tunnel in tunnels:
        address = _address(tunnel)
        if address is not None:
            end = End(tunnel.node, address, tunnel.vxlan.port or LINUX_PORT)
            by_network.setdefault(tunnel.vxlan.vni, set()).add(end)
    peers: dict[End, dict[ipaddress.IPv4Address, str]] = {}
    for ends in by_network.values():
        for end in ends:
            peers.setdefault(end, {}).update(
                {o.address: o.node for o in ends if o.node != end.node and o.port == end.port}
            )
    return {end: others for end, others in sorted(peers.items(), key=lambda x: (x[0].node, x[0].port)) if others}


def _address(tunnel: Tunnel) -> ipaddress.IPv4Address | None:
    try:
        return ipaddress.IPv4Address(tunnel.vxlan.local)
    except ValueError:
        return None


def _device(end: End, own: Addresses | None) -> str | None:
    held = own.holding(str(end.address)) if own is not None else ()
    return next((a.device for a in held if not a.namespace), None)


def _dropped(
    found: PortFilter,
    end: End,
    others: Mapping[ipaddress.IPv4Address, str],
    way: str,
    device: str | None,
    held: frozenset[Interface] | None,
) -> Iterator[Finding]:
    """One finding for each rule or policy that drops, with the peers that it cuts off."""
    hit: dict[Drop, list[ipaddress.IPv4Address]] = {}
    for other in others:
        src, dst = (other, end.address) if way == "input" else (end.address, other)
        packet = Packet(
            "udp",
            src,
            dst,
            dport=end.port,
            in_iface=device if way == "input" else "",
            out_iface="" if way == "input" else device,
            is_bridged=False,
            physdev_in="",
            physdev_out="",
            mark=0,
            local=held,
        )
        drop = found.dropped([packet], way)
        if drop is not None:
            hit.setdefault(drop, []).append(other)
    for drop, cut in hit.items():
        names = ", ".join(f"{others[a]} ({a})" for a in cut[:4]) + (", ..." if len(cut) > 4 else "")
        yield Finding(
            f"{drop.chain} on {end.node}",
            f"the firewall of {end.node} drops what its tunnels {'get from' if way == 'input' else 'send to'} {names}"
            f" (UDP port {end.port})",
            node=end.node,
            evidence=Evidence(end.node, "iptables-save -c", drop.line),
            count=len(cut),
            host=end.node,
            port=end.port,
            chain=drop.chain,
            direction="from" if way == "input" else "to",
            peer=others[cut[0]] if len(cut) == 1 else None,
            agent=AGENT,
        )

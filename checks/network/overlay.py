"""The tunnels between the nodes: the VXLAN device of each network, what it runs over, and whom it sends to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stackdoctor.checks.network.segments import (
    Interfaces,
    Segment,
    namespace_taps,
    running_guests,
)

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.bridges import Fdb, FdbEntry
from stackdoctor.facts.libvirt import Domains
from stackdoctor.facts.links import Link, Links, Vxlan

AGENT = "neutron-linuxbridge-agent"
OVERHEAD = {4: 50, 6: 70}
"""Bytes that VXLAN adds to a guest's packet inside the underlay's MTU: IP, UDP, VXLAN and the inner Ethernet header."""


@dataclass(frozen=True)
class Tunnel:
    """A network's tunnel device on one node; ``used`` says that a running guest or a DHCP server is on its bridge."""

    node: str
    segment: Segment
    link: Link
    vxlan: Vxlan
    used: bool = True

    @property
    def overhead(self) -> int:
        """What the tunnel adds to each packet."""
        return OVERHEAD[6 if ":" in self.vxlan.local + self.vxlan.remote + self.vxlan.group else 4]


def tunnels_of(node: str, interfaces: Interfaces, guests: frozenset[str] | None) -> Iterator[Tunnel]:
    """The tunnel devices on the bridges of a node; ``guests`` are the running guests' taps, None if not known."""
    servers = {found.tap.name for found in namespace_taps(interfaces) if found.owner == "dhcp"}
    for segment in interfaces.segments():
        names = {tap.name for tap in segment.taps}
        used = bool(names & servers) or (guests is not None and bool(names & guests))
        for link in segment.uplinks:
            if link.vxlan is not None and not link.vxlan.external:
                yield Tunnel(node, segment, link, link.vxlan, used)


def tunnels_in(cloud: Cloud[Links], domains: Cloud[Domains] | None) -> list[Tunnel]:
    """The tunnel devices of all nodes."""
    guests: dict[str, set[str]] = {}
    for guest in running_guests(domains):
        guests.setdefault(guest.node, set()).add(guest.interface.device)
    known = domains.facts if domains is not None else {}
    return [
        tunnel
        for node, links in cloud
        for tunnel in tunnels_of(node, Interfaces(links), frozenset(guests.get(node, ())) if node in known else None)
    ]


@check("overlay.vxlan.down", severity=Severity.ERROR)
def down_tunnel(links: Links) -> Iterator[Finding]:
    """The way of a network out of a node is set down: its tunnel device, its VLAN device, its physical interface."""
    interfaces = Interfaces(links)
    for segment in interfaces.segments():
        for uplink in segment.uplinks if segment.taps else ():
            if not uplink.up:
                yield Finding(
                    uplink,
                    f"{uplink.name}, the way of network {segment.network} out of the node, is set down",
                    host=uplink.evidence.node,
                    network=segment.network,
                    bridge=segment.bridge.name,
                    device=uplink.name,
                    vni=uplink.vxlan.vni if uplink.vxlan is not None else None,
                    vlan=uplink.vlan,
                    underlay=lower_of(uplink),
                    how="down",
                )


def lower_of(uplink: Link) -> str:
    """The interface that a tunnel or VLAN device runs over; empty where it names none."""
    return uplink.vxlan.device if uplink.vxlan is not None else uplink.parent if uplink.kind == "vlan" else ""


@check("overlay.node.cut", severity=Severity.ERROR)
def cut_off_node(cloud: Cloud[Links]) -> Iterator[Finding]:
    """Several networks have ports on a node, and not one of their ways out of it works: it is the node, or its agent.

    Their tunnel or VLAN devices over one interface are all set down, or all gone while the other nodes have them.
    """
    segments = {node: list(Interfaces(links).segments()) for node, links in cloud}
    known: dict[str, str] = {}
    for found in segments.values():
        for segment in found:
            for uplink in segment.uplinks:
                if lower_of(uplink):
                    known.setdefault(segment.network, lower_of(uplink))
    for node, found in segments.items():
        over: dict[str, list[Segment]] = {}
        for segment in found:
            lower = next((lower_of(u) for u in segment.uplinks), known.get(segment.network, ""))
            if segment.taps and lower:
                over.setdefault(lower, []).append(segment)
        for lower, carried in over.items():
            if len(carried) > 1 and not any(uplink.up for segment in carried for uplink in segment.uplinks):
                gone = [s for s in carried if not s.uplinks]
                yield Finding(
                    node,
                    f"none of {len(carried)} networks leaves {node} over {lower}: "
                    + ", ".join(s.bridge.name for s in carried[:4]),
                    node=node,
                    evidence=tuple(s.bridge.evidence for s in carried[:4]),
                    count=len(carried),
                    host=node,
                    device=lower,
                    how="absent" if len(gone) == len(carried) else "down" if not gone else "both",
                    agent=AGENT,
                )


@check("overlay.underlay.down", severity=Severity.ERROR)
def down_underlay(links: Links) -> Iterator[Finding]:
    """The interface that tunnels or VLANs with taps behind them run over is missing, set down, or has no carrier."""
    interfaces = Interfaces(links)
    over: dict[str, list[Link]] = {}
    for segment in interfaces.segments():
        for uplink in segment.uplinks if segment.taps else ():
            lower = lower_of(uplink)
            if uplink.kind not in ("vxlan", "vlan"):
                lower = "" if not uplink.up else uplink.name
            if lower:
                over.setdefault(lower, []).append(uplink)
    for name, carried in over.items():
        lower_link = interfaces.named(name)
        if lower_link is None or (lower_link.up and lower_link.lower_up):
            continue
        how = "has no carrier" if lower_link.up else "is set down"
        yield Finding(
            lower_link,
            f"{name} {how}: {len(carried)} networks leave the node over it ({', '.join(x.name for x in carried[:4])})",
            host=lower_link.evidence.node,
            device=name,
            count=len(carried),
            how="no-carrier" if lower_link.up else "down",
        )


@check("overlay.address.missing", severity=Severity.ERROR)
def missing_tunnel_address(links: Links, addresses: Addresses) -> Iterator[Finding]:
    """The address that a node's tunnels send from is on none of its interfaces: nothing arrives and nothing leaves."""
    by_address: dict[str, list[Tunnel]] = {}
    for tunnel in tunnels_of("", Interfaces(links), frozenset()):
        if tunnel.vxlan.local:
            by_address.setdefault(tunnel.vxlan.local, []).append(tunnel)
    for local, tunnels in by_address.items():
        if any(not a.namespace for a in addresses.holding(local)):
            continue
        first = tunnels[0].link
        yield Finding(
            first,
            f"{len(tunnels)} tunnel devices send from {local}, which is on no interface of the node",
            host=first.evidence.node,
            ip=local,
            device=tunnels[0].vxlan.device,
            vni=tunnels[0].vxlan.vni,
            network=tunnels[0].segment.network,
            kind="address",
        )


@check("overlay.vxlan.fdb-missing", severity=Severity.ERROR)
def missing_peer(cloud: Cloud[Links], tables: Cloud[Fdb], domains: Cloud[Domains] | None) -> Iterator[Finding]:
    """A node floods a network's broadcasts to some peers and not to one that has guests or DHCP of that network.

    Only where the list of peers is kept by l2population (no multicast group, one address to send from).  Where
    several nodes lack one peer and none has it, that peer was never announced, and is where to look.
    """
    by_vni: dict[int, list[Tunnel]] = {}
    for tunnel in tunnels_in(cloud, domains):
        kept = tunnel.vxlan.local and not (tunnel.vxlan.group or tunnel.vxlan.remote)
        if tunnel.used and tunnel.link.up and kept:
            by_vni.setdefault(tunnel.vxlan.vni, []).append(tunnel)
    for tunnels in by_vni.values():
        flooded = {
            t.node: frozenset(tables.facts[t.node].flooded_to(t.link.name)) for t in tunnels if t.node in tables.facts
        }
        lacks = {
            t: [o for o in tunnels if o.node != t.node and o.vxlan.local not in flooded[t.node]]
            for t in tunnels
            if t.node in flooded
        }
        unannounced = {
            peer.node
            for peer in tunnels
            if len(lacks) > 2 and sum(peer in missing for missing in lacks.values()) >= len(lacks) - (peer in lacks)
        }
        for tunnel, missing in lacks.items():
            here = [peer for peer in missing if peer.node not in unannounced]
            if here:
                yield _missing_peers(tunnel, here)
        for peer in tunnels:
            if peer.node in unannounced:
                yield _unannounced(peer, [t for t, missing in lacks.items() if peer in missing])


def _missing_peers(tunnel: Tunnel, peers: list[Tunnel]) -> Finding:
    return Finding(
        tunnel.link,
        f"{tunnel.link.name} has no entry for {', '.join(f'{p.node} ({p.vxlan.local})' for p in peers)}:"
        " broadcasts (ARP, DHCP) do not get there",
        node=tunnel.node,
        evidence=(tunnel.link.evidence, *(peer.link.evidence for peer in peers)),
        count=len(peers),
        host=tunnel.node,
        peer=peers[0].node,
        ip=peers[0].vxlan.local,
        vni=tunnel.vxlan.vni,
        network=tunnel.segment.network,
        device=tunnel.link.name,
        underlay=tunnel.vxlan.device,
        kind="peer",
        agent=AGENT,
    )


def _unannounced(peer: Tunnel, lacking: list[Tunnel]) -> Finding:
    return Finding(
        peer.link,
        f"no other node has an entry for {peer.node} ({peer.vxlan.local}) in VNI {peer.vxlan.vni}",
        node=peer.node,
        evidence=(peer.link.evidence, *(tunnel.link.evidence for tunnel in lacking)),
        count=len(lacking),
        host=peer.node,
        ip=peer.vxlan.local,
        vni=peer.vxlan.vni,
        network=peer.segment.network,
        device=peer.link.name,
        underlay=peer.vxlan.device,
        kind="unannounced",
        agent=AGENT,
    )


@check("overlay.vxlan.fdb-wrong", severity=Severity.ERROR)
def wrong_peer(cloud: Cloud[Links], tables: Cloud[Fdb], domains: Cloud[Domains]) -> Iterator[Finding]:
    """A node sends a guest's packets to another node than the guest is on (a permanent entry, as l2population makes).

    A guest that runs on two nodes is being moved and left out.
    """
    tunnels = tunnels_in(cloud, domains)
    addresses = {(t.node, t.vxlan.vni): t.vxlan.local for t in tunnels}
    vni_of_network = {(t.node, t.segment.network): t.vxlan.vni for t in tunnels}
    homes: dict[str, set[tuple[str, int]]] = {}
    for guest in running_guests(domains):
        vni = vni_of_network.get((guest.node, guest.network))
        if vni is not None:
            homes.setdefault(guest.interface.mac, set()).add((guest.node, vni))
    for tunnel in tunnels:
        fdb = tables.facts.get(tunnel.node)
        sent = _sent_to(fdb, tunnel.link.name) if fdb is not None else {}
        for mac, entries in sent.items():
            home = homes.get(mac, set())
            if len(home) != 1:
                continue
            ((node, vni),) = home
            right = addresses.get((node, vni), "")
            if node == tunnel.node or vni != tunnel.vxlan.vni or not right or any(e.dst == right for e in entries):
                continue
            yield Finding(
                entries[0],
                f"{tunnel.node} sends what is for {mac} to {entries[0].dst}; its guest is on {node} ({right})",
                node=tunnel.node,
                host=tunnel.node,
                mac=mac,
                ip=entries[0].dst,
                peer=node,
                vni=vni,
                network=tunnel.segment.network,
                device=tunnel.link.name,
                underlay=tunnel.vxlan.device,
                kind="station",
                agent=AGENT,
            )


def _sent_to(fdb: Fdb, device: str) -> Mapping[str, list[FdbEntry]]:
    found: dict[str, list[FdbEntry]] = {}
    for entry in fdb.entries:
        if entry.device == device and entry.dst and "permanent" in entry.flags:
            found.setdefault(entry.mac, []).append(entry)
    return found

"""From one node to another: a network's way out of its bridge, by tunnel, VLAN or physical interface, and in again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.bridges import Fdb
from stackdoctor.facts.links import Link, Vxlan
from stackdoctor.facts.neighbours import Neighbours
from stackdoctor.trace.hops import Hop, Proof, link_proofs, port_hop
from stackdoctor.trace.wiring import Site, Wiring

__all__ = ["SILENT", "Crossing", "overhead_of", "uplink_of", "way_out"]

SILENT = ("FAILED", "INCOMPLETE")


@dataclass(frozen=True)
class Crossing:
    """What frames between two nodes are: from ``mac`` here to ``mac`` there; ``flooded`` when nobody knows yet where.

    ``other`` and ``other_link`` are the node at the other end and its uplink; None where they are not known.
    """

    tenant: int | None
    mac: str
    far_mac: str
    flooded: bool
    other: Site | None
    other_link: Link | None


def uplink_of(site: Site, bridge: str, like: Link | None = None) -> Link | None:
    """A bridge's uplink: the one like ``like`` on the other node first, one that should be in the bridge last.

    ``like`` tells what to look for where the bridge has none: the same tunnel or VLAN identifier.
    """
    found = site.uplinks(bridge) if bridge else ()
    if like is not None:
        same = [link for link in found if _alike(link, like)]
        stray = [link for link in site.within("") if not found and _alike(link, like) and _identified(link)]
        found = (*same, *found, *stray)
    return found[0] if found else None


def _identified(link: Link) -> bool:
    return link.vxlan is not None or link.vlan is not None


def _alike(one: Link, other: Link) -> bool:
    if one.vxlan is not None and other.vxlan is not None:
        return one.vxlan.vni == other.vxlan.vni
    return one.kind == other.kind and one.vlan == other.vlan


def overhead_of(address: str) -> int:
    """What VXLAN adds to a packet: inner Ethernet 14, VXLAN 8, UDP 8 and the outer IP header (RFC 7348).

    >>> overhead_of("192.0.2.1"), overhead_of("2001:db8::1")
    (50, 70)
    """
    return 70 if ":" in address else 50


def way_out(wiring: Wiring, site: Site, link: Link | None, bridge: str, crossing: Crossing) -> Iterator[Hop]:
    """The hops from a bridge to the wire: the uplink, and what is below it.  Turned round they lead in."""
    if link is None:
        why = site.unseen()
        proof = Proof(None, f"not known: {why}") if why else Proof(False, f"{bridge or 'its bridge'} has no way out")
        yield Hop(site.name, "uplink", "uplink", (proof,))
        return
    kind = link.kind if link.kind in ("vxlan", "vlan") else "physical"
    port = port_hop(site, kind, link.name, bridge, crossing.tenant, crossing.far_mac)
    extra = [*_same_segment(link, crossing)]
    if link.vxlan is not None:
        extra += _tunnel(wiring, site, link, link.vxlan, crossing)
    yield Hop(site.name, kind, link.name, (*extra[:1], *port.proofs, *extra[1:]))
    below = site.below(link)
    if link.vxlan is not None:
        yield _underlay(site, link, below, crossing)
    elif link.vlan is not None:
        parent = link.parent or "its parent"
        _, proofs = link_proofs(site, parent, "", crossing.tenant)
        yield Hop(site.name, "physical", parent, tuple(proofs))


def _same_segment(link: Link, crossing: Crossing) -> Iterator[Proof]:
    """The identifier, first, and whether the other node's is the same."""
    other, where = crossing.other_link, crossing.other.name if crossing.other else ""
    mine = _segment(link)
    if other is None or _alike(link, other) or not (_identified(link) or _identified(other)):
        yield Proof(True, mine, link.evidence)
    else:
        yield Proof(False, f"{mine} here, {_segment(other)} on {where}", other.evidence)
    if link.vxlan is not None and other is not None and other.vxlan is not None:
        mine_port, theirs = link.vxlan.port, other.vxlan.port
        if mine_port and theirs and mine_port != theirs:
            yield Proof(False, f"UDP port {mine_port} here, {theirs} on {where}", other.evidence)


def _segment(link: Link) -> str:
    if link.vxlan is not None:
        return f"VNI {link.vxlan.vni}"
    return f"VLAN {link.vlan}" if link.vlan is not None else "untagged"


def _tunnel(wiring: Wiring, site: Site, link: Link, vxlan: Vxlan, crossing: Crossing) -> Iterator[Proof]:
    """That frames for the other end are sent to the node where it is."""
    target = ""
    if crossing.other is not None and crossing.other_link is not None:
        target = crossing.other.tunnel_address(crossing.other_link)
    table = site.fact(Fdb)
    if table is None:
        yield Proof(None, f"where it sends is not known: {site.why_not(Fdb)}")
        return
    own = [e for e in table.of(crossing.far_mac) if e.device == link.name and e.dst] if crossing.far_mac else []
    for entry in own:
        if target and entry.dst != target:
            yield Proof(False, f"it seeks {entry.mac} behind {_named(wiring, vxlan, entry.dst)}", entry.evidence)
            return
    if not target:
        for entry in own[:1]:
            yield Proof(True, f"to {_named(wiring, vxlan, entry.dst)}", entry.evidence)
        return
    flooded = [e for e in table.entries if e.device == link.name and e.mac == "00:00:00:00:00:00" and e.dst == target]
    if flooded or (own and not crossing.flooded):
        yield Proof(True, f"to {target}", (flooded or own)[0].evidence)
    elif vxlan.group or vxlan.remote == target:
        yield Proof(True, f"to {vxlan.group or vxlan.remote}", link.evidence)
    else:
        yield Proof(False, f"it floods to {_listed(table.flooded_to(link.name))}, not to {target}", link.evidence)


def _listed(addresses: tuple[str, ...]) -> str:
    return ", ".join(addresses[:5]) or "nobody"


def _named(wiring: Wiring, vxlan: Vxlan, address: str) -> str:
    site = wiring.tunnel_site(vxlan.vni, address)
    return f"{address} ({site.name})" if site else address


def _underlay(site: Site, tunnel: Link, below: Link | None, crossing: Crossing) -> Hop:
    """The interface that carries the tunnel, with its address and room, and whether the other one answers on it."""
    address = site.tunnel_address(tunnel)
    if below is None:
        name = (tunnel.vxlan.device if tunnel.vxlan else "") or "underlay"
        return Hop(site.name, "underlay", name, (Proof(None, "the interface below the tunnel is not known"),))
    _, proofs = link_proofs(site, below.name, "", crossing.tenant, overhead_of(address))
    known = site.fact(Addresses)
    if known is not None and address:
        at = next(iter(known.holding(address)), None)
        held = Proof(True, address, at.evidence) if at else Proof(False, f"no interface has {address}", tunnel.evidence)
        proofs.insert(1, held)
    if crossing.other is not None and crossing.other_link is not None:
        proofs += _answers(site, below, crossing.other.tunnel_address(crossing.other_link))
    return Hop(site.name, "underlay", below.name, tuple(proofs))


def _answers(site: Site, below: Link, other: str) -> Iterator[Proof]:
    known = site.fact(Neighbours)
    for neighbour in known.of(other, "") if known and other else ():
        if neighbour.device == below.name and neighbour.state in SILENT:
            yield Proof(False, f"{other} does not answer ARP", neighbour.evidence)

"""Across one network: from one port to another over bridges, tunnels, VLANs or a physical interface, and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackdoctor.facts.links import Link
from stackdoctor.facts.neutron_names import bridge as network_bridge
from stackdoctor.facts.neutron_names import network_prefix_of
from stackdoctor.facts.ovs_db import OpenvSwitch
from stackdoctor.facts.ovs_ports import OvsPort
from stackdoctor.trace.endpoints import Endpoint
from stackdoctor.trace.filtering import BROADCAST, Exchange, security_group_hop
from stackdoctor.trace.hops import Hop, Proof, bridge_hop, card_hop, inner_hop, link_proofs, open_vswitch_hop, port_hop
from stackdoctor.trace.ovs_port import flow_filter_hop, local_vlan, plugged, switch_hop
from stackdoctor.trace.ovs_way import End, same_node, way_in
from stackdoctor.trace.ovs_way import way_out as switched_way_out
from stackdoctor.trace.uplinks import Crossing, uplink_of, way_out
from stackdoctor.trace.wiring import OPEN_VSWITCH, Site, Wiring

__all__ = ["crossing"]

Hops = tuple[Hop, ...]


@dataclass(frozen=True)
class Side:
    """One end's part, the end first: up to ``bridge``, or to ``plug`` on Open vSwitch.

    ``opaque``: no bridge of the kernel comes next, or nothing shows what does.
    """

    end: Endpoint
    site: Site | None
    hops: Hops
    bridge: str
    opaque: bool
    plug: OvsPort | None = None


def crossing(
    wiring: Wiring, start: Endpoint, other: Endpoint | None, exchange: Exchange, tenant: int | None, address: str = ""
) -> tuple[Hops, Hops]:
    """The hops from one port to the other, and those at which the answer may be stopped on its way back.

    ``other`` None stands for an end that is not known; ``address`` is what its interface must have.
    """
    near = _side(wiring, start, tenant, "")
    far = _side(wiring, other, tenant, address) if other else None
    if near.opaque or near.site is None or (far is not None and (far.opaque or far.site is None)):
        return _around(near, far, exchange, tenant, start, other)
    far_site = far.site if far else None
    if far is not None and far_site is near.site:
        return _on_one_node(near.site, near, far, exchange, tenant)
    up = uplink_of(near.site, near.bridge)
    far_up = uplink_of(far_site, far.bridge, up) if far and far_site else None
    if far_up is not None:
        up = uplink_of(near.site, near.bridge, far_up)
    name, far_name = up.name if up else "", far_up.name if far_up else ""
    far_mac = other.mac if other else ""
    flooded = exchange.request.dst_mac in (None, BROADCAST)
    out = Crossing(tenant, start.mac, far_mac, flooded, far_site, far_up)
    hops = [*near.hops, *_group(near, exchange, True, name), bridge_hop(near.site, near.bridge, tenant)]
    hops += way_out(wiring, near.site, up, near.bridge, out)
    back = _group(near, exchange, False, name)
    if far is None or far_site is None:
        return tuple(hops), back
    into = Crossing(tenant, far_mac, start.mac, False, near.site, up)
    hops += reversed(tuple(way_out(wiring, far_site, far_up, far.bridge, into)))
    hops.append(bridge_hop(far_site, far.bridge, tenant))
    hops += (*_group(far, exchange, True, far_name), *reversed(far.hops))
    return tuple(hops), (*_group(far, exchange, False, far_name), *back)


def _around(
    near: Side, far: Side | None, exchange: Exchange, tenant: int | None, start: Endpoint, other: Endpoint | None
) -> tuple[Hops, Hops]:
    """Two ends of which one at least is on Open vSwitch, or which nothing visible joins."""
    hops: list[Hop] = []
    back: list[Hop] = []
    between = _switched(near, far, exchange, tenant, start, other)
    for side in (near, far):
        if side is None:
            continue
        hybrid = side.end.device.replace("tap", "qvb") if side.bridge.startswith("qbr") else ""
        own = [*side.hops]
        if side.site is not None and (hybrid or not side.opaque):
            at = 2 if hybrid else len(own)
            own[at:at] = _group(side, exchange, True, hybrid)
            own += [] if hybrid else [bridge_hop(side.site, side.bridge, tenant)]
            back[:0] = _group(side, exchange, False, hybrid)
        elif side.site is not None and side.plug is not None and side.end.domain is not None:
            own.append(flow_filter_hop(side.site, side.plug, exchange.request_name))
            back[:0] = [flow_filter_hop(side.site, side.plug, exchange.answer_name)]
        if side.plug is not None and side.site is not None and between is None:
            own.append(open_vswitch_hop(side.site.name, _unseen(side.site)))
        hops += [*own, *(between or ())] if side is near else reversed(own)
    return tuple(hops), tuple(back)


def _switched(
    near: Side, far: Side | None, exchange: Exchange, tenant: int | None, start: Endpoint, other: Endpoint | None
) -> Hops | None:
    """The hops between two ports of Open vSwitch; None where they cannot be told."""
    here = _end(near, start)
    there = _end(far, other) if far is not None and other is not None else None
    if here is None or (far is not None and there is None) or here.switch.ovn or (there and there.switch.ovn):
        return None
    flooded = exchange.request.dst_mac in (None, BROADCAST)
    if there is None:
        return tuple(switched_way_out(here, None, flooded, tenant))
    if there.site is here.site:
        return (same_node(here, there),)
    return (*switched_way_out(here, there, flooded, tenant), *way_in(there, here, tenant))


def _end(side: Side, end: Endpoint) -> End | None:
    if side.plug is None or side.site is None:
        return None
    return End(side.site, side.plug, local_vlan(side.site, side.plug, end.network), end.mac)


def _unseen(site: Site) -> str:
    """Why what Open vSwitch does is not told."""
    switch = site.fact(OpenvSwitch)
    if switch is None:
        return f"its bridges and flows are not known: {site.why_not(OpenvSwitch)}"
    return "OVN makes its flows, which are not evaluated" if switch.ovn else "the other end is not on Open vSwitch"


def _on_one_node(site: Site, near: Side, far: Side, exchange: Exchange, tenant: int | None) -> tuple[Hops, Hops]:
    """Both ends on one node: only the bridge is between them."""
    hops = [*near.hops, *_group(near, exchange, True, far.end.device), bridge_hop(site, near.bridge, tenant)]
    if near.bridge != far.bridge:
        other = bridge_hop(site, far.bridge, tenant)
        apart = Proof(False, f"it is not {near.bridge}, where the other end is")
        hops.append(Hop(site.name, "bridge", other.name, (apart, *other.proofs)))
    guests = near.end.domain is not None and far.end.domain is not None
    if not guests:  # between two guests the one packet meets the rules of both at once
        hops += _group(far, exchange, True, near.end.device)
    hops += reversed(far.hops)
    guest, opposite = (near, far) if near.end.domain is not None else (far, near)
    return tuple(hops), _group(guest, exchange, False, opposite.end.device)


def _group(side: Side, exchange: Exchange, request: bool, opposite: str) -> Hops:
    """The rules of a guest's security groups for the request or the answer; nothing for other ports."""
    if side.end.domain is None or side.site is None or not side.end.device:
        return ()
    packet, name = (exchange.request, exchange.request_name) if request else (exchange.answer, exchange.answer_name)
    return (security_group_hop(side.site, side.end, packet, side.bridge, opposite, name),)


def _side(wiring: Wiring, end: Endpoint, tenant: int | None, address: str) -> Side:
    site = wiring.sites.get(end.node)
    if site is None:
        hop = Hop("", "guest NIC", end.mac, (Proof(None, "no node that was looked at has it"),))
        return Side(end, None, (hop,), "", True)
    if end.domain is not None:
        return _guest(site, end, tenant)
    first = inner_hop(site, end, tenant, address)
    plug = plugged(site, end)
    if plug is not None:
        return Side(end, site, (first, switch_hop(site, plug, end, tenant)), "", True, plug)
    outer = site.link(end.device) if end.device else None
    if not end.device and not end.inner:
        return Side(end, site, (first,), _expected(site, end), False)
    if not end.device or (outer is not None and outer.master in OPEN_VSWITCH):
        return Side(end, site, (first, open_vswitch_hop(site.name, _unseen(site))), "", True)
    bridge = _bridge(site, end, outer)
    peer = (end.inner, end.namespace) if end.inner else None
    return Side(end, site, (first, port_hop(site, "tap", end.device, bridge, tenant, end.mac, peer)), bridge, False)


def _guest(site: Site, end: Endpoint, tenant: int | None) -> Side:
    hops = [card_hop(end, end.domain)] if end.domain else []
    plug = plugged(site, end)
    hybrid = end.card.source if end.card is not None and end.card.source.startswith("qbr") else ""
    if plug is not None and not hybrid and not plug.name.startswith("qvo"):
        return Side(end, site, (*hops, switch_hop(site, plug, end, tenant)), "", True, plug)
    if end.card is not None and end.card.kind not in ("bridge", "ethernet", "network"):
        hops.append(
            Hop(site.name, "guest NIC", end.card.kind, (Proof(None, "its way out is not visible in the links"),))
        )
        return Side(end, site, tuple(hops), "", True)
    tap = site.link(end.device)
    source = end.card.source if end.card else ""
    if (tap is not None and tap.master in OPEN_VSWITCH) or source == "br-int":
        hops += [port_hop(site, "tap", end.device, "", tenant), open_vswitch_hop(site.name, _unseen(site))]
        return Side(end, site, tuple(hops), "", True)
    if source.startswith("qbr") or (tap is not None and tap.master.startswith("qbr")):
        hybrid = source or (tap.master if tap else "")
        return Side(end, site, (*hops, *_hybrid(site, end, hybrid, tenant, plug)), hybrid, True, plug)
    bridge = _bridge(site, end, tap)
    hops.append(port_hop(site, "tap", end.device, bridge, tenant, end.mac))
    return Side(end, site, tuple(hops), bridge, False)


def _hybrid(site: Site, end: Endpoint, bridge: str, tenant: int | None, plug: OvsPort | None) -> Iterator[Hop]:
    """The Linux bridge of one port between its tap and Open vSwitch, where iptables filter."""
    port = bridge[3:]
    yield port_hop(site, "tap", end.device, bridge, tenant, end.mac)
    yield bridge_hop(site, bridge, tenant)
    yield port_hop(site, "veth", f"qvb{port}", bridge, tenant, peer=(f"qvo{port}", ""))
    if plug is not None:
        yield switch_hop(site, plug, end, tenant)
        return
    yield from _missing_from_switch(site, f"qvo{port}", tenant)


def _missing_from_switch(site: Site, name: str, tenant: int | None) -> Iterator[Hop]:
    """The end of a hybrid pair of which Open vSwitch has no port, or of which it is not known."""
    if site.fact(OpenvSwitch) is None:
        yield port_hop(site, "veth", name, OPEN_VSWITCH[0], tenant)
        yield open_vswitch_hop(site.name, _unseen(site))
        return
    _, proofs = link_proofs(site, name, "", tenant)
    yield Hop(site.name, "veth", name, (Proof(False, "Open vSwitch has no port of that name"), *proofs))


def _bridge(site: Site, end: Endpoint, tap: Link | None) -> str:
    """The bridge that a tap should be in: libvirt's word, else the one named after the network, else where it is."""
    source = end.card.source if end.card else ""
    if source and end.card is not None and end.card.kind == "bridge":
        return source
    expected = _expected(site, end)
    master = tap.master if tap else ""
    if master and (not site.link(expected) or not network_prefix_of(master)):
        return master
    return expected


def _expected(site: Site, end: Endpoint) -> str:
    return network_bridge(end.network) if end.network else ""

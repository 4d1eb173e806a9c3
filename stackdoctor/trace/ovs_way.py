"""From one node's Open vSwitch to another's: patches, flows that swap VLAN and key, tunnels, provider bridges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.links import Link
from stackdoctor.facts.neighbours import Neighbours
from stackdoctor.facts.ovs_db import OpenvSwitch
from stackdoctor.facts.ovs_flows import BridgeFlows
from stackdoctor.facts.ovs_ports import OvsBridge, OvsPort
from stackdoctor.trace.hops import Hop, Proof, link_proofs
from stackdoctor.trace.ovs_port import flows_of
from stackdoctor.trace.uplinks import SILENT, overhead_of
from stackdoctor.trace.wiring import Site

__all__ = ["End", "same_node", "way_in", "way_out"]

TUNNELS = ("vxlan", "gre", "geneve")
FROM_TUNNEL = {"vxlan": 4, "gre": 3, "geneve": 6}
KNOWN, FLOOD = 20, 22


@dataclass(frozen=True)
class End:
    """One end on Open vSwitch: its node, its port, the local VLAN there, and the MAC that frames have."""

    site: Site
    port: OvsPort
    vlan: int | None
    mac: str

    @property
    def switch(self) -> OpenvSwitch:
        """The node's Open vSwitch, which is known where a port of it is."""
        found = self.site.fact(OpenvSwitch)
        assert found is not None
        return found

    @property
    def tunnel_address(self) -> str:
        """The address that this node's tunnels start from; empty if it has none."""
        bridge = self.switch.tunnels
        options = (i.options for p in (bridge.ports if bridge else ()) for i in p.interfaces if i.kind in TUNNELS)
        return next((o["local_ip"] for o in options if o.get("local_ip")), "")


def same_node(near: End, far: End) -> Hop:
    """Both ends on one bridge: they need the same local VLAN."""
    bridge = near.port.bridge
    text = f"VLAN {near.vlan}" if near.vlan == far.vlan else f"{far.port} has VLAN {far.vlan}, {near.port} {near.vlan}"
    known = near.port.wired and far.port.wired
    holds = near.vlan == far.vlan if known else None
    return Hop(
        near.site.name, "bridge", bridge, (Proof(holds, text if known else "its VLAN is not known", far.port.evidence),)
    )


def _overlay(end: End) -> bool | None:
    """Whether the network leaves the node by tunnel; None where neither the agent's notes nor flows say it."""
    kind = end.port.other_config.get("network_type", "")
    if kind:
        return kind in TUNNELS
    bridge = end.switch.tunnels
    flows, _ = flows_of(end.site, bridge.name) if bridge else (None, "")
    if flows is not None and end.vlan is not None and flows.of(FLOOD, dl_vlan=end.vlan):
        return True
    return False if flows is not None and end.vlan is not None else None


def way_out(end: End, far: End | None, flooded: bool, tenant: int | None) -> Iterator[Hop]:
    """The hops from the integration bridge to the wire."""
    overlay = _overlay(end) if _overlay(end) is not None else (_overlay(far) if far else None)
    if overlay is None or end.vlan is None:
        why = "its local VLAN" if end.vlan is None else "its kind of network"
        yield Hop(end.site.name, "Open vSwitch", "Open vSwitch", (Proof(None, f"{why} is not known on this node"),))
        return
    if overlay:
        yield from _tunnel_out(end, far, flooded, tenant)
    else:
        yield from _provider(end, far, tenant, outward=True)


def way_in(end: End, far: End, tenant: int | None) -> Iterator[Hop]:
    """The hops from the wire to the integration bridge, in the order of a packet that comes from ``far``."""
    overlay = _overlay(end) if _overlay(end) is not None else _overlay(far)
    if overlay is None:
        yield Hop(end.site.name, "Open vSwitch", "Open vSwitch", (Proof(None, "its kind of network is not known"),))
    elif overlay:
        yield from _tunnel_in(end, far, tenant)
    else:
        yield from _provider(end, far, tenant, outward=False)


def _patch(end: End, other: OvsBridge | None, kind: str) -> tuple[Hop, OvsPort | None, OvsPort | None]:
    """The patch between the integration bridge and another one, with both its ports."""
    for near, far in end.switch.outward():
        if far is not None and other is not None and far.bridge == other.name:
            back = end.switch.patched(far)
            bad = [p for p in (near, far) if any(i.failed for i in p.interfaces)]
            proof = Proof(True, f"to {far} on {far.bridge}", near.evidence)
            if back is not near:
                proof = Proof(False, f"{far} leads to {back or 'nowhere'}", far.evidence)
            elif bad:
                proof = Proof(False, f"Open vSwitch could not open {bad[0]}", bad[0].evidence)
            return Hop(end.site.name, "patch", near.name, (proof,)), near, far
    name = other.name if other else kind
    proof = Proof(False, f"no patch leads from {end.port.bridge} to {name}", end.switch.evidence)
    return Hop(end.site.name, "patch", "patch", (proof,)), None, None


def _tunnel_out(end: End, far: End | None, flooded: bool, tenant: int | None) -> Iterator[Hop]:
    bridge = end.switch.tunnels
    patch, _, _ = _patch(end, bridge, "br-tun")
    yield patch
    if bridge is None:
        return
    port = _tunnel_port(bridge, far)
    yield Hop(end.site.name, "bridge", bridge.name, tuple(_sent(end, far, bridge, port, flooded)))
    if far is not None:
        yield _tunnel_hop(end, far, bridge, port)
        yield from _underlay(end, far, tenant)


def _tunnel_port(bridge: OvsBridge, far: End | None) -> OvsPort | None:
    """The tunnel port to the other node."""
    address = far.tunnel_address if far else ""
    found = (p for p in bridge.ports if p.kind in TUNNELS and p.interface and address)
    return next((p for p in found if p.interface and p.interface.options.get("remote_ip") == address), None)


def _sent(end: End, far: End | None, bridge: OvsBridge, port: OvsPort | None, flooded: bool) -> Iterator[Proof]:
    """What the flows of the tunnel bridge do with frames of the network for the other end."""
    flows, why = flows_of(end.site, bridge.name)
    if flows is None:
        yield Proof(None, f"flows not known: {why}")
        return
    known = flows.of(KNOWN, dl_vlan=end.vlan, dl_dst=far.mac) if far and far.mac and not flooded else ()
    flood = flows.of(FLOOD, dl_vlan=end.vlan)
    used = known or flood
    if not used:
        holds = False if flows.whole else None
        yield Proof(holds, f"no flow sends VLAN {end.vlan} into a tunnel", flows.evidence)
        return
    flow = used[0]
    segment = end.port.other_config.get("segmentation_id") or (
        far.port.other_config.get("segmentation_id") if far else ""
    )
    right = not segment or flow.key is None or str(flow.key) == segment
    text = f"VLAN {end.vlan} to VNI {flow.key}" + ("" if right else f", not {segment}")
    yield Proof(right, text, flows.told(flow))
    if port is None or port.ofport is None:
        return
    word = "sends to" if known else "floods to"
    if port.ofport in flow.outputs:
        yield Proof(True, f"{word} {port}", flows.told(flow))
    else:
        named = [p.name for p in bridge.ports if p.ofport in flow.outputs]
        yield Proof(False, f"it {word} {', '.join(named[:5]) or 'nobody'}, not to {port}", flows.told(flow))


def _tunnel_hop(end: End, far: End, bridge: OvsBridge, port: OvsPort | None) -> Hop:
    address = far.tunnel_address
    if port is None or port.interface is None:
        if not address:
            proof = Proof(None, f"the tunnel address of {far.site.name} is not known")
        else:
            proof = Proof(False, f"{bridge} has no tunnel port to {address} ({far.site.name})", bridge.evidence)
        return Hop(end.site.name, "tunnel", "tunnel port", (proof,))
    interface = port.interface
    if interface.failed:
        return Hop(
            end.site.name, port.kind, port.name, (Proof(False, interface.error or "not opened", interface.evidence),)
        )
    return Hop(end.site.name, port.kind, port.name, (Proof(True, f"to {address}", interface.evidence),))


def _underlay(end: End, far: End, tenant: int | None) -> Iterator[Hop]:
    """The interface that has the tunnels' address."""
    address, known = end.tunnel_address, end.site.fact(Addresses)
    if known is None or not address:
        return
    at = next((a for a in known.holding(address) if not a.namespace), None)
    if at is None:
        proof = Proof(False, f"no interface has {address}", end.port.evidence)
        yield Hop(end.site.name, "underlay", "underlay", (proof,))
        return
    _, proofs = link_proofs(end.site, at.device, "", tenant, overhead_of(address))
    proofs.insert(1, Proof(True, address, at.evidence))
    neighbours, other = end.site.fact(Neighbours), far.tunnel_address
    for neighbour in neighbours.of(other, "") if neighbours and other else ():
        if neighbour.device == at.device and neighbour.state in SILENT:
            proofs.append(Proof(False, f"{other} does not answer ARP", neighbour.evidence))
    yield Hop(end.site.name, "underlay", at.device, tuple(proofs))


def _tunnel_in(end: End, far: End, tenant: int | None) -> Iterator[Hop]:
    bridge = end.switch.tunnels
    yield from _underlay(end, far, tenant)
    if bridge is not None:
        port = _tunnel_port(bridge, far)
        yield _tunnel_hop(end, far, bridge, port)
        yield Hop(end.site.name, "bridge", bridge.name, tuple(_received(end, far, bridge, port)))
    patch, _, _ = _patch(end, bridge, "br-tun")
    yield patch


def _received(end: End, far: End, bridge: OvsBridge, port: OvsPort | None) -> Iterator[Proof]:
    flows, why = flows_of(end.site, bridge.name)
    if flows is None:
        yield Proof(None, f"flows not known: {why}")
        return
    if port is not None and flows.whole and not [f for f in flows.of(0, in_port=port.ofport) if not f.drops]:
        yield Proof(False, f"no flow takes what comes from {port}", flows.evidence)
    segment = end.port.other_config.get("segmentation_id") or far.port.other_config.get("segmentation_id", "")
    if not segment.isdigit():
        yield Proof(None, "the VNI of its network is not known")
        return
    table = FROM_TUNNEL[port.kind if port else "vxlan"]
    used = flows.of(table, tun_id=f"{int(segment):#x}")
    yield from _swapped(end, flows, [f.vlan for f in used], f"VNI {segment}", used[0].line if used else "")


def _swapped(end: End, flows: BridgeFlows, vlans: Sequence[int | None], what: str, line: str) -> Iterator[Proof]:
    """That what comes in as ``what`` gets the local VLAN."""
    shown = flows.evidence if not line else type(flows.evidence)(flows.evidence.node, flows.command, line)
    if not vlans:
        yield Proof(False if flows.whole else None, f"no flow of {flows.bridge} takes {what} in", shown)
    elif end.vlan is None:
        yield Proof(None, f"{what} to VLAN {vlans[0]}; that of the port is not known", shown)
    else:
        right = end.vlan in vlans
        yield Proof(right, f"{what} to VLAN {vlans[0]}" + ("" if right else f", not {end.vlan}"), shown)


def _provider(end: End, far: End | None, tenant: int | None, *, outward: bool) -> Iterator[Hop]:
    """Over the bridge of a physical network, outward or inward."""
    found = _provider_bridge(end)
    patch, inner, outer = _patch(end, found, "the bridge of its physical network")
    hops = [patch]
    if found is not None:
        proofs = [*_translated(end, far, found, inner, outer, outward=outward)]
        hops.append(Hop(end.site.name, "bridge", found.name, tuple(proofs)))
        hops += _physical(end, found, tenant)
    yield from hops if outward else reversed(hops)


def _provider_bridge(end: End) -> OvsBridge | None:
    """The bridge whose flows take the local VLAN out; the only one there is where none does."""
    tunnels = end.switch.tunnels
    outward = [(far, end.switch.bridge(far.bridge)) for _, far in end.switch.outward() if far is not None]
    others = [(far, bridge) for far, bridge in outward if bridge is not None and bridge is not tunnels]
    for far, bridge in others:
        flows, _ = flows_of(end.site, bridge.name)
        if flows is not None and end.vlan is not None and flows.of(0, in_port=far.ofport, dl_vlan=end.vlan):
            return bridge
    return others[0][1] if len(others) == 1 else None


def _translated(
    end: End, far: End | None, bridge: OvsBridge, inner: OvsPort | None, outer: OvsPort | None, *, outward: bool
) -> Iterator[Proof]:
    name = bridge.name if outward else end.port.bridge
    flows, why = flows_of(end.site, name)
    if flows is None:
        yield Proof(None, f"flows not known: {why}")
        return
    segment = end.port.other_config.get("segmentation_id") or (
        far.port.other_config.get("segmentation_id") if far else ""
    )
    if outward and outer is not None:
        used = [f for f in flows.of(0, in_port=outer.ofport, dl_vlan=end.vlan) if not f.drops]
        if not used:
            yield Proof(False if flows.whole else None, f"no flow takes VLAN {end.vlan} out", flows.evidence)
            return
        number = used[0].vlan
        right = not segment or str(number) == segment
        told = f"VLAN {end.vlan} to {number if number is not None else 'untagged'}" + (
            "" if right else f", not {segment}"
        )
        yield Proof(right, told, flows.told(used[0]))
    elif not outward and inner is not None:
        arriving = {"dl_vlan": segment} if segment else {"vlan_tci": "0x0000/0x1fff"}
        found = [f for f in flows.of(0, in_port=inner.ofport, **arriving) if not f.drops]
        what = f"VLAN {segment}" if segment else "untagged frames"
        yield from _swapped(end, flows, [f.vlan for f in found], what, found[0].line if found else "")


def _physical(end: End, bridge: OvsBridge, tenant: int | None) -> Iterator[Hop]:
    """The interfaces of the bridge that lead out of the node."""
    ways = [port for port in bridge.ports if port.kind in ("", "dpdk", "system")]
    if not ways:
        yield Hop(end.site.name, "uplink", "uplink", (Proof(False, f"{bridge} has no way out", bridge.evidence),))
        return
    port = ways[0]
    proofs: list[Proof] = []
    for interface in port.interfaces:
        if interface.failed:
            proofs.append(Proof(False, interface.error or f"{interface} could not be opened", interface.evidence))
        elif interface.kind == "dpdk":
            up = interface.link_state == "up"
            proofs.append(Proof(up, "up" if up else f"the link of {interface} is down", interface.evidence))
        else:
            link: Link | None = end.site.link(interface.name)
            _, own = link_proofs(end.site, interface.name, "", tenant)
            proofs += own if link is not None or len(port.interfaces) == 1 else []
    alone = len(port.interfaces) == 1 or all(p.holds is False for p in proofs)
    shown = proofs if alone else [p for p in proofs if p.holds is not False]
    yield Hop(end.site.name, "physical", port.name, tuple(shown))

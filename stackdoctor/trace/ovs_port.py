"""A port's place on Open vSwitch: the port on the integration bridge, its local VLAN, and what stops frames there."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.facts.neutron_names import hybrid_ovs_side, port_prefix_of
from stackdoctor.facts.ovs_db import OpenvSwitch
from stackdoctor.facts.ovs_flows import BridgeFlows, OvsFlows
from stackdoctor.facts.ovs_ports import DEAD_VLAN, OvsPort
from stackdoctor.trace.endpoints import Endpoint, same_network
from stackdoctor.trace.hops import Hop, Proof, link_proofs
from stackdoctor.trace.wiring import Site

__all__ = ["flow_filter_hop", "flows_of", "local_vlan", "network_port", "plugged", "switch_hop"]

TRANSIENT, EGRESS = 60, 71


def plugged(site: Site, end: Endpoint) -> OvsPort | None:
    """The port of Open vSwitch that an end is plugged into; None where there is none, or it is not known."""
    switch = site.fact(OpenvSwitch)
    if switch is None:
        return None
    if end.card is not None and end.card.port_id:
        found = switch.of_neutron(end.card.port_id)
        if found is not None:
            return found
    names = (end.inner, hybrid_ovs_side(end.port), end.device) if end.port else (end.inner, end.device)
    return next((port for name in names if name and (port := switch.port(name)) is not None), None)


def network_port(site: Site, network: str) -> OvsPort | None:
    """A wired port of a network on this node, by what the agent noted of it."""
    switch = site.fact(OpenvSwitch)
    ports = switch.ports if switch else ()
    return next((port for port in ports if port.wired and same_network(port.network, network)), None)


def local_vlan(site: Site, port: OvsPort | None, network: str) -> int | None:
    """The VLAN that a network has on this node: the port's, or another port's of the same network."""
    if port is not None and port.wired:
        return port.tag
    other = network_port(site, network or (port.network if port else ""))
    return other.tag if other else None


def flows_of(site: Site, bridge: str) -> tuple[BridgeFlows | None, str]:
    """The flows of a bridge, or why they are not known."""
    known = site.fact(OvsFlows)
    if known is None:
        return None, site.why_not(OvsFlows)
    found = known.of(bridge)
    return found, "" if found else known.absent.get(bridge, f"those of {bridge} were not read")


def switch_hop(site: Site, port: OvsPort, end: Endpoint, tenant: int | None) -> Hop:
    """The port on the integration bridge: opened, with a VLAN of its network, and not dropped by the first table."""
    proofs: list[Proof] = []
    interface = port.interface
    if port.kind == "" and interface is not None:
        _, proofs = link_proofs(site, port.name, "", tenant)
    if interface is None or interface.failed:
        why = (interface.error if interface else "") or "Open vSwitch could not open it"
        proofs.insert(0, Proof(False, why, interface.evidence if interface else port.evidence))
    elif interface.status.get("status") == "disconnected":
        proofs.append(Proof(False, "QEMU is not connected to its socket", interface.evidence))
    proofs += _tagged(port, end)
    proofs += _let_in(site, port)
    kind = {"": "tap" if port_prefix_of(port.name) and port.name.startswith("tap") else "veth"}.get(
        port.kind, port.kind
    )
    return Hop(site.name, kind, port.name, tuple(proofs))


def _tagged(port: OvsPort, end: Endpoint) -> Iterator[Proof]:
    if port.tag is None:
        yield Proof(False, f"it has no tag on {port.bridge}: the agent has not wired it", port.evidence)
    elif port.tag == DEAD_VLAN:
        yield Proof(False, f"tag {DEAD_VLAN}, the dead VLAN: not bound, or set down in Neutron", port.evidence)
    elif port.network and end.network and not same_network(port.network, end.network):
        yield Proof(False, f"tag {port.tag} is that of network {port.network}, not of {end.network}", port.evidence)
    else:
        of = f" ({port.segment})" if port.segment else ""
        yield Proof(True, f"on {port.bridge}, tag {port.tag}{of}", port.evidence)


def _let_in(site: Site, port: OvsPort) -> Iterator[Proof]:
    """What the first table of its bridge does to all that the port sends."""
    flows, why = flows_of(site, port.bridge)
    if flows is None:
        yield Proof(None, f"flows not known: {why}")
        return
    first = sorted(flows.of(0), key=lambda flow: -flow.priority)
    for flow in first:
        if flow.match == {"in_port": str(port.ofport)} and flow.drops:
            yield Proof(False, "a flow drops all that it sends", flows.told(flow))
            return
        if flow.match in ({}, {"in_port": str(port.ofport)}) and not flow.drops:
            return
    if flows.whole:
        yield Proof(False, f"no flow of {port.bridge} takes what it sends", flows.evidence)


def flow_filter_hop(site: Site, port: OvsPort, name: str) -> Hop:
    """The security group of a port that is plugged without a Linux bridge: flows, which are not evaluated."""
    flows, why = flows_of(site, port.bridge)
    if flows is None:
        proof = Proof(None, f"{name}: flows not known: {why}")
    else:
        own = [f for f in flows.of(TRANSIENT, in_port=port.ofport) if f"resubmit(,{EGRESS})" in f.actions]
        if own:
            proof = Proof(
                None, f"{name}: its rules are flows (table {EGRESS} and on), not evaluated", flows.told(own[0])
            )
        else:
            proof = Proof(True, f"{name} not filtered: no flow is about {port}", flows.evidence)
    return Hop(site.name, "security group", "security group", (proof,))

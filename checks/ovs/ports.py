"""Neutron's ports on the integration bridge of Open vSwitch, as its agent should have wired them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.libvirt import Domain, Domains
from stackdoctor.facts.ovs_db import OpenvSwitch
from stackdoctor.facts.ovs_flows import OvsFlows
from stackdoctor.facts.ovs_ports import DEAD_VLAN, OvsPort

__all__ = ["lost_flows", "owner_of", "unopened_port", "unwired_port"]

OWNERS = {"qr-": "router", "qg-": "router", "sg-": "router", "ha-": "router", "rfp": "router", "fg-": "router"}
AGENT = "neutron-openvswitch-agent"
KNOWN_STATIONS = 20


def owner_of(port: OvsPort) -> str:
    """Whose port it is: instance, dhcp or router; a device that Open vSwitch made itself is never an instance's."""
    if port.kind == "internal":
        return OWNERS.get(port.name[:3], "dhcp")
    return "instance"


@check("ovs.port.unwired", severity=Severity.ERROR)
def unwired_port(switch: OpenvSwitch, domains: Domains | None, others: Cloud[OvsFlows] | None) -> Iterator[Finding]:
    """A Neutron port on Open vSwitch has no local VLAN, the dead one (4095), or a device that could not be opened.

    Its frames reach nobody.  The agent writes the tag when it has the port's details from neutron-server; it leaves
    4095 where the port is not bound to this host or is set down.  An error only where the guest runs (or a DHCP server
    or a router has the port), for a guest that is off leaves such a port behind; the tag 4095 is one only where
    another node's flows still send to the port.
    """
    inner = switch.integration
    if inner is None or switch.ovn:
        return
    guests = _guests(domains)
    for port in inner.ports:
        if not port.port_id or port.kind == "patch" or (switch.settled is not None and port.name not in switch.settled):
            continue
        how = _how(port)
        if not how:
            continue
        owner = owner_of(port)
        domain = guests.get(port.port_id) or guests.get(port.mac)
        if owner == "instance" and domains is not None and (domain is None or not domain.running) and how != "untagged":
            continue  # the guest is off: its tap is gone with it, or the agent took it off the network
        active = _active(port, how, owner, domain, others)
        yield Finding(
            port,
            _message(port, how),
            severity=None if active else Severity.WARNING,
            evidence=(port.evidence, *(i.evidence for i in port.interfaces)),
            host=port.evidence.node,
            device=port.name,
            bridge=port.bridge,
            port=port.port_id[:11],
            mac=port.mac or None,
            network=port.network or None,
            instance=next((u for i in port.interfaces if (u := i.external_ids.get("vm-uuid"))), None),
            owner=owner,
            agent=AGENT,
            how=how,
            active="yes" if active else "unknown",
        )


def _how(port: OvsPort) -> str:
    if any(i.failed for i in port.interfaces):
        return "error"
    return "untagged" if port.tag is None else "dead" if port.tag == DEAD_VLAN else ""


def _message(port: OvsPort, how: str) -> str:
    if how == "error":
        said = next((i.error for i in port.interfaces if i.error), "it could not be opened")
        return f"{port} on {port.bridge}: {said}"
    if how == "dead":
        return f"{port} on {port.bridge} is in the dead VLAN ({DEAD_VLAN}): not bound, or set down"
    return f"{port} on {port.bridge} has no tag: the agent has not wired it"


def _guests(domains: Domains | None) -> Mapping[str, Domain]:
    """The guests by their ports' ids and MACs."""
    found: dict[str, Domain] = {}
    for domain in domains.domains if domains else ():
        for card in domain.interfaces:
            found[card.mac] = domain
            if card.port_id:
                found[card.port_id] = domain
    return found


def _active(port: OvsPort, how: str, owner: str, domain: Domain | None, others: Cloud[OvsFlows] | None) -> bool:
    """Whether the port is certainly meant to work: its owner runs, and (dead VLAN) others still send to it."""
    if how == "dead":
        return _announced(port.mac, port.evidence.node, others)
    return owner != "instance" or (domain is not None and domain.running)


def _announced(mac: str, here: str, others: Cloud[OvsFlows] | None) -> bool:
    """Whether another node has a lasting flow for the station, as l2population writes them."""
    return any(
        flow.match.get("dl_dst") == mac and not flow.temporary
        for node, known in others or ()
        if mac and node != here
        for bridge in known.bridges.values()
        for flow in bridge.of(KNOWN_STATIONS)
    )


@check("ovs.flows.missing", severity=Severity.ERROR)
def lost_flows(switch: OpenvSwitch, flows: OvsFlows) -> Iterator[Finding]:
    """The integration bridge is in secure mode, has wired ports, and no flow: nothing passes.

    ovs-vswitchd loses the flows when it is restarted; the agent writes them again once it has noticed.
    """
    inner = switch.integration
    known = flows.of(inner.name) if inner else None
    if inner is None or known is None or not known.whole or switch.ovn or inner.fail_mode != "secure":
        return
    wired = [port for port in inner.ports if port.wired and port.port_id]
    if not wired or any(not flow.drops for flow in known.flows):
        return
    yield Finding(
        inner,
        f"{inner} has {len(wired)} wired ports and no flow that lets anything pass",
        evidence=(known.evidence, inner.evidence),
        host=inner.evidence.node,
        bridge=inner.name,
        device=inner.name,
        agent=AGENT,
    )


@check("ovs.port.error", severity=Severity.ERROR)
def unopened_port(switch: OpenvSwitch) -> Iterator[Finding]:
    """Open vSwitch could not open a tunnel, a patch or a physical interface of one of Neutron's bridges."""
    names = {bridge.name for bridge in (switch.integration, switch.tunnels) if bridge is not None}
    names |= {far.bridge for _, far in switch.outward() if far is not None}
    for bridge in (b for b in switch.bridges if b.name in names):
        for port in bridge.ports:
            if port.port_id or (switch.settled is not None and port.name not in switch.settled):
                continue
            for interface in port.interfaces:
                if interface.failed and not interface.kind.startswith("dpdk"):
                    yield Finding(
                        interface,
                        f"{interface} on {bridge}: {interface.error or 'it could not be opened'}",
                        severity=Severity.WARNING if not interface.kind and len(port.interfaces) > 1 else None,
                        host=interface.evidence.node,
                        device=interface.name,
                        bridge=bridge.name,
                        kind=interface.kind or "system",
                    )

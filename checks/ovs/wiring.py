"""Patches between the bridges of Open vSwitch, and the tunnels between the nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stackdoctor.checks.ovs.ports import owner_of

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.ovs_db import OpenvSwitch
from stackdoctor.facts.ovs_flows import OvsFlows
from stackdoctor.facts.ovs_ports import OvsPort

__all__ = ["missing_patch", "missing_peer"]

TUNNELS = ("vxlan", "gre", "geneve")
FLOOD = 22
OF_NEUTRON = ("int-", "phy-", "patch-")


@check("ovs.patch.missing", severity=Severity.ERROR)
def missing_patch(switch: OpenvSwitch) -> Iterator[Finding]:
    """The patch between two of Neutron's bridges has lost an end: nothing passes from one to the other."""
    inner, tunnels = switch.integration, switch.tunnels
    if inner is None or switch.ovn:
        return
    half = False
    for port in switch.ports:
        peer = port.interface.options.get("peer", "") if port.interface else ""
        if port.kind == "patch" and port.name.startswith(OF_NEUTRON) and switch.port(peer) is None:
            half = True
            yield _patch(port.name, f"{port} on {port.bridge} leads to {peer or 'nothing'}, which is not there", port)
    ends = [p for p in (tunnels.ports if tunnels else ()) if p.kind in TUNNELS]
    joined = any(far is not None and tunnels and far.bridge == tunnels.name for _, far in switch.outward())
    if ends and not joined and not half and any(p.wired for p in inner.ports):
        yield _patch(tunnels.name if tunnels else "", f"no patch joins {inner} and {tunnels}", ends[0])


def _patch(device: str, message: str, port: OvsPort) -> Finding:
    return Finding(device, message, evidence=port.evidence, host=port.evidence.node, device=device, bridge=port.bridge)


@dataclass(frozen=True)
class Site:
    """A node's tunnels: where they start, where its ports lead, and its wired ports by tunnelled network."""

    address: str
    ports: Mapping[str, OvsPort]
    networks: Mapping[str, OvsPort]
    bridge: str


def _site(switch: OpenvSwitch) -> Site | None:
    inner, bridge = switch.integration, switch.tunnels
    if inner is None or bridge is None or switch.ovn:
        return None
    ports = {p.interface.options.get("remote_ip", ""): p for p in bridge.ports if p.kind in TUNNELS and p.interface}
    own = [p.interface.options.get("local_ip", "") for p in ports.values() if p.interface]
    settled = switch.settled
    networks = {
        p.network: p
        for p in inner.ports
        if p.wired
        and p.other_config.get("network_type") in TUNNELS
        and owner_of(p) in ("instance", "dhcp")
        and not any(i.failed for i in p.interfaces)
        and (settled is None or p.name in settled)
    }
    return Site(next((a for a in own if a), ""), ports, networks, bridge.name)


@check("ovs.tunnel.peer-missing", severity=Severity.ERROR)
def missing_peer(switches: Cloud[OpenvSwitch], flows: Cloud[OvsFlows] | None) -> Iterator[Finding]:
    """Two nodes have ports in one network, and one has no tunnel port to the other, or does not flood to it.

    Guests here do not reach those there: no ARP, no DHCP.  Other nodes may.  The agent makes tunnel ports when
    neutron-server tells it of the peer (tunnel_sync, l2population).
    """
    sites = {node: site for node, switch in switches if (site := _site(switch)) is not None}
    for node, site in sites.items():
        for other, far in sites.items():
            shared = sorted(set(site.networks) & set(far.networks)) if other != node and far.address else []
            if not shared:
                continue
            port = site.ports.get(far.address)
            if port is None:
                yield _peer(
                    node, other, site, far, shared, "port", f"{site.bridge} has no tunnel port to {far.address}"
                )
            elif flows is not None and node in flows.facts:
                unflooded = [n for n in shared if not _floods(flows.facts[node], site, n, port)]
                if unflooded:
                    text = f"{site.bridge} does not flood to {far.address}"
                    yield _peer(node, other, site, far, unflooded, "flow", text)


def _floods(flows: OvsFlows, site: Site, network: str, port: OvsPort) -> bool:
    """Whether the network is flooded to a tunnel port; yes where it is not known."""
    known = flows.of(site.bridge)
    if known is None or not known.whole:
        return True
    return any(port.ofport in flow.outputs for flow in known.of(FLOOD, dl_vlan=site.networks[network].tag))


def _peer(node: str, other: str, site: Site, far: Site, shared: list[str], how: str, text: str) -> Finding:
    of = f"network {shared[0]}" + (f" and {len(shared) - 1} more" if len(shared) > 1 else "")
    here, there = site.networks[shared[0]], far.networks[shared[0]]
    return Finding(
        f"{node} to {other}",
        f"{text} ({other}), where {of} has ports as well",
        node=node,
        evidence=(here.evidence, there.evidence, *(p.evidence for p in list(site.ports.values())[:3])),
        count=len(shared),
        host=node,
        peer=other,
        ip=far.address,
        network=shared[0],
        bridge=site.bridge,
        agent="neutron-openvswitch-agent",
        how=how,
    )

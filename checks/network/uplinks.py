"""How a network leaves its nodes: over a tunnel, a VLAN or untagged, on every node the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from stackdoctor.checks.network.dhcp import ranges_of
from stackdoctor.checks.network.overlay import lower_of
from stackdoctor.checks.network.segments import Interfaces, Segment, namespace_taps

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.dnsmasq import Dnsmasq
from stackdoctor.facts.libvirt import Domains
from stackdoctor.facts.links import Link, Links
from stackdoctor.facts.neutron_names import vlan_of, vni_of

AGENT = "neutron-linuxbridge-agent"


@dataclass(frozen=True)
class Uplink:
    """How a network leaves a node: over a tunnel (``number`` is the VNI), a VLAN, or untagged."""

    kind: str
    number: int
    device: Link


def uplink_of(segment: Segment) -> Uplink | None:
    """The uplink of ``segment``; None if it has none."""
    for device in segment.uplinks:
        if device.vxlan is not None:
            return Uplink("vxlan", device.vxlan.vni, device)
    for device in segment.uplinks:
        if device.vlan is not None:
            return Uplink("vlan", device.vlan, device)
    return next((Uplink("flat", 0, device) for device in segment.uplinks), None)


@check("bridge.vlan.missing", severity=Severity.ERROR)
def missing_uplink(
    cloud: Cloud[Links], domains: Cloud[Domains] | None, addresses: Cloud[Addresses] | None
) -> Iterator[Finding]:
    """A network's bridge has taps and no way out of the node, while other nodes have one for the same network.

    The VLAN or tunnel device is missing, or is not (any more) a port of the bridge.  A network without an
    uplink anywhere (type local) is left out, unless it is a router's external one whose bridge is not the
    host's own way out either; and so are guests that do not run yet: their uplink may follow.
    """
    nodes = {node: Interfaces(links) for node, links in cloud}
    segments = {node: list(interfaces.segments()) for node, interfaces in nodes.items()}
    known: dict[str, Uplink] = {}
    for found in segments.values():
        for segment in found:
            uplink = uplink_of(segment)
            if uplink is not None:
                known.setdefault(segment.network, uplink)
    for node, found in segments.items():
        for segment in found:
            like = known.get(segment.network)
            if uplink_of(segment) is not None:
                continue
            if like is None:
                if (
                    addresses is not None
                    and node in addresses.facts
                    and _leads_nowhere(segment, nodes[node], addresses.facts[node])
                ):
                    yield _cut_off(node, segment)
                continue
            users = _users(segment, nodes[node], domains.facts.get(node) if domains is not None else None)
            if users:
                yield _missing_uplink(node, nodes[node], segment, like)


def _users(segment: Segment, interfaces: Interfaces, domains: Domains | None) -> list[Link]:
    """The taps of running guests (all guests' where libvirt is not known), and those into namespaces."""
    running = {i.device for d in (domains.domains if domains is not None else ()) for i in d.interfaces if d.running}
    inside = {found.tap.name for found in namespace_taps(interfaces)}
    return [tap for tap in segment.taps if tap.name in inside or tap.name in running or domains is None]


def _leads_nowhere(segment: Segment, interfaces: Interfaces, addresses: Addresses) -> bool:
    """Whether a router's gateway is on the bridge, and neither a device nor the host itself (by an address) is."""
    gateways = {found.tap.name for found in namespace_taps(interfaces) if found.inner.name.startswith("qg-")}
    own = [a for a in addresses.on(segment.bridge.name) if a.scope == "global"]
    return any(tap.name in gateways for tap in segment.taps) and not own


def _cut_off(node: str, segment: Segment) -> Finding:
    return Finding(
        segment.bridge,
        f"{segment.bridge.name} has a router's gateway on it and no way out of the node",
        node=node,
        evidence=(segment.bridge.evidence, *(tap.evidence for tap in segment.taps[:3])),
        host=node,
        bridge=segment.bridge.name,
        network=segment.network,
        kind="external",
        device=segment.bridge.name,
        underlay="",
        how="absent",
        agent=AGENT,
    )


def _missing_uplink(node: str, interfaces: Interfaces, segment: Segment, like: Uplink) -> Finding:
    device = _same_uplink(interfaces, like)
    where = f"is on {device.master}" if device is not None and device.master else "is on no bridge"
    return Finding(
        segment.bridge,
        f"{segment.bridge.name} has {len(segment.taps)} taps and no way out of the node: "
        + (f"{device.name} {where}" if device is not None else f"there is no {_described(like)}"),
        node=node,
        evidence=(segment.bridge.evidence, like.device.evidence)
        if device is None
        else (segment.bridge.evidence, device.evidence),
        host=node,
        bridge=segment.bridge.name,
        network=segment.network,
        kind=like.kind,
        device=device.name if device is not None else like.device.name,
        vni=like.number if like.kind == "vxlan" else None,
        vlan=like.number if like.kind == "vlan" else None,
        underlay=lower_of(device if device is not None else like.device),
        how="absent" if device is None else "off-bridge" if not device.master else "other-bridge",
        agent=AGENT,
    )


def _same_uplink(interfaces: Interfaces, like: Uplink) -> Link | None:
    """The device of this node that should be the uplink; None if it does not exist or cannot be told.

    A VLAN device may be called otherwise here; several physical networks may have the same VLAN.
    """
    if like.kind == "flat":
        return interfaces.named(like.device.name)
    if like.kind == "vxlan":
        tunnels = (x for x in interfaces.within("") if x.vxlan is not None and not x.vxlan.external)
        return next((x for x in tunnels if x.vxlan is not None and x.vxlan.vni == like.number), None)
    alike = [link for link in interfaces.within("") if link.kind == "vlan" and link.vlan == like.number]
    named = [link for link in alike if link.name == like.device.name]
    free = [link for link in alike if not link.master]
    return named[0] if named else free[0] if len(free) == 1 else None


def _described(uplink: Uplink) -> str:
    names = {"vxlan": f"tunnel device of VNI {uplink.number}", "vlan": f"device of VLAN {uplink.number}"}
    return names.get(uplink.kind, f"physical interface on it, as {uplink.device.name} elsewhere")


@check("bridge.vlan.wrong-id", severity=Severity.ERROR)
def wrong_uplink_id(
    cloud: Cloud[Links], dnsmasq: Cloud[Dnsmasq] | None, addresses: Cloud[Addresses] | None
) -> Iterator[Finding]:
    """One node carries a network in another VLAN or VNI than the other nodes: its guests there meet nobody.

    Also a device whose name says another number than it has.  A network of several segments (routed provider
    network), told by subnets that its DHCP server has no address in, may differ from node to node.
    """
    by_network: dict[str, list[tuple[str, Uplink]]] = {}
    for node, links in cloud:
        for segment in Interfaces(links).segments():
            uplink = uplink_of(segment)
            if uplink is not None and segment.taps:
                by_network.setdefault(segment.network, []).append((node, uplink))
    for network, uplinks in by_network.items():
        misnamed = [(node, uplink) for node, uplink in uplinks if not _named_as_it_is(uplink)]
        for node, uplink in misnamed or _odd_ones(uplinks):
            if misnamed or uplink.kind == "vxlan" or not _is_routed(network, dnsmasq, addresses):
                others = next((u for n, u in uplinks if (u.kind, u.number) != (uplink.kind, uplink.number)), None)
                yield Finding(
                    uplink.device,
                    f"{node} carries network {network} over {_carrier(uplink)}"
                    + (f", others over {_carrier(others)}" if others is not None else ""),
                    node=node,
                    evidence=(uplink.device.evidence, *((others.device.evidence,) if others is not None else ())),
                    host=node,
                    network=network,
                    bridge=uplink.device.master,
                    device=uplink.device.name,
                    kind=uplink.kind,
                    vlan=uplink.number if uplink.kind == "vlan" else None,
                    vni=uplink.number if uplink.kind == "vxlan" else None,
                    underlay=lower_of(uplink.device),
                    agent=AGENT,
                )


def _carrier(uplink: Uplink) -> str:
    number = {"vxlan": f" (VNI {uplink.number})", "vlan": f" (VLAN {uplink.number})"}.get(uplink.kind, "")
    return f"{uplink.device.name}{number}"


def _named_as_it_is(uplink: Uplink) -> bool:
    """Whether the number in the name that the agent gives a device is the device's own."""
    if uplink.kind == "vxlan":
        return vni_of(uplink.device.name) in (None, uplink.number)
    named = vlan_of(uplink.device.name) if uplink.kind == "vlan" else None
    return named is None or named[1] == uplink.number


def _odd_ones(uplinks: list[tuple[str, Uplink]]) -> list[tuple[str, Uplink]]:
    """Those that differ from what most have; none where no number has the most."""
    counts = Counter((u.kind, u.number) for _, u in uplinks).most_common(2)
    if len(counts) < 2 or counts[0][1] == counts[1][1]:
        return []
    odd = [(n, u) for n, u in uplinks if (u.kind, u.number) != counts[0][0]]
    return odd if len(odd) == 1 or all(u.kind == "vxlan" for _, u in odd) else []


def _is_routed(network: str, dnsmasq: Cloud[Dnsmasq] | None, addresses: Cloud[Addresses] | None) -> bool:
    """Whether the network has subnets in which its DHCP server has no address, or two servers for different ones."""
    seen: set[frozenset[str]] = set()
    for node, served in dnsmasq or ():
        found = served.network(network)
        if found is None or addresses is None or node not in addresses.facts:
            continue
        own = [a.interface for a in addresses.facts[node].within(f"qdhcp-{found.network_id}")]
        local = frozenset(str(r) for r in ranges_of(found) if any(i.version == 4 and i.ip in r for i in own))
        if len(local) < len(ranges_of(found)):
            return True
        seen.add(local)
    return len(seen) > 1

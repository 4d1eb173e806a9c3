"""The largest packet of a network against what every device on its way takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackdoctor.checks.network.overlay import Tunnel, tunnels_of
from stackdoctor.checks.network.segments import Interfaces, namespace_taps, uses_open_vswitch

from stackdoctor.api import Cloud, Evidence, Finding, Severity, check
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.dnsmasq import Dnsmasq
from stackdoctor.facts.links import Link, Links


@dataclass(frozen=True)
class Passage:
    """A device that a network's packets pass on ``node``, and the largest packet of a guest that fits (``room``).

    ``role`` is underlay, uplink or port; only devices of one role are compared with each other.
    """

    node: str
    network: str
    role: str
    device: Link
    overhead: int = 0
    tunnel: Tunnel | None = None

    @property
    def room(self) -> int:
        """What fits once the tunnel's headers are around it."""
        return self.device.mtu - self.overhead


@check("overlay.mtu.too-small", severity=Severity.ERROR)
def too_small_device(
    cloud: Cloud[Links], dnsmasq: Cloud[Dnsmasq] | None, addresses: Cloud[Addresses] | None
) -> Iterator[Finding]:
    """A device on a network's way does not take its largest packet: small packets pass, large ones vanish.

    The largest packet is what the network's dnsmasq tells the guests, or else the MTU of its tunnel devices; over
    an underlay it needs 50 bytes more (70 with IPv6).  A warning where all such devices of the network are alike:
    the guests may have been told less in another way.
    """
    told = {n.network_id: n.process.mtu for _, d in dnsmasq or () for n in d.networks if n.process and n.process.mtu}
    ways: dict[str, list[Passage]] = {}
    for node, links in cloud:
        for passage in _passages(node, links, addresses.facts.get(node) if addresses is not None else None):
            ways.setdefault(passage.network, []).append(passage)
    worst: dict[tuple[str, str, str], tuple[tuple[bool, int], Finding]] = {}
    for network, passages in ways.items():
        largest = next((mtu for n, mtu in told.items() if n.startswith(network) and mtu), None)
        tunnels = [p.device.mtu for p in passages if p.role == "uplink" and p.device.vxlan is not None]
        largest = largest or max(tunnels, default=0)
        for passage in passages:
            if passage.room < largest:
                alike = all(p.room < largest for p in passages if p.role == passage.role)
                key = (passage.node, passage.device.namespace, passage.device.name)
                rank = (not alike, largest)
                if key not in worst or rank > worst[key][0]:
                    worst[key] = (rank, _finding(passage, largest, alike))
    for _, finding in worst.values():
        yield finding


def _passages(node: str, links: Links, addresses: Addresses | None) -> Iterator[Passage]:
    interfaces = Interfaces(links)
    if uses_open_vswitch(interfaces):
        return
    inner = {found.tap.name: found.inner for found in namespace_taps(interfaces)}
    for segment in interfaces.segments():
        for link in segment.uplinks:
            yield Passage(node, segment.network, "uplink", link)
        for tap in segment.taps:
            yield Passage(node, segment.network, "port", tap)
            if tap.name in inner:
                yield Passage(node, segment.network, "port", inner[tap.name])
    for tunnel in tunnels_of(node, interfaces, frozenset()):
        lower = _lower(tunnel, interfaces, addresses)
        if lower is not None:
            yield Passage(node, tunnel.segment.network, "underlay", lower, tunnel.overhead, tunnel)


def _lower(tunnel: Tunnel, interfaces: Interfaces, addresses: Addresses | None) -> Link | None:
    """The interface that the tunnel's packets leave by: its own device, or the one with its address."""
    if tunnel.vxlan.device:
        return interfaces.named(tunnel.vxlan.device)
    if addresses is None or not tunnel.vxlan.local:
        return None
    held = addresses.holding(tunnel.vxlan.local)
    return next((interfaces.named(a.device) for a in held if not a.namespace), None)


def _finding(passage: Passage, largest: int, alike: bool) -> Finding:
    needed = largest + passage.overhead
    shown: tuple[Evidence, ...] = (passage.device.evidence,)
    if passage.tunnel is not None:
        shown += (passage.tunnel.link.evidence,)
    return Finding(
        passage.device,
        f"{passage.device} has MTU {passage.device.mtu}; packets of {largest} bytes in network {passage.network}"
        f" need {needed}",
        node=passage.node,
        severity=Severity.WARNING if alike else None,
        evidence=shown,
        host=passage.node,
        device=passage.device.name,
        network=passage.network,
        vni=passage.tunnel.vxlan.vni if passage.tunnel is not None else None,
        mtu=passage.device.mtu,
        needed=needed,
        role=passage.role,
        everywhere="yes" if alike else "no",
    )

"""Taps, bridges and the way out of the node, as the Linux bridge agent (or libvirt) should have joined them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stackdoctor.checks.network.segments import (
    Interfaces,
    NamespaceTap,
    namespace_taps,
    networks_of_macs,
    uses_open_vswitch,
)

from stackdoctor.api import Cloud, Evidence, Finding, Severity, check
from stackdoctor.facts.bridges import Fdb
from stackdoctor.facts.dnsmasq import Dnsmasq
from stackdoctor.facts.domain_xml import DomainInterface
from stackdoctor.facts.libvirt import Domain, Domains
from stackdoctor.facts.links import Link, Links
from stackdoctor.facts.neutron_names import (
    bridge,
    namespace_kind,
    network_prefix_of,
    port_prefix_of,
)

AGENT = "neutron-linuxbridge-agent"
BRIDGES = ("brq", "qbr")
OWN_PACKETS = 50
"""What the host itself may have sent into a tap that never was on a bridge (its IPv6 multicast); more came over one."""


@check("bridge.tap.unbridged", severity=Severity.ERROR)
def unbridged_tap(links: Links, domains: Domains | None, dnsmasq: Cloud[Dnsmasq] | None) -> Iterator[Finding]:
    """The tap of a guest, a DHCP server or a router is on no bridge, or on another one than it belongs to.

    ``worked`` says whether it once was on one: then it was taken off, and not left out by an agent that is down.

    A guest's bridge is what libvirt was told; a DHCP server's is its network's.  The running agent does not
    put back a tap that was taken off.  Taps of Open vSwitch are left out: the kernel shows no master for them all.
    """
    interfaces = Interfaces(links)
    others = _others(interfaces)
    for domain, interface in _bridged_guests(domains):
        tap = interfaces.named(interface.device)
        expected = interfaces.named(interface.source)
        foreign = expected is not None and expected.kind != "bridge"  # Open vSwitch without its own port type
        if tap is None or foreign or tap.master == interface.source or (expected is None and not tap.master):
            continue
        yield _unbridged(
            tap, interface.source, "instance", interface.evidence, others, **_guest_keys(domain, interface)
        )
    if uses_open_vswitch(interfaces):
        return
    networks = networks_of_macs(dnsmasq)
    for domain, interface in _unplugged_guests(domains):
        tap = interfaces.named(interface.device)
        network = networks.get(interface.mac, "")
        if tap is not None and not tap.master and (network or _has_bridges(interfaces)):
            keys = {**_guest_keys(domain, interface), "network": network or None}
            yield _unbridged(tap, bridge(network) if network else "", "instance", interface.evidence, others, **keys)
    for found in namespace_taps(interfaces):
        expected_name = _bridge_of(found, networks)
        elsewhere = bool(expected_name and network_prefix_of(found.tap.master)) and found.tap.master != expected_name
        gone = bool(expected_name) and interfaces.named(expected_name) is None
        if elsewhere or not (found.tap.master or gone):
            yield _unbridged(
                found.tap,
                expected_name,
                found.owner,
                found.inner.evidence,
                others,
                port=found.port,
                mac=found.inner.mac,
                network=_network_id(found, networks) or None,
                router=namespace_kind(found.inner.namespace)[1] if found.owner == "router" else None,
                agent=AGENT,
            )


EVERY = "every tap"
"""What stands in the place of a tap where not one of a node's is on a bridge."""


def _others(interfaces: Interfaces) -> str:
    taps = (link for link in interfaces.within("") if link.name.startswith("tap") and port_prefix_of(link.name))
    return "some" if any(tap.master for tap in taps) else EVERY


@check("bridge.node.unplugged", severity=Severity.ERROR)
def unplugged_node(links: Links, domains: Domains | None, dnsmasq: Cloud[Dnsmasq] | None) -> Iterator[Finding]:
    """Not one of a node's taps is on a bridge, of several that belong on one: its agent does not join them."""
    found = [f for f in unbridged_tap(links, domains, dnsmasq) if f.keys["others"] == EVERY]
    if len(found) > 1:
        yield Finding(
            "taps",
            f"none of {len(found)} taps is on its bridge: " + ", ".join(f.keys["device"] for f in found[:4]),
            evidence=tuple(e for f in found[:3] for e in f.evidence[:1]),
            count=len(found),
            host=found[0].keys["host"],
            device=EVERY,
            agent=AGENT,
        )


def _unbridged(tap: Link, expected: str, owner: str, shown: Evidence, others: str, **keys: Any) -> Finding:
    whose = {"instance": "a guest", "dhcp": "the DHCP server", "router": "a router"}[owner]
    belongs = f" (it belongs on {expected})" if expected else ""
    return Finding(
        tap,
        f"{tap.name} of {whose} is on {tap.master or 'no bridge'}{belongs}",
        evidence=(tap.evidence, shown),
        host=tap.evidence.node,
        device=tap.name,
        bridge=expected or None,
        owner=owner,
        how="other-bridge" if tap.master else "no-bridge",
        others=others,
        worked="yes" if tap.tx is not None and tap.tx.packets > OWN_PACKETS else "no",
        **keys,
    )


def _bridged_guests(domains: Domains | None) -> Iterator[tuple[Domain, DomainInterface]]:
    """Running guests' interfaces that libvirt put on a Linux bridge."""
    for domain in domains.domains if domains is not None else ():
        for interface in domain.interfaces if domain.state in ("running", "paused") else ():
            if interface.kind == "bridge" and interface.source and interface.device and not interface.port_id:
                yield domain, interface


def _unplugged_guests(domains: Domains | None) -> Iterator[tuple[Domain, DomainInterface]]:
    """Running guests' taps that are on no bridge, where only QEMU's command line tells of the guest."""
    for domain in domains.domains if domains is not None else ():
        for interface in domain.interfaces if domain.running else ():
            if interface.kind == "tap" and not interface.source and port_prefix_of(interface.device):
                yield domain, interface


def _has_bridges(interfaces: Interfaces) -> bool:
    return any(link.kind == "bridge" and link.name.startswith("brq") for link in interfaces.within(""))


def _guest_keys(domain: Domain, interface: DomainInterface) -> dict[str, Any]:
    return {
        "port": port_prefix_of(interface.device),
        "network": network_prefix_of(interface.source),
        "instance": domain.uuid,
        "mac": interface.mac,
    }


def _network_id(found: NamespaceTap, networks: Mapping[str, str]) -> str:
    """The network of a DHCP port, by its namespace; of a router's port, by the entry in its network's host file."""
    kind, object_id = namespace_kind(found.inner.namespace)
    return object_id if kind == "qdhcp" else networks.get(found.inner.mac, "")


def _bridge_of(found: NamespaceTap, networks: Mapping[str, str]) -> str:
    network = _network_id(found, networks)
    return bridge(network) if network else ""


@check("bridge.missing", severity=Severity.ERROR)
def missing_bridge(links: Links, domains: Domains | None) -> Iterator[Finding]:
    """A network has taps of running guests or of its DHCP server on the node, and its bridge is not there."""
    interfaces = Interfaces(links)
    orphans: dict[str, list[Link]] = {}
    for domain, interface in _bridged_guests(domains):
        tap = interfaces.named(interface.device)
        if tap is not None and not tap.master and domain.running and interface.source.startswith(BRIDGES):
            orphans.setdefault(interface.source, []).append(tap)
    for found in namespace_taps(interfaces) if not uses_open_vswitch(interfaces) else ():
        expected = _bridge_of(found, {})
        if expected and not found.tap.master:
            orphans.setdefault(expected, []).append(found.tap)
    for name, taps in orphans.items():
        if interfaces.named(name) is None:
            yield Finding(
                name,
                f"bridge {name} is not there, and {len(taps)} taps belong on it: {', '.join(t.name for t in taps[:4])}",
                evidence=tuple(tap.evidence for tap in taps[:4]),
                count=len(taps),
                host=taps[0].evidence.node,
                bridge=name,
                device=name,
                network=network_prefix_of(name),
                how="no-bridge",
            )


@check("bridge.tap.missing", severity=Severity.WARNING)
def missing_tap(links: Links, domains: Domains) -> Iterator[Finding]:
    """A running guest's tap, or the bridge that it belongs to, is not on the node.

    A warning by itself: a guest that ends while one looks loses its tap before libvirt lists it as ended.
    """
    interfaces = Interfaces(links)
    for domain, interface in _bridged_guests(domains):
        if not domain.running or not interface.source.startswith(BRIDGES):
            continue
        if interfaces.named(interface.device) is None:
            yield Finding(
                interface,
                f"{interface.device} of {domain} is not there, though the guest runs",
                host=interface.evidence.node,
                device=interface.device,
                bridge=interface.source,
                owner="instance",
                how="missing",
                others="some",
                **_guest_keys(domain, interface),
            )


@check("bridge.tap.down", severity=Severity.ERROR)
def down_tap(links: Links, domains: Domains | None, fdb: Cloud[Fdb] | None) -> Iterator[Finding]:
    """The tap of a guest, a DHCP server or a router is set down on the host.

    The agent does so itself where the port's admin state is down.  For a guest it is an error only where other
    nodes' forwarding tables (l2population) still name its MAC, so that Neutron holds the port for active.
    """
    interfaces = Interfaces(links)
    for domain, interface in _bridged_guests(domains):
        tap = interfaces.named(interface.device)
        if tap is None or tap.up or not domain.running:
            continue
        active = _is_announced(interface.mac, fdb, tap.evidence.node)
        yield _down(
            tap,
            "instance",
            None if active else Severity.WARNING,
            active="yes" if active else "unknown",
            bridge=interface.source,
            **_guest_keys(domain, interface),
        )
    for found in namespace_taps(interfaces):
        if not found.tap.up:
            router = namespace_kind(found.inner.namespace)[1] if found.owner == "router" else None
            network = namespace_kind(found.inner.namespace)[1] if found.owner == "dhcp" else None
            yield _down(
                found.tap,
                found.owner,
                None,
                active="yes",
                port=found.port,
                network=network,
                router=router,
                mac=found.inner.mac,
                bridge=found.tap.master or None,
            )


def _down(tap: Link, owner: str, severity: Severity | None, **keys: Any) -> Finding:
    return Finding(
        tap,
        f"{tap.name} is set down",
        severity=severity,
        host=tap.evidence.node,
        device=tap.name,
        owner=owner,
        how="down",
        others="some",
        **keys,
    )


def _is_announced(mac: str, cloud: Cloud[Fdb] | None, node: str) -> bool:
    return any(
        entry.dst and "permanent" in entry.flags for other, fdb in cloud or () if other != node for entry in fdb.of(mac)
    )


@check("bridge.down", severity=Severity.ERROR)
def down_bridge(links: Links) -> Iterator[Finding]:
    """A network's bridge with taps on it is set down: it forwards nothing."""
    for segment in Interfaces(links).segments():
        if segment.taps and not segment.bridge.up:
            yield Finding(
                segment.bridge,
                f"{segment.bridge.name} is set down, with {len(segment.taps)} taps on it",
                host=segment.bridge.evidence.node,
                bridge=segment.bridge.name,
                device=segment.bridge.name,
                network=segment.network,
            )

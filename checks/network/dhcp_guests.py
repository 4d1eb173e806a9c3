"""What a network's dnsmasq knows of the guests: their entries, their leases, and how many it may serve."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from stackdoctor.checks.network.dhcp import AGENT, ranges_of
from stackdoctor.checks.network.segments import running_guests, serves

from stackdoctor.api import Cloud, Evidence, Finding, Severity, check
from stackdoctor.facts.dnsmasq import DhcpLease, DhcpNetwork, Dnsmasq
from stackdoctor.facts.domain_xml import DomainInterface
from stackdoctor.facts.iptables import Iptables
from stackdoctor.facts.libvirt import Domains
from stackdoctor.facts.neutron_names import chain, port_prefix_of

UNWRITTEN = 600
"""Seconds after which an ended lease should be gone from the file: ten times dnsmasq's LEASE_RETRY (lease.c)."""


@check("dhcp.host.missing", severity=Severity.WARNING)
def missing_host(
    dnsmasq: Cloud[Dnsmasq], domains: Cloud[Domains], iptables: Cloud[Iptables] | None
) -> Iterator[Finding]:
    """A guest is on a network's bridge, and a DHCP server of that network has no entry for its MAC: it gets no address.

    An error where the address that the guest may use, by its anti-spoofing chain, is in a subnet that dnsmasq
    serves; a warning where its address is not known.  A port in a subnet without DHCP has no entry and needs none.
    """
    for guest in running_guests(domains):
        serving = [
            (node, network)
            for node, served in dnsmasq
            for network in served.networks
            if network.network_id.startswith(guest.network) and serves(network.process)
        ]
        mac = guest.interface.mac
        listed = [network for _, network in serving if any(h.mac == mac for h in network.hosts)]
        for node, network in serving:
            if network in listed or not ranges_of(network):
                continue
            own = _allowed(iptables.facts.get(guest.node) if iptables is not None else None, guest.interface)
            inside = [ip for ip, _ in own if any(ip in served for served in ranges_of(network))]
            if own and not inside:
                continue
            proven = bool(inside) and not listed
            yield Finding(
                mac,
                f"dnsmasq on {node} does not know {mac} of {guest.domain}, a guest of network {network.network_id}",
                node=node,
                severity=Severity.ERROR if proven else None,
                evidence=(network.evidence, guest.interface.evidence, *(evidence for _, evidence in own)),
                host=node,
                network=network.network_id,
                mac=mac,
                ip=inside[0] if inside else None,
                port=port_prefix_of(guest.interface.device),
                device=guest.interface.device,
                instance=guest.domain.uuid,
                compute=guest.node,
                proven="yes" if proven else "no",
                agent=AGENT,
            )


def _allowed(iptables: Iptables | None, interface: DomainInterface) -> list[tuple[ipaddress.IPv4Address, Evidence]]:
    """The single IPv4 addresses that the port's anti-spoofing chain lets its own MAC use."""
    port = port_prefix_of(interface.device)
    table = iptables.tables.get("filter") if iptables is not None else None
    spoofing = table.chains.get(chain(port, "s")) if table is not None and port is not None else None
    found = []
    for rule in spoofing.rules if spoofing is not None else ():
        values = {o.name: o.values[0] for m in rule.matches for o in m.options if o.values and not o.negated}
        if values.get("--mac-source", "").lower() != interface.mac or not values.get("-s", "").endswith("/32"):
            continue
        evidence = Evidence(interface.evidence.node, "iptables-save -c", rule.line)
        found.append((ipaddress.IPv4Address(values["-s"].removesuffix("/32")), evidence))
    return found


@check("dhcp.lease.other-mac", severity=Severity.WARNING)
def lease_of_another_station(dnsmasq: Dnsmasq) -> Iterator[Finding]:
    """The lease of an address is another station's than the host entry says: the owner is not offered it until then.

    It is so as well for a lease that Neutron wrote when it started dnsmasq and that no guest has renewed.
    """
    for network in dnsmasq.networks:
        owners = {address: host for host in network.hosts for address in host.addresses}
        for lease in _held(network, dnsmasq.now):
            owner = owners.get(lease.address)
            if owner is None or owner.mac == lease.mac:
                continue
            yield Finding(
                lease,
                f"the lease of {lease.address} belongs to {lease.mac}, its host entry to {owner.mac}",
                evidence=(lease.evidence, owner.evidence),
                host=network.evidence.node,
                network=network.network_id,
                ip=lease.address,
                mac=lease.mac,
                owner=owner.mac,
            )


@check("dhcp.lease.left-over", severity=Severity.INFO)
def lease_without_entry(dnsmasq: Dnsmasq) -> Iterator[Finding]:
    """dnsmasq holds a lease of an address that it may give to nobody any more: its port was deleted, or has another.

    The DHCP agent gives back the lease of a port that it removes, and this one it did not.  The address is blocked
    until the lease ends; it hurts only where Neutron gives it to another port before.
    """
    for network in dnsmasq.networks:
        given = {address for host in network.hosts for address in host.addresses}
        if not given or not serves(network.process):
            continue  # without entries the agent is just about to write them, or DHCP was taken from the network
        for lease in _held(network, dnsmasq.now):
            if lease.address not in given:
                yield Finding(
                    lease,
                    f"dnsmasq holds {lease.address} for {lease.mac}, and has no entry for that address",
                    host=network.evidence.node,
                    network=network.network_id,
                    ip=lease.address,
                    mac=lease.mac,
                    agent=AGENT,
                )


def _held(network: DhcpNetwork, now: float) -> Iterator[DhcpLease]:
    """The leases of IPv4 addresses that have not ended; one of IPv6 names no MAC."""
    return (lease for lease in network.leases if ":" not in lease.address and not lease.expired(now))


@check("dhcp.lease.expired", severity=Severity.INFO)
def expired_leases(dnsmasq: Dnsmasq) -> Iterator[Finding]:
    """Leases ended long ago and are still in the file of a dnsmasq that runs: it does not get to write the file.

    dnsmasq takes a lease from its file when it ends, and tries again every minute when it cannot (a full disk, a file
    that is not its own).  They block nothing while it runs; started anew, it knows the leases of that file only.
    """
    for network in dnsmasq.networks:
        old = [lease for lease in network.leases if lease.expired(dnsmasq.now - UNWRITTEN)]
        if old and serves(network.process):
            yield Finding(
                network,
                f"{len(old)} of {len(network.leases)} leases of network {network.network_id} ended more than"
                f" {UNWRITTEN // 60} minutes ago and are still in dnsmasq's file",
                evidence=old[0].evidence,
                host=network.evidence.node,
                network=network.network_id,
                agent=AGENT,
            )


@check("dhcp.pool.exhausted", severity=Severity.ERROR)
def exhausted_pool(dnsmasq: Dnsmasq) -> Iterator[Finding]:
    """dnsmasq has given out as many leases as it may (``--dhcp-lease-max``), and has more guests than leases."""
    for network in dnsmasq.networks:
        limit = next((int(v) for v in _limits(network) if v.isascii() and v.isdigit()), 0)
        leased = {lease.address for lease in network.leases if not lease.expired(dnsmasq.now)}
        guests = {address for host in network.hosts for address in host.addresses}
        if limit and len(leased) >= limit and len(guests) > limit and serves(network.process):
            yield Finding(
                network,
                f"dnsmasq of network {network.network_id} has given out all its {limit} leases to {len(guests)} guests",
                evidence=network.evidence,
                host=network.evidence.node,
                network=network.network_id,
                limit=limit,
            )


def _limits(network: DhcpNetwork) -> tuple[str, ...]:
    return network.process.option("dhcp-lease-max") if network.process is not None else ()

"""What dnsmasq holds for stations, against the ports that Neutron has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.dnsmasq import DhcpHost, DhcpLease, Dnsmasq
from stackdoctor.facts.openstack_answers import chosen
from stackdoctor.facts.openstack_network import Port, Ports

AGENT = "neutron-dhcp-agent"
SETTLED = 120.0
"""Seconds after which an agent has done what was asked of it."""


@check("api.dhcp-entry.no-port", severity=Severity.INFO)
def entries_without_port(ports: Cloud[Ports], dnsmasq: Cloud[Dnsmasq]) -> Iterator[Finding]:
    """dnsmasq would give an address to a station whose port Neutron does not know: its agent missed the deletion.

    Neutron may have the station's port in another network.  A warning where Neutron has given the address to another
    port since: that one is not given it, or two stations come to use it.
    """
    entries = (
        Held(node, network.network_id, entry.mac, entry.addresses, "keeps an entry for", entry)
        for node, found in dnsmasq
        for network in found.networks
        for entry in network.hosts
    )
    yield from _without_port(ports, entries)


@check("api.dhcp-lease.no-port", severity=Severity.INFO)
def leases_without_port(ports: Cloud[Ports], dnsmasq: Cloud[Dnsmasq]) -> Iterator[Finding]:
    """dnsmasq holds a lease of a station whose port Neutron does not know in that network: it was not given back.

    Until the lease ends, dnsmasq gives the address to nobody else.  A warning where Neutron has given it to another
    port since.
    """
    leases = (
        Held(node, network.network_id, lease.mac, (lease.address,), "holds a lease of", lease)
        for node, found in dnsmasq
        for network in found.networks
        for lease in network.leases
        if ":" not in lease.address and not lease.expired(found.now)  # that of IPv6 is by IAID, not by MAC
    )
    yield from _without_port(ports, leases)


@dataclass(frozen=True)
class Held:
    """The addresses that dnsmasq on ``node`` holds for a station in a network."""

    node: str
    network: str
    mac: str
    addresses: tuple[str, ...]
    how: str
    by: DhcpHost | DhcpLease


def _without_port(ports: Cloud[Ports], held: Iterable[Held]) -> Iterator[Finding]:
    known = chosen(ports)
    if known is None or not known.complete:
        return
    stations = {(port.network, port.mac.lower()) for port in known}
    elsewhere: Mapping[str, Port] = {port.mac.lower(): port for port in known}
    owners = {(port.network, ip): port for port in known for _, ip in port.ips}
    for one in held:
        if (one.network, one.mac) in stations:
            continue
        address, owner = next(((a, o) for a in one.addresses if (o := owners.get((one.network, a)))), ("", None))
        other = elsewhere.get(one.mac)
        yield Finding(
            one.by,
            f"dnsmasq on {one.node} {one.how} {one.mac}, which no port of network {one.network} has"
            + (f" ({other} of network {other.network} has it)" if other is not None else "")
            + (f"; {address} is now that of {owner}" if owner is not None else ""),
            node=one.node,
            severity=Severity.WARNING if owner is not None and owner.age > SETTLED else None,
            evidence=(one.by.evidence, *((owner.evidence,) if owner is not None else ())),
            host=one.node,
            network=one.network,
            mac=one.mac,
            ip=address or next(iter(one.addresses), None),
            owner=owner.mac.lower() if owner is not None else None,
            agent=AGENT,
        )

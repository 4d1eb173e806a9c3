"""DHCP between a guest and its server, as the rules of the guest's node let it through."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import replace

from stackdoctor.checks.network.guest_ports import about_port, filtered_guests, leases_of, offers

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.dnsmasq import Dnsmasq
from stackdoctor.facts.neutron_names import dhcp_namespace
from stackdoctor.firewall.packet import parse_packet
from stackdoctor.firewall.ports import BridgedPort, Drop, PortFilter, from_port, to_port

REPLY = parse_packet("udp ?:67 > ?:68")
REQUEST = parse_packet("udp 0.0.0.0:68 > 255.255.255.255:67 to ff:ff:ff:ff:ff:ff")


@check("secgroup.dhcp.reply-dropped", severity=Severity.ERROR)
def dropped_dhcp_reply(
    found: PortFilter, dnsmasq: Cloud[Dnsmasq] | None, addresses: Cloud[Addresses] | None
) -> Iterator[Finding]:
    """A rule of a guest's node drops the DHCP server's answers to it: it gets no address, or loses the one it has.

    A warning where only some of its addresses' or servers' answers are dropped.  Where no DHCP server of Neutron
    is known for the guest, only rules that drop any server's answers count, and not that none lets them in.
    """
    offered = offers(dnsmasq)
    servers = _dhcp_addresses(addresses)
    for port in filtered_guests(found):
        known = leases_of(port, offered)
        replies = [
            replace(REPLY, src=server, dst=offer.address)
            for offer in known
            for server in servers.get(offer.network, ()) or (None,)
        ]
        drops = [found.dropped(to_port(port, reply)) for reply in replies or (REPLY,)]
        first = next((drop for drop in drops if drop is not None), None)
        if first is None or (not known and first.chain.endswith("-sg-fallback")):
            continue
        yield about_port(
            port,
            f"DHCP replies to {port} are dropped in {first.chain} on {port.node}",
            (*_jumps(found, port, first), first.line),
            severity=None if all(drops) else Severity.WARNING,
            ip=known[0].address if known else None,
            chain=first.chain,
            direction="ingress",
        )


@check("secgroup.dhcp.request-dropped", severity=Severity.ERROR)
def dropped_dhcp_request(found: PortFilter) -> Iterator[Finding]:
    """A rule of a guest's node drops its DHCP requests before they leave the node."""
    for port in filtered_guests(found):
        drop = found.dropped(from_port(port, REQUEST))
        if drop is not None:
            yield about_port(
                port,
                f"DHCP requests of {port} are dropped in {drop.chain} on {port.node}",
                (*_jumps(found, port, drop), drop.line),
                chain=drop.chain,
                direction="egress",
            )


def _dhcp_addresses(addresses: Cloud[Addresses] | None) -> Mapping[str, list[ipaddress.IPv4Address]]:
    """The IPv4 addresses in the namespace of each network's DHCP servers, by the network's id."""
    found: dict[str, list[ipaddress.IPv4Address]] = {}
    prefix = dhcp_namespace("")
    for _, node in addresses or ():
        for address in node.addresses:
            ip = address.interface.ip
            if address.namespace.startswith(prefix) and ip.version == 4 and not (ip.is_loopback or ip.is_link_local):
                found.setdefault(address.namespace.removeprefix(prefix), []).append(ip)
    return found


def _jumps(found: PortFilter, port: BridgedPort, drop: Drop) -> Iterator[str]:
    """The rules that send a port's packets into the chain that drops."""
    if drop.chain not in [own.name for own in (found.chain(port, letter) for letter in "io") if own is not None]:
        return
    for agent in found.agents:
        sg_chain = found.named(f"{agent}-sg-chain")
        yield from (rule.line for rule in (sg_chain.rules if sg_chain else ()) if rule.target == drop.chain)

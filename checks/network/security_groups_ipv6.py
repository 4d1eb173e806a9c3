"""Security groups for IPv6: the same chains in ip6tables, for guests that have IPv6 addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import replace

from stackdoctor.checks.network.guest_ports import filtered_guests
from stackdoctor.checks.network.security_groups import DIRECTIONS, passing_by

from stackdoctor.api import Cloud, Evidence, Finding, Severity, check
from stackdoctor.facts.dnsmasq import Dnsmasq
from stackdoctor.facts.neutron_names import network_prefix_of
from stackdoctor.firewall.packet import parse_packet
from stackdoctor.firewall.ports import BridgedPort, PortFilter, PortFilter6, from_port, head

SSH = parse_packet("tcp ? > ?:22 mark 0")
LISTING = "ip6tables-save -c"


@check("secgroup.ipv6.unfiltered", severity=Severity.ERROR)
def unfiltered(found: PortFilter6, four: PortFilter, dnsmasq: Cloud[Dnsmasq] | None) -> Iterator[Finding]:
    """A guest with an IPv6 address is filtered for IPv4, and its IPv6 packets pass by its security group.

    Its chain in ip6tables is missing, or nothing leads into it.
    """
    served = addresses_of(dnsmasq)
    for port in filtered_guests(found):
        if not (port.running and _own(port, served)) or four.chain(port, "i") is None or found.is_trusted(port):
            continue
        for letter, direction in DIRECTIONS.items():
            own = found.chain(port, letter)
            passing = passing_by(found, port, letter, own)
            if passing is None:
                continue
            line = found.decided_by(passing).line
            yield _about(
                port,
                f"IPv6 packets {'to' if letter == 'i' else 'from'} {port} pass by its security group: "
                + (f"nothing leads into {own.name}" if own is not None else "it has no chain in ip6tables"),
                (line,) if own is None else (head(own), line),
                direction=direction,
                chain=own.name if own is not None else None,
            )


@check("secgroup.ipv6.antispoof", severity=Severity.ERROR)
def antispoof(found: PortFilter6, dnsmasq: Cloud[Dnsmasq] | None) -> Iterator[Finding]:
    """A guest's anti-spoofing chain in ip6tables allows none of the IPv6 addresses that it gets by DHCPv6."""
    served = addresses_of(dnsmasq)
    for port in filtered_guests(found):
        allowed, own = found.chain(port, "s"), _own(port, served)
        if allowed is None or not own:
            continue
        drops = [found.dropped(from_port(port, replace(SSH, src=address))) for address in own]
        drop = drops[0]
        if drop is None or not all(drops) or drop.chain != allowed.name:
            continue
        yield _about(
            port,
            f"{allowed.name} does not allow {own[0]} of {port} in ip6tables: what the guest sends over IPv6 is dropped",
            (*(rule.line for rule in allowed.rules[:3]), drop.line),
            chain=allowed.name,
            ip=own[0],
        )


Served = Mapping[str, list[tuple[str, ipaddress.IPv6Address]]]
"""Networks and IPv6 addresses by MAC."""


def addresses_of(dnsmasq: Cloud[Dnsmasq] | None) -> Served:
    """The IPv6 addresses that the host files of the DHCP servers give; those of SLAAC stand in them as well."""
    found: dict[str, list[tuple[str, ipaddress.IPv6Address]]] = {}
    for _, serving in dnsmasq or ():
        for network in serving.networks:
            for host in network.hosts:
                for text in host.addresses:
                    if ":" in text:
                        address = ipaddress.IPv6Address(text)
                        found.setdefault(host.mac, []).append((network.network_id, address))
    return found


def _own(port: BridgedPort, served: Served) -> list[ipaddress.IPv6Address]:
    network = network_prefix_of(port.bridge) or ""
    return [address for of, address in served.get(port.mac, ()) if of.startswith(network)]


def _about(port: BridgedPort, message: str, lines: tuple[str, ...], **keys: object) -> Finding:
    return Finding(
        port,
        message,
        severity=None if port.filtered else Severity.WARNING,
        evidence=(*(Evidence(port.node, LISTING, line) for line in lines), port.evidence),
        **{
            "host": port.node,
            "port": port.port,
            "device": port.device,
            "mac": port.mac or None,
            "instance": port.instance or None,
            **keys,
        },  # type: ignore[arg-type]
    )

"""A node's guests whose frames go through iptables, what DHCP offers them, and findings about their ports."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from stackdoctor.api import Cloud, Evidence, Finding, Severity
from stackdoctor.facts.dnsmasq import Dnsmasq
from stackdoctor.facts.neutron_names import network_prefix_of
from stackdoctor.firewall.ports import BridgedPort, PortFilter

__all__ = ["Offer", "Offers", "about_port", "filtered_guests", "leases_of", "offers"]


@dataclass(frozen=True)
class Offer:
    """An IPv4 address that Neutron's DHCP servers have for a MAC in a network."""

    address: ipaddress.IPv4Address
    network: str


Offers = Mapping[str, Sequence[Offer]]
"""By MAC."""


def offers(dnsmasq: Cloud[Dnsmasq] | None) -> Offers:
    """What the DHCP servers of all nodes offer."""
    found: dict[str, dict[Offer, None]] = {}
    for _, serving in dnsmasq or ():
        for network in serving.networks:
            for host in network.hosts:
                for text in host.addresses:
                    if ":" not in text:
                        found.setdefault(host.mac, {})[Offer(ipaddress.IPv4Address(text), network.network_id)] = None
    return {mac: list(each) for mac, each in found.items()}


def leases_of(port: BridgedPort, offered: Offers) -> list[Offer]:
    """What a guest is offered; a MAC may be used again in another network than the bridge's."""
    network = network_prefix_of(port.bridge) or ""
    return [offer for offer in offered.get(port.mac, ()) if offer.network.startswith(network)]


def filtered_guests(found: PortFilter) -> Iterator[BridgedPort]:
    """The guests' ports whose frames go through iptables, as far as is known."""
    return (port for port in found.ports if port.guest and port.filtered is not False)


def about_port(
    port: BridgedPort,
    message: str,
    lines: Iterable[str],
    *,
    severity: Severity | None = None,
    count: int = 1,
    **keys: object,
) -> Finding:
    """A finding shown by ``lines`` of the rules; a warning where it is not known whether frames meet the rules."""
    return Finding(
        port,
        message,
        severity=severity if port.filtered else Severity.WARNING,
        evidence=(*(Evidence(port.node, "iptables-save -c", line) for line in lines), port.evidence),
        count=count,
        host=port.node,
        port=port.port,
        device=port.device,
        mac=port.mac or None,
        instance=port.instance or None,
        **keys,
    )

"""The members of security groups, which each node keeps in sets of addresses (ipset)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stackdoctor.checks.network.dhcp import ranges_of
from stackdoctor.checks.network.segments import running_guests

from stackdoctor.api import Cloud, Evidence, Finding, Severity, check
from stackdoctor.facts.dnsmasq import Dnsmasq
from stackdoctor.facts.ipset import IpSets
from stackdoctor.facts.libvirt import Domains
from stackdoctor.firewall.ports import PortFilter

SETS = ("NIPv4", "NIPv6")
"""How the agents' sets begin (neutron ``agent/linux/ipset_manager.py``)."""

AGENTS = {"neutron-linuxbri": "neutron-linuxbridge-agent", "neutron-openvswi": "neutron-openvswitch-agent"}


@dataclass(frozen=True)
class Known:
    """What Neutron's DHCP servers say of addresses: who has which, and in which subnets they would know."""

    macs: Mapping[str, frozenset[str]]
    served: tuple[ipaddress.IPv4Network, ...]
    running: frozenset[str]

    def is_of_a_guest(self, address: str) -> bool:
        """Whether a running guest has it."""
        return bool(self.macs.get(address, frozenset()) & self.running)

    def is_nobodys(self, address: str) -> bool:
        """Whether it is in a subnet of theirs and no port has it."""
        if address in self.macs or ":" in address or "/" in address:
            return False
        return any(ipaddress.ip_address(address) in subnet for subnet in self.served)


@check("secgroup.ipset.differs", severity=Severity.WARNING)
def differing_sets(
    cloud: Cloud[IpSets],
    dnsmasq: Cloud[Dnsmasq] | None,
    domains: Cloud[Domains] | None,
    filters: Cloud[PortFilter] | None,
) -> Iterator[Finding]:
    """The members of a security group are others on one node than on another: one of both was not told.

    What an address that is missing in a node's set sends to guests there, a rule for the group does not let in: an
    error where a running guest has it.  An address that no port has any more is the fault of the node that still
    lists it.
    """
    known = _known(dnsmasq, domains)
    holders: dict[str, dict[str, frozenset[str]]] = {}
    for node, found in cloud:
        for name, members in found.sets.items():
            if name.startswith(SETS):
                holders.setdefault(name, {})[node] = frozenset(members.members)
    for name, nodes in sorted(holders.items()):
        everything = frozenset[str]().union(*nodes.values())
        differing = everything - everything.intersection(*nodes.values())
        stale = {address for address in differing if known.is_nobodys(address)}
        for node, held in nodes.items():
            keys: dict[str, Any] = {"host": node, "set": name, "agent": _agent(filters, node)}
            old = sorted(held & stale)
            if old:
                yield Finding(
                    f"{name} on {node}",
                    f"the set {name} on {node} still has {', '.join(old[:5])}, which no port has",
                    node=node,
                    evidence=Evidence(node, "ipset save", f"add {name} {old[0]}"),
                    count=len(old),
                    ip=old[0],
                    kind="stale",
                    **keys,
                )
            lacking = sorted(everything - held - stale)
            if lacking:
                others = [other for other, members in nodes.items() if members.intersection(lacking)]
                proven = [address for address in lacking if known.is_of_a_guest(address)]
                yield Finding(
                    f"{name} on {node}",
                    f"the set {name} on {node} lacks {', '.join(lacking[:5])}, which {', '.join(others[:3])} has",
                    node=node,
                    severity=Severity.ERROR if proven else None,
                    evidence=(
                        Evidence(others[0], "ipset save", f"add {name} {lacking[0]}"),
                        Evidence(node, "ipset save", f"create {name}: {len(held)} members"),
                    ),
                    ip=(proven or lacking)[0],
                    kind="lacking",
                    lacking=len(lacking),
                    **keys,
                )


def _known(dnsmasq: Cloud[Dnsmasq] | None, domains: Cloud[Domains] | None) -> Known:
    macs: dict[str, set[str]] = {}
    served: list[ipaddress.IPv4Network] = []
    for _, found in dnsmasq or ():
        for network in found.networks:
            served += ranges_of(network)
            for host in network.hosts:
                for address in host.addresses:
                    macs.setdefault(address, set()).add(host.mac)
    running = frozenset(guest.interface.mac for guest in running_guests(domains))
    return Known({address: frozenset(each) for address, each in macs.items()}, tuple(served), running)


def _agent(filters: Cloud[PortFilter] | None, node: str) -> str | None:
    found = filters.facts.get(node) if filters is not None else None
    return next((AGENTS[prefix] for prefix in found.agents if prefix in AGENTS), None) if found is not None else None

"""Networks that no DHCP server of Neutron's serves."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackdoctor.checks.network.segments import running_guests, serves

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.dnsmasq import Dnsmasq
from stackdoctor.facts.libvirt import Domains
from stackdoctor.facts.logs import LogHits
from stackdoctor.facts.namespaces import Namespaces
from stackdoctor.facts.neutron_names import dhcp_namespace
from stackdoctor.facts.reach import Reach

UNSCHEDULED = "dhcp-sched-failed"
NETWORK = re.compile(r"[0-9a-f-]{36}")


@check("dhcp.network.unserved", severity=Severity.ERROR)
def unserved_network(
    hits: Cloud[LogHits],
    domains: Cloud[Domains],
    dnsmasq: Cloud[Dnsmasq] | None,
    namespaces: Cloud[Namespaces],
    reach: Cloud[Reach],
) -> Iterator[Finding]:
    """neutron-server found no DHCP agent for a network of running guests, and no node has a DHCP server of it.

    Neither alone would tell: a network may be meant to be without DHCP, and the line is also written when another
    neutron-server was quicker.  Said only where every node answered.
    """
    if any(r.failure for _, r in reach):
        return
    guests: dict[str, list[str]] = {}
    for guest in running_guests(domains):
        guests.setdefault(guest.network, []).append(str(guest.domain))
    there = {n.object_id for _, found in namespaces for n in found.namespaces if n.kind == "qdhcp"}
    there |= {n.network_id for _, found in dnsmasq or () for n in found.networks if serves(n.process)}
    seen: set[str] = set()
    for node, found in hits:
        for hit in found.of(UNSCHEDULED):
            network = next((v for v in hit.keys.values() if NETWORK.fullmatch(v)), "")
            here = guests.get(network[:11], [])
            if not network or network in there or network in seen or not here:
                continue
            seen.add(network)
            yield Finding(
                network,
                f"no node has {dhcp_namespace(network)}, and {len(here)} guests of the network run",
                node=node,
                evidence=hit.evidence,
                count=len(here),
                host=node,
                network=network,
                agent="neutron-dhcp-agent",
            )

"""Floating addresses as Neutron has them, against the addresses and rules of the routers' namespaces.

A distributed router has them where its guests are, in other namespaces: those are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackdoctor.checks.network.routers import Router, keys_of, options_of, routers_of, shown
from stackdoctor.checks.network.segments import Interfaces
from stackdoctor.checks.network.translation import floating_addresses, incoming_rules, translating

from stackdoctor.api import Cloud, Evidence, Finding, Severity, check
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.iptables import Iptables
from stackdoctor.facts.links import Links
from stackdoctor.facts.namespaces import Namespaces
from stackdoctor.facts.neutron_names import port_prefix_of
from stackdoctor.facts.openstack_answers import chosen
from stackdoctor.facts.openstack_network import FloatingIp, FloatingIps, Routers

SETTLED = 120.0
"""Seconds after which an agent has done what was asked of it."""


@check("api.floating-ip.not-wired", severity=Severity.ERROR)
def floating_ip_not_wired(
    floating: Cloud[FloatingIps],
    routers: Cloud[Routers],
    namespaces: Cloud[Namespaces],
    links: Cloud[Links],
    addresses: Cloud[Addresses],
    iptables: Cloud[Iptables],
) -> Iterator[Finding]:
    """Neutron has given a floating address to a port, and its router's namespace does not hand what comes for it there.

    ``missing`` says what is not there: the address on the gateway's interface, the rule, both; or that the rule
    leads to another address (``wrong``).  The agent has missed the change, or has failed at it.
    """
    known = {router.id: router for router in chosen(routers) or ()}
    there = tuple(_translating(namespaces, links, addresses, iptables))
    for ip in chosen(floating) or ():
        router = known.get(ip.router)
        if router is None or not router.enabled or router.distributed or not ip.port or not _settled(ip):
            continue
        for own, rules, prefix in there:
            if own.namespace.object_id != ip.router or own.namespace.kind != "qrouter":
                continue
            leads = {
                word: rule
                for rule in incoming_rules(rules, prefix)
                if options_of(rule).get("-d", "").removesuffix("/32") == ip.address
                for word in rule.target_args
                if re.fullmatch(r"[\d.]+", word)
            }
            held = any(a.ip == ip.address for a in own.gateways)
            missing = "wrong" if leads and ip.fixed not in leads else _missing(held, bool(leads))
            if missing:
                gateway = own.gateways[0]
                to = f" but to {min(leads)}" if missing == "wrong" else ""
                yield Finding(
                    ip,
                    f"{ip} is {ip.fixed}'s, and {own.namespace.name} {SAYS[missing]}{to}",
                    node=own.namespace.evidence.node,
                    evidence=(ip.evidence, *(shown(own, rule) for rule in leads.values()), gateway.evidence),
                    port=port_prefix_of(gateway.device),
                    device=gateway.device,
                    ip=ip.address,
                    fixed=ip.fixed,
                    missing=missing,
                    **keys_of(own),
                )


SAYS = {
    "both": "has neither the address nor a rule for it",
    "address": "does not have the address",
    "rule": "has the address and no rule for it",
    "wrong": "does not hand it there",
}


def _missing(held: bool, handed: bool) -> str:
    return "" if held and handed else "address" if handed else "rule" if held else "both"


def _settled(ip: FloatingIp) -> bool:
    """Whether the agent has had its time; of an old Neutron the agent's own word for having done it is taken."""
    return ip.status == "ACTIVE" if ip.age is None else ip.age > SETTLED


def _translating(
    namespaces: Cloud[Namespaces], links: Cloud[Links], addresses: Cloud[Addresses], iptables: Cloud[Iptables]
) -> Iterator[tuple[Router, Iptables, str]]:
    for node, found in namespaces:
        if node in links.facts and node in addresses.facts and node in iptables.facts:
            yield from translating(found, links.facts[node], addresses.facts[node], iptables.facts[node])


@check("api.floating-ip.left-over", severity=Severity.WARNING)
def floating_ip_left_over(
    floating: Cloud[FloatingIps], namespaces: Cloud[Namespaces], links: Cloud[Links], addresses: Cloud[Addresses]
) -> Iterator[Finding]:
    """A router still answers for a floating address that Neutron has taken from it: it was given back, or to another.

    Information where Neutron does not have the address at all: it may have been deleted in the moment of the look.
    ``taken`` says that it is another router's now; then two answer for it.
    """
    known = chosen(floating)
    if known is None or not known.complete:
        return
    by_address = {ip.address: ip for ip in known}
    for node, found in namespaces:
        if node not in links.facts or node not in addresses.facts:
            continue
        for router in routers_of(found, Interfaces(links.facts[node]), addresses.facts[node]):
            if router.namespace.kind != "qrouter":
                continue
            for address in floating_addresses(router):
                ip = by_address.get(address.ip)
                if ip is not None and (ip.router == router.namespace.object_id or not _settled(ip)):
                    continue
                taken = ip is not None and ip.router != ""
                evidence: tuple[Evidence, ...] = (address.evidence, *((ip.evidence,) if ip is not None else ()))
                yield Finding(
                    address,
                    f"{router.namespace.name} answers for {address.ip}, which "
                    + (
                        f"is router {ip.router}'s" if taken and ip else "is nobody's" if ip else "Neutron does not have"
                    ),
                    node=node,
                    severity=None if ip is not None else Severity.INFO,
                    evidence=evidence,
                    device=address.device,
                    port=port_prefix_of(address.device),
                    ip=address.ip,
                    taken="yes" if taken else "no",
                    **keys_of(router),
                )

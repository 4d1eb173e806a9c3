"""What a router does to addresses: source translation for all guests, and floating addresses both ways.

From neutron ``agent/l3/router_info.py`` (``_add_snat_rules``, ``floating_forward_rules``,
``process_external_port_address_scope_routing``) and ``agent/linux/iptables_manager.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackdoctor.checks.believed.motion import settled
from stackdoctor.checks.network.routers import Router, keys_of, options_of, routers_of, rules_of, shown
from stackdoctor.checks.network.segments import Interfaces

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.addresses import Address, Addresses
from stackdoctor.facts.iptables import Iptables
from stackdoctor.facts.iptables_rule import Rule
from stackdoctor.facts.links import Links
from stackdoctor.facts.namespaces import Namespaces
from stackdoctor.facts.neutron_names import port_prefix_of
from stackdoctor.facts.openstack_network import Routers

OWN_CHAIN = re.compile(r"(neutron-[\w-]{1,16})-(?:PREROUTING|POSTROUTING|OUTPUT|FORWARD|INPUT|local|scope)")
"""Chains that every agent makes: their first part is the first 16 letters of the agent's program."""


def translating(
    namespaces: Namespaces, links: Links, addresses: Addresses, iptables: Iptables
) -> Iterator[tuple[Router, Iptables, str]]:
    """Routers that have an IPv4 address outside, with their rules and the prefix of their agent's chains.

    A namespace without any chain of an agent's is left out: its rules are in another back end's tables.
    """
    for router in routers_of(namespaces, Interfaces(links), addresses):
        own = iptables.namespaces.get(router.namespace.name)
        if own is None or not router.gateways or "nat" in own.incompatible:
            continue
        names = (name for table in ("filter", "mangle") if table in own.tables for name in own.tables[table].chains)
        prefix = next((found[1] for name in names if (found := OWN_CHAIN.fullmatch(name))), "")
        if prefix:
            yield router, own, prefix


@check("router.snat.missing", severity=Severity.ERROR)
def missing_snat(
    namespaces: Namespaces, links: Links, addresses: Addresses, iptables: Iptables, routers: Cloud[Routers] | None
) -> Iterator[Finding]:
    """A router that should translate its guests' addresses has no rule for it, or none that packets come to.

    Whether it should is told by what the agent sets up beside the rule and only then: since Mitaka the mark that
    saves the address scope on the way out (table mangle), before that the rule that spares traffic between inner
    networks.  A router with enable_snat=False has neither.  Its chain also holds the jump to the floating
    addresses' rules, always, so that an empty chain was flushed.
    """
    for router, own, prefix in translating(settled(namespaces, routers), links, addresses, iptables):
        for device in dict.fromkeys(a.device for a in router.gateways):
            mark = _expects_snat(own, prefix, device, router)
            if mark is None:
                continue
            chains = own.tables["nat"].chains if "nat" in own.tables else {}
            chain = chains.get(f"{prefix}-snat")
            rules = [r for r in chain.rules if _translates_all(r, device)] if chain is not None else []
            reached = any(r.target == f"{prefix}-snat" for r in rules_of(own, "nat"))
            if rules and reached:
                continue
            gateway = next(a for a in router.gateways if a.device == device)
            what = "no rule translates" if not rules else f"nothing jumps to {prefix}-snat, which translates"
            yield Finding(
                router.namespace,
                f"{router.namespace.name}: {what} what leaves by {device} to {gateway.ip}",
                evidence=(*([shown(router, mark)] if mark.line else []), gateway.evidence, router.namespace.evidence),
                port=port_prefix_of(device),
                device=device,
                ip=gateway.ip,
                kind="snat",
                **keys_of(router),
            )


def _expects_snat(own: Iptables, prefix: str, device: str, router: Router) -> Rule | None:
    """The rule by which one sees that the router should translate; an empty rule where its chain was flushed."""
    mangle = own.tables.get("mangle")
    scoped = mangle is not None and f"{prefix}-scope" in mangle.chains
    if scoped and mangle is not None:
        saved = mangle.chains.get(f"{prefix}-POSTROUTING")
        marks = [r for r in saved.rules if r.target == "CONNMARK"] if saved is not None else []
    else:
        marks = [r for r in rules_of(own, "nat") if r.chain == f"{prefix}-POSTROUTING" and r.target == "ACCEPT"]
    found = next((r for r in marks if f"-o {device} " in r.line), None)
    nat = own.tables.get("nat")
    chain = nat.chains.get(f"{prefix}-snat") if nat is not None else None
    spared = any(f"-o {device} " in r.line for r in rules_of(own, "nat") if r.chain == f"{prefix}-POSTROUTING")
    flushed = chain is not None and not chain.rules and spared
    if found is None and flushed and router.namespace.kind == "qrouter":
        return Rule(f"{prefix}-snat", 0, "")
    return found


def _translates_all(rule: Rule, device: str) -> bool:
    """Whether ``rule`` gives the gateway's address to what leaves by ``device``, whoever sent it."""
    options = options_of(rule)
    return rule.target in ("SNAT", "MASQUERADE") and options.get("-o") == device and "-s" not in options


def floating_addresses(router: Router) -> Iterator[Address]:
    """The floating addresses: /32 on the gateway's interface, beside one with the subnet's prefix."""
    wide = any(a.interface.network.prefixlen < 32 for a in router.gateways)
    for address in router.gateways if wide else ():
        if address.interface.network.prefixlen == 32 and not address.ip.startswith("169.254."):
            yield address


@check("router.dnat.missing", severity=Severity.ERROR)
def missing_dnat(
    namespaces: Namespaces, links: Links, addresses: Addresses, iptables: Iptables, routers: Cloud[Routers] | None
) -> Iterator[Finding]:
    """A floating address is on a router's gateway interface, and no rule hands what comes for it to a guest."""
    for router, own, prefix in translating(settled(namespaces, routers), links, addresses, iptables):
        handed = {options_of(r).get("-d", "").removesuffix("/32") for r in incoming_rules(own, prefix)}
        source = {
            word for r in rules_of(own, "nat") for word in r.target_args if r.target == "SNAT" and "-o" in options_of(r)
        }
        for address in floating_addresses(router):
            if address.ip not in handed and address.ip not in source:
                yield Finding(
                    address,
                    f"{router.namespace.name} has the floating address {address.ip} and no rule that translates it",
                    port=port_prefix_of(address.device),
                    device=address.device,
                    ip=address.ip,
                    kind="dnat",
                    **keys_of(router),
                )


def incoming_rules(own: Iptables, prefix: str) -> Iterator[Rule]:
    """The rules for what comes in to floating addresses; those of port forwardings have chains of their own."""
    for rule in rules_of(own, "nat"):
        if rule.target == "DNAT" and rule.chain not in ("OUTPUT", f"{prefix}-OUTPUT"):
            yield rule


@check("router.floating.no-address", severity=Severity.ERROR)
def translated_without_address(
    namespaces: Namespaces, links: Links, addresses: Addresses, iptables: Iptables, routers: Cloud[Routers] | None
) -> Iterator[Finding]:
    """A rule translates a floating address that is on no interface of the router: nobody answers ARP for it."""
    for router, own, prefix in translating(settled(namespaces, routers), links, addresses, iptables):
        held = {a.ip for a in addresses.within(router.namespace.name)}
        seen: set[str] = set()
        for rule in incoming_rules(own, prefix):
            ip = options_of(rule).get("-d", "").removesuffix("/32")
            if not ip or "/" in ip or ip in held or ip in seen or ip.startswith("169.254."):
                continue
            seen.add(ip)
            yield Finding(
                ip,
                f"{router.namespace.name} translates the floating address {ip}, which is on none of its interfaces",
                evidence=(shown(router, rule), router.gateways[0].evidence),
                device=router.gateways[0].device,
                port=port_prefix_of(router.gateways[0].device),
                ip=ip,
                kind="address",
                **keys_of(router),
            )


@check("router.floating.snat-missing", severity=Severity.ERROR)
def floating_without_snat(
    namespaces: Namespaces, links: Links, addresses: Addresses, iptables: Iptables, routers: Cloud[Routers] | None
) -> Iterator[Finding]:
    """What a guest with a floating address sends does not leave with it: its half of the translation is missing.

    Port forwardings have only the incoming half.
    """
    for router, own, prefix in translating(settled(namespaces, routers), links, addresses, iptables):
        if "nat" not in own.tables:
            continue
        sources = {
            (options_of(r).get("-s", "").removesuffix("/32"), word)
            for r in rules_of(own, "nat")
            if r.target == "SNAT"
            for word in r.target_args
        }
        for rule in incoming_rules(own, prefix):
            options = options_of(rule)
            floating = options.get("-d", "").removesuffix("/32")
            fixed = next((w for w in rule.target_args if re.fullmatch(r"[\d.]+", w)), "")
            if not floating or not fixed or "--dport" in options or (fixed, floating) in sources:
                continue
            yield Finding(
                floating,
                f"{router.namespace.name} hands {floating} to {fixed}, and does not translate what {fixed} sends",
                evidence=(shown(router, rule), router.namespace.evidence),
                device=router.gateways[0].device,
                port=port_prefix_of(router.gateways[0].device),
                ip=floating,
                fixed=fixed,
                kind="float-snat",
                **keys_of(router),
            )

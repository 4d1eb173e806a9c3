"""Routers: their interfaces, their default route, and the rules that translate addresses.

From neutron ``agent/l3/router_info.py``, ``agent/l3/dvr_edge_router.py`` and ``agent/linux/iptables_manager.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stackdoctor.checks.believed.motion import settled
from stackdoctor.checks.network.segments import Interfaces, is_highly_available

from stackdoctor.api import Cloud, Evidence, Finding, Severity, check
from stackdoctor.facts.addresses import Address, Addresses
from stackdoctor.facts.iptables import Iptables, Rule
from stackdoctor.facts.links import Link, Links
from stackdoctor.facts.namespaces import Namespace, Namespaces
from stackdoctor.facts.neutron_names import port_prefix_of
from stackdoctor.facts.openstack_network import Routers
from stackdoctor.facts.routes import Routes

AGENT = "neutron-l3-agent"
KINDS = ("qrouter", "snat")
DEVICE = re.compile(r"\b(q[rg]-[0-9a-f]{8}-[0-9a-f]{2})\b")


@dataclass(frozen=True)
class Router:
    """A router's namespace (of a distributed router's central half: snat) and the IPv4 addresses of its gateway."""

    namespace: Namespace
    interfaces: tuple[Link, ...]
    gateways: tuple[Address, ...]
    inner: tuple[Address, ...]
    highly_available: bool

    @property
    def active(self) -> bool:
        """Whether it forwards here: the standby of a highly available router has no addresses."""
        return not self.highly_available or bool(self.gateways or self.inner)


def routers_of(namespaces: Namespaces, interfaces: Interfaces, addresses: Addresses) -> Iterator[Router]:
    """The routers of a node whose links and addresses are known."""
    for namespace in namespaces.namespaces:
        name = namespace.name
        if namespace.kind not in KINDS or name in addresses.absent or name in interfaces.links.absent:
            continue
        found = [a for a in addresses.within(name) if a.interface.version == 4]
        yield Router(
            namespace,
            interfaces.within(name),
            tuple(a for a in found if a.device.startswith("qg-")),
            tuple(a for a in found if a.device.startswith(("qr-", "sg-"))),
            is_highly_available(interfaces, name),
        )


def options_of(rule: Rule) -> dict[str, str]:
    """The conditions of ``rule`` that are not negated, by name, with their first word."""
    return {o.name: o.values[0] for match in rule.matches for o in match.options if o.values and not o.negated}


def rules_of(iptables: Iptables, table: str) -> Iterator[Rule]:
    """All rules of one table."""
    found = iptables.tables.get(table)
    for chain in found.chains.values() if found is not None else ():
        yield from chain.rules


def shown(router: Router, rule: Rule) -> Evidence:
    """``rule`` as evidence."""
    name = router.namespace.name
    return Evidence(router.namespace.evidence.node, f"ip netns exec {name} iptables-save -c", rule.line)


def keys_of(router: Router) -> dict[str, Any]:
    """Which router it is, and where."""
    return {
        "host": router.namespace.evidence.node,
        "router": router.namespace.object_id,
        "namespace": router.namespace.name,
        "agent": AGENT,
    }


@check("router.default-route.missing", severity=Severity.ERROR)
def missing_default_route(
    namespaces: Cloud[Namespaces],
    links: Cloud[Links],
    addresses: Cloud[Addresses],
    routes: Cloud[Routes],
    routers: Cloud[Routers] | None,
) -> Iterator[Finding]:
    """A router has an address in its external network and no default route: nothing gets further than that network.

    Left out where several routers of one external subnet all have none: that subnet has no gateway.
    """
    with_route: dict[str, int] = {}
    without: list[tuple[str, Router]] = []
    for node, found in namespaces:
        if node not in links.facts or node not in addresses.facts or node not in routes.facts:
            continue
        for router in routers_of(settled(found, routers), Interfaces(links.facts[node]), addresses.facts[node]):
            if not router.gateways or router.namespace.name in routes.facts[node].absent:
                continue
            if _has_default_route(router, routes.facts[node]):
                for subnet in _subnets(router):
                    with_route[subnet] = with_route.get(subnet, 0) + 1
            else:
                without.append((node, router))
    for node, router in without:
        alike = [r for _, r in without if _subnets(r) & _subnets(router)]
        if len(alike) > 1 and not any(subnet in with_route for subnet in _subnets(router)):
            continue
        gateway = router.gateways[0]
        yield Finding(
            router.namespace,
            f"{router.namespace.name} has no default route, though it has {gateway.interface} on {gateway.device}",
            node=node,
            evidence=(gateway.evidence, *(r.evidence for r in routes.facts[node].within(router.namespace.name))),
            port=port_prefix_of(gateway.device),
            device=gateway.device,
            ip=gateway.ip,
            **keys_of(router),
        )


def _has_default_route(router: Router, routes: Routes) -> bool:
    """In any table: policy rules may send what comes from inside to another one than main."""
    return any(
        r.default and r.destination.version == 4 and r.kind == "unicast"
        for r in routes.routes
        if r.namespace == router.namespace.name
    )


def _subnets(router: Router) -> set[str]:
    return {str(a.interface.network) for a in router.gateways if a.interface.network.prefixlen < 32}


@check("router.interface.down", severity=Severity.ERROR)
def down_interface(
    namespaces: Namespaces, links: Links, addresses: Addresses, routers: Cloud[Routers] | None
) -> Iterator[Finding]:
    """An interface of a router is set down in its namespace.  A standby's are left out: the agent sets them down."""
    for router in routers_of(settled(namespaces, routers), Interfaces(links), addresses):
        for link in router.interfaces:
            if router.active and link.name.startswith(("qr-", "qg-", "sg-")) and not link.up:
                yield Finding(
                    link,
                    f"{link.name} of router {router.namespace.object_id} is set down",
                    port=port_prefix_of(link.name),
                    device=link.name,
                    kind="gateway" if link.name.startswith("qg-") else "inner",
                    **keys_of(router),
                )


@check("router.interface.missing", severity=Severity.ERROR)
def missing_interface(
    namespaces: Namespaces, links: Links, addresses: Addresses, iptables: Iptables, routers: Cloud[Routers] | None
) -> Iterator[Finding]:
    """A router's rules name an interface that its namespace does not have (any more)."""
    for router in routers_of(settled(namespaces, routers), Interfaces(links), addresses):
        own = iptables.namespaces.get(router.namespace.name)
        if own is None or not router.interfaces:
            continue
        there = {link.name for link in router.interfaces}
        named: dict[str, Rule] = {}
        for rule in (r for table in own.tables for r in rules_of(own, table)):
            for device in DEVICE.findall(rule.line):
                named.setdefault(device, rule)
        for device, rule in named.items():
            if device not in there:
                yield Finding(
                    device,
                    f"{router.namespace.name} has rules for {device}, and no such interface",
                    evidence=(shown(router, rule), router.namespace.evidence),
                    port=port_prefix_of(device),
                    device=device,
                    kind="gateway" if device.startswith("qg-") else "inner",
                    **keys_of(router),
                )


@check("router.interface.no-address", severity=Severity.ERROR)
def interface_without_address(
    namespaces: Namespaces,
    links: Links,
    addresses: Addresses,
    iptables: Iptables | None,
    routers: Cloud[Routers] | None,
) -> Iterator[Finding]:
    """An interface of a router has lost its address: the guests behind it have no gateway, or no way out.

    Every inner port has one.  A gateway port may have none (an external network without a subnet), unless a rule
    translates to its address.  Those of a highly available router are keepalived's to give, and are missed only
    where its other interfaces have theirs.
    """
    for router in routers_of(settled(namespaces, routers), Interfaces(links), addresses):
        own = iptables.namespaces.get(router.namespace.name) if iptables is not None else None
        for link in router.interfaces:
            if not router.active or not link.name.startswith(("qr-", "qg-")):
                continue
            if any(a.scope == "global" for a in addresses.on(link.name, link.namespace)):
                continue
            rules = rules_of(own, "nat") if own is not None and link.name.startswith("qg-") else ()
            rule = next((r for r in rules if r.target == "SNAT" and options_of(r).get("-o") == link.name), None)
            if link.name.startswith("qg-") and rule is None:
                continue
            yield Finding(
                link,
                f"{link.name} of router {router.namespace.object_id} has no address",
                evidence=(link.evidence, shown(router, rule)) if rule is not None else link.evidence,
                port=port_prefix_of(link.name),
                device=link.name,
                kind="gateway" if link.name.startswith("qg-") else "inner",
                **keys_of(router),
            )

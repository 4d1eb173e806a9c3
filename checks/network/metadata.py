"""The way of a guest's question to 169.254.169.254: a router's redirection or a DHCP port's address, and the proxy.

From neutron ``agent/metadata/driver.py`` and ``agent/linux/dhcp.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackdoctor.checks.believed.motion import settled
from stackdoctor.checks.network.routers import keys_of, options_of, routers_of, rules_of, shown
from stackdoctor.checks.network.segments import Interfaces, serves

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.dnsmasq import DhcpOption, Dnsmasq
from stackdoctor.facts.iptables import Iptables
from stackdoctor.facts.iptables_rule import Rule
from stackdoctor.facts.links import Links
from stackdoctor.facts.namespaces import Listeners, Namespaces
from stackdoctor.facts.neutron_names import dhcp_namespace
from stackdoctor.facts.openstack_network import Routers

ADDRESS = "169.254.169.254"
HTTP = 80


@check("metadata.proxy.missing", severity=Severity.ERROR)
def missing_proxy(
    namespaces: Namespaces,
    links: Links,
    addresses: Addresses,
    iptables: Iptables,
    listeners: Listeners,
    routers: Cloud[Routers] | None,
) -> Iterator[Finding]:
    """A router hands questions for metadata to a port of its own on which nothing listens.

    The standby of a highly available router has the rule and no proxy, and is left out.
    """
    for router in routers_of(settled(namespaces, routers), Interfaces(links), addresses):
        name = router.namespace.name
        own = iptables.namespaces.get(name)
        if own is None or name in listeners.absent or not router.active:
            continue
        for port, rule in _redirections(own).items():
            if any((s.protocol, s.port) == ("tcp", port) for s in listeners.within(name)):
                continue
            yield Finding(
                router.namespace,
                f"{name} redirects metadata to port {port}, where nothing listens",
                evidence=(shown(router, rule), router.namespace.evidence),
                port_number=port,
                **keys_of(router),
            )


def _redirections(own: Iptables) -> dict[int, Rule]:
    """The ports that metadata is redirected to, and the rule that does it."""
    found: dict[int, Rule] = {}
    for rule in rules_of(own, "nat"):
        ports = [int(w) for w in rule.target_args if re.fullmatch(r"\d{1,5}", w)]
        if rule.target == "REDIRECT" and options_of(rule).get("-d", "").startswith(ADDRESS) and ports:
            found.setdefault(ports[0], rule)
    return found


@check("metadata.proxy.missing-dhcp", severity=Severity.ERROR)
def missing_isolated_proxy(
    dnsmasq: Dnsmasq, namespaces: Namespaces, addresses: Addresses, listeners: Listeners
) -> Iterator[Finding]:
    """DHCP sends a network's guests to its own port for metadata, and nothing listens on port 80 there.

    The route to 169.254.169.254 in the options tells: by the DHCP port's own address only with
    enable_isolated_metadata or force_metadata.
    """
    for network in dnsmasq.networks:
        namespace = namespaces.named(dhcp_namespace(network.network_id))
        if namespace is None or not serves(network.process) or namespace.name in {*addresses.absent, *listeners.absent}:
            continue
        own = {a.ip for a in addresses.within(namespace.name)}
        option = next((o for o in network.options if _route(o) in own), None)
        if option is None or any((s.protocol, s.port) == ("tcp", HTTP) for s in listeners.within(namespace.name)):
            continue
        yield Finding(
            network,
            f"guests of network {network.network_id} ask {_route(option)} for metadata, where nothing listens",
            evidence=(option.evidence, namespace.evidence),
            host=network.evidence.node,
            network=network.network_id,
            namespace=namespace.name,
            agent="neutron-dhcp-agent",
        )


def _route(option: DhcpOption) -> str:
    """Whom the option names as the way to the metadata address: destination, gateway, destination, gateway ..."""
    pairs = dict(zip(option.values[::2], option.values[1::2], strict=False))
    return pairs.get(f"{ADDRESS}/32", "-")


@check("metadata.redirect.missing", severity=Severity.ERROR)
def missing_redirection(
    namespaces: Namespaces,
    links: Links,
    addresses: Addresses,
    iptables: Iptables,
    listeners: Listeners,
    routers: Cloud[Routers] | None,
) -> Iterator[Finding]:
    """The metadata proxy of a router listens, and no rule brings the guests' questions to it."""
    for router in routers_of(settled(namespaces, routers), Interfaces(links), addresses):
        name = router.namespace.name
        own = iptables.namespaces.get(name)
        agents = own is not None and any(c.startswith("neutron-") for t in own.tables.values() for c in t.chains)
        if own is None or not agents or "nat" in own.incompatible or not router.inner or _redirections(own):
            continue
        proxy = next((s for s in listeners.within(name) if s.process in ("haproxy", "python", "neutron-ns-meta")), None)
        if proxy is not None and proxy.protocol == "tcp":
            yield Finding(
                router.namespace,
                f"{name} has a metadata proxy on port {proxy.port}, and no rule redirects to it",
                evidence=(proxy.evidence, router.namespace.evidence),
                port_number=proxy.port,
                **keys_of(router),
            )

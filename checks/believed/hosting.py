"""Networks and routers as Neutron has them scheduled, against the namespaces that the nodes have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stackdoctor.checks.rabbitmq.hosts import Hosts

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.dnsmasq import Dnsmasq
from stackdoctor.facts.host import HostsFile
from stackdoctor.facts.namespaces import Namespaces
from stackdoctor.facts.neutron_names import dhcp_namespace, router_namespace
from stackdoctor.facts.openstack_answers import chosen
from stackdoctor.facts.openstack_network import Hosting, Network, Networks, Port, Ports, Router, Routers
from stackdoctor.facts.openstack_services import BelievedService, NetworkAgents
from stackdoctor.facts.reach import Reach

SETTLED = 120.0
INTERFACES = ("network:router_interface", "network:ha_router_replicated_interface")
DHCP, L3 = "neutron-dhcp-agent", "neutron-l3-agent"
TIGHT = 5
"""A pool of fewer addresses (a link between two routers) is meant to be used up."""


def _agents(agents: Cloud[NetworkAgents], binary: str) -> Mapping[str, BelievedService]:
    return {agent.id: agent for agent in chosen(agents) or () if agent.binary == binary}


def _not_hosted(
    thing: Network | Router, ids: frozenset[str], agents: Mapping[str, BelievedService], kind: str, **keys: str
) -> Iterator[Finding]:
    """A finding where none of the agents that ``thing`` is on is alive."""
    on = [agents[id_] for id_ in sorted(ids) if id_ in agents]
    if any(agent.up and agent.enabled for agent in on):
        return
    hosts = sorted(agent.host for agent in on)
    yield Finding(
        thing,
        f"{thing} is on " + (f"dead {kind} agents only ({', '.join(hosts)})" if hosts else f"no {kind} agent"),
        node=thing.evidence.node,
        evidence=(thing.evidence, *(agent.evidence for agent in on)),
        dead="yes" if hosts else "no",
        agent=next((agent.binary for agent in on), None),
        host=hosts[0] if hosts else None,
        **keys,
    )


def _without_namespace(
    thing: Network | Router,
    name: str,
    ids: frozenset[str],
    agents: Mapping[str, BelievedService],
    hosts: Hosts,
    namespaces: Cloud[Namespaces],
    kind: str,
    **keys: str,
) -> Iterator[Finding]:
    """A finding for each live agent that ``thing`` is on, whose node was looked at and has no namespace ``name``."""
    for id_, agent in agents.items():
        node = hosts.node(agent.host) if id_ in ids and agent.up else None
        if node is not None and node in namespaces.facts and not namespaces.facts[node].named(name):
            yield Finding(
                thing,
                f"{thing} is on the {kind} agent of {agent.host}, and there is no {name}",
                node=node,
                evidence=(thing.evidence, agent.evidence),
                host=agent.host,
                namespace=name,
                agent=agent.binary,
                **keys,
            )


@check("api.network.not-hosted", severity=Severity.ERROR)
def network_not_hosted(
    networks: Cloud[Networks], hosting: Cloud[Hosting], agents: Cloud[NetworkAgents], ports: Cloud[Ports]
) -> Iterator[Finding]:
    """A network with DHCP and servers is on no DHCP agent, or only on dead ones: nobody answers its guests.

    ``dead`` says which: scheduled to dead agents, or to none at all.
    """
    where, known, own = chosen(hosting), chosen(ports), _agents(agents, DHCP)
    if where is None or where.networks is None or not own:
        return
    used = {port.network for port in known or () if port.of_server}
    for network in chosen(networks) or ():
        if not network.enabled or not network.dhcp or network.id not in used or network.age < SETTLED:
            continue
        ids = where.networks.get(network.id, frozenset())
        yield from _not_hosted(network, ids, own, "DHCP", network=network.id)


@check("api.router.not-hosted", severity=Severity.ERROR)
def router_not_hosted(
    routers: Cloud[Routers], hosting: Cloud[Hosting], agents: Cloud[NetworkAgents], ports: Cloud[Ports]
) -> Iterator[Finding]:
    """A router with interfaces is on no L3 agent, or only on dead ones: its networks have no way out.

    ``dead`` says which: on dead agents, or on none at all.
    """
    where, known, own = chosen(hosting), chosen(ports), _agents(agents, L3)
    if where is None or where.routers is None or not own:
        return
    used: dict[str, list[Port]] = {}
    for port in known or ():
        if port.owner.startswith(INTERFACES) and port.ips:
            used.setdefault(port.device, []).append(port)
    for router in chosen(routers) or ():
        if not router.enabled or router.id not in used or router.age < SETTLED or not router.gateway:
            continue
        ids = where.routers.get(router.id, frozenset())
        port = min(used[router.id], key=lambda p: p.id)
        keys = {"router": router.id, "network": port.network, "ip": port.ips[0][1], "mac": port.mac}
        yield from _not_hosted(router, ids, own, "L3", **keys)


@check("api.network.no-namespace", severity=Severity.ERROR)
def network_without_namespace(
    networks: Cloud[Networks],
    hosting: Cloud[Hosting],
    agents: Cloud[NetworkAgents],
    ports: Cloud[Ports],
    namespaces: Cloud[Namespaces],
    dnsmasq: Cloud[Dnsmasq] | None,
    reach: Cloud[Reach],
    files: Cloud[HostsFile] | None,
) -> Iterator[Finding]:
    """Neutron has a network on a DHCP agent that is alive, and its host has neither namespace nor dnsmasq for it."""
    where, known, hosts = chosen(hosting), chosen(ports), Hosts(reach, files, None, None, None)
    if where is None or where.networks is None:
        return
    used, own = {port.network for port in known or () if port.of_server}, _agents(agents, DHCP)
    serving = {(node, n.network_id) for node, found in dnsmasq or () for n in found.networks if n.process is not None}
    for network in chosen(networks) or ():
        if not network.enabled or not network.dhcp or network.id not in used or network.age < SETTLED:
            continue
        ids, name = where.networks.get(network.id, frozenset()), dhcp_namespace(network.id)
        for finding in _without_namespace(network, name, ids, own, hosts, namespaces, "DHCP", network=network.id):
            if (finding.node, network.id) not in serving:
                yield finding


@check("api.router.no-namespace", severity=Severity.ERROR)
def router_without_namespace(
    routers: Cloud[Routers],
    hosting: Cloud[Hosting],
    agents: Cloud[NetworkAgents],
    namespaces: Cloud[Namespaces],
    reach: Cloud[Reach],
    files: Cloud[HostsFile] | None,
) -> Iterator[Finding]:
    """Neutron has a router on an L3 agent that is alive, and its host has no namespace of it."""
    where, hosts = chosen(hosting), Hosts(reach, files, None, None, None)
    if where is None or where.routers is None:
        return
    own = _agents(agents, L3)
    for router in chosen(routers) or ():
        if not router.enabled or router.age < SETTLED or not router.gateway:
            continue
        ids, name = where.routers.get(router.id, frozenset()), router_namespace(router.id)
        yield from _without_namespace(router, name, ids, own, hosts, namespaces, "L3", router=router.id)


@check("api.namespace.no-object", severity=Severity.INFO)
def namespace_without_object(
    networks: Cloud[Networks], routers: Cloud[Routers], namespaces: Cloud[Namespaces], dnsmasq: Cloud[Dnsmasq] | None
) -> Iterator[Finding]:
    """A node has the namespace of a network or a router that Neutron does not know: it was deleted.

    A warning where a dnsmasq still answers in it.
    """
    nets, routes = chosen(networks), chosen(routers)
    if nets is None or routes is None or not nets.complete or not routes.complete:
        return
    ids = {n.id for n in nets} | {r.id for r in routes}
    for node, found in namespaces:
        served = dnsmasq.facts.get(node) if dnsmasq is not None else None
        for namespace in found.namespaces:
            if namespace.kind not in ("qdhcp", "qrouter", "snat") or namespace.object_id in ids:
                continue
            own = served.network(namespace.object_id) if served is not None else None
            running = own is not None and own.process is not None
            yield Finding(
                namespace,
                f"{namespace} on {node} is of {'a network' if namespace.kind == 'qdhcp' else 'a router'}"
                " that Neutron does not know" + ("; a dnsmasq runs for it" if running else ""),
                node=node,
                severity=Severity.WARNING if running else None,
                host=node,
                namespace=namespace.name,
            )


@check("api.network.addresses-used-up", severity=Severity.WARNING)
def addresses_used_up(networks: Cloud[Networks]) -> Iterator[Finding]:
    """Every IPv4 address in the pools of a network is taken: the next port there fails."""
    for network in chosen(networks) or ():
        if network.free is not None and network.free <= 0 and (network.total or 0) > TIGHT:
            yield Finding(
                network,
                f"{network} has none of its {network.total} addresses left",
                node=network.evidence.node,
                network=network.id,
                external="yes" if network.external else "no",
            )

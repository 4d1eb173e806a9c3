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
from stackdoctor.facts.openstack_network import Hosting, Networks, Port, Ports, Routers
from stackdoctor.facts.openstack_services import BelievedService, NetworkAgents
from stackdoctor.facts.reach import Reach

SETTLED = 120.0
INTERFACES = ("network:router_interface", "network:ha_router_replicated_interface")
DHCP, L3 = "neutron-dhcp-agent", "neutron-l3-agent"
TIGHT = 5
"""A pool of fewer addresses (a link between two routers) is meant to be used up."""


def _agents(agents: Cloud[NetworkAgents], binary: str) -> Mapping[str, BelievedService]:
    return {agent.id: agent for agent in chosen(agents) or () if agent.binary == binary}


def _alive(ids: frozenset[str], agents: Mapping[str, BelievedService]) -> bool:
    return any(id_ in agents and agents[id_].up and agents[id_].enabled for id_ in ids)


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
        if not _alive(ids, own):
            hosts = sorted(own[id_].host for id_ in ids if id_ in own)
            yield Finding(
                network,
                f"{network} is on " + (f"dead DHCP agents only ({', '.join(hosts)})" if hosts else "no DHCP agent"),
                node=network.evidence.node,
                evidence=(network.evidence, *(own[id_].evidence for id_ in ids if id_ in own)),
                network=network.id,
                dead="yes" if hosts else "no",
                agent=DHCP if hosts else None,
                host=hosts[0] if hosts else None,
            )


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
        if not _alive(ids, own):
            hosts = sorted(own[id_].host for id_ in ids if id_ in own)
            port = min(used[router.id], key=lambda p: p.id)
            yield Finding(
                router,
                f"{router} is on " + (f"dead L3 agents only ({', '.join(hosts)})" if hosts else "no L3 agent"),
                node=router.evidence.node,
                evidence=(router.evidence, *(own[id_].evidence for id_ in ids if id_ in own)),
                router=router.id,
                network=port.network,
                ip=port.ips[0][1],
                mac=port.mac,
                dead="yes" if hosts else "no",
                agent=L3 if hosts else None,
                host=hosts[0] if hosts else None,
            )


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
    used = {port.network for port in known or () if port.of_server}
    for network in chosen(networks) or ():
        if not network.enabled or not network.dhcp or network.id not in used or network.age < SETTLED:
            continue
        for id_, agent in _agents(agents, DHCP).items():
            if where is None or where.networks is None or id_ not in where.networks.get(network.id, frozenset()):
                continue
            node = hosts.node(agent.host)
            name = dhcp_namespace(network.id)
            if node is None or node not in namespaces.facts or namespaces.facts[node].named(name) or not agent.up:
                continue
            served = dnsmasq.facts.get(node) if dnsmasq is not None else None
            own = served.network(network.id) if served is not None else None
            if own is None or own.process is None:
                yield Finding(
                    network,
                    f"{network} is on the DHCP agent of {agent.host}, and there is no {name}",
                    node=node,
                    evidence=(network.evidence, agent.evidence),
                    network=network.id,
                    host=agent.host,
                    namespace=name,
                    agent=DHCP,
                )


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
    for router in chosen(routers) or ():
        if not router.enabled or router.age < SETTLED or not router.gateway:
            continue
        for id_, agent in _agents(agents, L3).items():
            if where is None or where.routers is None or id_ not in where.routers.get(router.id, frozenset()):
                continue
            node = hosts.node(agent.host)
            name = router_namespace(router.id)
            if agent.up and node in namespaces.facts and not namespaces.facts[node].named(name):
                yield Finding(
                    router,
                    f"{router} is on the L3 agent of {agent.host}, and there is no {name}",
                    node=node or "",
                    evidence=(router.evidence, agent.evidence),
                    router=router.id,
                    host=agent.host,
                    namespace=name,
                    agent=L3,
                )


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


@check("api.dhcp-entry.no-port", severity=Severity.INFO)
def entries_without_port(ports: Cloud[Ports], dnsmasq: Cloud[Dnsmasq]) -> Iterator[Finding]:
    """dnsmasq would give an address to a station whose port Neutron does not know: its agent missed the deletion.

    A warning where Neutron has given the address to another port since: two stations may come to use it.
    """
    known = chosen(ports)
    if known is None or not known.complete:
        return
    macs = {(port.network, port.mac) for port in known}
    owners = {(port.network, ip): port for port in known for _, ip in port.ips}
    for node, found in dnsmasq:
        for network in found.networks:
            for entry in network.hosts:
                if not entry.mac or (network.network_id, entry.mac.lower()) in macs:
                    continue
                other = next((o for a in entry.addresses if (o := owners.get((network.network_id, a)))), None)
                yield Finding(
                    entry,
                    f"dnsmasq on {node} keeps an entry for {entry.mac}, which no port of network"
                    f" {network.network_id} has" + (f"; its address is now that of {other}" if other else ""),
                    node=node,
                    severity=Severity.WARNING if other is not None and other.age > SETTLED else None,
                    host=node,
                    network=network.network_id,
                    mac=entry.mac,
                    agent=DHCP,
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

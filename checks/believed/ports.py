"""Ports as Neutron believes them, against the devices and chains that the nodes have."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.checks.rabbitmq.hosts import Hosts

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.host import HostsFile
from stackdoctor.facts.iptables import Iptables
from stackdoctor.facts.libvirt import Domains
from stackdoctor.facts.links import Links
from stackdoctor.facts.neutron_names import is_port_of, port_chain_of, port_prefix_of
from stackdoctor.facts.openstack_answers import chosen
from stackdoctor.facts.openstack_network import Port, Ports, Routers
from stackdoctor.facts.openstack_servers import Servers
from stackdoctor.facts.openstack_services import NetworkAgents
from stackdoctor.facts.reach import Reach

SETTLED = 120.0
"""Seconds after which an agent has wired what was asked of it."""

PREFIX = 11
"""As much of a port's id as the names of its devices hold: what findings of all kinds join on."""

DEVICES = ("bridge", "ovs", "tap")
"""Ways of plugging in which a port has a device of its name on the host."""


@check("api.port.binding-failed", severity=Severity.ERROR)
def binding_failed(ports: Cloud[Ports], servers: Cloud[Servers] | None) -> Iterator[Finding]:
    """Neutron could not bind a port on its host: its agent was dead, the network is not there, or no driver fits.

    Nothing tries again by itself.  A warning where its server does not run anyway, or that is longer ago than a day.
    """
    known = chosen(servers)
    for port in chosen(ports) or ():
        if port.vif != "binding_failed":
            continue
        server = known.by_id.get(port.device) if known is not None else None
        needed = server is None or server.status in ("ACTIVE", "BUILD", "REBOOT", "HARD_REBOOT")
        yield Finding(
            port,
            f"{port} ({port.owner}) could not be bound on {port.host}",
            severity=None if port.of_server and needed and port.age < 86400 else Severity.WARNING,
            port=port.id[:PREFIX],
            port_id=port.id,
            host=port.host or None,
            network=port.network,
            instance=port.device if port.of_server else None,
            owner=port.owner,
        )


@check("api.port.down", severity=Severity.WARNING)
def port_down(
    ports: Cloud[Ports], servers: Cloud[Servers], agents: Cloud[NetworkAgents] | None, routers: Cloud[Routers] | None
) -> Iterator[Finding]:
    """Neutron has a port of a running server, of DHCP or of a router as not wired, for two minutes and more.

    The agent of its host never said that it was, or has said that its device is gone.  Ports of stopped servers, of
    disabled and of distributed or highly available routers may be down.
    """
    known, many = chosen(servers), chosen(routers)
    single = {router.id for router in many or () if router.enabled and not router.spread}
    for port in chosen(ports) or ():
        if port.status not in ("DOWN", "BUILD") or not port.enabled or port.age < SETTLED or not port.host:
            continue
        if port.vif not in DEVICES:
            continue
        server = known.by_id.get(port.device) if known is not None and port.of_server else None
        wanted = server is not None and server.settled and server.idle > SETTLED and _same(server.host, port.host)
        wanted = wanted or (port.owner == "network:dhcp" and port.device != "reserved_dhcp_port")
        wanted = wanted or (port.owner == "network:router_interface" and port.device in single)
        if wanted:
            yield Finding(
                port,
                f"{port} ({port.owner}) is {port.status} on {port.host}",
                port=port.id[:PREFIX],
                port_id=port.id,
                host=port.host,
                network=port.network,
                instance=port.device if port.of_server else None,
                owner=_owner(port),
                status=port.status,
            )


def _same(one: str, other: str) -> bool:
    return one.lower().partition(".")[0] == other.lower().partition(".")[0]


def _owner(port: Port) -> str:
    return "guest" if port.of_server else "dhcp" if port.owner == "network:dhcp" else "router"


@check("api.port.no-tap", severity=Severity.ERROR)
def port_without_tap(
    ports: Cloud[Ports],
    servers: Cloud[Servers],
    links: Cloud[Links],
    domains: Cloud[Domains],
    reach: Cloud[Reach],
    files: Cloud[HostsFile] | None,
) -> Iterator[Finding]:
    """Neutron has a port of a running server as ACTIVE on a host, and the host has no device of that port.

    Said of servers whose guest runs there, and only where all devices of the host are known.
    """
    known, hosts = chosen(servers), Hosts(reach, files, None, None, None)
    for port in chosen(ports) or ():
        node = hosts.node(port.host) if port.host else None
        server = known.by_id.get(port.device) if known is not None and port.of_server else None
        if server is None or not server.settled or port.status != "ACTIVE" or port.vif not in DEVICES:
            continue
        if node is None or node not in links.facts or node not in domains.facts or port.age < SETTLED:
            continue
        guest = domains.facts[node].of_server(server.id)
        if guest is None or not guest.running or not _same(server.host, port.host):
            continue
        if not any(is_port_of(link.name, port.id) for link in links.facts[node].links):
            yield Finding(
                port,
                f"{port} of {server} is ACTIVE on {port.host}, and there is no device of it",
                node=node,
                evidence=(port.evidence, guest.evidence),
                port=port.id[:PREFIX],
                port_id=port.id,
                host=port.host,
                network=port.network,
                instance=server.id,
                mac=port.mac,
                owner="guest",
            )


@check("api.tap.no-port", severity=Severity.WARNING)
def tap_without_port(ports: Cloud[Ports], links: Cloud[Links], domains: Cloud[Domains] | None) -> Iterator[Finding]:
    """A node has the device of a port that Neutron does not know: the port was deleted under it.

    Information where no guest of the node runs with it.
    """
    known = chosen(ports)
    if known is None or not known.complete:
        return
    for node, found in links:
        guests = domains.facts.get(node) if domains is not None else None
        used = {i.device: guest for guest in (guests.domains if guests else ()) for i in guest.interfaces}
        for link in found.links:
            prefix = port_prefix_of(link.name)
            if prefix is None or prefix[:10] in known.prefixes:
                continue
            guest = used.get(link.name)
            yield Finding(
                link,
                f"{link} on {node} is of a port that Neutron does not know"
                + (f"; {guest} runs with it" if guest is not None and guest.running else ""),
                node=node,
                severity=None if guest is not None and guest.running else Severity.INFO,
                host=node,
                device=link.name,
                port=prefix,
                instance=guest.uuid if guest is not None else None,
            )


@check("api.chain.no-port", severity=Severity.INFO)
def chains_without_port(ports: Cloud[Ports], rules: Cloud[Iptables]) -> Iterator[Finding]:
    """A node's firewall still has the chains of ports that were deleted: its agent did not clean up."""
    known = chosen(ports)
    if known is None or not known.complete:
        return
    for node, found in rules:
        left = {
            of[1]
            for table in found.tables.values()
            for chain in table.chains
            if (of := port_chain_of(chain)) is not None and of[1] not in known.prefixes
        }
        if left:
            yield Finding(
                f"chains of {len(left)} deleted ports",
                f"the firewall of {node} has chains of {len(left)} ports that Neutron does not know:"
                f" {', '.join(sorted(left)[:5])}",
                node=node,
                count=len(left),
                host=node,
                port=sorted(left)[0],
            )

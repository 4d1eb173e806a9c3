"""DHCP for instances: the dnsmasq of each network, its namespace and interface, and what it knows of the guests."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from stackdoctor.api import Cloud, Evidence, Finding, Severity, check
from stackdoctor.checks.network.segments import Interfaces, serves
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.dnsmasq import DhcpNetwork, Dnsmasq
from stackdoctor.facts.domain_xml import DomainInterface
from stackdoctor.facts.iptables import Iptables
from stackdoctor.facts.libvirt import Domain, Domains
from stackdoctor.facts.links import Link, Links
from stackdoctor.facts.namespaces import Listeners, NamespaceProcesses, Namespaces
from stackdoctor.facts.neutron_names import chain, dhcp_namespace, network_prefix_of, port_prefix_of
from stackdoctor.facts.processes import Processes

AGENT = "neutron-dhcp-agent"
SETTLED = 300
"""Seconds after which a DHCP agent has gone through its networks."""

DHCP_PORT = 67
Networks = list[ipaddress.IPv4Network]


@check("dhcp.dnsmasq.dead", severity=Severity.ERROR)
def dead_dnsmasq(
    dnsmasq: Dnsmasq, cloud: Cloud[Dnsmasq], namespaces: Namespaces, links: Links, listeners: Listeners | None
) -> Iterator[Finding]:
    """A network's DHCP namespace and interface are there, and no dnsmasq runs for it: its guests get no address.

    A warning where another node serves the same network.  dnsmasq that a signal has stopped counts as dead.
    """
    if dnsmasq.processes is None:
        return
    interfaces = Interfaces(links)
    for network in dnsmasq.networks:
        namespace = namespaces.named(dhcp_namespace(network.network_id))
        device = _device(interfaces, network)
        if namespace is None or device is None or serves(network.process):
            continue
        if network.process is None and (_listens(listeners, namespace.name) or not _was_started(network)):
            continue
        other = next((node for node, served in cloud if serves(_process_of(served, network.network_id))), "")
        process = network.process
        yield Finding(
            network,
            f"no dnsmasq runs for network {network.network_id}"
            + (f" (process {process.pid} is in state {process.state})" if process else _last_pid(network)),
            severity=Severity.WARNING if other else None,
            evidence=(process.evidence if process else network.evidence, device.evidence),
            host=network.evidence.node,
            network=network.network_id,
            port=port_prefix_of(device.name),
            device=device.name,
            pid=network.pid,
            service="dnsmasq",
            agent=AGENT,
            redundant="yes" if other else "no",
        )


def _process_of(dnsmasq: Dnsmasq, network_id: str) -> object:
    return next((n.process for n in dnsmasq.networks if n.network_id == network_id), None)


def _device(interfaces: Interfaces, network: DhcpNetwork) -> Link | None:
    """The DHCP port's device; Open vSwitch calls it tap, and no other port of Neutron's is in that namespace."""
    inside = interfaces.within(dhcp_namespace(network.network_id))
    named = next((link for link in inside if link.name == network.interface), None)
    return named or next((link for link in inside if port_prefix_of(link.name)), None)


def _was_started(network: DhcpNetwork) -> bool:
    """The agent makes the directory of a network without DHCP too, and leaves it empty."""
    return network.pid is not None or bool(network.interface)


def _listens(listeners: Listeners | None, namespace: str) -> bool:
    if listeners is None:
        return False
    return any((s.protocol, s.port) == ("udp", DHCP_PORT) for s in listeners.within(namespace))


def _last_pid(network: DhcpNetwork) -> str:
    return f"; process {network.pid} is gone" if network.pid is not None else ""


@check("dhcp.dnsmasq.outside", severity=Severity.ERROR)
def dnsmasq_outside_its_namespace(
    dnsmasq: Dnsmasq, namespaces: Namespaces, pids: NamespaceProcesses, listeners: Listeners
) -> Iterator[Finding]:
    """A network's dnsmasq runs, but not in the network's namespace of today: it serves one that was deleted."""
    for network in dnsmasq.networks:
        namespace = namespaces.named(dhcp_namespace(network.network_id))
        process = network.process
        if namespace is None or process is None or not serves(process) or namespace.name not in pids.pids:
            continue
        if namespace.name in listeners.absent or _listens(listeners, namespace.name):
            continue
        if process.pid not in pids.pids[namespace.name]:
            yield Finding(
                network,
                f"dnsmasq {process.pid} of network {network.network_id} does not run in {namespace.name}",
                evidence=(process.evidence, namespace.evidence),
                host=process.evidence.node,
                network=network.network_id,
                namespace=namespace.name,
                pid=process.pid,
                agent=AGENT,
            )


@check("dhcp.namespace.missing", severity=Severity.WARNING)
def missing_namespace(
    dnsmasq: Dnsmasq, namespaces: Namespaces, processes: Processes, domains: Cloud[Domains] | None
) -> Iterator[Finding]:
    """A network is served here, as its files say, and its namespace is not there.

    An error where no dnsmasq runs for it either, the agent has long had the time to make it, and guests of
    the network run.  A dnsmasq that still runs goes on serving the namespace whose name was lost.
    """
    agents = [p for p in processes.of(AGENT) if not p.zombie]
    settled = any(p.age > SETTLED for p in agents)
    for network in dnsmasq.networks:
        if not network.interface or namespaces.named(dhcp_namespace(network.network_id)) is not None:
            continue
        served = serves(network.process)
        if (served and not namespaces.of_kind("qdhcp")) or dnsmasq.processes is None:
            continue  # use_namespaces=False, of old
        guests = any(True for _, _, i in _guests(domains) if network.network_id.startswith(_network_of(i)))
        yield Finding(
            network,
            f"namespace {dhcp_namespace(network.network_id)} is not there"
            + (", and no dnsmasq runs for the network" if not served else "; dnsmasq still runs in what it was"),
            severity=Severity.ERROR if settled and guests and not served else None if agents else Severity.INFO,
            host=network.evidence.node,
            network=network.network_id,
            namespace=dhcp_namespace(network.network_id),
            served="yes" if served else "no",
            agent=AGENT,
        )


@check("dhcp.interface.missing", severity=Severity.ERROR)
def missing_interface(dnsmasq: Dnsmasq, namespaces: Namespaces, links: Links) -> Iterator[Finding]:
    """A network's DHCP namespace has lost the interface that its dnsmasq serves."""
    interfaces = Interfaces(links)
    for network in dnsmasq.networks:
        namespace = namespaces.named(dhcp_namespace(network.network_id))
        if namespace is None or not network.interface or not interfaces.within(namespace.name):
            continue
        if _device(interfaces, network) is None:
            yield Finding(
                network,
                f"{namespace.name} has no interface {network.interface}",
                evidence=(namespace.evidence, network.evidence),
                host=network.evidence.node,
                network=network.network_id,
                port=port_prefix_of(network.interface),
                device=network.interface,
                namespace=namespace.name,
                agent=AGENT,
            )


@check("dhcp.interface.down", severity=Severity.ERROR)
def down_interface(dnsmasq: Dnsmasq, links: Links) -> Iterator[Finding]:
    """The interface of a network's DHCP server is set down inside its namespace: nothing gets to dnsmasq."""
    interfaces = Interfaces(links)
    for network in dnsmasq.networks:
        device = _device(interfaces, network)
        if device is not None and not device.up:
            yield Finding(
                device,
                f"{device.name} in {device.namespace} is down",
                host=network.evidence.node,
                network=network.network_id,
                port=port_prefix_of(device.name),
                device=device.name,
                namespace=device.namespace,
                agent=AGENT,
            )


@check("dhcp.interface.address", severity=Severity.ERROR)
def interface_without_address(dnsmasq: Dnsmasq, links: Links, addresses: Addresses) -> Iterator[Finding]:
    """The interface of a DHCP server has no address in any of the subnets that its dnsmasq serves.

    dnsmasq answers only where it has an address of the range's subnet.  A network with segments elsewhere (served
    through relays) has an address in one of its subnets only, and that is enough here.
    """
    interfaces = Interfaces(links)
    for network in dnsmasq.networks:
        device = _device(interfaces, network)
        ranges = ranges_of(network)
        if device is None or not ranges or device.namespace in addresses.absent:
            continue
        own = [a.interface.ip for a in addresses.on(device.name, device.namespace) if a.interface.version == 4]
        if not any(ip in served for ip in own for served in ranges):
            yield Finding(
                device,
                f"{device.name} in {device.namespace} has no address in {', '.join(map(str, ranges))}",
                evidence=(device.evidence, *_process_evidence(network)),
                host=network.evidence.node,
                network=network.network_id,
                port=port_prefix_of(device.name),
                device=device.name,
                namespace=device.namespace,
                agent=AGENT,
            )


def ranges_of(network: DhcpNetwork) -> Networks:
    """The IPv4 subnets that a running dnsmasq serves: ``set:subnet-...,10.10.0.0,static,255.255.255.0,120s``."""
    found: Networks = []
    for value in network.process.option("dhcp-range") if network.process is not None else ():
        words = [word for word in value.split(",") if not word.startswith(("set:", "tag:"))]
        mask = next((word for word in words[1:] if word.count(".") == 3), "")
        if words and mask:
            try:
                found.append(ipaddress.IPv4Network(f"{words[0]}/{mask}"))
            except ValueError:
                continue
    return found


def _process_evidence(network: DhcpNetwork) -> tuple[Evidence, ...]:
    return (network.process.evidence,) if network.process is not None else ()


def _guests(domains: Cloud[Domains] | None) -> Iterator[tuple[str, Domain, DomainInterface]]:
    """The running guests' interfaces on Linux bridges, and the node of each."""
    for node, found in domains or ():
        for domain in found.domains:
            for interface in domain.interfaces if domain.running else ():
                if network_prefix_of(interface.source):
                    yield node, domain, interface


def _network_of(interface: DomainInterface) -> str:
    return network_prefix_of(interface.source) or "-"


@check("dhcp.host.missing", severity=Severity.WARNING)
def missing_host(
    dnsmasq: Cloud[Dnsmasq], domains: Cloud[Domains], iptables: Cloud[Iptables] | None
) -> Iterator[Finding]:
    """A guest is on a network's bridge, and a DHCP server of that network has no entry for its MAC: it gets no address.

    An error where the address that the guest may use, by its anti-spoofing chain, is in a subnet that dnsmasq
    serves; a warning where its address is not known.  A port in a subnet without DHCP has no entry and needs none.
    """
    for node, domain, interface in _guests(domains):
        serving = [
            (there, network)
            for there, served in dnsmasq
            for network in served.networks
            if network.network_id.startswith(_network_of(interface)) and serves(network.process)
        ]
        listed = [network for _, network in serving if any(h.mac == interface.mac for h in network.hosts)]
        for there, network in serving:
            if network in listed or not ranges_of(network):
                continue
            own = _allowed(iptables.facts.get(node) if iptables is not None else None, interface)
            inside = [ip for ip, _ in own if any(ip in served for served in ranges_of(network))]
            if own and not inside:
                continue
            shown = (network.evidence, interface.evidence, *(evidence for _, evidence in own))
            yield Finding(
                interface.mac,
                f"dnsmasq on {there} does not know {interface.mac} of {domain}, a guest of network {network.network_id}",
                node=there,
                severity=Severity.ERROR if inside and not listed else None,
                evidence=shown,
                host=there,
                network=network.network_id,
                mac=interface.mac,
                ip=inside[0] if inside else None,
                port=port_prefix_of(interface.device),
                device=interface.device,
                instance=domain.uuid,
                compute=node,
                proven="yes" if inside and not listed else "no",
                agent=AGENT,
            )


def _allowed(
    iptables: Iptables | None, interface: DomainInterface
) -> list[tuple[ipaddress.IPv4Address, Evidence]]:
    """The single IPv4 addresses that the port's anti-spoofing chain lets its own MAC use."""
    port = port_prefix_of(interface.device)
    table = iptables.tables.get("filter") if iptables is not None else None
    spoofing = table.chains.get(chain(port, "s")) if table is not None and port is not None else None
    found = []
    for rule in spoofing.rules if spoofing is not None else ():
        values = {o.name: o.values[0] for m in rule.matches for o in m.options if o.values and not o.negated}
        if values.get("--mac-source", "").lower() != interface.mac or not values.get("-s", "").endswith("/32"):
            continue
        evidence = Evidence(interface.evidence.node, "iptables-save -c", rule.line)
        found.append((ipaddress.IPv4Address(values["-s"].removesuffix("/32")), evidence))
    return found


@check("dhcp.lease.other-mac", severity=Severity.WARNING)
def lease_of_another_station(dnsmasq: Dnsmasq) -> Iterator[Finding]:
    """The lease of an address is another station's than the host entry says: the owner is not offered it until then."""
    for network in dnsmasq.networks:
        owners = {address: host for host in network.hosts for address in host.addresses}
        for lease in network.leases:
            owner = owners.get(lease.address)
            if owner is None or owner.mac == lease.mac or lease.seeded or lease.expired(dnsmasq.now):
                continue
            if ":" in lease.address:  # an IPv6 lease is by IAID
                continue
            yield Finding(
                lease,
                f"the lease of {lease.address} belongs to {lease.mac}, its host entry to {owner.mac}",
                evidence=(lease.evidence, owner.evidence),
                host=network.evidence.node,
                network=network.network_id,
                ip=lease.address,
                mac=lease.mac,
                owner=owner.mac,
            )


@check("dhcp.pool.exhausted", severity=Severity.ERROR)
def exhausted_pool(dnsmasq: Dnsmasq) -> Iterator[Finding]:
    """dnsmasq has given out as many leases as it may (``--dhcp-lease-max``), and has more guests than leases."""
    for network in dnsmasq.networks:
        limit = next((int(v) for v in _limits(network) if v.isascii() and v.isdigit()), 0)
        leased = {lease.address for lease in network.leases if not lease.expired(dnsmasq.now)}
        guests = {address for host in network.hosts for address in host.addresses}
        if limit and len(leased) >= limit and len(guests) > limit and serves(network.process):
            yield Finding(
                network,
                f"dnsmasq of network {network.network_id} has given out all {limit} leases; it has {len(guests)} guests",
                evidence=(network.evidence, *_process_evidence(network)),
                host=network.evidence.node,
                network=network.network_id,
                limit=limit,
            )


def _limits(network: DhcpNetwork) -> tuple[str, ...]:
    return network.process.option("dhcp-lease-max") if network.process is not None else ()

"""DHCP for instances: the dnsmasq of each network, its namespace and interface, and what it knows of the guests."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from stackdoctor.checks.network.segments import Interfaces, running_guests, serves

from stackdoctor.api import Cloud, Evidence, Finding, Severity, check
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.dnsmasq import DhcpNetwork, Dnsmasq
from stackdoctor.facts.libvirt import Domains
from stackdoctor.facts.links import Link, Links
from stackdoctor.facts.namespaces import Listeners, NamespaceProcesses, Namespaces
from stackdoctor.facts.neutron_names import dhcp_namespace, port_prefix_of
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
    dnsmasq: Dnsmasq, namespaces: Namespaces, processes: Processes, links: Links, domains: Cloud[Domains] | None
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
        if dnsmasq.processes is None or links.named(network.interface) is not None:
            continue  # in the host's own namespace: use_namespaces=False, of old
        guests = any(network.network_id.startswith(guest.network) for guest in running_guests(domains))
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
            yield _of_device(device, network, "is down")


def _of_device(device: Link, network: DhcpNetwork, what: str, *also: Evidence) -> Finding:
    return Finding(
        device,
        f"{device.name} in {device.namespace} {what}",
        evidence=(device.evidence, *also),
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
            served_by = (network.process.evidence,) if network.process is not None else ()
            yield _of_device(device, network, f"has no address in {', '.join(map(str, ranges))}", *served_by)


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

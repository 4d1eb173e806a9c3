"""What of a node can be compared with another look at it, or with its siblings: settings, not counters.

A trait is a kind, a name and lines of text: ``configuration``, ``nova [DEFAULT] my_ip``, ``192.0.2.7``.  What moves by
itself in a healthy cloud is in none: counters, process ids, times, the reply queues of whoever started last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.bridges import BridgeNetfilter
from stackdoctor.facts.fact import Fact
from stackdoctor.facts.host import Conntrack, Host, HostsFile
from stackdoctor.facts.iptables import Ip6tables, Iptables
from stackdoctor.facts.iptables_rule import COUNTERS
from stackdoctor.facts.libvirt import Domains
from stackdoctor.facts.links import Link, Links
from stackdoctor.facts.mysql import Mysql
from stackdoctor.facts.namespaces import Namespaces
from stackdoctor.facts.openstack_services import ComputeServices, NetworkAgents, VolumeServices
from stackdoctor.facts.ovs_db import OpenvSwitch
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.rabbitmq_policies import Policies
from stackdoctor.facts.rabbitmq_queues import Queues
from stackdoctor.facts.rabbitmq_status import BrokerStatus
from stackdoctor.facts.releases import Releases
from stackdoctor.facts.routes import Routes
from stackdoctor.facts.rules import Rules
from stackdoctor.facts.service_config import ServiceConfig
from stackdoctor.facts.service_names import is_of_the_cloud
from stackdoctor.facts.services import Services
from stackdoctor.model import NodeResults

__all__ = ["HOSTS", "KINDS", "Lines", "Traits", "traits_of"]

HOSTS = "/etc/hosts"
Lines = tuple[str, ...]
Said = Iterator[tuple[str, str, Lines]]


@dataclass(frozen=True)
class Traits:
    """The traits of one node by the fact that they are of, then by kind and name.

    A fact that cannot be there has none; one that should be and could not be read is in ``unread`` with the reason.
    ``partial`` says what of a fact is missing: of that one, a trait that is not there may only not have been read.
    """

    by_fact: Mapping[str, Mapping[tuple[str, str], Lines]]
    unread: Mapping[str, str]
    partial: Mapping[str, str]


def traits_of(results: NodeResults) -> Traits:
    """What ``results`` say of the node's settings."""
    found: dict[str, dict[tuple[str, str], Lines]] = {}
    unread: dict[str, str] = {}
    partial: dict[str, str] = {}
    for fact, tell in _SOURCES:
        name = fact.__name__
        try:
            value = fact.parse(results)
            found[name] = {(kind, about): lines for kind, about, lines in tell(value)}
        except NotApplicable as error:
            if hasattr(fact, "nowhere"):  # no node was asked for it, which says nothing of whether it is there
                unread[name] = str(error)
            else:
                found[name] = {}
        except CouldNotCheck as error:
            unread[name] = str(error)
        except Exception as error:  # hostile text may find a parser's mistake: that kind is lost, not the comparison
            unread[name] = f"{name}: {type(error).__name__}: {error}"
        else:
            for _, reason in getattr(value, "gaps", ()):
                partial[name] = reason
    return Traits(found, unread, partial)


def _configuration(config: ServiceConfig) -> Said:
    for settings in config:
        for (section, name), option in settings.options.items():
            yield "configuration", f"{settings} [{section}] {name}", option.values


def _kernel(host: Host) -> Said:
    yield "version", "kernel", (f"{host.kernel} {host.machine}",)


def _releases(releases: Releases) -> Said:
    for release in releases:
        yield "version", release.project, (release.version,)


def _services(services: Services) -> Said:
    for service in services:
        if not is_of_the_cloud(service.name):
            continue
        if service.manager != "systemd":
            yield "version", f"image of {service.unit}", (service.evidence.line.rpartition("\t")[2],)
        if not service.on_demand:
            state = "down" if service.down else service.active
            yield "service", service.unit, (state, "starts at boot" if service.enabled else "does not start at boot")


def _processes(processes: Processes) -> Said:
    """Whether a program runs, and what a signal stopped: how many workers it has is its own business."""
    stopped = {p.service: p for p in processes if p.stat.startswith("T")}
    for service in {p.service for p in processes if is_of_the_cloud(p.service)}:
        yield "process", service, ("runs", *(["stopped by a signal"] if service in stopped else []))


def _links(links: Links) -> Said:
    for link in links.links:
        yield "interface", str(link), tuple(_said_of(link))


def _said_of(link: Link) -> Iterator[str]:
    yield f"mtu {link.mtu}"
    yield "up" if link.up else "down"
    if link.master:
        yield f"on {link.master}"
    if link.vlan is not None:
        yield f"vlan {link.vlan} of {link.parent}"
    if link.vxlan is not None:
        ends = (("local", link.vxlan.local), ("group", link.vxlan.group), ("remote", link.vxlan.remote))
        yield " ".join([f"vni {link.vxlan.vni} over {link.vxlan.device}", *(f"{k} {v}" for k, v in ends if v)])
    if link.port_state and link.port_state != "forwarding":
        yield link.port_state
    if link.nf_call_iptables is not None and link.nf_call_iptables:
        yield "nf_call_iptables"


def _netfilter(switches: BridgeNetfilter) -> Said:
    if switches.loaded:
        for name in ("iptables", "ip6tables", "arptables"):
            value = getattr(switches, name)
            if value is not None:
                yield "setting", f"net.bridge.bridge-nf-call-{name}", (str(int(value)),)
    else:
        yield "setting", "br_netfilter", ("not loaded",)


def _conntrack(conntrack: Conntrack) -> Said:
    yield "setting", "nf_conntrack_max", (str(conntrack.limit),)


def _hosts(hosts: HostsFile) -> Said:
    """But for what the file calls the node itself on its loopback."""
    rows = (row for row in hosts.rows if not row.address.startswith("127.") and ":" not in row.address)
    yield "setting", HOSTS, tuple(sorted(f"{row.address} {' '.join(row.names)}" for row in rows))


def _filter(program: str) -> Callable[[Any], Said]:
    def tell(host: Iptables) -> Said:
        yield "version", program, (" ".join(filter(None, (host.version, host.backend))),)
        for namespace, tables in (("", host), *host.namespaces.items()):
            for table in tables.tables.values():
                for chain in table.chains.values():
                    name = f"{program} {table.name} {chain.name}" + (f" in {namespace}" if namespace else "")
                    policy = [f"policy {chain.policy}"] if chain.policy else []
                    yield "chain", name, (*policy, *(_without_counters(line) for line in chain.lines))

    return tell


def _without_counters(line: str) -> str:
    """``-p tcp -j DROP`` of ``[3:180] -A INPUT -p tcp -j DROP``."""
    rest = COUNTERS.sub("", line, count=1).strip()
    return rest.split(" ", 2)[2] if rest.count(" ") > 1 else rest


def _addresses(addresses: Addresses) -> Said:
    by_device: dict[str, list[str]] = {}
    for address in addresses.addresses:
        if address.scope == "global" and "temporary" not in address.flags:
            place = f"{address.device} in {address.namespace}" if address.namespace else address.device
            by_device.setdefault(place, []).append(str(address.interface))
    for place, given in by_device.items():
        yield "address", place, tuple(sorted(given))


def _routes(routes: Routes) -> Said:
    found: dict[str, list[str]] = {}
    for route in routes.routes:
        if route.table == "local" or route.kind in ("multicast", "anycast") or route.destination.is_link_local:
            continue
        # what the kernel makes of an address says no more than the address
        if route.protocol != "kernel":
            found.setdefault(route.namespace, []).append(route.line)
    for namespace, lines in found.items():
        yield "routes", namespace or "host", tuple(sorted(lines))


def _rules(rules: Rules) -> Said:
    found: dict[str, list[str]] = {}
    for rule in rules.rules:
        found.setdefault(rule.namespace, []).append(rule.line)
    for namespace, lines in found.items():
        yield "routing rules", namespace or "host", tuple(lines)


def _namespaces(namespaces: Namespaces) -> Said:
    for namespace in namespaces.namespaces:
        yield "namespace", namespace.name, ("is there",)


def _switch(switch: OpenvSwitch) -> Said:
    yield "version", "Open vSwitch", (switch.version,)
    for name, values in (("other_config", switch.other_config), ("external_ids", switch.external_ids)):
        for key, value in values.items():
            yield "Open vSwitch", f"{name} {key}", (value,)
    for port in switch.ports:
        mtus = [f"mtu {i.mtu}" for i in port.interfaces if i.mtu is not None]
        failed = [i.error for i in port.interfaces if i.failed]
        tag = [] if port.tag is None else [f"tag {port.tag}"]
        yield "Open vSwitch", f"port {port.name}", (f"on {port.bridge}", *tag, *mtus, *failed)


def _domains(domains: Domains) -> Said:
    for domain in domains.domains:
        yield "instance", domain.nova_name or domain.name, (domain.state,)


def _broker(broker: BrokerStatus) -> Said:
    if broker.configured and not broker.answering:
        raise CouldNotCheck("the broker does not answer")
    if broker.version:
        yield "version", "RabbitMQ", (broker.version,)


def _queues(queues: Queues) -> Said:
    """Those with a name that lasts: replies and fan-outs have one of their own in each process."""
    for queue in queues:
        if queue.kind in ("rpc", "rpc-host"):
            state = [queue.state] if queue.state not in ("", "running", "flow", "idle") else []
            has = "has a consumer" if queue.consumers else "has no consumer"
            yield "queue", queue.name, (has, *(["holds messages that stay"] if queue.stuck else []), *state)


def _policies(policies: Policies) -> Said:
    for policy in policies:
        yield "policy", f"{policy.name} of {policy.vhost}", (policy.pattern, str(dict(policy.definition)))


def _database(server: Mysql) -> Said:
    if not server.running or server.refused:
        raise CouldNotCheck("the server does not answer")
    if server.version:
        yield "version", "MySQL", (server.version,)
    for name in ("max_connections", "wait_timeout"):
        value = getattr(server, name)
        if value is not None:
            yield "setting", f"MySQL {name}", (str(value),)


def _agents(services: ComputeServices | VolumeServices | NetworkAgents) -> Said:
    for row in services.rows:
        place = f"{row.host}@{row.backend}" if row.backend else row.host
        disabled = "forced down" if row.forced_down else "enabled" if row.enabled else "disabled"
        yield "agent", f"{row.binary} on {place}", ("up" if row.up else "down", disabled)


_SOURCES: tuple[tuple[type[Fact], Callable[[Any], Said]], ...] = (
    (Host, _kernel),
    (Releases, _releases),
    (Services, _services),
    (Processes, _processes),
    (ComputeServices, _agents),
    (VolumeServices, _agents),
    (NetworkAgents, _agents),
    (BrokerStatus, _broker),
    (Queues, _queues),
    (Policies, _policies),
    (Mysql, _database),
    (ServiceConfig, _configuration),
    (HostsFile, _hosts),
    (Conntrack, _conntrack),
    (BridgeNetfilter, _netfilter),
    (Links, _links),
    (OpenvSwitch, _switch),
    (Namespaces, _namespaces),
    (Addresses, _addresses),
    (Routes, _routes),
    (Rules, _rules),
    (Domains, _domains),
    (Iptables, _filter("iptables")),
    (Ip6tables, _filter("ip6tables")),
)

KINDS = (
    *("version", "configuration", "setting", "service", "process", "agent", "queue", "policy", "instance"),
    *("interface", "address", "Open vSwitch", "namespace", "routes", "routing rules", "chain"),
)
"""The kinds of traits, in the order in which differences are shown."""

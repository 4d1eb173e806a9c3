"""Virtual addresses that no node has, or more than one."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Cloud, Evidence, Finding, Severity, check
from stackdoctor.facts.addresses import Address, Addresses
from stackdoctor.facts.logs import LogHits
from stackdoctor.facts.neighbours import Neighbours
from stackdoctor.facts.pacemaker import Pacemaker
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.services import Services
from stackdoctor.facts.virtual_addresses import VirtualAddress, VirtualAddresses

ANSWERED = frozenset(("REACHABLE", "DELAY", "PROBE"))
FRESH = 120
"""Seconds within which an address was asked for; entries of failures stay for long."""

UNANSWERED = frozenset(("FAILED", "INCOMPLETE"))
MOVING = 15.0
"""Seconds after a transition in which an address may be on its way from one node to the other."""


def _named(cloud: Cloud[VirtualAddresses]) -> dict[str, dict[str, VirtualAddress]]:
    """Each virtual address, and the nodes whose configuration names it."""
    found: dict[str, dict[str, VirtualAddress]] = {}
    for node, addresses in cloud:
        for address in addresses:
            found.setdefault(address.ip, {})[node] = address
    return found


def _holders(ip: str, addresses: Cloud[Addresses]) -> dict[str, Address]:
    """The nodes that have ``ip``, not counting the loopback, where a balancer's real servers have it on purpose."""
    found: dict[str, Address] = {}
    for node, own in addresses:
        for address in own.holding(ip):
            if not address.namespace and address.device != "lo" and not address.device.startswith("dummy"):
                found.setdefault(node, address)
    return found


def _is_shared(named: dict[str, VirtualAddress], clusters: Cloud[Pacemaker] | None) -> bool:
    """Whether the cluster itself has the resource on several nodes: a clone that is meant to be there."""
    for node, address in named.items():
        cluster = clusters.facts.get(node) if clusters is not None else None
        if cluster is None or not cluster.quorum or address.manager != "pacemaker":
            continue
        own = [r for r in cluster.resources if r.id == address.name and r.active and not r.failed]
        if len(own) > 1 and len({n for r in own for n in r.nodes}) > 1:
            return True
    return False


def _on_the_move(hits: Cloud[LogHits] | None) -> bool:
    return any(hit.age < MOVING for _, found in hits or () for hit in found.of("keepalived-transition"))


@check("vip.split", severity=Severity.CRITICAL)
def on_several_nodes(
    cloud: Cloud[VirtualAddresses],
    addresses: Cloud[Addresses],
    clusters: Cloud[Pacemaker] | None,
    hits: Cloud[LogHits] | None,
) -> Iterator[Finding]:
    """Two nodes have the same virtual address at once: they do not hear each other, and both answer for it.

    Each client reaches the one or the other, and connections break when its neighbour entry changes.  A resource that
    Pacemaker runs on several nodes on purpose (a clone of IPaddr2, which shares the load) is left out.
    """
    if _on_the_move(hits):
        return
    for ip, named in _named(cloud).items():
        holders = _holders(ip, addresses)
        if len(holders) < 2 or _is_shared(named, clusters):
            continue
        first, second = sorted(holders)[:2]
        yield Finding(
            ip,
            f"the virtual address {ip} is on {', '.join(sorted(holders))} at once",
            node=first,
            evidence=tuple(holder.evidence for _, holder in sorted(holders.items())),
            ip=ip,
            host=first,
            target_host=second,
            manager=next(iter(named.values())).manager,
            vip=next(iter(named.values())).name,
        )


@check("vip.missing", severity=Severity.CRITICAL)
def on_no_node(
    cloud: Cloud[VirtualAddresses],
    addresses: Cloud[Addresses],
    services: Cloud[Services] | None,
    processes: Cloud[Processes] | None,
    clusters: Cloud[Pacemaker] | None,
    neighbours: Cloud[Neighbours] | None,
    hits: Cloud[LogHits] | None,
) -> Iterator[Finding]:
    """A virtual address is on none of the nodes that may have it: nobody reaches what is behind it.

    Only where all of them could be looked at: keepalived's peers, or the members of the cluster.  Where the
    configuration does not name the peers, a node must have asked for the address in vain.  An address whose manager
    is not in use on any node, or whose resource an operator stopped, is left out.
    """
    if _on_the_move(hits):
        return
    for ip, named in _named(cloud).items():
        if _holders(ip, addresses) or any(node not in addresses.facts for node in named):
            continue
        first = next(iter(named.values()))
        if not any(_in_use(address, node, services, processes, clusters) for node, address in named.items()):
            continue
        asked = list(_asked(ip, neighbours))
        if any(state in ANSWERED for _, state, _ in asked) or not _all_seen(named, addresses, clusters, asked):
            continue
        node = max(named, key=lambda name: (named[name].priority or 0, name))
        failed: tuple[Evidence, ...] = tuple(shown for _, state, shown in asked if state in UNANSWERED)
        yield Finding(
            ip,
            f"the virtual address {ip} is on no node ({', '.join(sorted(named))} may have it)",
            node=node,
            evidence=(named[node].evidence, *failed[:1]),
            ip=ip,
            host=node,
            manager=first.manager,
            vip=first.name,
        )


def _in_use(
    address: VirtualAddress,
    node: str,
    services: Cloud[Services] | None,
    processes: Cloud[Processes] | None,
    clusters: Cloud[Pacemaker] | None,
) -> bool:
    if address.manager == "pacemaker":
        cluster = clusters.facts.get(node) if clusters is not None else None
        return (
            cluster is not None
            and any(r.id == address.name and r.managed and r.wanted for r in cluster.resources)
            and not cluster.maintenance
            and bool(cluster.dc)
        )
    found = processes.facts.get(node) if processes is not None else None
    if found is not None and any(not process.zombie for process in found.of("keepalived")):
        return True
    known = services.facts.get(node) if services is not None else None
    return known is not None and any(service.down for service in known.of("keepalived"))


def _asked(ip: str, neighbours: Cloud[Neighbours] | None) -> Iterator[tuple[str, str, Evidence]]:
    """What the nodes know of ``ip``: node, state and entry; a failure that nobody has asked again is history."""
    for node, table in neighbours or ():
        for entry in table.neighbours:
            past = entry.state == "FAILED" and entry.idle is not None and entry.idle > FRESH
            if entry.address == ip and not entry.namespace and not past:
                yield node, entry.state, entry.evidence


def _all_seen(
    named: dict[str, VirtualAddress],
    addresses: Cloud[Addresses],
    clusters: Cloud[Pacemaker] | None,
    asked: list[tuple[str, str, Evidence]],
) -> bool:
    """Whether no other node can have it: all peers were looked at, or the address was asked for in vain."""
    if any(state in UNANSWERED for _, state, _ in asked) and not any(state == "STALE" for _, state, _ in asked):
        return True  # entries of failures stay for long: a node that had an answer since tells otherwise
    own = {a.ip for _, found in addresses for a in found.within()}
    if all(address.manager == "keepalived" for address in named.values()):
        peers = {peer for address in named.values() for peer in address.peers}
        return bool(peers) and peers <= own
    members = {m.name.partition(".")[0] for n, c in clusters or () if n in named for m in c.members}
    return bool(members) and members <= {node.partition(".")[0] for node in addresses.facts}

"""Galera: whether the nodes of the database's cluster serve, and see each other."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.galera import GaleraFlow, GaleraSaved
from stackdoctor.facts.logs import LogHits
from stackdoctor.facts.mysql import Galera, Mysql
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.services import Services

DAEMONS = ("mysqld", "mariadbd", "mysqld_safe", "mariadbd-safe")
PAUSED = 0.1
"""The part of the time above which the Galera manual calls flow control a bottleneck."""


def _members(cloud: Cloud[Mysql]) -> Iterator[tuple[str, Galera]]:
    """Each member that answers once, under its own host name."""
    seen: set[str] = set()
    for node, database in cloud:
        name = database.hostname or node
        if database.galera is not None and name.lower() not in seen:
            seen.add(name.lower())
            yield name, database.galera


@check("galera.non-primary", severity=Severity.CRITICAL)
def not_in_the_primary_component(cloud: Cloud[Mysql]) -> Iterator[Finding]:
    """This member lost the majority of its cluster and answers every query with error 1047."""
    for host, galera in _members(cloud):
        if not galera.primary:
            status = galera.cluster_status or "unknown"
            yield Finding(
                galera,
                f"Galera on {host} is not in the primary component (wsrep_cluster_status {status})",
                node=host,
                host=host,
                status=status,
                size=galera.size,
            )


@check("galera.not-synced", severity=Severity.WARNING)
def not_synchronized(cloud: Cloud[Mysql]) -> Iterator[Finding]:
    """This member is in the cluster and is not synchronized: it hands its data to another, or gets it."""
    for host, galera in _members(cloud):
        if galera.primary and galera.state != "Synced":
            yield Finding(
                galera,
                f"Galera on {host} is {galera.state or 'in an unknown state'}, not Synced",
                node=host,
                severity=None if galera.ready else Severity.ERROR,
                host=host,
                state_of_node=galera.state,
            )


@check("galera.members.missing", severity=Severity.WARNING)
def fewer_members_than_servers(cloud: Cloud[Mysql]) -> Iterator[Finding]:
    """A member of the primary component counts fewer members than there are servers of its cluster that answer.

    Servers of one cluster have one wsrep_cluster_state_uuid; those of other clusters (regions, cells) do not count.
    """
    every = list(_members(cloud))
    for host, galera in every:
        members = [g for _, g in every if g.cluster == galera.cluster]
        if galera.primary and galera.size is not None and galera.size < len(members):
            yield Finding(
                galera,
                f"Galera on {host} has {galera.size} members, and {len(members)} servers answer",
                node=host,
                host=host,
                size=galera.size,
                servers=len(members),
            )


@check("galera.all-down", severity=Severity.CRITICAL)
def whole_cluster_down(
    saved: Cloud[GaleraSaved],
    cloud: Cloud[Mysql] | None,
    processes: Cloud[Processes] | None,
    services: Cloud[Services],
    hits: Cloud[LogHits] | None,
) -> Iterator[Finding]:
    """No member of the database's cluster serves: each is down, or outside of the primary component.

    None of them starts the cluster by itself.  The one with the last transaction has to be bootstrapped, by hand:
    grastate.dat calls it safe_to_bootstrap after an orderly end; after a crash it says seqno -1, and the server's
    log tells the recovered position when it is started.  Where only one member could be looked at, nothing is said,
    nor where a server is meant to run on none of them: then the files are of former days.
    """
    if len(saved.facts) < 2 or cloud is None or any(a.applicable for a in saved.absent.values()):
        return
    if not any(_is_meant(services.facts.get(node)) for node in saved.facts):
        return
    if any(_serves(node, cloud, processes) for node in saved.facts):
        return
    if any(database.running for node, database in cloud if node not in saved.facts):
        return  # reached over the network: some member, or another server, is there
    positions = {node: max(member.saved.seqno, _recovered(node, hits)) for node, member in saved}
    safe = [node for node, member in saved if member.saved.safe_to_bootstrap]
    highest = max(positions.values())
    ahead = [node for node, position in positions.items() if position == highest and highest >= 0]
    first = ahead if ahead and -1 not in positions.values() else safe
    best = first[0] if len(first) == 1 or (first and first is ahead) else ""
    shown = ", ".join(f"{node} {position}" for node, position in sorted(positions.items()))
    advice = f"{best} has the last transaction" if best else "which one is the most advanced is not known"
    node = best or sorted(saved.facts)[0]
    yield Finding(
        "Galera",
        f"no member of the database's cluster serves (seqno: {shown}); {advice}",
        node=node,
        evidence=tuple(member.evidence for _, member in sorted(saved.facts.items())),
        host=node,
        service="mysql",
        most_advanced=best or None,
        members=",".join(sorted(saved.facts)),
    )


def _is_meant(services: Services | None) -> bool:
    """Whether a server is to run there, by its unit or container, or by Pacemaker, which goes past systemd."""
    return services is not None and any(services.meant(name) for name in ("mysql", "pacemaker"))


def _serves(node: str, cloud: Cloud[Mysql], processes: Cloud[Processes] | None) -> bool:
    """Whether the member on ``node`` takes queries, or may: what could not be asked counts as serving."""
    database = cloud.facts.get(node)
    if database is not None and database.running:
        return bool(database.refused) or database.galera is None or database.galera.primary
    found = processes.facts.get(node) if processes is not None else None
    running = found is None or any(
        process.args[:4096].partition(" ")[0].rpartition("/")[2] in DAEMONS and not process.zombie
        for process in found.of("mysql")
    )
    if database is None:
        absent = cloud.absent.get(node)
        return running or absent is None
    return False


def _recovered(node: str, hits: Cloud[LogHits] | None) -> int:
    """The last position that the server on ``node`` recovered at a start, as its log says; -1 without one."""
    own = hits.facts.get(node) if hits is not None else None
    found = (
        [hit for hit in own.of("galera-recovered") if hit.keys.get("seqno", "").isdigit()] if own is not None else []
    )
    last = max(found, key=lambda hit: hit.last, default=None)
    return int(last.keys["seqno"][:18]) if last is not None else -1


@check("galera.flow-control", severity=Severity.WARNING)
def flow_control(cloud: Cloud[GaleraFlow]) -> Iterator[Finding]:
    """Writes wait for a member that cannot keep up: flow control held them for a tenth of the time or more.

    Measured over the seconds between two looks, not since the server's start.  The member that asks for it is the
    slow one; the others only wait.
    """
    slow = {node: flow for node, flow in cloud if flow.sent or flow.requested}
    worst = max(cloud.facts.items(), key=lambda item: item[1].paused, default=None)
    if worst is None or worst[1].paused < PAUSED:
        return
    for node, flow in slow.items() or [worst]:
        who = f"{node} cannot keep up" if slow else "a member that was not looked at cannot keep up"
        yield Finding(
            flow,
            f"the database's cluster stood still for {worst[1].paused:.0%} of {flow.seconds:.0f} s: {who}",
            node=node,
            host=node,
            paused=f"{worst[1].paused:.2f}",
            queue=flow.queue,
            slow="yes" if slow else "unknown",
        )

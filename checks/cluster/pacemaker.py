"""Pacemaker and Corosync: the majority, the members, the resources."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Cloud, Evidence, Finding, Severity, check
from stackdoctor.facts.corosync import Corosync
from stackdoctor.facts.pacemaker import ClusterResource, Pacemaker
from stackdoctor.facts.processes import Processes

SETTLED = 120
"""Seconds after its start by which a cluster has elected who decides; until then all members count as unclean."""


def _started(node: str, processes: Cloud[Processes] | None) -> int:
    """Seconds since the cluster's youngest daemon on ``node`` was started; a large number where that is not known."""
    found = processes.facts.get(node) if processes is not None else None
    own = (*found.of("corosync"), *found.of("pacemaker")) if found is not None else ()
    return min((process.age for process in own), default=SETTLED)


def _seen_by(cloud: Cloud[Pacemaker]) -> list[tuple[str, Pacemaker]]:
    """The nodes that see a cluster in which somebody decides, those of the majority first."""
    able = [(node, cluster) for node, cluster in cloud if cluster.running and cluster.dc]
    return sorted(able, key=lambda pair: (not pair[1].quorum, pair[0]))


@check("pacemaker.no-quorum", severity=Severity.CRITICAL)
def no_quorum(
    corosync: Cloud[Corosync], cloud: Cloud[Pacemaker] | None, processes: Cloud[Processes] | None
) -> Iterator[Finding]:
    """The node does not hear the majority of its cluster: Pacemaker stops what it runs there, or nothing is moved.

    In the first two minutes after a start the others may still be on their way.
    """
    for node, member in corosync:
        quorum = member.quorum
        if quorum is None or quorum.quorate or _started(node, processes) < SETTLED:
            continue
        seen: list[Evidence] = [member.evidence]
        cluster = cloud.facts.get(node) if cloud is not None else None
        if cluster is not None and cluster.quorum is False:
            seen.append(cluster.evidence)
        yield Finding(
            member,
            f"the cluster has no quorum on {node}: {quorum.votes} of {quorum.expected} votes,"
            f" {quorum.needed} are needed",
            node=node,
            evidence=tuple(seen),
            host=node,
            votes=quorum.votes,
            expected=quorum.expected,
            members=",".join(quorum.members),
        )


@check("pacemaker.node-offline", severity=Severity.WARNING)
def node_offline(cloud: Cloud[Pacemaker]) -> Iterator[Finding]:
    """A member of the cluster is gone; unclean (an error) is one that was neither stopped in order nor fenced.

    Until an unclean node is fenced, the cluster does not start elsewhere what ran on it.
    """
    told: set[str] = set()
    seen = _seen_by(cloud)
    majority = any(cluster.quorum for _, cluster in seen)
    for reporter, cluster in seen:
        if majority and not cluster.quorum:
            continue  # what is cut off from the majority takes that for dead
        for member in cluster.members:
            if member.name in told:
                continue
            told.add(member.name)
            if (member.online and not member.unclean) or member.pending:
                continue
            state = "unclean" if member.unclean else "offline"
            waits = ", and is not fenced yet" if member.unclean and cluster.fences else ""
            yield Finding(
                member,
                f"{member.name} is {state} in the cluster, says {reporter}{waits}",
                node=reporter,
                severity=Severity.ERROR if member.unclean else None,
                host=member.name,
                state_of_node=state,
                fencing="on" if cluster.fences else "off",
                quorum="yes" if cluster.quorum else "no",
            )


@check("pacemaker.down", severity=Severity.WARNING)
def not_running(cloud: Cloud[Pacemaker], corosync: Cloud[Corosync] | None) -> Iterator[Finding]:
    """The cluster manager of this node does not run while it runs on others, which carry on without this node."""
    serving = [node for node, cluster in cloud if cluster.running]
    for node, cluster in cloud:
        if cluster.running or not serving:
            continue
        own = corosync.facts.get(node) if corosync is not None else None
        program = "corosync" if own is not None and not own.running else "pacemaker"
        yield Finding(
            cluster,
            f"{program} does not run on {node}, and the cluster runs on {', '.join(sorted(serving)[:5])}",
            node=node,
            host=node,
            service=program,
        )


@check("pacemaker.no-dc", severity=Severity.ERROR)
def nobody_decides(cloud: Cloud[Pacemaker], processes: Cloud[Processes] | None) -> Iterator[Finding]:
    """The cluster has elected nobody to decide for minutes: no resource is started, moved or watched."""
    for node, cluster in cloud:
        if cluster.running and not cluster.dc and _started(node, processes) >= SETTLED:
            if processes is None or node not in processes.facts:
                continue
            yield Finding(cluster, f"the cluster on {node} has no designated controller", node=node, host=node)


@check("pacemaker.resource.failed", severity=Severity.ERROR)
def resource_failed(cloud: Cloud[Pacemaker]) -> Iterator[Finding]:
    """The cluster could not start or stop a resource, and it runs nowhere; a warning where other instances of it run.

    A failure that is only remembered (the resource runs again) is none, nor is what an operator stopped or took
    out of the cluster's hands.
    """
    seen = _seen_by(cloud)
    if not seen or not seen[0][1].quorum:
        return  # without quorum everything is stopped
    reporter, cluster = seen[0]
    if cluster.maintenance:
        return
    for name, instances in _by_name(cluster).items():
        broken = [r for r in instances if r.failed or r.blocked]
        stopped = [r for r in instances if not r.active]
        failures = [f for f in cluster.failures if f.resource == name]
        runs = [r for r in instances if r.active and not r.failed]
        where = {node for r in runs for node in r.nodes}
        left = [f for f in failures if f.node not in where]
        if not broken and not (stopped and left):
            continue
        last = left[-1] if left else None
        why = f": {last.task} on {last.node}: {last.reason}" if last is not None else ""
        host = last.node if last is not None else next((n for r in broken for n in r.nodes), reporter)
        yield Finding(
            broken[0] if broken else stopped[0],
            f"the cluster resource {name} {'is blocked' if any(r.blocked for r in broken) else 'has failed'}{why}",
            node=reporter,
            severity=Severity.WARNING if runs else None,
            evidence=(*((last.evidence,) if last is not None else ()), (broken or stopped)[0].evidence),
            host=host,
            resource=name,
            agent=instances[0].agent,
            reason=last.reason if last is not None else None,
        )


def _by_name(cluster: Pacemaker) -> dict[str, list[ClusterResource]]:
    found: dict[str, list[ClusterResource]] = {}
    for resource in cluster.resources:
        if resource.managed and resource.wanted:
            found.setdefault(resource.id, []).append(resource)
    return found


@check("pacemaker.fencing.failed", severity=Severity.ERROR)
def fencing_failed(cloud: Cloud[Pacemaker]) -> Iterator[Finding]:
    """The cluster tried to fence a node that is unclean, and could not: it waits, and what ran there stays down."""
    for reporter, cluster in _seen_by(cloud)[:1]:
        unclean = {member.name for member in cluster.members if member.unclean}
        latest = {attempt.target: attempt for attempt in reversed(cluster.fencings)}  # newest first in the report
        for target, attempt in latest.items():
            if attempt.status == "failed" and target in unclean:
                yield Finding(
                    target,
                    f"fencing {target} failed, and it is unclean: the cluster waits",
                    node=reporter,
                    evidence=attempt.evidence,
                    host=target,
                )


@check("pacemaker.maintenance", severity=Severity.INFO)
def maintenance(cloud: Cloud[Pacemaker]) -> Iterator[Finding]:
    """The cluster or a node of it is in maintenance or standby: an operator's doing, and resources are not moved."""
    for reporter, cluster in _seen_by(cloud)[:1]:
        if cluster.maintenance:
            yield Finding(cluster, "the cluster is in maintenance: nothing is started or moved", node=reporter)
        for member in cluster.members:
            if member.standby or member.maintenance:
                state = "maintenance" if member.maintenance else "standby"
                message = f"{member.name} is in {state}"
                yield Finding(member, message, node=reporter, host=member.name, state_of_node=state)


@check("corosync.link.down", severity=Severity.WARNING)
def link_down(corosync: Corosync) -> Iterator[Finding]:
    """One of several links to a peer is down: the cluster lives on the others, and one more failure splits it."""
    connected = {link.peer for link in corosync.links if link.state == "connected"}
    for link in corosync.links:
        if link.state == "disconnected" and link.peer in connected:
            yield Finding(
                f"link {link.number}",
                f"link {link.number} to node {link.peer} of the cluster is down, another one carries it",
                evidence=corosync.evidence,
                host=corosync.evidence.node,
                link=link.number,
                peer=link.peer,
            )

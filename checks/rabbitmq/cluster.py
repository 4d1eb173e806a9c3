"""The broker's cluster: whether its members see each other."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.rabbitmq_status import BrokerStatus


@check("rabbitmq.cluster.partitioned", severity=Severity.CRITICAL)
def partitioned(cloud: Cloud[BrokerStatus]) -> Iterator[Finding]:
    """Members of the broker's cluster lost each other and went on separately.

    `cluster_status` names the partition (`recorded`); it stays so after the network is whole again, until one
    side is restarted.  Or two members that both answer do not count each other as running: the network between
    them is cut this moment, or the version does not record partitions.  What is published on one side is not
    seen on the other, so that RPC fails according to which member a service happens to be connected to.
    """
    answering = {status.node: status for _, status in cloud if status.answering and status.node}
    names = {status.node: node for node, status in cloud if status.node}
    seen: set[frozenset[str]] = set()
    for node, status in cloud:
        recorded = {lost for observer, others in status.partitions or () if observer == status.node for lost in others}
        unseen = {
            other
            for other, found in answering.items()
            if other in status.nodes and _misses(status, other) and _misses(found, status.node)
        }
        for lost in sorted(recorded | unseen):
            pair = frozenset((status.node, lost))
            if pair not in seen:
                seen.add(pair)
                yield Finding(
                    status,
                    f"{status.node} and {lost} of the broker's cluster are partitioned: neither counts the other",
                    node=node,
                    evidence=status.cluster_evidence,
                    host=node,
                    peer=names.get(lost, lost),
                    recorded="yes" if lost in recorded else "no",
                )


def _misses(status: BrokerStatus, other: str) -> bool:
    return bool(status.running_nodes) and other != status.node and other not in status.running_nodes


@check("rabbitmq.cluster.member-missing", severity=Severity.WARNING)
def member_missing(cloud: Cloud[BrokerStatus]) -> Iterator[Finding]:
    """A member of the broker's cluster does not run, as its peers see it; queues that live there are lost till then."""
    seen: set[str] = set()
    answering = {status.node for _, status in cloud if status.answering}
    for node, status in cloud:
        if not status.running_nodes:
            continue
        for member in status.nodes:
            if member not in status.running_nodes and member not in answering and member not in seen:
                seen.add(member)
                yield Finding(
                    member,
                    f"{member} belongs to the broker's cluster and does not run;"
                    f" {len(status.running_nodes)} of {len(status.nodes)} members do",
                    node=node,
                    evidence=status.cluster_evidence,
                    broker=member,
                    majority="yes" if 2 * len(status.running_nodes) > len(status.nodes) else "no",
                )

"""The broker itself: whether it answers, and its alarms."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.rabbitmq_connections import Connections
from stackdoctor.facts.rabbitmq_status import Alarm, BrokerStatus


@check("rabbitmq.broker.down", severity=Severity.CRITICAL)
def broker_down(status: BrokerStatus) -> Iterator[Finding]:
    """A broker that has run on this node does not answer rabbitmqctl.

    A node with the client tools only, which never had a database of its own, is left out.
    """
    if status.configured and not status.answering:
        yield Finding(status, f"RabbitMQ does not answer: {status.reason}", evidence=status.evidence)


def _alarms(cloud: Cloud[BrokerStatus], kind: str) -> Iterator[tuple[str, Alarm, BrokerStatus]]:
    """Each alarm once, at the node that raised it: all nodes of a cluster tell of it."""
    seen: set[str] = set()
    for asked, status in cloud:
        for alarm in status.alarms:
            if alarm.kind == kind and alarm.node not in seen:
                seen.add(alarm.node)
                raiser = next((n for n, s in cloud if s.node == alarm.node), asked)
                yield raiser, alarm, cloud.facts[raiser]


@check("rabbitmq.alarm.memory", severity=Severity.CRITICAL)
def memory_alarm(cloud: Cloud[BrokerStatus]) -> Iterator[Finding]:
    """The broker uses more memory than its high watermark and blocks everyone who publishes, cluster-wide."""
    for node, alarm, status in _alarms(cloud, "memory"):
        yield Finding(
            alarm,
            f"memory alarm: {_mib(status.memory_used)} used, {_mib(status.memory_limit)} allowed",
            node=node,
            used=status.memory_used,
            limit=status.memory_limit,
        )


@check("rabbitmq.alarm.disk", severity=Severity.CRITICAL)
def disk_alarm(cloud: Cloud[BrokerStatus]) -> Iterator[Finding]:
    """The broker's disk has less free space than its limit, and it blocks everyone who publishes, cluster-wide."""
    for node, alarm, status in _alarms(cloud, "disk"):
        yield Finding(
            alarm,
            f"disk alarm: {_mib(status.disk_free)} free, at least {_mib(status.disk_limit)} wanted",
            node=node,
            free=status.disk_free,
            limit=status.disk_limit,
        )


def _mib(number: int | None) -> str:
    return "an unknown amount" if number is None else f"{number / 1048576:.0f} MiB"


@check("rabbitmq.connection.blocked", severity=Severity.WARNING)
def blocked_connections(connections: Connections) -> Iterator[Finding]:
    """The broker reads nothing from these clients: an alarm is set, and what they publish waits."""
    blocked = [c for c in connections if c.blocked]
    if blocked:
        programs = sorted({c.program for c in blocked if c.program})
        yield Finding(
            "connections",
            f"{len(blocked)} of {len(connections.rows)} connections are blocked: {', '.join(programs) or 'clients'}",
            evidence=blocked[0].evidence,
            count=len(blocked),
        )

"""The broker itself: whether it answers, and its alarms."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.rabbitmq_alarms import Alarm
from stackdoctor.facts.rabbitmq_connections import Connections
from stackdoctor.facts.rabbitmq_status import BrokerStatus
from stackdoctor.facts.services import Services
from stackdoctor.facts.sockets import Sockets

AMQP_PORTS = (5672, 5671)

# Erlang runs, and RabbitMQ in it does not: after stop_app, and where a node paused itself
_APPLICATION = re.compile(r"'rabbit' app to be running|app(?:lication)? not running|node is not running")


@check("rabbitmq.broker.down", severity=Severity.CRITICAL)
def broker_down(
    status: BrokerStatus, services: Services | None, processes: Processes | None, sockets: Sockets | None
) -> Iterator[Finding]:
    """A broker that has run on this node does not answer rabbitmqctl.

    A node with the client tools only, which never had a database of its own, is left out, and so is one whose
    broker was given up: its unit is disabled, masked or gone, and did not run since the boot.  A broker with clients
    on its port is there, though rabbitmqctl does not find it: epmd was ended, or it has another name.
    """
    if status.answering or not status.configured:
        return
    if not _given_up(services, processes) and not _serves(processes, sockets):
        yield Finding(
            status,
            f"RabbitMQ does not answer: {status.reason}",
            evidence=status.evidence,
            host=status.evidence.node,
            application="stopped" if _APPLICATION.search(status.reason) else "unknown",
        )


def _given_up(services: Services | None, processes: Processes | None) -> bool:
    if services is None or processes is None or processes.of("rabbitmq-server"):
        return False
    if services.meant("pacemaker"):
        return False  # it runs the broker itself, past systemd
    units = services.of("rabbitmq-server")
    if not units:
        return bool(services.rows) and not services.unread  # masked, or its package is gone
    return all(u.active == "inactive" and not u.enabled and not u.ran for u in units)


def _serves(processes: Processes | None, sockets: Sockets | None) -> bool:
    """Whether the broker's own process listens on an AMQP port and has clients there; a stopped one has none."""
    if processes is None or sockets is None:
        return False
    own = {p.pid for p in processes.of("rabbitmq-server") if not p.zombie and not p.stopped}
    return any(
        own.intersection(s.pids) and any(c.local_port == port and c.state == "ESTAB" for c in sockets.connections)
        for port in AMQP_PORTS
        for s in sockets.listening(port)
    )


def _alarms(cloud: Cloud[BrokerStatus], kind: str) -> Iterator[tuple[str, Alarm, BrokerStatus | None]]:
    """Each alarm once, at the node that raised it, whether its broker was asked or not: all of a cluster tell of it."""
    seen: set[str] = set()
    for asked, status in cloud:
        for alarm in status.alarms:
            raiser = _raiser(alarm, asked, cloud)
            if alarm.kind == kind and raiser not in seen:
                seen.add(raiser)
                yield raiser, alarm, cloud.facts.get(raiser)


def _raiser(alarm: Alarm, asked: str, cloud: Cloud[BrokerStatus]) -> str:
    """The node whose broker is ``alarm.node`` (rabbit@HOST); the one that was asked where the alarm does not say."""
    host = alarm.node.partition("@")[2]
    short = host.partition(".")[0]
    names = [node for node, status in cloud if alarm.node and status.node == alarm.node]
    names += [n for n in (*cloud.facts, *cloud.absent) if short and n.partition(".")[0].lower() == short.lower()]
    return names[0] if names else host or asked


@check("rabbitmq.alarm.memory", severity=Severity.CRITICAL)
def memory_alarm(cloud: Cloud[BrokerStatus]) -> Iterator[Finding]:
    """The broker uses more memory than its high watermark and blocks everyone who publishes, cluster-wide."""
    for node, alarm, status in _alarms(cloud, "memory"):
        yield Finding(
            alarm,
            "memory alarm"
            + (
                f": {_mib(status.memory_used)} used, {_mib(status.memory_limit)} allowed"
                if status
                else f" of {alarm.node}"
            ),
            node=node,
            used=status.memory_used if status else None,
            limit=status.memory_limit if status else None,
        )


@check("rabbitmq.alarm.disk", severity=Severity.CRITICAL)
def disk_alarm(cloud: Cloud[BrokerStatus]) -> Iterator[Finding]:
    """The broker's disk has less free space than its limit, and it blocks everyone who publishes, cluster-wide."""
    for node, alarm, status in _alarms(cloud, "disk"):
        yield Finding(
            alarm,
            "disk alarm"
            + (
                f": {_mib(status.disk_free)} free, at least {_mib(status.disk_limit)} wanted"
                if status
                else f" of {alarm.node}"
            ),
            node=node,
            free=status.disk_free if status else None,
            limit=status.disk_limit if status else None,
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

"""What a broker runs out of, and what uses it up."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.checks.rabbitmq.queues import every_queue

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.rabbitmq_queues import Queues
from stackdoctor.facts.rabbitmq_status import BrokerStatus

NEARLY = 0.9
MANY = 100_000
SHARE = 25
"""Percent of the memory that the broker may use: from here on one queue matters to its alarm."""


def _uses(status: BrokerStatus) -> Iterator[tuple[str, int, int]]:
    """What is counted against a limit: its name, how much of it is used, and the limit."""
    for what, used, limit in (
        ("files", status.descriptors_used, status.descriptors_limit),
        ("sockets", status.sockets_used, status.sockets_limit),
    ):
        if used is not None and limit:
            yield what, used, limit


@check("rabbitmq.descriptors.exhausted", severity=Severity.CRITICAL)
def descriptors_exhausted(status: BrokerStatus) -> Iterator[Finding]:
    """The broker has no file descriptor left for a client: those that are connected work, nobody else gets in.

    After its next restart no service comes back.  The limit of sockets is nine tenths of that of open files
    (LimitNOFILE of the unit); it is not told by 4.0 and later.
    """
    alarm = next((a for a in status.alarms if a.kind == "file_descriptors"), None)
    full = [use for use in _uses(status) if use[1] >= use[2]]
    if alarm is None and not full:
        return
    what, used, limit = full[0] if full else ("files", None, None)
    yield Finding(
        status,
        f"the broker has used up its {what}" + (f": {used} of {limit}" if used is not None else " (alarm)"),
        evidence=status.evidence if alarm is None else alarm.evidence,
        host=status.evidence.node,
        what=what,
        used=used,
        limit=limit,
    )


@check("rabbitmq.descriptors.low", severity=Severity.WARNING)
def descriptors_low(status: BrokerStatus) -> Iterator[Finding]:
    """The broker has used up nine tenths of the files or sockets that it may open."""
    for what, used, limit in _uses(status):
        if NEARLY * limit <= used < limit:
            message = f"the broker uses {used} of {limit} {what}"
            yield Finding(
                status,
                message,
                evidence=status.evidence,
                host=status.evidence.node,
                what=what,
                used=used,
                limit=limit,
            )


@check("rabbitmq.queue.unconsumed", severity=Severity.WARNING)
def notifications_unconsumed(cloud: Cloud[Queues], brokers: Cloud[BrokerStatus]) -> Iterator[Finding]:
    """A queue of notifications that nobody consumes has grown so large that it matters to the broker's memory.

    Services send notifications whether anybody wants them or not.  A queue without a consumer is common and
    harmless while it is small; with hundred thousand messages, or a quarter of the memory that the broker may use,
    it leads to the memory alarm, which blocks all of RPC.
    """
    for node, queue in every_queue(cloud):
        if queue.kind != "notification" or queue.consumers or (queue.later is not None and queue.later.consumers):
            continue
        status = brokers.facts.get(node)
        limit = status.memory_limit if status is not None else None
        share = 100 * queue.memory // limit if limit else 0
        if share < SHARE and (queue.messages < MANY or queue.draining):
            continue
        yield Finding(
            queue,
            f"{queue.messages} notifications are in {queue.name} and nobody consumes them"
            + (f"; they use {share} % of the memory that the broker may use" if share else ""),
            node=node,
            queue=queue.name,
            vhost=queue.vhost,
            messages=queue.messages,
            share=share,
            growing="yes" if queue.growing else "no",
        )

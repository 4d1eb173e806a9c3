"""Replies that have nowhere to go."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.logs import LogHits
from stackdoctor.facts.rabbitmq_queues import Queues

SIGNATURES = ("rpc-drop-reply", "rpc-reply-q-abandoned")
ALIVE = 120.0
"""Seconds: requests of a client that has ended are answered or dropped after 60 (its calls' time-out)."""
PRESENT = 180.0


@check("rabbitmq.reply-queue.gone", severity=Severity.ERROR)
def reply_queue_gone(cloud: Cloud[LogHits], queues: Cloud[Queues]) -> Iterator[Finding]:
    """Servers drop replies to a queue that is gone, and its client goes on asking: it waits in vain every time.

    A reply queue belongs to one process of a client.  Where that process has ended, the last replies to it are
    dropped within a minute, which is nothing.  Where the dropping goes on for longer, the process lives, and has
    not noticed that its queue was lost (with a member of the cluster, by a policy, by hand).
    """
    there = {queue.name for _, found in queues for queue in found if queue.consumers}
    told: set[str] = set()
    for node, hits in cloud:
        for hit in (hit for signature in SIGNATURES for hit in hits.of(signature)):
            name = hit.keys.get("queue") or hit.keys.get("old", "") + hit.keys.get("new", "")
            if not name or name in there or name in told:
                continue
            if hit.last - hit.first < ALIVE or hit.age > PRESENT:
                continue
            told.add(name)
            yield Finding(
                name,
                f"the reply queue {name} is gone, and {hit.service} on {node} drops replies to it since"
                f" {hit.last - hit.first:.0f} s: its client is alive and waits in vain",
                node=node,
                evidence=hit.evidence,
                first=hit.first,
                last=hit.last,
                count=hit.count,
                queue=name,
                service=hit.service,
                host=node,
            )

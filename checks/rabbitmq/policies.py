"""Policies that take messages away before anybody reads them."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.rabbitmq_policies import Policies
from stackdoctor.facts.rabbitmq_queues import Queues

PATIENCE = 60_000
"""Milliseconds: rpc_response_timeout unless it is set (oslo.messaging, rpc/client.py)."""


@check("rabbitmq.policy.short-ttl", severity=Severity.WARNING)
def message_ttl_below_patience(policies: Policies, queues: Queues) -> Iterator[Finding]:
    """A policy drops requests before their callers give up waiting for an answer.

    A busy server finds its queue empty, and the caller learns nothing: message-ttl of the policy that applies to
    RPC queues is below 60 s, the default of rpc_response_timeout.  The same goes for x-message-ttl of the queue.
    """
    told: set[tuple[str, str]] = set()
    for queue in queues:
        if queue.kind not in ("rpc", "rpc-host", "reply"):
            continue
        policy = policies.get(queue.vhost, queue.policy) if queue.policy else None
        own = queue.arguments.get("x-message-ttl")
        limits = [n for n in (policy.milliseconds("message-ttl") if policy else None, own) if isinstance(n, int)]
        name = policy.name if policy else "arguments"
        if not limits or min(limits) >= PATIENCE or (queue.vhost, name) in told:
            continue
        told.add((queue.vhost, name))
        yield Finding(
            policy or queue,
            f"messages in {queue.name} are dropped after {min(limits) / 1000:g} s ({name}), and callers wait for 60 s",
            evidence=(policy or queue).evidence,
            policy=name,
            vhost=queue.vhost,
            queue=queue.name,
            ttl=min(limits),
        )

"""Nodes that do not answer, and clocks that differ."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.reach import NodeClock, Reach

SKEW = 2.0


@check("node.unreachable", severity=Severity.CRITICAL)
def unreachable(reach: Reach, clock: NodeClock | None) -> Iterator[Finding]:
    """Nothing answers at the node's address: no route, or connecting timed out.

    A node that refuses our login, our key or the connection is there; it is listed as not looked at.  So is one
    that only a copy of its files tells of, whose clock nobody could measure.
    """
    if reach.silent:
        yield Finding(reach, f"{reach.node} cannot be reached: {reach.failure}", host=reach.node)


@check("host.clock.skew", severity=Severity.WARNING)
def clock_skew(clocks: Cloud[NodeClock]) -> Iterator[Finding]:
    """A node's clock differs from the others' by more than two seconds.

    Against the median of all nodes, not this machine's clock.  Services take each other for dead once the
    difference nears service_down_time (60 s by default) or agent_down_time (75 s).
    """
    if len(clocks.facts) < 3:
        return
    middle = median(clock.offset for _, clock in clocks)
    for node, clock in clocks:
        skew = clock.offset - middle
        if abs(skew) > SKEW + clock.error:
            yield Finding(
                clock,
                f"the clock of {node} is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} the other nodes'",
                node=node,
                severity=Severity.ERROR if abs(skew) > 30 else None,
                host=node,
                skew=f"{skew:.1f}",
            )

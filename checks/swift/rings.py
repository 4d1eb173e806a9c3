"""Rings, which have to be the same on all nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.swift import SwiftRings


@check("swift.ring.differs", severity=Severity.WARNING)
def ring_differs(rings: Cloud[SwiftRings]) -> Iterator[Finding]:
    """A node has another version of a ring than most nodes: it looks for data where it is not.

    While new rings are being handed out it is so for a moment.
    """
    names = sorted({name for _, fact in rings for name in fact.sums})
    for name in names:
        sums = {node: fact.sums[name] for node, fact in rings if name in fact.sums}
        counted = Counter(sums.values()).most_common(2)
        if len(counted) < 2:
            continue
        tied = counted[0][1] == counted[1][1]
        for node, value in sorted(sums.items()):
            if tied or value != counted[0][0]:
                yield Finding(
                    name,
                    f"{name} on {node} differs from that of "
                    + ("the other half of the nodes" if tied else f"{counted[0][1]} other nodes"),
                    node=node,
                    evidence=rings.facts[node].lines[name],
                    host=node,
                    ring=name,
                )

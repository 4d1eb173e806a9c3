"""Rings, which have to be the same on all nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.swift import SwiftRings


@check("swift.ring.differs", severity=Severity.WARNING)
def ring_differs(rings: Cloud[SwiftRings]) -> Iterator[Finding]:
    """A node has another version of a ring than most nodes: it looks for data where it is not.

    While new rings are being handed out it is so for a moment.  Clusters are judged apart: several nodes that share
    a swift.conf which the rest do not have are one; a single node with a swift.conf of its own is still held to be one
    of the others'.
    """
    for nodes in _clusters(rings):
        for name in sorted({name for node in nodes for name in rings.facts[node].sums}):
            sums = {node: rings.facts[node].sums[name] for node in nodes if name in rings.facts[node].sums}
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


def _clusters(rings: Cloud[SwiftRings]) -> Iterator[tuple[str, ...]]:
    """The nodes of each cluster; those whose cluster cannot be told are with the largest."""
    by_settings: dict[str, list[str]] = {}
    for node, fact in rings:
        by_settings.setdefault(fact.cluster, []).append(node)
    whole = [nodes for settings, nodes in by_settings.items() if settings and len(nodes) > 1]
    whole.sort(key=len, reverse=True)
    told = {node for nodes in whole for node in nodes}
    untold = [node for node, _ in rings if node not in told]
    if not whole:
        yield tuple(untold)
    for place, nodes in enumerate(whole):
        yield (*nodes, *untold) if place == 0 else tuple(nodes)

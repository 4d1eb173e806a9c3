"""Tables of the kernel that every new connection and every new neighbour needs a place in."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.host import Conntrack
from stackdoctor.facts.neighbours import NeighbourTable

FULL = 0.98
NEARLY = 0.85


@check("host.conntrack.full", severity=Severity.ERROR)
def full_connection_table(conntrack: Conntrack) -> Iterator[Finding]:
    """The connections that netfilter tracks are as many as it may: the first packet of each new one is dropped.

    Connections that exist go on.  A warning from 85 % on.  It is the host's own count; each router's namespace has
    one of its own under the same limit, and the kernel's log names them all.
    """
    yield from _filled(conntrack, conntrack.count, conntrack.limit, "connections are tracked", conntrack.evidence.node)


@check("host.neighbours.full", severity=Severity.ERROR)
def full_neighbour_table(table: NeighbourTable) -> Iterator[Finding]:
    """The IPv4 neighbour table, which all namespaces share, is full: addresses are resolved or not by chance.

    A warning from 85 % of net.ipv4.neigh.default.gc_thresh3 on.
    """
    yield from _filled(table, table.entries, table.limit, "neighbours are in the table", table.evidence.node)


def _filled(fact: Conntrack | NeighbourTable, used: int, limit: int, what: str, node: str) -> Iterator[Finding]:
    if limit > 0 and used >= NEARLY * limit:
        full = used >= FULL * limit
        yield Finding(
            fact.evidence.source,
            f"{used} of at most {limit} {what}",
            severity=None if full else Severity.WARNING,
            evidence=fact.evidence,
            host=node,
            used=used,
            limit=limit,
            how="full" if full else "nearly",
        )

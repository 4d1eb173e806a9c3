"""A packet's way through all tables of one namespace, hook by hook, in the kernel's order.

The order is that of the priorities in include/uapi/linux/netfilter_ipv4.h: raw (and then the connection is
looked up), mangle, nat for destinations, filter, security, nat for sources.  A bridged frame comes by here
where net.bridge.bridge-nf-call-iptables is 1, with the bridge as its device in and out.
"""

from __future__ import annotations

from dataclasses import replace

from stackdoctor.errors import UsageError
from stackdoctor.facts.iptables import Rule
from stackdoctor.firewall.packet import Packet
from stackdoctor.firewall.target import translated
from stackdoctor.firewall.verdict import Ending, Path, Verdict
from stackdoctor.firewall.walk import Firewall, State, Walk, verdict_of

__all__ = ["WAYS", "traverse"]

WAYS = {
    "forward": (
        ("raw", "PREROUTING"),
        ("mangle", "PREROUTING"),
        ("nat", "PREROUTING"),
        ("mangle", "FORWARD"),
        ("filter", "FORWARD"),
        ("security", "FORWARD"),
        ("mangle", "POSTROUTING"),
        ("nat", "POSTROUTING"),
    ),
    "input": (
        ("raw", "PREROUTING"),
        ("mangle", "PREROUTING"),
        ("nat", "PREROUTING"),
        ("mangle", "INPUT"),
        ("filter", "INPUT"),
        ("security", "INPUT"),
        ("nat", "INPUT"),
    ),
    "output": (
        ("raw", "OUTPUT"),
        ("mangle", "OUTPUT"),
        ("nat", "OUTPUT"),
        ("filter", "OUTPUT"),
        ("security", "OUTPUT"),
        ("mangle", "POSTROUTING"),
        ("nat", "POSTROUTING"),
    ),
}
"""Tables and chains on the way of a packet that passes by, that is for this namespace, or that it sends."""


def traverse(firewall: Firewall, packet: Packet, way: str = "forward") -> Verdict:
    """What becomes of ``packet`` in all tables on its way (``forward``, ``input`` or ``output``).

    A mark that is not known is taken to be 0 at the beginning, as it is unless traffic control sets it; so is
    the connection's for a first packet.  A first packet (``ctstate`` NEW or RELATED) is translated as the nat
    table says.  Raises UsageError.
    """
    if way not in WAYS:
        raise UsageError(f"{way!r} is not a way through a namespace: {', '.join(WAYS)}")
    walk = Walk(firewall, packet)
    first = packet.ctstate in ("NEW", "RELATED")
    start = replace(
        packet,
        mark=packet.mark or 0,
        connmark=0 if first and packet.connmark is None else packet.connmark,
        ctnat=frozenset() if first and packet.ctnat is None else packet.ctnat,
    )
    states: list[State] = [(start, ())]
    ended: list[Ending] = []
    for table, chain in WAYS[way]:
        if table == "nat" and not first:
            continue
        went_on: list[State] = []
        for ending in walk.hook(table, chain, states):
            if ending.outcome == "nat" and ending.rule is not None:
                walk.note(f"the nat table translates it: {ending.rule.line}")
                if chain in ("PREROUTING", "OUTPUT"):
                    walk.note("its destination changes: whether it still goes this way is for the routes to say")
                went_on.append((_leaving(translated(ending.packet, ending.rule), packet, table), ending.way))
            elif ending.outcome == "accept":
                went_on.append((_leaving(ending.packet, packet, table), ending.way))
            else:
                ended.append(ending)
        states = list(dict(went_on).items())
        if not states:
            return _told(walk, packet, ended)
    return _told(walk, packet, ended + [Ending("accept", _deciding(path), path, end) for end, path in states])


def _leaving(after: Packet, before: Packet, table: str) -> Packet:
    """The packet as it goes on to the next hook: with all its devices and, after raw, its connection again."""
    return replace(
        after,
        in_iface=before.in_iface,
        out_iface=before.out_iface,
        physdev_in=before.physdev_in,
        physdev_out=before.physdev_out,
        is_bridged=before.is_bridged,
        ctstate=before.ctstate if table == "raw" and after.ctstate != "UNTRACKED" else after.ctstate,
    )


def _deciding(path: Path) -> Rule | None:
    """The filter table's rule that accepts; None where its policy does."""
    while path:
        path, step = path
        if step.table == "filter":
            return step.rule
    return None


def _told(walk: Walk, packet: Packet, endings: list[Ending]) -> Verdict:
    for ending in endings:
        tracking = next(
            (s.rule for s in ending.path if s.rule is not None and s.rule.target in ("CT", "NOTRACK")), None
        )
        if tracking is not None:
            walk.note(f"connection tracking: {' '.join(tracking.target_args) or 'none'}: {tracking.line}")
    return verdict_of(packet, endings, walk.reasons)

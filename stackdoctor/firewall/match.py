"""Whether a rule's conditions hold for a packet: yes, no, or cannot be said.

A module, an option or a value that is not known here gives "cannot be said" (None), and so does a field
that the packet leaves open; one condition that surely fails is enough for no.
"""

from __future__ import annotations

from collections.abc import Callable

from stackdoctor.facts.ipset import IpSets
from stackdoctor.facts.iptables import Match, Rule
from stackdoctor.firewall.condition import Condition, nothing, unknown
from stackdoctor.firewall.context import addrtype, mac, mark, match_set, physdev, pkttype, state
from stackdoctor.firewall.header import base, icmp, iprange, multiport, with_ports
from stackdoctor.firewall.packet import Packet

__all__ = ["compile_rule", "holds"]

_MODULES: dict[str, Callable[[Match, IpSets | None, int], list[Condition]]] = {
    "": base,
    "comment": nothing,
    "tcp": with_ports,
    "udp": with_ports,
    "udplite": with_ports,
    "sctp": with_ports,
    "dccp": with_ports,
    "multiport": multiport,
    "iprange": iprange,
    "icmp": icmp,
    "icmp6": icmp,
    "icmpv6": icmp,
    "state": state,
    "conntrack": state,
    "physdev": physdev,
    "mac": mac,
    "set": match_set,
    "pkttype": pkttype,
    "addrtype": addrtype,
    "mark": mark,
    "connmark": mark,
}


def compile_rule(rule: Rule, sets: IpSets | None, family: int) -> tuple[Condition, ...]:
    """The conditions of ``rule``, all of which must hold.  Never raises: what is not understood cannot be said."""
    conditions: list[Condition] = []
    for match in rule.matches:
        try:
            conditions += _MODULES.get(match.module, unknown)(match, sets, family)
        except (ValueError, IndexError, KeyError):
            conditions += unknown(match, sets, family)
    return tuple(conditions)


def holds(conditions: tuple[Condition, ...], packet: Packet) -> bool | None:
    """Whether all conditions hold for the packet."""
    answer: bool | None = True
    for condition in conditions:
        held = condition.test(packet)
        if held is False:
            return False
        if held is None:
            answer = None
    return answer

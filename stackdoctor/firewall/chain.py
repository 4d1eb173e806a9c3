"""Chains made ready for many packets: conditions compiled once, rules for other bridge ports passed over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from stackdoctor.facts.ipset import IpSets
from stackdoctor.facts.iptables import Chain, Iptables, Rule
from stackdoctor.firewall.condition import Condition
from stackdoctor.firewall.match import compile_rule
from stackdoctor.firewall.packet import Packet
from stackdoctor.firewall.target import change_of

__all__ = ["ReadyChain", "ReadyRule", "ReadyTables"]


@dataclass(frozen=True)
class ReadyRule:
    """A rule with its conditions and its change, each worked out on first use."""

    rule: Rule
    sets: IpSets | None
    family: int

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """All that must hold."""
        return compile_rule(self.rule, self.sets, self.family)

    @cached_property
    def change(self) -> Callable[[Packet], Packet] | None:
        """What the target changes."""
        return change_of(self.rule)

    @cached_property
    def ports(self) -> tuple[str, str]:
        """The bridge ports (in, out) that the rule cannot do without; empty where any will do."""
        wanted = {"--physdev-in": "", "--physdev-out": ""}
        for match in self.rule.matches:
            if match.module == "physdev":
                for option in match.options:
                    name = option.values[0] if option.values else ""
                    if option.name in wanted and not option.negated and not name.endswith("+"):
                        wanted[option.name] = name
        return wanted["--physdev-in"], wanted["--physdev-out"]


@dataclass(frozen=True)
class ReadyChain:
    """A chain's rules, and of them those that come into question for a pair of bridge ports.

    A compute node has two rules for every port in one chain; a packet has to look at two of them.
    """

    chain: Chain
    rules: tuple[ReadyRule, ...]
    _found: dict[tuple[str, str], Sequence[ReadyRule]] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def _by_port(self) -> tuple[list[int], dict[str, list[int]], dict[str, list[int]]]:
        free: list[int] = []
        by_in: dict[str, list[int]] = {}
        by_out: dict[str, list[int]] = {}
        for i, rule in enumerate(self.rules):
            into, out = rule.ports
            (by_in.setdefault(into, []) if into else by_out.setdefault(out, []) if out else free).append(i)
        return free, by_in, by_out

    def candidates(self, packet: Packet) -> Sequence[ReadyRule]:
        """The rules that may match ``packet``, in order; those left out ask for another bridge port."""
        into, out = packet.physdev_in, packet.physdev_out
        # An unknown port may be any; and --physdev-in holds where the kernel knows the output port only.
        if into is None or out is None or (into == "" and (out or packet.is_bridged)):
            return self.rules
        found = self._found.get((into, out))
        if found is None:
            free, by_in, by_out = self._by_port
            indexes = sorted((*free, *by_in.get(into, ()), *by_out.get(out, ())))
            found = self._found[into, out] = [self.rules[i] for i in indexes]
        return found


@dataclass(frozen=True)
class ReadyTables:
    """The tables of one namespace and back end with the sets that their rules refer to."""

    iptables: Iptables
    sets: IpSets | None
    _chains: dict[tuple[str, str], ReadyChain | None] = field(default_factory=dict, compare=False, repr=False)

    def __reduce__(self) -> tuple[type[ReadyTables], tuple[Iptables, IpSets | None]]:
        """What has been worked out stays where it was: tests of conditions cannot travel."""
        return ReadyTables, (self.iptables, self.sets)

    def chain(self, table: str, name: str) -> ReadyChain | None:
        """The chain, or None where there is no such table or chain."""
        key = (table, name)
        if key not in self._chains:
            found = self.iptables.tables.get(table)
            chain = found.chains.get(name) if found else None
            self._chains[key] = None if chain is None else ReadyChain(chain, self._ready(chain))
        return self._chains[key]

    def _ready(self, chain: Chain) -> tuple[ReadyRule, ...]:
        return tuple(ReadyRule(rule, self.sets, self.iptables.family) for rule in chain.rules)

"""A packet's way through the rules of iptables, worked out from their listing alone.

Where it cannot be said whether a rule matches, both ways are followed: the verdict is certain only when all
ways end the same.  So an unknown match or target gives "may", and never a wrong yes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from stackdoctor.errors import UsageError
from stackdoctor.facts.ipset import IpSets
from stackdoctor.facts.iptables import Iptables
from stackdoctor.firewall.chain import ReadyRule, ReadyTables
from stackdoctor.firewall.match import holds
from stackdoctor.firewall.packet import Packet
from stackdoctor.firewall.target import CONTINUES, ENDS, NAT, QUEUES
from stackdoctor.firewall.verdict import Ending, Path, Step, Verdict

__all__ = ["HOOKS", "Firewall", "State", "Walk", "decide", "evaluate", "nat", "verdict_of"]

HOOKS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
_DEEPEST = 100
_STATES = 32
_BUDGET = 1_000_000  # rules looked at for one packet: hostile chains must not keep us for ever


@dataclass(frozen=True)
class Firewall:
    """One namespace's rules and sets, made ready to be asked about many packets."""

    iptables: Iptables
    sets: IpSets | None = None

    @cached_property
    def ready(self) -> tuple[ReadyTables, ...]:
        """The tables in force: those of iptables, and legacy ones beside them."""
        all_of = (self.iptables, self.iptables.legacy) if self.iptables.legacy else (self.iptables,)
        return tuple(ReadyTables(tables, self.sets) for tables in all_of)


State = tuple[Packet, Path]
"""A packet as it is at some rule (marks change on the way), and the steps that led it there, last one first."""


def evaluate(
    iptables: Iptables, ipsets: IpSets | None, packet: Packet, chain: str = "FORWARD", table: str = "filter"
) -> Verdict:
    """What becomes of ``packet`` in one chain.  For many packets make a ``Firewall`` once and use ``decide``.

    ``ipsets`` None means that the sets could not be read.  Raises UsageError for a chain that is not there,
    and for a packet of the other IP version.
    """
    return decide(Firewall(iptables, ipsets), packet, chain, table)


def decide(firewall: Firewall, packet: Packet, chain: str = "FORWARD", table: str = "filter") -> Verdict:
    """As ``evaluate``, with rules made ready before."""
    walk = Walk(firewall, packet)
    endings = walk.hook(table, chain, [(packet, ())])
    if not any(ending.way for ending in endings):
        walk.note(f"there is no table {table}: it is as if it accepted everything")
    return verdict_of(packet, endings, walk.reasons)


def nat(iptables: Iptables, ipsets: IpSets | None, packet: Packet, chain: str = "PREROUTING") -> Verdict:
    """The rule of the nat table that would translate a connection's first packet: outcome ``nat`` and its ``rule``.

    Only first packets are asked about in this table (``ctstate`` NEW or RELATED), whatever ``packet`` says.
    """
    first = packet if packet.ctstate == "RELATED" else replace(packet, ctstate="NEW")
    if chain in ("PREROUTING", "OUTPUT") and packet.ctnat is None:
        first = replace(first, ctnat=frozenset())
    return evaluate(iptables, ipsets, first, chain, "nat")


def verdict_of(packet: Packet, endings: list[Ending], reasons: Iterable[str]) -> Verdict:
    """The verdict that all the ways a packet may go amount to."""
    outcomes = {ending.outcome for ending in endings}
    last = endings[-1]
    certain = len(outcomes) == 1
    return Verdict(
        last.outcome if certain else "may",
        certain,
        last.rule if certain else None,
        tuple(reasons),
        tuple(endings),
        packet,
    )


class _TooManyRules(Exception):
    pass


class Walk:
    """The going of one packet through chains; gathers what could not be said."""

    def __init__(self, firewall: Firewall, packet: Packet) -> None:
        if packet.version not in (None, firewall.iptables.family):
            raise UsageError(f"an IPv{packet.version} packet does not meet the rules of IPv{firewall.iptables.family}")
        self._firewall = firewall
        self._reasons: dict[str, None] = {}
        self._budget = _BUDGET
        self._endings: list[Ending] = []
        self._table = ""

    @property
    def reasons(self) -> tuple[str, ...]:
        """What could not be said so far, each once."""
        return tuple(self._reasons)

    def note(self, text: str) -> None:
        """One more reason."""
        self._reasons[text] = None

    def hook(self, table: str, chain: str, states: list[State]) -> list[Ending]:
        """All the ways that packets in ``states`` can end in one chain of one table."""
        found = [ready for ready in self._firewall.ready if ready.chain(table, chain)]
        hidden = any(table in ready.iptables.incompatible for ready in self._firewall.ready)
        if not found and not hidden and chain not in HOOKS:
            raise UsageError(f"there is no chain {chain} in the table {table}")
        self._table = table
        states = [(_at(packet, table, chain), path) for packet, path in states]
        ended: list[Ending] = []
        passed: list[Ending] = []
        for ready in found:
            self._endings = []
            try:
                for packet, path in self._chain(ready, chain, states, ()):
                    self._finish(ready, chain, packet, path)
            except _TooManyRules:
                self.note("there are too many rules on the way to follow them all")
                return ended + [end for packet, path in states for end in self._both(packet, path)]
            passed = [ending for ending in self._endings if ending.outcome == "accept"]
            ended += [ending for ending in self._endings if ending.outcome != "accept"]
            states = [(ending.packet, ending.way) for ending in passed]
            if not states:
                return ended
        if hidden:
            self.note(f"the table {table} has rules that iptables cannot show: what they do cannot be said")
            return ended + [end for packet, path in states for end in self._both(packet, path)]
        if not found:
            passed = [Ending("accept", None, path, packet) for packet, path in states]
        return ended + passed

    def _finish(self, ready: ReadyTables, name: str, packet: Packet, path: Path) -> None:
        chain = ready.chain(self._table, name)
        policy = chain.chain.policy if chain else None
        action = "end of the chain: return" if policy is None else f"policy {policy}"
        step = Step(self._table, name, None, True, action, (), packet)
        if policy is None or policy in ENDS:
            outcome = "return" if policy is None else ENDS[policy]
            self._endings.append(Ending(outcome, None, (path, step), packet))
        else:
            self._endings += self._both(packet, (path, step))

    def _chain(self, ready: ReadyTables, name: str, states: list[State], callers: tuple[str, ...]) -> list[State]:
        """The packets that come back out of the chain; those whose way ends in it are among the endings."""
        chain = ready.chain(self._table, name)
        if chain is None or name in callers or len(callers) > _DEEPEST:
            why = "is not listed" if chain is None else "calls itself" if name in callers else "lies too deep"
            self.note(f"the chain {name} {why}: what becomes of a packet there cannot be said")
            for packet, path in states:
                self._endings += self._both(packet, path)
            return states
        candidates = chain.candidates(states[0][0])
        self._budget -= len(candidates) + 10
        if self._budget < 0:
            raise _TooManyRules
        back: list[State] = []
        live = states
        for ready_rule in candidates:
            conditions = ready_rule.conditions
            if len(live) == 1 and holds(conditions, live[0][0]) is False:
                continue
            after: list[State] = []
            for packet, path in live:
                held = holds(conditions, packet)
                if held is not True:
                    after.append((packet, path))
                if held is not False:
                    after += self._apply(ready, ready_rule, held, packet, path, back, (*callers, name))
            live = _merged(after)
            if not live:
                break
        return _merged(back + live)

    def _apply(
        self,
        ready: ReadyTables,
        ready_rule: ReadyRule,
        held: bool | None,
        packet: Packet,
        path: Path,
        back: list[State],
        callers: tuple[str, ...],
    ) -> list[State]:
        """The packets that go on to the next rule after this one was applied."""
        rule, target = ready_rule.rule, ready_rule.rule.target
        to_chain = ready.chain(self._table, target) is not None
        step = Step(
            self._table,
            rule.chain,
            rule,
            held,
            f"to {target}" if to_chain else target or "counts",
            ready_rule.conditions,
            packet,
        )
        if held is None:
            self.note(f"whether it matches cannot be said ({'; '.join(step.unknown)}): {rule.line}")
        path = (path, step)
        if to_chain:
            returned = self._chain(ready, target, [(packet, path)], callers)
            if not rule.goto:
                return returned
            back += returned
            return []
        if target == "RETURN":
            back.append((packet, path))
            return []
        if target in ENDS or (target in NAT and self._table == "nat"):
            self._endings.append(Ending(ENDS.get(target, "nat"), rule, path, packet))
            return []
        if not target or target in CONTINUES:
            return [(packet, path)]
        if ready_rule.change is not None:
            return [(ready_rule.change(packet), path)]
        if target in QUEUES:
            self.note(f"a program decides: {rule.line}")
        else:
            self.note(f"what the target {target} does is not known here: {rule.line}")
        self._endings += self._both(packet, path)
        return [] if target in QUEUES else [(packet, path)]

    def _both(self, packet: Packet, path: Path) -> list[Ending]:
        rule = path[1].rule if path else None
        return [Ending("drop", rule, path, packet), Ending("accept", rule, path, packet)]


def _at(packet: Packet, table: str, hook: str) -> Packet:
    """The packet as it is seen at a hook: what the kernel cannot know there yet is none."""
    if hook in ("PREROUTING", "INPUT"):
        packet = replace(packet, out_iface="", physdev_out="" if packet.is_bridged is not None else packet.physdev_out)
    elif hook == "OUTPUT":
        packet = replace(packet, in_iface="", physdev_in="", physdev_out="", is_bridged=False)
    if table == "raw" and packet.ctstate != "UNTRACKED":
        packet = replace(packet, ctstate="INVALID")  # the connection is looked up after this table
    return packet


def _merged(states: list[State]) -> list[State]:
    """Each packet once; ways that met again with the same packet cannot be told apart from there on."""
    if len(states) < 2:
        return states
    met: dict[Packet, Path] = {}
    for packet, path in states:
        met.setdefault(packet, path)
    if len(met) > _STATES:
        return _merged([(replace(packet, mark=None, connmark=None), path) for packet, path in states])
    return list(met.items())

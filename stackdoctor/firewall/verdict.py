"""What becomes of a packet in the packet filter, by which rules, and how that is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from stackdoctor.facts.iptables import Rule
from stackdoctor.firewall.condition import Condition
from stackdoctor.firewall.packet import Packet

__all__ = ["Ending", "Path", "Step", "Verdict", "describe"]

_PASSES = frozenset({"accept", "nat", "return"})
_LONGEST = 200
_MOST = 20


@dataclass(frozen=True)
class Step:
    """One rule that takes part, or (``rule`` None) the end of a built-in chain.

    ``matched`` is None where it cannot be said; ``action`` is what it does: a target, ``to CHAIN``, a policy.
    """

    table: str
    chain: str
    rule: Rule | None
    matched: bool | None
    action: str
    conditions: tuple[Condition, ...]
    packet: Packet

    @property
    def why(self) -> tuple[str, ...]:
        """Each condition that holds, with what the packet has there."""
        return tuple(_with_seen(c, self.packet) for c in self.conditions if c.test(self.packet))

    @property
    def unknown(self) -> tuple[str, ...]:
        """Each condition of which it cannot be said."""
        return tuple(_with_seen(c, self.packet) for c in self.conditions if c.test(self.packet) is None)


Path = tuple["Path", Step] | tuple[()]
"""The steps of a way, last one first, so that ways which part share what they have in common."""


@dataclass(frozen=True)
class Ending:
    """One way it can end: accept, drop, reject, nat (translated) or return (the end of a user's chain)."""

    outcome: str
    rule: Rule | None
    way: Path = field(repr=False)
    packet: Packet

    @property
    def path(self) -> tuple[Step, ...]:
        """The steps of the way, first one first."""
        steps = []
        way = self.way
        while way:
            way, step = way
            steps.append(step)
        return tuple(reversed(steps))


@dataclass(frozen=True)
class Verdict:
    """What becomes of ``packet``.

    ``outcome`` is accept, drop, reject, nat, return, or ``may`` when not all ways end the same; then
    ``certain`` is false, ``rule`` is None, ``endings`` are all the ways, and ``path`` is the one on which
    nothing matches of which it cannot be said.  ``reasons`` say what could not be said, and what else matters.
    """

    outcome: str
    certain: bool
    rule: Rule | None
    reasons: tuple[str, ...]
    endings: tuple[Ending, ...]
    packet: Packet

    @property
    def path(self) -> tuple[Step, ...]:
        """The rules that took part, in order."""
        return self.endings[-1].path

    @property
    def possible(self) -> frozenset[str]:
        """All outcomes that there may be; one when certain."""
        return frozenset(ending.outcome for ending in self.endings)

    @property
    def passes(self) -> bool | None:
        """Whether the packet goes on; None when it may or may not."""
        if self.possible <= _PASSES:
            return True
        return None if self.possible & _PASSES else False


def describe(verdict: Verdict) -> list[str]:
    """The verdict for a reader: each rule that took part and why it matched, and what could not be said."""
    lines = [f"{verdict.packet}: {verdict.outcome if verdict.certain else 'may ' + _either(verdict.possible)}"]
    if verdict.certain:
        lines += _told(verdict.path)
    else:
        for ending in _distinct(verdict.endings)[:_MOST]:
            lines.append(f"{ending.outcome}, if" if any(s.matched is None for s in ending.path) else ending.outcome)
            lines += _told(ending.path)
    left_out = len(verdict.reasons) - _MOST
    return [*lines, *verdict.reasons[:_MOST], *([f"... and {left_out} more"] if left_out > 0 else [])]


def _either(outcomes: frozenset[str]) -> str:
    return " or ".join(sorted(outcomes))


def _distinct(endings: tuple[Ending, ...]) -> list[Ending]:
    return list({(ending.outcome, ending.rule): ending for ending in endings}.values())


def _told(path: tuple[Step, ...]) -> list[str]:
    lines = []
    for step in path[:_LONGEST]:
        if step.rule is None:
            lines.append(f"  {step.table} {step.chain}: {step.action}")
            continue
        lines.append(f"  {step.table} {step.chain} rule {step.rule.number}: {step.rule.line}")
        if step.why:
            lines.append(f"    matches: {'; '.join(step.why)}")
        if step.unknown:
            lines.append(f"    not known: {'; '.join(step.unknown)}")
    if len(path) > _LONGEST:
        lines.append(f"  ... and {len(path) - _LONGEST} more")
    return lines


def _with_seen(condition: Condition, packet: Packet) -> str:
    seen = condition.seen(packet)
    return f"{condition.text} ({seen})" if seen else condition.text

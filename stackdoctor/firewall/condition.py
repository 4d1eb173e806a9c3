"""One condition of a rule as a test on a packet, and the answer when it cannot be said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stackdoctor.facts.ipset import IpSets
from stackdoctor.facts.iptables import Match, Option
from stackdoctor.firewall.packet import Packet

__all__ = ["Condition", "Test", "answered", "condition", "nothing", "parse_mark", "unknown", "unknown_option"]

Test = Callable[[Packet], bool | None]
"""True: it holds; False: it does not; None: cannot be said."""


@dataclass(frozen=True)
class Condition:
    """One condition: its text, the packet's fields that it looks at, and the test (None: cannot be said)."""

    text: str
    fields: tuple[str, ...]
    test: Test

    def seen(self, packet: Packet) -> str:
        """What the packet has there, for an explanation; empty where there is nothing to show."""
        return ", ".join(f"{field} {_shown(field, getattr(packet, field))}" for field in self.fields)


def parse_mark(text: str) -> tuple[int, int]:
    """``0x4000000/0xffff0000`` as value and mask; the mask is all ones when there is none.  Raises ValueError."""
    value, slash, mask = text.partition("/")
    return int(value[:20], 0), int(mask[:20], 0) if slash else 0xFFFFFFFF


def _shown(field: str, value: object) -> str:
    if value is None:
        return "not known"
    if field in ("mark", "connmark"):
        return f"{value:#x}"
    if isinstance(value, frozenset):
        return ",".join(sorted(map(str, value))) or "none"
    return str(value) or "none"


def answered(answer: bool | None, negated: bool) -> bool | None:
    """The answer, turned round when the option is negated; what cannot be said stays so."""
    return None if answer is None else answer is not negated


def condition(option: Option, fields: tuple[str, ...], test: Test) -> Condition:
    """The condition of one option, whose ``!`` is taken into account here."""
    if option.negated:
        return Condition(str(option), fields, lambda packet: answered(test(packet), True))
    return Condition(str(option), fields, test)


def unknown(match: Match, sets: IpSets | None, family: int) -> list[Condition]:
    """A whole module of which nothing is known."""
    return [Condition(str(match), (), lambda packet: None)]


def unknown_option(match: Match, option: Option) -> Condition:
    """One option of a known module of which nothing is known."""
    return Condition(f"-m {match.module} {option}", (), lambda packet: None)


def nothing(match: Match, sets: IpSets | None, family: int) -> list[Condition]:
    """A module that asks nothing, as comment."""
    return []

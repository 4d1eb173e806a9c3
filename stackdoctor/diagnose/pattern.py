"""A pattern over findings: an id, and terms on their keys that compare, bind and join."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache

from stackdoctor.model import Finding

__all__ = ["WEIGHTS", "Binding", "Pattern", "Term", "attribute", "fill", "parse_term", "places"]

Binding = Mapping[str, str]
"""Variables of a playbook and their values."""

WEIGHTS = {"weak": 0.25, "medium": 0.5, "strong": 0.8, "proof": 0.95}
"""How much a pattern that is found speaks for its cause, as the probability of a noisy-OR."""

_VARIABLE = re.compile(r"\{(\w+)\}\Z")
_COMPARISON = re.compile(r"(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)\Z")
_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Term:
    """What a key's value must be: a variable, a comparison, or one of several globs; negated or not."""

    variable: str = ""
    comparison: tuple[str, float] | None = None
    globs: tuple[str, ...] = ()
    negated: bool = False

    def holds(self, value: str, binding: Binding) -> bool:
        """Whether ``value`` satisfies the term under ``binding``; an unbound variable takes any value."""
        return self._matches(value, binding) is not self.negated

    def _matches(self, value: str, binding: Binding) -> bool:
        if self.variable:
            return binding.get(self.variable, value) == value
        if self.comparison is not None:
            return _compare(value, *self.comparison)
        return any(fnmatchcase(value, glob) for glob in self.globs)


@lru_cache(4096)  # playbooks say the same few again and again
def parse_term(text: str) -> Term:
    """``{host}`` a variable; ``>0`` a comparison; ``a|b*`` globs; a leading ``!`` negates."""
    negated = text.startswith("!")
    text = text.removeprefix("!").strip()
    if match := _VARIABLE.match(text):
        return Term(variable=match[1], negated=negated)
    if match := _COMPARISON.match(text):
        return Term(comparison=(match[1], float(match[2])), negated=negated)
    return Term(globs=tuple(part.strip() for part in text.split("|")), negated=negated)


def _compare(value: str, operator: str, bound: float) -> bool:
    try:
        number = float(value)
    except ValueError:
        return False
    match operator:
        case ">":
            return number > bound
        case ">=":
            return number >= bound
        case "<":
            return number < bound
        case _:
            return number <= bound


@dataclass(frozen=True)
class Pattern:
    """Findings called ``finding`` whose keys satisfy ``terms``.

    ``past`` lets it match what has ended as well; ``expected`` says that the cause would show it, so
    that its absence, once looked for, speaks against the cause.
    """

    finding: str
    terms: tuple[tuple[str, Term], ...]
    weight: float
    past: bool = False
    expected: bool = False

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """The variables that a match binds, in the order of the terms."""
        return tuple(dict.fromkeys(t.variable for _, t in self.terms if t.variable and not t.negated))

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The keys that it asks for."""
        return tuple(sorted({key for key, _ in self.terms}))

    def bind(self, finding: Finding, binding: Binding) -> dict[str, str] | None:
        """``binding`` grown by a match with ``finding``, or None; a key that it does not have fails a term."""
        grown = dict(binding)
        for key, term in self.terms:
            value = attribute(finding, key)
            if value is None:
                if term.negated:
                    continue
                return None
            if not term.holds(value, grown):
                return None
            if term.variable and not term.negated:
                grown[term.variable] = value
        return grown

    def __str__(self) -> str:
        return self.finding + ("{" + ", ".join(f"{k}: {_shown(t)}" for k, t in self.terms) + "}" if self.terms else "")


def _shown(term: Term) -> str:
    if term.variable:
        text = "{" + term.variable + "}"
    elif term.comparison is not None:
        text = f"{term.comparison[0]}{term.comparison[1]:g}"
    else:
        text = "|".join(term.globs)
    return ("!" if term.negated else "") + text


def attribute(finding: Finding, key: str) -> str | None:
    """A finding's value for ``key``: one of its keys, or node, subject or severity."""
    if key in finding.keys:
        return finding.keys[key]
    match key:
        case "node":
            return finding.node
        case "subject":
            return finding.subject
        case "severity":
            return str(finding.severity)
        case _:
            return None


def fill(text: str, binding: Binding) -> str:
    """``text`` with its ``{variables}`` replaced; an unbound one stands as its name in angle brackets."""
    return _PLACE.sub(lambda m: binding.get(m[1], f"<{m[1]}>"), text)


def places(text: str) -> Iterator[str]:
    """The variables that ``text`` names."""
    return (m[1] for m in _PLACE.finditer(text))

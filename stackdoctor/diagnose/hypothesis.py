"""Hypotheses: every way in which a playbook fits the findings, and how likely that makes its cause."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from stackdoctor.diagnose.finding_index import FindingIndex, Parts
from stackdoctor.diagnose.pattern import Binding, Pattern, fill, places
from stackdoctor.diagnose.playbook import Playbook
from stackdoctor.diagnose.runner import Examination

__all__ = ["UNCHECKED_FACTOR", "Evaluated", "Hypothesis", "hypotheses"]

UNCHECKED_FACTOR = 0.9
"""What each excluding pattern that could not be looked at leaves of the confidence."""

HOST_TERMS = ("node", "host")


@dataclass(frozen=True)
class Evaluated:
    """One pattern of a hypothesis: what it matched (positions of findings), or that it was not looked at."""

    pattern: Pattern
    matched: frozenset[int]
    unchecked: bool


@dataclass(frozen=True)
class Hypothesis:
    """A cause at a place, with everything that bears on it."""

    playbook: Playbook
    binding: Binding
    when: tuple[Evaluated, ...]
    because: tuple[Evaluated, ...]
    unless: tuple[Evaluated, ...]
    against: tuple[Evaluated, ...]
    explains: tuple[Parts, ...]

    @cached_property
    def own(self) -> frozenset[int]:
        """The findings that it rests on."""
        return frozenset(p for e in self.when for p in e.matched)

    @property
    def grounds(self) -> tuple[frozenset[int], ...]:
        """The findings that it rests on, pattern by pattern."""
        return tuple(e.matched for e in self.when)

    @cached_property
    def parts(self) -> tuple[frozenset[int], ...]:
        """The findings that it accounts for, in sets that many hypotheses share."""
        found = (
            *self.grounds,
            *(e.matched for e in self.because),
            *(part for parts in self.explains for part in parts),
        )
        return tuple({id(part): part for part in found if part}.values())

    @property
    def covers(self) -> frozenset[int]:
        """The findings that it accounts for: what it rests on, what supports it, and its symptoms."""
        return frozenset().union(*self.parts)

    def accounts_for(self, grounds: Iterable[frozenset[int]]) -> bool:
        """Whether it covers all findings of these sets."""
        return all(any(ground is part for part in self.parts) or self._has_all_of(ground) for ground in grounds)

    def _has_all_of(self, left: frozenset[int]) -> bool:
        while left:
            one = next(iter(left))
            holding = next((part for part in self.parts if one in part), None)
            if holding is None:
                return False
            left -= holding  # no set is gone through that holds nothing of what is left
        return True

    @property
    def excluded(self) -> bool:
        """Whether something that rules it out was found."""
        return any(e.matched for e in self.unless)

    @cached_property
    def score(self) -> float:
        """Noisy-OR of the evidence, lowered by what contradicts, what is missing and what was not looked at."""
        if self.excluded:
            return 0.0
        doubt = 1.0
        for each in self.when:
            doubt *= 1 - each.pattern.weight
        for each in self.because:
            if not each.matched <= self.own:  # no finding counts twice
                doubt *= 1 - each.pattern.weight
        score = 1 - doubt
        for each in self.against:
            if each.matched:
                score *= 1 - each.pattern.weight
        for each in self.because:
            if each.pattern.expected and not each.matched and not each.unchecked:
                score *= 1 - each.pattern.weight / 2
        for each in self.unless:
            if each.unchecked:
                score *= UNCHECKED_FACTOR
        return score

    @property
    def title(self) -> str:
        """The playbook's title for this case."""
        return fill(self.playbook.title, self.binding)


def hypotheses(playbook: Playbook, index: FindingIndex, examination: Examination) -> Iterator[Hypothesis]:
    """Every case of ``playbook`` in the findings: one for each set of values of the variables that tell cases apart."""
    identity = _identity(playbook)
    cases: dict[tuple[str | None, ...], _Case] = {}
    for case in _join(playbook, index):
        key = tuple(case.binding.get(variable) for variable in identity)
        if key in cases:
            cases[key].add(case.matched)
        else:
            cases[key] = case
    for case in cases.values():
        yield _hypothesis(playbook, case, index, examination)


def _identity(playbook: Playbook) -> tuple[str, ...]:
    named = {name for text in playbook.where.values() for name in places(text)}
    return tuple(v for v in playbook.variables if v in named) if named else playbook.variables


class _Case:
    """A binding, and what each pattern of the clauses so far matched, in sets that are yet to be united."""

    def __init__(self, binding: Binding, matched: Mapping[Pattern, list[Collection[int]]]) -> None:
        self.binding = binding
        self.matched = {pattern: list(found) for pattern, found in matched.items()}

    def with_clause(self, added: Binding, pattern: Pattern, found: Collection[int]) -> _Case:
        grown = _Case({**self.binding, **added}, self.matched)
        grown.add({pattern: [found]})
        return grown

    def add(self, matched: Mapping[Pattern, list[Collection[int]]]) -> None:
        for pattern, found in matched.items():
            self.matched.setdefault(pattern, []).extend(found)


def _join(playbook: Playbook, index: FindingIndex) -> Iterable[_Case]:
    cases = [_Case({}, {})]
    for clause in playbook.when:
        grown: dict[tuple[tuple[str, str], ...], _Case] = {}
        for case in cases:
            for pattern in clause:
                for added, found in index.matches(pattern, case.binding):
                    new = case.with_clause(added, pattern, found)
                    key = tuple(sorted(new.binding.items()))
                    if key in grown:
                        grown[key].add(new.matched)
                    else:
                        grown[key] = new
        cases = list(grown.values())
    return cases


def _hypothesis(playbook: Playbook, case: _Case, index: FindingIndex, examination: Examination) -> Hypothesis:
    binding = dict(case.binding)

    def evaluate(pattern: Pattern) -> Evaluated:
        matches = index.matches(pattern, binding)
        found = index.positions(pattern, binding)
        if len(matches) == 1:
            for variable, value in matches[0][0].items():
                binding.setdefault(variable, value)
        return Evaluated(pattern, found, not found and was_not_looked_at(pattern, binding, examination))

    return Hypothesis(
        playbook=playbook,
        binding=binding,
        when=tuple(Evaluated(p, index.shared(chain(*found)), False) for p, found in case.matched.items()),
        because=tuple(evaluate(p) for p in playbook.because),
        unless=tuple(evaluate(p) for p in playbook.unless),
        against=tuple(evaluate(p) for p in playbook.against),
        explains=tuple(index.parts(p, binding) for p in playbook.explains),
    )


def was_not_looked_at(pattern: Pattern, binding: Binding, examination: Examination) -> bool:
    """Whether the check behind ``pattern`` could not look where the hypothesis is."""
    nodes = {
        binding[term.variable]
        for key, term in pattern.terms
        if key in HOST_TERMS and term.variable in binding and not term.negated
    }
    missed = examination.missed(pattern.finding)
    return bool(missed) and (not nodes or "" in missed or not nodes.isdisjoint(missed))

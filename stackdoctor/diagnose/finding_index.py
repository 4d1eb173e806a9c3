"""Look findings up by id and by the value of a key, so that joins grow with the findings and not their square."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from heapq import nsmallest

from stackdoctor.diagnose.pattern import Binding, Pattern, Term, attribute
from stackdoctor.model import Finding

__all__ = ["SAMPLE", "FindingIndex", "Match", "Parts"]

SAMPLE = 50
"""Findings of one pattern whose lines are evidence; more of the same proves no more."""

Match = tuple[dict[str, str], tuple[int, ...]]
"""What a pattern binds beyond the variables that were bound before, and the findings (by position)."""

Parts = tuple[frozenset[int], ...]
"""Findings (by position) in sets that are the same objects wherever the same is asked for."""

Terms = tuple[tuple[str, Term], ...]
Shape = tuple[str, tuple[str, ...]]
"""Findings of one id that have certain keys, and lack the others that a pattern asks for."""


class FindingIndex:
    """Findings by id and key; every look-up is remembered by what it depends on.

    ``nodes`` and ``kinds`` are of each finding by position; a kind is a number for an id on a node.
    """

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        self.past = frozenset(position for position, finding in enumerate(self.findings) if finding.past)
        self.nodes = tuple(finding.node for finding in self.findings)
        kinds: dict[tuple[str, str], int] = {}
        self.kinds = tuple(kinds.setdefault((finding.id, finding.node), len(kinds)) for finding in self.findings)
        self._by_id: dict[str, list[int]] = {}
        for position, finding in enumerate(self.findings):
            self._by_id.setdefault(finding.id, []).append(position)
        self._first: dict[int, tuple[frozenset[int], tuple[int, ...]]] = {}
        self._sets: dict[frozenset[int], frozenset[int]] = {}
        self._globs: dict[str, list[str]] = {}
        self._shapes: dict[Shape, dict[Shape, list[int]]] = {}
        self._values: dict[tuple[Shape, Shape, str], dict[str | None, list[int]]] = {}
        self._matches: dict[tuple[object, ...], tuple[Match, ...]] = {}
        self._positions: dict[tuple[object, ...], frozenset[int]] = {}
        self._parts: dict[tuple[object, ...], frozenset[int]] = {}

    def matches(self, pattern: Pattern, binding: Binding) -> tuple[Match, ...]:
        """The findings that match ``pattern`` under ``binding``, grouped by the variables that they add."""
        key = (pattern.finding, pattern.terms, pattern.past, _relevant(pattern.terms, binding))
        if key not in self._matches:
            self._matches[key] = tuple(self._match(pattern, binding))
        return self._matches[key]

    def positions(self, pattern: Pattern, binding: Binding) -> frozenset[int]:
        """All findings that match ``pattern`` under ``binding``; the same object wherever the same is asked for."""
        key = (pattern.finding, pattern.terms, pattern.past, _relevant(pattern.terms, binding))
        if key not in self._positions:
            self._positions[key] = self.shared(p for _, found in self.matches(pattern, binding) for p in found)
        return self._positions[key]

    def parts(self, pattern: Pattern, binding: Binding) -> Parts:
        """All findings that match ``pattern`` under ``binding`` or do not have the keys that it asks for.

        What lacks the key that tells one case from another is one set for all cases.
        """
        found = (
            self._part(pattern, (id_, pattern.keys), shape, binding)
            for id_ in self._ids(pattern.finding)
            for shape in self._shapes_of((id_, pattern.keys))
        )
        return tuple(part for part in found if part)

    def shared(self, positions: Iterable[int]) -> frozenset[int]:
        """These findings as the one set object that stands for them."""
        found = frozenset(positions)
        return self._sets.setdefault(found, found)

    def first(self, found: frozenset[int]) -> tuple[int, ...]:
        """The first of ``found``, at most ``SAMPLE``; remembered for sets that come from this index."""
        if id(found) not in self._first:
            self._first[id(found)] = (found, tuple(nsmallest(SAMPLE, found)))
        return self._first[id(found)][1]

    def _part(self, pattern: Pattern, asked: Shape, shape: Shape, binding: Binding) -> frozenset[int]:
        terms = tuple((key, term) for key, term in pattern.terms if key in shape[1])
        key = (asked, shape, terms, pattern.past, _relevant(terms, binding))
        if key not in self._parts:
            narrowed = Pattern(pattern.finding, terms, pattern.weight, pattern.past)
            known = {t.variable: binding[t.variable] for _, t in terms if t.variable in binding}
            self._parts[key] = self.shared(
                position
                for position in self._narrowest(terms, known, asked, shape)
                if (pattern.past or position not in self.past)
                and narrowed.bind(self.findings[position], known) is not None
            )
        return self._parts[key]

    def _match(self, pattern: Pattern, binding: Binding) -> Iterator[Match]:
        known = {t.variable: binding[t.variable] for _, t in pattern.terms if t.variable in binding}
        new = tuple(variable for variable in pattern.variables if variable not in known)
        groups: dict[tuple[tuple[str, str], ...], list[int]] = {}
        for id_ in self._ids(pattern.finding):
            for position in self._narrowest(pattern.terms, known, (id_, ()), (id_, ())):
                if position in self.past and not pattern.past:
                    continue
                grown = pattern.bind(self.findings[position], known)
                if grown is not None:
                    groups.setdefault(tuple((v, grown[v]) for v in new if v in grown), []).append(position)
        for added, positions in groups.items():
            yield dict(added), tuple(positions)

    def _narrowest(self, terms: Terms, known: Binding, asked: Shape, shape: Shape) -> Sequence[int]:
        """The findings of ``shape`` that can match: those of the term that fewest fulfil."""
        best: Sequence[int] | None = None
        for key, term in terms:
            value = known.get(term.variable) if term.variable else _exact(term.globs)
            if value is None or term.negated:
                continue
            found = self._by_value(asked, shape, key).get(value, [])
            if best is None or len(found) < len(best):
                best = found
        return best if best is not None else self._shapes_of(asked)[shape]

    def _ids(self, glob: str) -> list[str]:
        if glob not in self._globs:
            self._globs[glob] = [glob] if glob in self._by_id else []
            if "*" in glob:
                self._globs[glob] = [id_ for id_ in self._by_id if fnmatchcase(id_, glob)]
        return self._globs[glob]

    def _shapes_of(self, asked: Shape) -> dict[Shape, list[int]]:
        """The findings of an id by those of the keys asked for that they have."""
        if asked not in self._shapes:
            id_, keys = asked
            shapes: dict[Shape, list[int]] = {}
            for position in self._by_id[id_]:
                there = tuple(key for key in keys if attribute(self.findings[position], key) is not None)
                shapes.setdefault((id_, there), []).append(position)
            self._shapes[asked] = shapes
        return self._shapes[asked]

    def _by_value(self, asked: Shape, shape: Shape, key: str) -> dict[str | None, list[int]]:
        if (asked, shape, key) not in self._values:
            values: dict[str | None, list[int]] = {}
            for position in self._shapes_of(asked)[shape]:
                values.setdefault(attribute(self.findings[position], key), []).append(position)
            self._values[asked, shape, key] = values
        return self._values[asked, shape, key]


def _relevant(terms: Terms, binding: Binding) -> tuple[str | None, ...]:
    return tuple(binding.get(term.variable) if term.variable else None for _, term in terms)


def _exact(globs: tuple[str, ...]) -> str | None:
    """The one value that a term without wildcards asks for."""
    return globs[0] if len(globs) == 1 and not set("*?[") & set(globs[0]) else None

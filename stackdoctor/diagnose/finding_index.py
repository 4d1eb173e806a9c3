"""Look findings up by id and by the value of a key, so that joins grow with the findings and not their square."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from stackdoctor.diagnose.pattern import Binding, Pattern, attribute
from stackdoctor.model import Finding

__all__ = ["FindingIndex", "Match"]

Match = tuple[dict[str, str], tuple[int, ...]]
"""What a pattern binds beyond the variables that were bound before, and the findings (by position)."""


class FindingIndex:
    """Findings by id and key; every look-up is remembered by what it depends on."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        self._by_id: dict[str, list[int]] = {}
        for position, finding in enumerate(self.findings):
            self._by_id.setdefault(finding.id, []).append(position)
        self._by_value: dict[tuple[str, str], dict[str | None, list[int]]] = {}
        self._matches: dict[tuple[Pattern, bool, tuple[str | None, ...]], tuple[Match, ...]] = {}

    def matches(self, pattern: Pattern, binding: Binding, *, lenient: bool = False) -> tuple[Match, ...]:
        """The findings that match ``pattern`` under ``binding``, grouped by the variables that they add."""
        relevant = tuple(binding.get(t.variable) if t.variable else None for _, t in pattern.terms)
        key = (pattern, lenient, relevant)
        if key not in self._matches:
            self._matches[key] = tuple(self._match(pattern, binding, lenient))
        return self._matches[key]

    def positions(self, pattern: Pattern, binding: Binding, *, lenient: bool = False) -> frozenset[int]:
        """All findings that match ``pattern`` under ``binding``."""
        return frozenset(p for _, found in self.matches(pattern, binding, lenient=lenient) for p in found)

    def _match(self, pattern: Pattern, binding: Binding, lenient: bool) -> Iterator[Match]:
        known = {v: binding[v] for v in pattern_variables(pattern) if v in binding}
        groups: dict[tuple[tuple[str, str], ...], list[int]] = {}
        for position in self._candidates(pattern, known, lenient):
            finding = self.findings[position]
            if finding.past and not pattern.past:
                continue
            grown = pattern.bind(finding, known, lenient=lenient)
            if grown is not None:
                added = tuple((v, grown[v]) for v in pattern.variables if v in grown and v not in known)
                groups.setdefault(added, []).append(position)
        for added, positions in groups.items():
            yield dict(added), tuple(positions)

    def _candidates(self, pattern: Pattern, known: Binding, lenient: bool) -> Iterable[int]:
        best: list[int] | None = None
        ids = self._ids(pattern.finding)
        for key, term in pattern.terms:
            value = known.get(term.variable) if term.variable else _exact(term.globs)
            if value is None or term.negated:
                continue
            found: list[int] = []
            for id_ in ids:
                by_value = self._values(id_, key)
                found += by_value.get(value, [])
                if lenient:
                    found += by_value.get(None, [])
            if best is None or len(found) < len(best):
                best = found
        return best if best is not None else [p for id_ in ids for p in self._by_id[id_]]

    def _ids(self, glob: str) -> list[str]:
        if "*" in glob:
            return [id_ for id_ in self._by_id if fnmatchcase(id_, glob)]
        return [glob] if glob in self._by_id else []

    def _values(self, id_: str, key: str) -> dict[str | None, list[int]]:
        if (id_, key) not in self._by_value:
            values: dict[str | None, list[int]] = {}
            for position in self._by_id[id_]:
                values.setdefault(attribute(self.findings[position], key), []).append(position)
            self._by_value[id_, key] = values
        return self._by_value[id_, key]


def pattern_variables(pattern: Pattern) -> tuple[str, ...]:
    """The variables that a match depends on or binds, negated terms' too."""
    return tuple(t.variable for _, t in pattern.terms if t.variable)


def _exact(globs: tuple[str, ...]) -> str | None:
    """The one value that a term without wildcards asks for."""
    return globs[0] if len(globs) == 1 and not set("*?[") & set(globs[0]) else None

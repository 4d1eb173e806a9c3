"""Playbooks: one root cause each, read from YAML and checked before anything is decided by them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stackdoctor.diagnose.pattern import WEIGHTS, Pattern, parse_term, places
from stackdoctor.diagnose.registry import entry_packages
from stackdoctor.errors import UsageError
from stackdoctor.facts.parsed import read_yaml
from stackdoctor.model import Fix, Severity

__all__ = ["GROUP", "Playbook", "load_playbooks", "parse_pattern", "parse_playbook"]

GROUP = "stackdoctor.playbooks"
REQUIRED = ("cause", "title", "severity", "systems", "why", "when", "confirm", "fix")
OPTIONAL = ("where", "logs", "because", "unless", "against", "explains", "refs", "symptoms")
RESERVED = ("weight", "past", "expected")
RISKS = ("read-only", "restart", "config-change", "destructive")

Clause = tuple[Pattern, ...]
"""Patterns of which one must match."""


@dataclass(frozen=True)
class Playbook:
    """One root cause: when it holds, what speaks for and against it, what it explains, what to do.

    ``logs`` stands for ``when`` where there are only logs: a moment that is past.  ``symptoms`` are what operators see
    of it: ids of symptoms, with terms on the place of the cause where only some of its cases show so.
    """

    cause: str
    title: str
    severity: Severity
    systems: tuple[str, ...]
    why: str
    when: tuple[Clause, ...]
    logs: tuple[Clause, ...]
    because: tuple[Pattern, ...]
    unless: tuple[Pattern, ...]
    against: tuple[Pattern, ...]
    explains: tuple[Pattern, ...]
    where: Mapping[str, str]
    confirm: tuple[str, ...]
    fix: tuple[Fix, ...]
    refs: tuple[str, ...]
    origin: str
    symptoms: tuple[Pattern, ...] = ()

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables that every match of ``when`` binds: they tell one case of the cause from another."""
        bound: dict[str, None] = {}
        for clause in self.when:
            common = set(clause[0].variables).intersection(*(p.variables for p in clause))
            bound.update(dict.fromkeys(v for v in clause[0].variables if v in common))
        return tuple(bound)

    @property
    def patterns(self) -> Iterator[Pattern]:
        """All patterns, of all sections."""
        for clause in (*self.when, *self.logs):
            yield from clause
        yield from (*self.because, *self.unless, *self.against, *self.explains)

    @property
    def by_logs(self) -> Playbook | None:
        """The same cause as logs alone can show it; None where they cannot."""
        if self.logs:
            return replace(self, when=self.logs)
        clauses = tuple(tuple(p for p in clause if p.finding.startswith("log.")) for clause in self.when)
        return replace(self, when=clauses) if all(clauses) else None


def load_playbooks(directories: Iterable[Path] = ()) -> tuple[Playbook, ...]:
    """All playbooks, ordered by cause; raises UsageError for a broken one and for two of one cause."""
    by_cause: dict[str, Playbook] = {}
    for file in _files(directories):
        playbook = parse_playbook(file.read_text(encoding="utf-8"), str(file))
        if playbook.cause in by_cause:
            raise UsageError(f"two playbooks for {playbook.cause}: {by_cause[playbook.cause].origin} and {file}")
        by_cause[playbook.cause] = playbook
    return tuple(by_cause[cause] for cause in sorted(by_cause))


def _files(directories: Iterable[Path]) -> Iterator[Path]:
    for package in entry_packages(GROUP):
        for place in package.__path__:
            yield from sorted(Path(place).glob("*.yaml"))
    for directory in directories:
        if not directory.is_dir():
            raise UsageError(f"--playbooks {directory}: there is no such directory")
        yield from sorted(directory.glob("*.yaml"))


def parse_playbook(text: str, origin: str) -> Playbook:
    """The playbook that ``text`` (YAML) is; raises UsageError that names the place in ``origin``."""
    data = read_yaml(text, origin).data
    try:
        return _playbook(data, origin)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{origin}: {error}") from error


def _playbook(data: Any, origin: str) -> Playbook:
    if not isinstance(data, dict):
        raise ValueError("a playbook is a mapping with " + ", ".join(REQUIRED))
    _refuse_unknown(data, REQUIRED + OPTIONAL)
    for name in REQUIRED:
        if not data.get(name):
            raise ValueError(f"{name} is missing")
    playbook = Playbook(
        cause=data["cause"],
        title=data["title"],
        severity=Severity[str(data["severity"]).upper()],
        systems=tuple(data["systems"]),
        why=" ".join(data["why"].split()),
        when=tuple(_clause(item) for item in data["when"]),
        logs=tuple(_clause(item) for item in data.get("logs") or ()),
        because=tuple(parse_pattern(item) for item in data.get("because") or ()),
        unless=tuple(parse_pattern(item) for item in data.get("unless") or ()),
        against=tuple(parse_pattern(item) for item in data.get("against") or ()),
        explains=tuple(parse_pattern(item, past=True) for item in data.get("explains") or ()),
        where=dict(data.get("where") or {}),
        confirm=tuple(data["confirm"]),
        fix=tuple(_fix(item) for item in data["fix"]),
        refs=tuple(data.get("refs") or ()),
        origin=origin,
        symptoms=tuple(parse_pattern(item) for item in data.get("symptoms") or ()),
    )
    _refuse_unbound(playbook)
    _refuse_other_than_logs(playbook)
    return playbook


def _clause(item: Any) -> Clause:
    if isinstance(item, dict) and set(item) == {"any"}:
        return tuple(parse_pattern(alternative) for alternative in item["any"])
    return (parse_pattern(item),)


def parse_pattern(item: Any, *, past: bool = False) -> Pattern:
    """``finding.id`` or ``{finding.id: {key: term}}``; raises ValueError where it is neither."""
    if isinstance(item, str):
        item = {item: {}}
    if not isinstance(item, dict) or len(item) != 1:
        raise ValueError(f"{item!r} is not a pattern: `finding.id: {{key: value}}`")
    ((finding, terms),) = item.items()
    terms = dict(terms or {})
    weight = terms.pop("weight", "medium")
    if weight not in WEIGHTS:
        raise ValueError(f"{finding}: weight {weight!r} is not one of {', '.join(WEIGHTS)}")
    past, expected = terms.pop("past", past), terms.pop("expected", False)
    if not (isinstance(past, bool) and isinstance(expected, bool)):
        raise ValueError(f"{finding}: past and expected are true or false")
    parsed = tuple((key, parse_term(str(value))) for key, value in terms.items())
    return Pattern(finding, parsed, WEIGHTS[weight], past, expected)


def _fix(item: Any) -> Fix:
    _refuse_unknown(item, ("do", "risk", "on"))
    if item.get("risk") not in RISKS:
        raise ValueError(f"fix {item.get('do')!r}: risk is one of {', '.join(RISKS)}")
    return Fix(item["do"], item["risk"], item.get("on", ""))


def _refuse_unknown(data: Mapping[str, object], known: tuple[str, ...]) -> None:
    for name in data:
        if name not in known:
            close = difflib.get_close_matches(str(name), known, 1)
            raise ValueError(f"{name} is not known here" + (f": did you mean {close[0]}?" if close else ""))


def _refuse_unbound(playbook: Playbook) -> None:
    """A text may name only what a match of ``when`` or ``because`` can have bound."""
    known = {v for clause in playbook.when for p in clause for v in p.variables}
    known |= {v for p in playbook.because for v in p.variables}
    texts = [playbook.title, playbook.why, *playbook.where.values(), *playbook.confirm]
    texts += [t for fix in playbook.fix for t in (fix.do, fix.on)]
    for text in texts:
        for name in places(text):
            if name not in known:
                raise ValueError(f"{{{name}}} in {text!r} is bound by no pattern of when or because")


def _refuse_other_than_logs(playbook: Playbook) -> None:
    """``logs`` names log signatures only, and binds what the title says."""
    if not playbook.logs:
        return
    patterns = [p for clause in playbook.logs for p in clause]
    for pattern in patterns:
        if not pattern.finding.startswith("log."):
            raise ValueError(f"logs: {pattern.finding} is not a log signature (log.…)")
    bound = set(playbook.by_logs.variables) if playbook.by_logs else set()
    for name in places(playbook.title):
        if name not in bound:
            raise ValueError(f"{{{name}}} in {playbook.title!r} is bound by no pattern of logs")

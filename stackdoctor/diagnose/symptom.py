"""Symptoms: what an operator sees, as data, and which causes may show as each."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackdoctor.diagnose.pattern import Pattern
from stackdoctor.diagnose.playbook import GROUP, Playbook, parse_pattern
from stackdoctor.diagnose.registry import entry_packages
from stackdoctor.errors import UsageError
from stackdoctor.facts.parsed import read_yaml

__all__ = ["INSTANCE", "Next", "Symptom", "causes_of", "load_symptoms", "may_show_as", "meant", "parse_symptoms"]

FOLDER = "symptoms"
INSTANCE = ("running", "any")
"""Of which instances it is a symptom: only of those that run, or of all."""

_FIELDS = {"symptom": str, "title": str, "words": list, "instance": str, "shows": list, "next": list}
_NEEDED = ("symptom", "title", "words", "shows")
_WORD = re.compile(r"[\w./-]+")


@dataclass(frozen=True)
class Next:
    """A command that shows more, with ``{names}`` to fill in, and what it shows; ``live`` needs the cloud itself."""

    do: str
    why: str
    live: bool = False


@dataclass(frozen=True)
class Symptom:
    """``words`` are those that operators use for it; ``shows`` the findings that are the symptom itself.

    ``instance`` is ``running`` or ``any`` where one instance has it, and empty where it is of no instance.
    """

    id: str
    title: str
    words: tuple[str, ...]
    shows: tuple[Pattern, ...]
    next: tuple[Next, ...]
    instance: str
    origin: str


def load_symptoms(directories: Iterable[Path] = ()) -> tuple[Symptom, ...]:
    """All symptoms in their order: of the playbook packages, then of ``symptoms/`` in ``directories``.

    Raises UsageError for a broken file and for two symptoms of one id.
    """
    by_id: dict[str, Symptom] = {}
    for file in _files(directories):
        for symptom in parse_symptoms(file.read_text(encoding="utf-8"), str(file)):
            if symptom.id in by_id:
                raise UsageError(f"two symptoms are called {symptom.id}: {by_id[symptom.id].origin} and {file}")
            by_id[symptom.id] = symptom
    return tuple(by_id.values())


def _files(directories: Iterable[Path]) -> Iterator[Path]:
    places = [Path(place) for package in entry_packages(GROUP) for place in package.__path__]
    for place in (*places, *directories):
        yield from sorted((place / FOLDER).glob("*.yaml"))


def parse_symptoms(text: str, origin: str) -> tuple[Symptom, ...]:
    """The symptoms that ``text`` (YAML, a list) is; raises UsageError that names the place in ``origin``."""
    data = read_yaml(text, origin).data
    if not isinstance(data, list):
        raise UsageError(f"{origin}: must be a list of symptoms: - symptom: ...")
    try:
        return tuple(_symptom(item, origin) for item in data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{origin}: {error}") from error


def _symptom(item: Any, origin: str) -> Symptom:
    for name, value in item.items():
        if not isinstance(value, _FIELDS.get(str(name), ())):
            near = difflib.get_close_matches(str(name), _FIELDS, 1)
            hint = f": did you mean {near[0]}?" if near and near[0] != name else " in this form"
            raise ValueError(f"{item.get('symptom')}: {name} is not known{hint}")
    for name in _NEEDED:
        if not item.get(name):
            raise ValueError(f"{item.get('symptom')}: {name} is missing")
    if item.get("instance") not in (None, *INSTANCE):
        raise ValueError(f"{item['symptom']}: instance is one of {', '.join(INSTANCE)}")
    return Symptom(
        id=item["symptom"],
        title=" ".join(item["title"].split()),
        words=tuple(str(word).lower() for word in item["words"]),
        shows=tuple(parse_pattern(shown) for shown in item["shows"]),
        next=tuple(Next(step["do"], step["why"], bool(step.get("live", False))) for step in item.get("next", ())),
        instance=item.get("instance", ""),
        origin=origin,
    )


def causes_of(symptom: Symptom, playbooks: Iterable[Playbook]) -> tuple[Playbook, ...]:
    """The playbooks whose cause may show as ``symptom``, wherever it is."""
    return tuple(p for p in playbooks if any(named.finding == symptom.id for named in p.symptoms))


def may_show_as(symptom: Symptom, playbook: Playbook, where: Mapping[str, str]) -> bool:
    """Whether the cause of ``playbook`` at the place ``where`` may show as ``symptom``."""
    return any(
        named.finding == symptom.id and all(key in where and term.holds(where[key], {}) for key, term in named.terms)
        for named in playbook.symptoms
    )


def meant(text: str, symptoms: Sequence[Symptom]) -> tuple[Symptom, ...]:
    """The symptoms that ``text`` may mean, the best first: by its id, or by the words that operators use for it."""
    asked = " ".join(text.lower().split())
    exact = tuple(s for s in symptoms if s.id == asked)
    if exact:
        return exact
    said = set(_WORD.findall(asked))
    scores = {s.id: sum(1 for w in s.words if (w in said if " " not in w else w in asked)) for s in symptoms}
    for near in difflib.get_close_matches(asked, [s.id for s in symptoms], 3):
        scores[near] += 2
    return tuple(sorted((s for s in symptoms if scores[s.id]), key=lambda s: -scores[s.id]))

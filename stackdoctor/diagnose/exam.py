"""Judge the tool: recorded clouds with what is true of each, against what it says of them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stackdoctor.diagnose.analyse import analyse
from stackdoctor.diagnose.knowledge import Knowledge
from stackdoctor.errors import UsageError
from stackdoctor.model import Diagnosis, Severity
from stackdoctor.snapshot.read import read_snapshot

__all__ = ["SNAPSHOT", "TRUTH", "Broken", "Case", "Mark", "find_cases", "sit"]

TRUTH = "truth.json"
SNAPSHOT = "snapshot.tar.gz"


@dataclass(frozen=True)
class Broken:
    """One thing that is broken: the causes that name it, and the words of which one must stand in its place."""

    causes: frozenset[str]
    where: frozenset[str]

    def is_named_by(self, diagnosis: Diagnosis) -> bool:
        """Whether ``diagnosis`` names this cause at this place."""
        places = " ".join(diagnosis.where.values())
        return diagnosis.cause in self.causes and (not self.where or any(word in places for word in self.where))


@dataclass(frozen=True)
class Case:
    """A snapshot and what is true of it; nothing broken is a case as well.

    ``must_not`` are causes that must not be named, by no diagnosis however mild.
    """

    name: str
    snapshot: Path
    what: str
    broken: tuple[Broken, ...]
    must_not: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Mark:
    """How the tool did: what it named, what it missed, what it named wrongly.

    ``first``: the causes named first are the right ones, whatever their place.  ``places``: every broken thing is
    named at its place.
    """

    case: Case
    named: tuple[str, ...]
    missed: tuple[str, ...]
    wrong: tuple[str, ...]
    first: bool
    places: bool
    unexplained: int
    seconds: float

    @property
    def right(self) -> bool:
        """Every cause named first, at its place, and no other."""
        return not self.missed and not self.wrong and self.first and self.places


def find_cases(directories: Iterable[Path]) -> Iterator[Case]:
    """The cases in ``directories`` and below; raises UsageError where there is none or one is broken."""
    for directory in directories:
        truths = sorted(directory.rglob(TRUTH))
        if not truths:
            raise UsageError(f"{directory} holds no case: a case is a folder with {TRUTH} and {SNAPSHOT}")
        yield from (_case(truth) for truth in truths)


def _case(truth: Path) -> Case:
    try:
        said = json.loads(truth.read_text(encoding="utf-8"))
        broken = tuple(Broken(frozenset(b["causes"]), frozenset(b["where"])) for b in said["broken"])
        must_not = frozenset(str(cause) for cause in said.get("must_not", ()))
        return Case(truth.parent.name, truth.parent / SNAPSHOT, str(said["what"]), broken, must_not)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{truth} is no truth about a case: {type(error).__name__}: {error}") from error


def sit(case: Case, knowledge: Knowledge) -> Mark:
    """Diagnose the case's snapshot and compare."""
    began = time.monotonic()
    correlation = analyse(read_snapshot(case.snapshot), knowledge).correlation
    seconds = time.monotonic() - began
    serious = [d for d in correlation.diagnoses if d.severity >= Severity.ERROR]
    forbidden = [d for d in correlation.diagnoses if d.cause in case.must_not]
    wrong = [d for d in serious if not any(b.is_named_by(d) for b in case.broken)]
    return Mark(
        case=case,
        named=tuple(f"{d.cause}@{d.where.get('node', '')}" for d in serious),
        missed=tuple("|".join(sorted(b.causes)) for b in case.broken if not any(b.is_named_by(d) for d in serious)),
        wrong=tuple(dict.fromkeys(d.cause for d in (*wrong, *forbidden))),
        first=all(any(d.cause in b.causes for b in case.broken) for d in serious[: len(case.broken)]),
        places=all(any(b.is_named_by(d) for d in serious) for b in case.broken),
        unexplained=sum(1 for f in correlation.unexplained if f.severity >= Severity.ERROR),
        seconds=seconds,
    )

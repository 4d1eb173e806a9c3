"""Choose the smallest set of causes that explains what was seen (docs/correlation.md)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stackdoctor.diagnose.coverers import Coverers, covered_weights
from stackdoctor.diagnose.hypothesis import Hypothesis
from stackdoctor.model import Finding, Severity

__all__ = ["THRESHOLD", "Choice", "Fate", "choose"]

THRESHOLD = 0.4
"""A hypothesis that scores less is not considered."""

SYMPTOM_WEIGHT = {Severity.INFO: 1, Severity.WARNING: 10, Severity.ERROR: 30, Severity.CRITICAL: 40}
"""Whole numbers, whose sum is the same in any order."""


@dataclass(frozen=True)
class Fate:
    """What became of a hypothesis: ``chosen``, ``link`` (of ``by``), ``redundant``, ``weak`` or ``excluded``."""

    outcome: str
    by: Hypothesis | None = None


@dataclass(frozen=True)
class Choice:
    """The chosen hypotheses, best first, the links of each one's chain, and the fate of all."""

    chosen: tuple[Hypothesis, ...]
    links: tuple[tuple[Hypothesis, ...], ...]
    fates: tuple[tuple[Hypothesis, Fate], ...]


def choose(candidates: Iterable[Hypothesis], findings: Sequence[Finding]) -> Choice:
    """Parsimonious covering: a cause explained by another becomes its link, then the greedy minimum of the rest."""
    fates: dict[int, Fate] = {}
    every = list(candidates)
    able: list[Hypothesis] = []
    for hypothesis in every:
        if hypothesis.excluded:
            fates[id(hypothesis)] = Fate("excluded")
        elif hypothesis.score < THRESHOLD:
            fates[id(hypothesis)] = Fate("weak")
        else:
            able.append(hypothesis)
    weights = covered_weights([h.parts for h in able], [0 if f.past else SYMPTOM_WEIGHT[f.severity] for f in findings])
    ranks = {id(h): (h.score, float(weight), h.playbook.cause) for h, weight in zip(able, weights, strict=True)}
    parents = _parents(able, ranks)
    roots = [h for h in able if id(h) not in parents]
    chosen = _greedy(roots, ranks, fates)
    links: dict[int, list[Hypothesis]] = {id(h): [] for h in chosen}
    for hypothesis in able:
        if id(hypothesis) in parents:
            root = _root(hypothesis, parents)
            fates[id(hypothesis)] = Fate("link", parents[id(hypothesis)])
            if id(root) in links:
                links[id(root)].append(hypothesis)
    chosen.sort(key=lambda h: (-h.playbook.severity, *(_negative(ranks[id(h)]))))
    return Choice(
        tuple(chosen),
        tuple(tuple(sorted(links[id(h)], key=lambda link: _negative(ranks[id(link)]))) for h in chosen),
        tuple((h, fates[id(h)]) for h in every),
    )


Rank = tuple[float, float, str]


def _negative(rank: Rank) -> Rank:
    return (-rank[0] * rank[1], -rank[0], rank[2])


def _parents(able: Sequence[Hypothesis], ranks: dict[int, Rank]) -> dict[int, Hypothesis]:
    """The best hypothesis that explains all that another rests on; of two that explain each other the better."""
    coverers = Coverers(able, ranks)
    parents: dict[int, Hypothesis] = {}
    for hypothesis in able:
        best: Hypothesis | None = None
        for users in coverers.of_rarest(hypothesis.own):
            for other in users:
                if best is not None and coverers.order[id(other)] >= coverers.order[id(best)]:
                    break
                if (
                    other is not hypothesis
                    and other.accounts_for(hypothesis.grounds)
                    and (ranks[id(other)] > ranks[id(hypothesis)] or not hypothesis.accounts_for(other.grounds))
                ):
                    best = other
                    break
        if best is not None:
            parents[id(hypothesis)] = best
    return _without_cycles(able, parents, ranks)


def _without_cycles(
    able: Sequence[Hypothesis], parents: dict[int, Hypothesis], ranks: dict[int, Rank]
) -> dict[int, Hypothesis]:
    """Three causes may each explain the next: the best of such a ring is its root."""
    state: dict[int, int] = {}
    for number, start in enumerate(able, start=1):
        path: list[Hypothesis] = []
        here: Hypothesis | None = start
        while here is not None and id(here) not in state:
            state[id(here)] = number
            path.append(here)
            here = parents.get(id(here))
        if here is not None and state[id(here)] == number:
            ring = path[next(i for i, h in enumerate(path) if h is here) :]
            del parents[id(max(ring, key=lambda h: ranks[id(h)]))]
    return parents


def _root(hypothesis: Hypothesis, parents: dict[int, Hypothesis]) -> Hypothesis:
    while id(hypothesis) in parents:
        hypothesis = parents[id(hypothesis)]
    return hypothesis


def _greedy(roots: Iterable[Hypothesis], ranks: dict[int, Rank], fates: dict[int, Fate]) -> list[Hypothesis]:
    """Take the root that explains most first; leave out one whose grounds others have explained by then."""
    chosen: list[Hypothesis] = []
    by: dict[int, Hypothesis] = {}
    counted: set[int] = set()
    for hypothesis in sorted(roots, key=lambda h: _negative(ranks[id(h)])):
        if hypothesis.own <= by.keys():
            first = min((by[p] for p in hypothesis.own), key=lambda h: _negative(ranks[id(h)]), default=None)
            fates[id(hypothesis)] = Fate("redundant", first)
            continue
        chosen.append(hypothesis)
        for part in hypothesis.parts:
            if id(part) not in counted:
                counted.add(id(part))
                for position in part:
                    by.setdefault(position, hypothesis)
        fates[id(hypothesis)] = Fate("chosen")
    return chosen

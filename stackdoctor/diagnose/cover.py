"""Choose the smallest set of causes that explains what was seen (docs/correlation.md)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stackdoctor.diagnose.hypothesis import Hypothesis
from stackdoctor.model import Finding, Severity

__all__ = ["THRESHOLD", "Choice", "Fate", "choose"]

THRESHOLD = 0.4
"""A hypothesis that scores less is not considered."""

SYMPTOM_WEIGHT = {Severity.INFO: 0.1, Severity.WARNING: 1.0, Severity.ERROR: 3.0, Severity.CRITICAL: 4.0}


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
    weights = [0.0 if f.past else SYMPTOM_WEIGHT[f.severity] for f in findings]
    ranks = {id(h): (h.score, sum(weights[p] for p in h.covers), h.playbook.cause) for h in able}
    parents = _parents(able, ranks)
    roots = [h for h in able if id(h) not in parents]
    chosen = _greedy(roots, weights, ranks, fates)
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
    coverers: dict[int, list[Hypothesis]] = {}
    for hypothesis in able:
        for position in hypothesis.covers:
            coverers.setdefault(position, []).append(hypothesis)
    parents: dict[int, Hypothesis] = {}
    for hypothesis in able:
        rarest = min(hypothesis.own, key=lambda p: len(coverers[p]))
        above = [
            other
            for other in coverers[rarest]
            if other is not hypothesis
            and hypothesis.own <= other.covers
            and (not other.own <= hypothesis.covers or ranks[id(other)] > ranks[id(hypothesis)])
        ]
        if above:
            parents[id(hypothesis)] = max(above, key=lambda h: ranks[id(h)])
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


def _greedy(
    roots: Iterable[Hypothesis], weights: Sequence[float], ranks: dict[int, Rank], fates: dict[int, Fate]
) -> list[Hypothesis]:
    """Take the root that explains most first; leave out one whose grounds others have explained by then."""
    chosen: list[Hypothesis] = []
    covered: set[int] = set()
    for hypothesis in sorted(roots, key=lambda h: _negative(ranks[id(h)])):
        if hypothesis.own <= covered:
            by = next((h for h in chosen if hypothesis.own & h.covers), None)
            fates[id(hypothesis)] = Fate("redundant", by)
            continue
        chosen.append(hypothesis)
        covered |= hypothesis.covers
        fates[id(hypothesis)] = Fate("chosen")
    return chosen

"""Which hypotheses account for a finding, and how much each accounts for, without going through every pair.

Hypotheses share the sets of findings that they cover (``Hypothesis.parts``): a pattern without variables gives
the same set to all of them.  What is done once a set instead of once a hypothesis grows with the findings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import islice

from stackdoctor.diagnose.hypothesis import Hypothesis

__all__ = ["Coverers", "covered_weights"]

ENOUGH = 16
"""So many of the findings that a hypothesis rests on are looked at for the one that fewest cover."""

MANY = 32
"""From so many users on the sum of a set is worth being kept."""

Parts = tuple[frozenset[int], ...]
Rank = tuple[float, float, str]


class Coverers:
    """The hypotheses by the sets that they cover, the best first."""

    def __init__(self, able: Sequence[Hypothesis], ranks: Mapping[int, Rank]) -> None:
        ordered = sorted(able, key=lambda h: ranks[id(h)], reverse=True)
        self.order = {id(hypothesis): place for place, hypothesis in enumerate(ordered)}
        needed = {position for hypothesis in able for position in hypothesis.own}
        self._users: dict[int, list[Hypothesis]] = {}
        self._containing: dict[int, list[int]] = {position: [] for position in needed}
        for hypothesis in ordered:
            for part in hypothesis.parts:
                if id(part) not in self._users:
                    self._users[id(part)] = []
                    for position in part & needed:
                        self._containing[position].append(id(part))
                self._users[id(part)].append(hypothesis)

    def of_rarest(self, positions: Collection[int]) -> list[list[Hypothesis]]:
        """The hypotheses that cover the one of ``positions`` that fewest cover: lists, each with the best first.

        Any position will do, so that a few of many are enough to look at.
        """
        some = islice(positions, ENOUGH)
        lists = ([self._users[part] for part in self._containing[position]] for position in some)
        return min(lists, key=lambda users: sum(map(len, users)), default=[])


def covered_weights(covers: Sequence[Parts], weights: Sequence[int]) -> list[int]:
    """For each of ``covers`` the weight of the findings in its sets, each finding once."""
    weight_of = weights.__getitem__
    users = Counter(id(part) for parts in covers for part in parts)
    kept: dict[frozenset[int], tuple[set[int], int]] = {}
    sums = []
    for parts in covers:
        shared = [part for part in parts if users[id(part)] > MANY]
        key = frozenset(map(id, shared))
        if key not in kept:
            union: set[int] = set().union(*shared)
            kept[key] = (union, sum(map(weight_of, union)))
        union, weight = kept[key]
        own = {p for part in parts if users[id(part)] <= MANY for p in part if p not in union}
        sums.append(weight + sum(map(weight_of, own)))
    return sums

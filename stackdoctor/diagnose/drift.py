"""What is set otherwise on the nodes of a cloud than at another look at it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from stackdoctor.diagnose.traits import KINDS, Lines, Traits, traits_of
from stackdoctor.model import NodeResults

__all__ = ["Difference", "Drift", "drift"]


@dataclass(frozen=True)
class Difference:
    """One trait that differs: its lines then and now, None where it was not or is not there."""

    node: str
    kind: str
    name: str
    before: Lines | None
    after: Lines | None

    @property
    def gone(self) -> Lines:
        """The lines that are no longer there."""
        return _without(self.before or (), self.after or ())

    @property
    def new(self) -> Lines:
        """The lines that were not there."""
        return _without(self.after or (), self.before or ())


@dataclass(frozen=True)
class Drift:
    """The differences, by node and kind, and what could not be compared, one sentence each."""

    differences: tuple[Difference, ...]
    not_compared: tuple[str, ...]


def drift(before: Iterable[NodeResults], after: Iterable[NodeResults]) -> Drift:
    """What differs on the nodes that answered at both looks."""
    then = {results.node.name: results for results in before if results.results}
    differences: list[Difference] = []
    missing: dict[str, list[str]] = {}
    for results in after:
        name = results.node.name
        if name not in then or not results.results:
            continue
        old, new = traits_of(then[name]), traits_of(results)
        differences += _of_node(name, old, new)
        for fact in sorted({*old.unread, *new.unread}):
            # what neither look could read is no news
            if not (fact in old.unread and fact in new.unread):
                when = "then" if fact in old.unread else "now"
                reason = old.unread.get(fact) or new.unread[fact]
                missing.setdefault(f"{fact}, not read {when} ({reason})", []).append(name)
    differences.sort(key=lambda d: (d.node, KINDS.index(d.kind), d.name))
    return Drift(tuple(differences), tuple(f"{what}: {', '.join(nodes)}" for what, nodes in missing.items()))


def _of_node(node: str, old: Traits, new: Traits) -> Iterator[Difference]:
    for fact, then in old.by_fact.items():
        now = new.by_fact.get(fact)
        if now is None:
            continue
        for kind, name in {**then, **now}:
            before, after = then.get((kind, name)), now.get((kind, name))
            unread = (before is None and fact in old.partial) or (after is None and fact in new.partial)
            if before != after and not unread:
                yield Difference(node, kind, name, before, after)


def _without(some: Lines, others: Lines) -> Lines:
    left = list(others)
    found = []
    for line in some:
        if line in left:
            left.remove(line)
        else:
            found.append(line)
    return tuple(found)

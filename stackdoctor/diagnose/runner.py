"""Run the checks over a snapshot's facts: findings, and what could not be looked at and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property

from stackdoctor.diagnose.names import NodeNames
from stackdoctor.diagnose.part import CheckFailed, Part, facts_of, findings_of, parts_by, unread
from stackdoctor.diagnose.registry import Check, Need
from stackdoctor.facts.fact import Fact
from stackdoctor.model import Absence, Cloud, Finding, NodeResults

__all__ = ["Examination", "NotChecked", "examine", "join"]


@dataclass(frozen=True)
class NotChecked:
    """A check that could not look at a node (``node`` is empty where it is about the cloud), and why.

    ``check`` is a glob where only a part of a fact could be read.
    """

    check: str
    node: str
    reason: str


@dataclass(frozen=True)
class Examination:
    """What the checks say.

    ``checked`` are the pairs of check and node that were really looked at, ``not_applicable`` those where there
    is nothing to look at.
    """

    findings: tuple[Finding, ...]
    not_checked: tuple[NotChecked, ...]
    checked: frozenset[tuple[str, str]]
    not_applicable: frozenset[tuple[str, str]] = field(default=frozenset())

    def missed(self, check: str) -> frozenset[str]:
        """The nodes on which ``check`` (an id or a glob) could not look at all or at everything."""
        if check not in self._missed:
            ids = self._missed_by_id if "*" in check else (check, *self._missed_globs)
            self._missed[check] = frozenset().union(
                *(self._missed_by_id.get(id_, ()) for id_ in ids if _same(id_, check))
            )
        return self._missed[check]

    @cached_property
    def _missed(self) -> dict[str, frozenset[str]]:
        return {}

    @cached_property
    def _missed_by_id(self) -> dict[str, set[str]]:
        nodes: dict[str, set[str]] = {}
        for missed in self.not_checked:
            nodes.setdefault(missed.check, set()).add(missed.node)
        return nodes

    @cached_property
    def _missed_globs(self) -> tuple[str, ...]:
        return tuple(id_ for id_ in self._missed_by_id if "*" in id_)


def _same(missed: str, check: str) -> bool:
    return missed == check or fnmatchcase(check, missed) or ("*" in check and fnmatchcase(missed, check))


def examine(nodes: Iterable[NodeResults], checks: Iterable[Check], at: float | None = None) -> Examination:
    """Parse what the checks ask for, each fact once a node, and run them; ``at`` as in `parts_by`."""
    checks = tuple(checks)
    return join(list(map(parts_by(checks, at), nodes)), checks)


def join(parts: Sequence[Part], checks: Iterable[Check]) -> Examination:
    """One examination of the cloud from its nodes' parts: their findings, and the checks that look at several nodes.

    All times of findings are put on our clock, and all names of hosts are the report's.
    """
    checks = tuple(checks)
    nodes = [part.results.node.name for part in parts]
    elsewhere = facts_of(check for check in checks if not check.of_one_node)
    facts = {fact: _cloud(fact, parts) for fact in elsewhere}
    names = NodeNames.of(part.known for part in parts)
    ahead = {part.results.node.name: part.results.clock.offset for part in parts if part.results.clock is not None}
    findings: list[Finding] = []
    not_checked = [
        NotChecked(check, part.results.node.name, reason)
        for fact in facts_of(checks)
        for part in parts
        for check, reason in part.gaps.get(fact, ())
    ]
    checked: set[tuple[str, str]] = set()
    not_applicable: set[tuple[str, str]] = set()
    for check in checks:
        for node, found, looked_at in (
            _alone(check, parts, not_checked, not_applicable)
            if check.of_one_node
            else _together(check, facts, nodes, not_checked, not_applicable)
        ):
            if isinstance(found, CheckFailed):
                not_checked.append(NotChecked(check.id, node, found.reason))
                continue
            findings.extend(
                finding.stamped(
                    check.id, check.severity, node, names.canonical(finding.keys), ahead.get(finding.node or node, 0.0)
                )
                for finding in found
            )
            checked.update((check.id, name) for name in looked_at)
    return Examination(tuple(findings), tuple(not_checked), frozenset(checked), frozenset(not_applicable))


def _cloud(fact: type[Fact], parts: Iterable[Part]) -> Cloud[Fact]:
    present: dict[str, Fact] = {}
    absent: dict[str, Absence] = {}
    for part in parts:
        value = part.facts[fact]
        if isinstance(value, Absence):
            absent[part.results.node.name] = value
        else:
            present[part.results.node.name] = value
    return Cloud(present, absent)


Pairs = set[tuple[str, str]]
Made = tuple[str, tuple[Finding, ...] | CheckFailed, tuple[str, ...]]
"""The node that a check was about (empty: the cloud), what came of it, and the nodes that were thereby looked at."""


def _alone(check: Check, parts: Iterable[Part], not_checked: list[NotChecked], not_applicable: Pairs) -> Iterator[Made]:
    """What the nodes' own parts say of ``check``."""
    for part in parts:
        node, made = part.results.node.name, part.made[check.id]
        if isinstance(made, Absence):
            _absent(check, node, made, not_checked, not_applicable)
        else:
            yield node, made, (node,)


def _absent(check: Check, node: str, why: Absence, not_checked: list[NotChecked], not_applicable: Pairs) -> None:
    if why.applicable:
        not_checked.append(NotChecked(check.id, node, why.reason))
    else:
        not_applicable.add((check.id, node))


def _together(
    check: Check,
    facts: Mapping[type[Fact], Cloud[Fact]],
    nodes: list[str],
    not_checked: list[NotChecked],
    not_applicable: Pairs,
) -> Iterator[Made]:
    """The runs of a check that looks at several nodes: once for the cloud, or for each node where it asks for one."""
    if check.over_cloud:
        looked_at = _seen_by(check, facts, nodes, not_checked, not_applicable)
        if looked_at is not None:
            yield "", findings_of(check, {need.parameter: facts[need.fact] for need in check.needs}), looked_at
        return
    for node in nodes:
        absences = [
            facts[need.fact].absent[node]
            for need in check.needs
            if not need.cloud and not need.optional and node not in facts[need.fact].facts
        ]
        if absences:
            blocking = next((a for a in absences if not a.applicable), absences[0])
            _absent(check, node, blocking, not_checked, not_applicable)
            continue
        found = findings_of(check, {need.parameter: _argument(need, facts, node) for need in check.needs})
        clouds = {need: facts[need.fact] for need in check.needs if not need.cloud}
        own = {need: cloud.facts[node] if node in cloud.facts else cloud.absent[node] for need, cloud in clouds.items()}
        why = None if found else unread(own)
        if why is None:
            yield node, found, (node,)
        else:
            _absent(check, node, why, not_checked, not_applicable)


def _seen_by(
    check: Check,
    facts: Mapping[type[Fact], Cloud[Fact]],
    nodes: list[str],
    not_checked: list[NotChecked],
    not_applicable: Pairs,
) -> tuple[str, ...] | None:
    """The nodes that a check over the cloud looks at; None where it cannot be made."""
    required = [facts[need.fact] for need in check.needs if not need.optional]
    for need in check.needs:
        why = getattr(need.fact, "nowhere", "")
        cloud = facts[need.fact]
        if why and not need.optional and not cloud and not any(a.applicable for a in cloud.absent.values()):
            not_checked.append(NotChecked(check.id, "", why))
            return None
    for node in nodes:
        absences = [cloud.absent[node] for cloud in required if node in cloud.absent]
        if absences:
            blocking = next((a for a in absences if a.applicable), absences[0])
            _absent(check, node, blocking, not_checked, not_applicable)
    if not all(required):
        return None
    return tuple(node for node in nodes if all(node in cloud.facts for cloud in required))


def _argument(need: Need, facts: Mapping[type[Fact], Cloud[Fact]], node: str) -> object:
    return facts[need.fact] if need.cloud else facts[need.fact].facts.get(node)

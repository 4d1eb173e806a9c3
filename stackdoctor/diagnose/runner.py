"""Run the checks over a snapshot's facts: findings, and what could not be looked at and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property

from stackdoctor.collect.api_reads import is_api_probe
from stackdoctor.diagnose.names import NodeNames
from stackdoctor.diagnose.registry import Check, Need
from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.fact import Fact
from stackdoctor.facts.logs import LogHits
from stackdoctor.facts.moment import as_of
from stackdoctor.model import API_ROLE, Absence, Cloud, Finding, NodeResults

__all__ = ["STATE_OF_THE_LOOK", "Examination", "NotChecked", "examine"]

STATE_OF_THE_LOOK = "state is known of the time of the look, not of the moment asked about"
"""Why nothing but logs is judged at a moment before the look."""


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
    """Parse what the checks ask for, each fact once a node, and run them.

    ``at`` is a moment before the look, seconds since the epoch on our clock: only logs tell of it, so everything
    else could not be checked.  All times of findings are put on our clock.
    """
    nodes = tuple(nodes)
    checks = tuple(checks)
    facts = {fact: _parse(fact, nodes, at) for fact in _facts_of(checks)}
    names = NodeNames.of(nodes)
    ahead = {n.node.name: n.clock.offset for n in nodes if n.clock is not None}
    findings: list[Finding] = []
    not_checked = [
        NotChecked(check, node, reason)
        for cloud in facts.values()
        for node, value in cloud
        for check, reason in getattr(value, "gaps", ())
    ]
    checked: set[tuple[str, str]] = set()
    not_applicable: set[tuple[str, str]] = set()
    for check in checks:
        runs = _runs(check, facts, [n.node.name for n in nodes], not_checked, not_applicable)
        for node, arguments, looked_at in runs:
            try:
                found = [
                    finding.stamped(
                        check.id,
                        check.severity,
                        node,
                        names.canonical(finding.keys),
                        ahead.get(finding.node or node, 0.0),
                    )
                    for finding in check.run(**arguments)
                ]
            except Exception as error:  # one check's mistake costs that check only, and is said
                not_checked.append(NotChecked(check.id, node, f"the check failed: {type(error).__name__}: {error}"))
                continue
            findings.extend(found)
            checked.update((check.id, name) for name in looked_at)
    return Examination(tuple(findings), tuple(not_checked), frozenset(checked), frozenset(not_applicable))


def _facts_of(checks: Iterable[Check]) -> Iterator[type[Fact]]:
    return iter(dict.fromkeys(need.fact for check in checks for need in check.needs))


def _parse(fact: type[Fact], nodes: Iterable[NodeResults], at: float | None) -> Cloud[Fact]:
    present: dict[str, Fact] = {}
    absent: dict[str, Absence] = {}
    about_apis = any(is_api_probe(probe) for probe in fact.probes)
    for results in nodes:
        name = results.node.name
        if API_ROLE in results.node.roles and not about_apis:
            absent[name] = Absence("the APIs are no host", applicable=False)
            continue
        try:
            present[name] = _fact(fact, results, at)
        except NotApplicable as error:
            absent[name] = Absence(str(error), applicable=False)
        except CouldNotCheck as error:
            absent[name] = Absence(str(error), applicable=True)
        except Exception as error:  # hostile text may find a parser's mistake: that fact is lost, not the run
            absent[name] = Absence(f"{fact.__name__}: {type(error).__name__}: {error}", applicable=True)
    return Cloud(present, absent)


def _fact(fact: type[Fact], results: NodeResults, at: float | None) -> Fact:
    if at is None:
        return fact.parse(results)
    if not issubclass(fact, LogHits):
        raise CouldNotCheck(STATE_OF_THE_LOOK)
    return as_of(fact.parse(results), at + (results.clock.offset if results.clock else 0.0))


Run = tuple[str, dict[str, object], tuple[str, ...]]
Pairs = set[tuple[str, str]]


def _runs(
    check: Check,
    facts: Mapping[type[Fact], Cloud[Fact]],
    nodes: list[str],
    not_checked: list[NotChecked],
    not_applicable: Pairs,
) -> Iterator[Run]:
    """The calls to make: the node they are about, the arguments, and the nodes that are thereby looked at."""
    if check.over_cloud:
        run = _cloud_run(check, facts, nodes, not_checked, not_applicable)
        if run is not None:
            yield run
        return
    for node in nodes:
        absences = [
            facts[need.fact].absent[node]
            for need in check.needs
            if not need.cloud and not need.optional and node not in facts[need.fact].facts
        ]
        if absences:
            blocking = next((a for a in absences if not a.applicable), absences[0])
            if blocking.applicable:
                not_checked.append(NotChecked(check.id, node, blocking.reason))
            else:
                not_applicable.add((check.id, node))
            continue
        yield node, {need.parameter: _argument(need, facts, node) for need in check.needs}, (node,)


def _cloud_run(
    check: Check,
    facts: Mapping[type[Fact], Cloud[Fact]],
    nodes: list[str],
    not_checked: list[NotChecked],
    not_applicable: Pairs,
) -> Run | None:
    required = [facts[need.fact] for need in check.needs if not need.optional]
    for need in check.needs:
        why = getattr(need.fact, "nowhere", "")
        cloud = facts[need.fact]
        if why and not need.optional and not cloud and not any(a.applicable for a in cloud.absent.values()):
            not_checked.append(NotChecked(check.id, "", why))
            return None
    for node in nodes:
        absences = [cloud.absent[node] for cloud in required if node in cloud.absent]
        blocking = next((a for a in absences if a.applicable), None)
        if blocking is not None:
            not_checked.append(NotChecked(check.id, node, blocking.reason))
        elif absences:
            not_applicable.add((check.id, node))
    if not all(required):
        return None
    looked_at = tuple(node for node in nodes if all(node in cloud.facts for cloud in required))
    return "", {need.parameter: facts[need.fact] for need in check.needs}, looked_at


def _argument(need: Need, facts: Mapping[type[Fact], Cloud[Fact]], node: str) -> object:
    return facts[need.fact] if need.cloud else facts[need.fact].facts.get(node)

"""Run the checks over a snapshot's facts: findings, and what could not be looked at and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from stackdoctor.diagnose.names import NodeNames
from stackdoctor.diagnose.registry import Check, Need
from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.fact import Fact
from stackdoctor.model import Absence, Cloud, Finding, NodeResults

__all__ = ["Examination", "NotChecked", "examine"]


@dataclass(frozen=True)
class NotChecked:
    """A check that could not look at a node (``node`` is empty where it is about the cloud), and why."""

    check: str
    node: str
    reason: str


@dataclass(frozen=True)
class Examination:
    """What the checks say.  ``checked`` are the pairs of check and node that were really looked at."""

    findings: tuple[Finding, ...]
    not_checked: tuple[NotChecked, ...]
    checked: frozenset[tuple[str, str]]


def examine(nodes: Iterable[NodeResults], checks: Iterable[Check]) -> Examination:
    """Parse what the checks ask for, each fact once a node, and run them."""
    nodes = tuple(nodes)
    checks = tuple(checks)
    facts = {fact: _parse(fact, nodes) for fact in _facts_of(checks)}
    names = NodeNames.of(nodes)
    findings: list[Finding] = []
    not_checked = [
        NotChecked(check, node, reason)
        for cloud in facts.values()
        for node, value in cloud
        for check, reason in getattr(value, "gaps", ())
    ]
    checked: set[tuple[str, str]] = set()
    for check in checks:
        runs = _runs(check, facts, [n.node.name for n in nodes], not_checked)
        for node, arguments, looked_at in runs:
            try:
                found = [
                    finding.stamped(check.id, check.severity, node, names.canonical(finding.keys))
                    for finding in check.run(**arguments)
                ]
            except Exception as error:  # one check's mistake costs that check only, and is said
                not_checked.append(NotChecked(check.id, node, f"the check failed: {type(error).__name__}: {error}"))
                continue
            findings.extend(found)
            checked.update((check.id, name) for name in looked_at)
    return Examination(tuple(findings), tuple(not_checked), frozenset(checked))


def _facts_of(checks: Iterable[Check]) -> Iterator[type[Fact]]:
    return iter(dict.fromkeys(need.fact for check in checks for need in check.needs))


def _parse(fact: type[Fact], nodes: Iterable[NodeResults]) -> Cloud[Fact]:
    present: dict[str, Fact] = {}
    absent: dict[str, Absence] = {}
    for results in nodes:
        name = results.node.name
        try:
            present[name] = fact.parse(results)
        except NotApplicable as error:
            absent[name] = Absence(str(error), applicable=False)
        except CouldNotCheck as error:
            absent[name] = Absence(str(error), applicable=True)
        except Exception as error:  # hostile text may find a parser's mistake: that fact is lost, not the run
            absent[name] = Absence(f"{fact.__name__}: {type(error).__name__}: {error}", applicable=True)
    return Cloud(present, absent)


Run = tuple[str, dict[str, object], tuple[str, ...]]


def _runs(
    check: Check, facts: Mapping[type[Fact], Cloud[Fact]], nodes: list[str], not_checked: list[NotChecked]
) -> Iterator[Run]:
    """The calls to make: the node they are about, the arguments, and the nodes that are thereby looked at."""
    if check.over_cloud:
        run = _cloud_run(check, facts, nodes, not_checked)
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
            continue
        yield node, {need.parameter: _argument(need, facts, node) for need in check.needs}, (node,)


def _cloud_run(
    check: Check, facts: Mapping[type[Fact], Cloud[Fact]], nodes: list[str], not_checked: list[NotChecked]
) -> Run | None:
    required = [facts[need.fact] for need in check.needs if not need.optional]
    for node in nodes:
        for cloud in required:
            absence = cloud.absent.get(node)
            if absence is not None and absence.applicable:
                not_checked.append(NotChecked(check.id, node, absence.reason))
                break
    if not all(required):
        return None
    looked_at = tuple(node for node in nodes if all(node in cloud.facts for cloud in required))
    return "", {need.parameter: facts[need.fact] for need in check.needs}, looked_at


def _argument(need: Need, facts: Mapping[type[Fact], Cloud[Fact]], node: str) -> object:
    return facts[need.fact] if need.cloud else facts[need.fact].facts.get(node)

"""How much is folded into few lines: findings of one kind, gaps of one reason, evidence of many sources."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from stackdoctor.model import Diagnosis, Evidence, Finding, Severity
from stackdoctor.report.report import Report

__all__ = ["Gap", "Group", "alike", "gaps", "grouped", "left_open", "named", "shortened", "spread", "unalike"]

_NUMBER = re.compile(r"[0-9a-f]{8,}|[0-9]+")
_ALIKE = 300

MANY = frozenset(
    [
        "bridge",
        "chain",
        "device",
        "instance",
        "ip",
        "mac",
        "map",
        "mount",
        "mtu",
        "namespace",
        "network",
        "path",
        "peer",
        "physnet",
        "port",
        "portal",
        "project",
        "provider",
        "queue",
        "resource",
        "router",
        "set",
        "tap",
        "vg",
        "vlan",
        "vni",
        "volume",
    ]
)
"""What there are many of on one node: one thing that breaks there breaks it for several of them at once."""


@dataclass(frozen=True)
class Group:
    """The findings of one id: how often it was seen (their counts summed), on which nodes, when last."""

    id: str
    severity: Severity
    count: int
    nodes: tuple[str, ...]
    last: float | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Gap:
    """Checks that were not made on ``nodes`` for one reason; no nodes stands for the whole cloud."""

    checks: tuple[str, ...]
    nodes: tuple[str, ...]
    reason: str


def grouped(findings: Iterable[Finding]) -> tuple[Group, ...]:
    """``findings`` by id, the worst first, otherwise in the order in which the ids come."""
    by_id: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_id[finding.id].append(finding)
    groups = [
        Group(
            id=id_,
            severity=max(f.severity for f in members),
            count=sum(f.count for f in members),
            nodes=tuple(sorted({f.node for f in members if f.node})),
            last=max((f.last for f in members if f.last is not None), default=None),
            findings=tuple(members),
        )
        for id_, members in by_id.items()
    ]
    return tuple(sorted(groups, key=lambda group: -group.severity))


def alike(diagnoses: Iterable[Diagnosis]) -> tuple[tuple[Diagnosis, ...], ...]:
    """``diagnoses`` of one cause on one node together, if they differ in the network, the port and the like only."""
    groups: dict[Hashable, list[Diagnosis]] = {}
    for diagnosis in diagnoses:
        place = frozenset((key, value) for key, value in diagnosis.where.items() if key not in MANY)
        groups.setdefault((diagnosis.cause, diagnosis.severity, diagnosis.state, place), []).append(diagnosis)
    return tuple(tuple(members) for members in groups.values())


def unalike(diagnosis: Diagnosis, others: Sequence[Diagnosis]) -> dict[str, str]:
    """The part of the place of ``diagnosis`` that is not the same for all of ``others``; all of it where none is."""
    where = {k: v for k, v in diagnosis.where.items() if any(other.where.get(k) != v for other in others)}
    return where or dict(diagnosis.where)


def _identity(finding: Finding) -> Hashable:
    # Finding's own hash needs hashable keys, which a mapping proxy is from Python 3.12 on only.
    keys = tuple(sorted(finding.keys.items()))
    return finding.id, finding.node, finding.subject, finding.message, finding.first, finding.last, keys


def left_open(report: Report) -> tuple[Finding, ...]:
    """The findings that no diagnosis explains, each once: a superset of ``report.unexplained``."""
    seen = {_identity(finding) for diagnosis in report.diagnoses for finding in diagnosis.explains}
    left = []
    for finding in (*report.unexplained, *report.findings):
        identity = _identity(finding)
        if identity not in seen:
            seen.add(identity)
            left.append(finding)
    return tuple(left)


def gaps(report: Report, *, merged: bool = False) -> tuple[Gap, ...]:
    """What was not checked on nodes that answered, with nodes that lack the same for the same reason together.

    ``merged`` puts all that one reason costs into one gap: which check it costs on which node is lost.
    """
    failed = {node.name for node in report.failed}
    by_node: dict[tuple[str, str], set[str]] = defaultdict(set)
    for gap in report.not_checked:
        if gap.node not in failed:
            by_node[gap.reason, gap.node].add(gap.check)
    together: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (reason, node), checks in by_node.items():
        together[reason, tuple(sorted(checks))].append(node)
    found = tuple(
        Gap(checks, tuple(sorted(node for node in nodes if node)), reason)
        for (reason, checks), nodes in together.items()
    )
    return tuple(_by_reason(found)) if merged else found


def _by_reason(found: Iterable[Gap]) -> Iterable[Gap]:
    by_reason: dict[str, list[Gap]] = defaultdict(list)
    for gap in found:
        by_reason[gap.reason].append(gap)
    for reason, of_it in by_reason.items():
        checks = dict.fromkeys(check for gap in of_it for check in gap.checks)
        yield Gap(tuple(checks), tuple(sorted({node for gap in of_it for node in gap.nodes})), reason)


def shortened(checks: Iterable[str], from_: int = 3) -> tuple[str, ...]:
    """Check ids with those of one system folded, once there are ``from_`` of them: ``rabbitmq.* (8 checks)``.

    >>> shortened(["dhcp.lease.none", "rabbitmq.alarm", "rabbitmq.queue.backlog", "rabbitmq.queue.no-consumer"])
    ('dhcp.lease.none', 'rabbitmq.* (3 checks)')
    """
    systems: dict[str, list[str]] = defaultdict(list)
    for check in checks:
        systems[check.partition(".")[0]].append(check)
    folded: list[str] = []
    for system, members in systems.items():
        folded += members if len(members) < from_ else [f"{system}.* ({len(members)} checks)"]
    return tuple(folded)


def named(names: Iterable[str], limit: int = 6) -> str:
    """Names as a phrase, with a count instead of those past ``limit``.

    >>> named(["compute1", "compute2", "compute3"], limit=2)
    'compute1, compute2 and 1 more'
    """
    every = list(names)
    shown = ", ".join(every[:limit])
    return f"{shown} and {len(every) - limit} more" if len(every) > limit else shown


def spread(evidence: Iterable[Evidence], limit: int | None) -> tuple[Evidence, ...]:
    """At most ``limit`` different lines in their order (best first).

    A second line of one source, or one that differs in its numbers only, comes after the first of each kind.
    """
    different = list(dict.fromkeys(evidence))
    if limit is None or len(different) <= limit:
        return tuple(different)
    met: Counter[tuple[str, ...]] = Counter()
    ranks = []
    for place, line in enumerate(different):
        likenesses = ((line.node, _NUMBER.sub("#", line.source[:_ALIKE])), (_NUMBER.sub("#", line.line[:_ALIKE]),))
        ranks.append((max(met[likeness] for likeness in likenesses), place))
        met.update(likenesses)
    return tuple(different[place] for place in sorted(place for _, place in sorted(ranks)[:limit]))

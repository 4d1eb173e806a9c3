"""What one report says that another does not: findings and causes that are new, gone or changed."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from stackdoctor.model import Diagnosis, Finding
from stackdoctor.report.report import Report

__all__ = ["Changes", "cause_identity", "changes", "finding_identity"]

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_SAYS_HOW = frozenset(
    (
        *("acks", "all", "changing", "dead", "gone", "growing", "how", "others", "pid", "process", "reason"),
        *("redundant", "request_id", "result", "state", "status", "why"),
    )
)
"""Keys that tell how it is, which may change while it stays the same finding."""

_NUMBERED = frozenset(("lun", "numa", "port", "port_number", "ring", "vlan", "vni"))
"""Keys that name a thing by a number; in any other key a number is a measure."""

_SURER = 0.2


@dataclass(frozen=True)
class Changes:
    """From the report ``before`` to the report ``after``; pairs are the same thing then and now.

    ``unseen`` and ``causes_unseen`` are no longer there, and nobody looked this time: their check was not made.
    ``passed`` are findings that came and went between the two looks.  ``nodes`` says what became of nodes.
    """

    new: tuple[Finding, ...] = ()
    gone: tuple[Finding, ...] = ()
    changed: tuple[tuple[Finding, Finding], ...] = ()
    unseen: tuple[Finding, ...] = ()
    passed: tuple[Finding, ...] = ()
    new_causes: tuple[Diagnosis, ...] = ()
    gone_causes: tuple[Diagnosis, ...] = ()
    changed_causes: tuple[tuple[Diagnosis, Diagnosis], ...] = ()
    causes_unseen: tuple[Diagnosis, ...] = ()
    nodes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is otherwise; what nobody looked at again is not known to be."""
        return any(value for name, value in vars(self).items() if name not in ("unseen", "causes_unseen"))


def changes(before: Report, after: Report) -> Changes:
    """The difference of two reports.  Texts, counts and times are none; what has ended counts as gone."""
    old, new = _by_identity(before.findings), _by_identity(after.findings)
    gone = [finding for name, finding in old.items() if name not in new]
    unseen = [finding for finding in gone if not _looked(after, finding)]
    old_causes = {cause_identity(d): d for d in before.diagnoses}
    new_causes = {cause_identity(d): d for d in after.diagnoses}
    gone_causes = [d for name, d in old_causes.items() if name not in new_causes]
    lost = {id(finding) for finding in unseen}
    causes_unseen = [d for d in gone_causes if _unseen(d, old, lost)]
    every_old = {finding_identity(finding) for finding in before.findings}
    return Changes(
        new=tuple(finding for name, finding in new.items() if name not in old),
        gone=tuple(finding for finding in gone if id(finding) not in lost),
        changed=tuple((old[n], f) for n, f in new.items() if n in old and old[n].severity != f.severity),
        unseen=tuple(unseen),
        passed=tuple(
            finding
            for finding in after.findings
            if finding.past
            and finding.first is not None
            and finding.first > before.started
            and finding_identity(finding) not in every_old
        ),
        new_causes=tuple(d for name, d in new_causes.items() if name not in old_causes),
        gone_causes=tuple(d for d in gone_causes if d not in causes_unseen),
        changed_causes=tuple(
            (old_causes[n], d) for n, d in new_causes.items() if n in old_causes and _turned(old_causes[n], d)
        ),
        causes_unseen=tuple(causes_unseen),
        nodes=tuple(_nodes(before, after)),
    )


def finding_identity(finding: Finding) -> Hashable:
    """What makes it the same finding in another run: check, node, subject, and the keys that name things.

    Not its text, severity, counts or times, and not the keys that measure or tell how it is.
    """
    return finding.id, finding.node, finding.subject, tuple(sorted(_naming(finding.keys.items())))


def cause_identity(diagnosis: Diagnosis) -> Hashable:
    """What makes it the same cause in another run: which, and where."""
    return diagnosis.cause, tuple(sorted(_naming(diagnosis.where.items())))


def _naming(keys: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    for key, value in keys:
        if key in _SAYS_HOW or value in ("yes", "no", "unknown", "none", ""):
            continue
        if key in _NUMBERED or not _NUMBER.fullmatch(value):
            yield key, value


def _by_identity(findings: Iterable[Finding]) -> dict[Hashable, Finding]:
    """What holds now; of several with one identity the worst."""
    found: dict[Hashable, Finding] = {}
    for finding in findings:
        name = finding_identity(finding)
        if not finding.past and (name not in found or found[name].severity < finding.severity):
            found[name] = finding
    return found


def _turned(old: Diagnosis, new: Diagnosis) -> bool:
    return old.severity != new.severity or old.state != new.state or abs(old.confidence - new.confidence) >= _SURER


def _looked(report: Report, finding: Finding) -> bool:
    """Whether the check of ``finding`` was made where it was found, as far as ``report`` tells."""
    if finding.node and finding.node not in {node.name for node in report.answered}:
        return False
    groups = [group for group in report.outcomes if finding.id in group.checks]
    for group in groups:
        if (finding.node in group.not_checked) if finding.node else group.not_checked:
            return False
    if report.outcomes and not groups:
        return False
    return not any(
        gap.node in ("", finding.node) and fnmatchcase(finding.id, gap.check)
        for gap in report.not_checked
        if finding.node
    )


def _unseen(diagnosis: Diagnosis, old: dict[Hashable, Finding], lost: set[int]) -> bool:
    """Whether nothing that showed ``diagnosis`` was looked at again with another result."""
    shown = [old[name] for f in diagnosis.explains if (name := finding_identity(f)) in old]
    return bool(shown) and id(shown[0]) in lost


def _nodes(before: Report, after: Report) -> Iterable[str]:
    then, now = ({node.name: node for node in report.nodes} for report in (before, after))
    for name in {**then, **now}:
        if name not in now:
            yield f"{name} was not looked at this time"
        elif name not in then:
            yield f"{name} was not looked at before"
        elif then[name].status != now[name].status and "failed" in (then[name].status, now[name].status):
            reason = now[name].reason
            yield (
                f"{name} does not answer any more: {reason}"
                if now[name].status == "failed"
                else f"{name} answers again"
            )

"""A report against an earlier one: what that one knew is set aside, so that only what is new counts."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import replace

from stackdoctor.diagnose.silence import Silenced
from stackdoctor.inventory.ignore import Ignore
from stackdoctor.model import Diagnosis, Finding, Severity
from stackdoctor.report.changes import cause_identity, finding_identity
from stackdoctor.report.report import Report
from stackdoctor.report.times import clock_time

__all__ = ["against"]


def against(report: Report, baseline: Report, name: str) -> Report:
    """``report`` with what ``baseline`` (called ``name``) says as well in ``silenced``, unless it has become worse.

    What a known cause explains is known, whether it was there before or not; what a new cause explains stays with it.
    """
    rule = Ignore("", "", f"known since {clock_time(baseline.started)}", None, origin=f"baseline {name}")
    causes = _worst((cause_identity(d), d.severity) for d in (*baseline.diagnoses, *_silent_causes(baseline)))
    findings = _worst((finding_identity(f), f.severity) for f in _holding(baseline))
    kept = tuple(d for d in report.diagnoses if d.severity > causes.get(cause_identity(d), -1))
    explained = {id(finding) for diagnosis in kept for finding in diagnosis.explains}
    gone: set[int] = set()
    silenced = []
    for diagnosis in report.diagnoses:
        if diagnosis not in kept:
            only = tuple(f for f in diagnosis.explains if id(f) not in explained and id(f) not in gone)
            gone.update(map(id, only))
            silenced.append(Silenced(rule, only, diagnosis))
    for finding in report.findings:
        known = not finding.past and finding.severity <= findings.get(finding_identity(finding), -1)
        if known and id(finding) not in explained and id(finding) not in gone:
            gone.add(id(finding))
            silenced.append(Silenced(rule, (finding,)))
    return replace(
        report,
        diagnoses=kept,
        findings=tuple(f for f in report.findings if id(f) not in gone),
        unexplained=tuple(f for f in report.unexplained if id(f) not in gone),
        silenced=(*report.silenced, *silenced),
    )


def _worst(pairs: Iterable[tuple[Hashable, Severity]]) -> dict[Hashable, int]:
    found: dict[Hashable, int] = {}
    for name, severity in pairs:
        found[name] = max(severity, found.get(name, -1))
    return found


def _silent_causes(report: Report) -> Iterable[Diagnosis]:
    return (s.diagnosis for s in report.silenced if s.diagnosis is not None)


def _holding(report: Report) -> Iterable[Finding]:
    silent = (finding for silenced in report.silenced for finding in silenced.findings)
    return (finding for finding in (*report.findings, *silent) if not finding.past)

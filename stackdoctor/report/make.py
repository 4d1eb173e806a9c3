"""Make the report of a snapshot and its analysis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from stackdoctor import __version__
from stackdoctor.diagnose.analyse import Analysis
from stackdoctor.model import Diagnosis, NodeResults, Status
from stackdoctor.report.report import NodeLine, Report
from stackdoctor.snapshot.format import Snapshot

__all__ = ["make_report"]


def make_report(snapshot: Snapshot, analysis: Analysis) -> Report:
    """The value that every format shows."""
    return Report(
        version=__version__,
        started=snapshot.started,
        seconds=snapshot.seconds,
        source=snapshot.source,
        nodes=tuple(_node_lines(snapshot)),
        diagnoses=tuple(map(_rounded, analysis.correlation.diagnoses)),
        findings=tuple(sorted(analysis.examination.findings, key=lambda f: (-f.severity, f.id, f.node, f.subject))),
        unexplained=analysis.correlation.unexplained,
        not_checked=analysis.examination.not_checked,
        silenced=analysis.silenced,
        history=tuple(map(_rounded, analysis.correlation.history)),
        expired=analysis.expired,
        outcomes=analysis.outcomes,
        at=analysis.at,
    )


def _rounded(diagnosis: Diagnosis) -> Diagnosis:
    """With the confidence that is shown, so that all formats and a report that is read again show the same."""
    return replace(diagnosis, confidence=round(diagnosis.confidence, 2))


def _node_lines(snapshot: Snapshot) -> Iterator[NodeLine]:
    for results in snapshot.nodes:
        yield NodeLine(
            name=results.node.name,
            address=results.node.address,
            status="failed" if not results.results else "partial" if _gaps(results) else "ok",
            reason=results.failure or "; ".join(_gaps(results)),
            seconds=max((r.started + r.seconds for r in results.results.values()), default=0.0) - _began(results),
            roles=results.node.roles,
            clock_offset=None if results.clock is None else results.clock.offset,
            cost=results.cost,
        )


def _began(results: NodeResults) -> float:
    return min((r.started for r in results.results.values() if r.started), default=0.0)


def _gaps(results: NodeResults) -> list[str]:
    """Why something that is there could not be read, each reason once."""
    if results.failure:
        return [results.failure]
    lacking = (Status.DENIED, Status.TIMED_OUT, Status.TRUNCATED)
    return list(dict.fromkeys(r.reason or r.status.value for r in results.results.values() if r.status in lacking))

"""Make the report of a snapshot and its analysis."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor import __version__
from stackdoctor.diagnose.analyse import Analysis
from stackdoctor.model import NodeResults, Status
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
        diagnoses=analysis.correlation.diagnoses,
        findings=tuple(sorted(analysis.examination.findings, key=lambda f: (-f.severity, f.id, f.node, f.subject))),
        unexplained=analysis.correlation.unexplained,
        not_checked=analysis.examination.not_checked,
    )


def _node_lines(snapshot: Snapshot) -> Iterator[NodeLine]:
    for results in snapshot.nodes:
        yield NodeLine(
            name=results.node.name,
            address=results.node.address,
            status="failed" if not results.results else "partial" if _incomplete(results) else "ok",
            reason=results.failure,
            seconds=max((r.started + r.seconds for r in results.results.values()), default=0.0) - _began(results),
            roles=results.node.roles,
            clock_offset=None if results.clock is None else results.clock.offset,
        )


def _began(results: NodeResults) -> float:
    return min((r.started for r in results.results.values() if r.started), default=0.0)


def _incomplete(results: NodeResults) -> bool:
    """Whether something that is there could not be read."""
    fine = (Status.RAN, Status.MISSING)
    return bool(results.failure) or any(r.status not in fine for r in results.results.values())

"""The value that every format is made from, and the exit status that goes with it."""

from __future__ import annotations

from dataclasses import dataclass

from stackdoctor.diagnose.outcomes import Outcomes
from stackdoctor.diagnose.runner import NotChecked
from stackdoctor.diagnose.silence import Silenced
from stackdoctor.inventory.ignore import Ignore
from stackdoctor.model import Cost, Diagnosis, Finding, Severity

__all__ = ["LIVE", "NodeLine", "NotChecked", "Report", "exit_status"]

LIVE = "live"


@dataclass(frozen=True)
class NodeLine:
    """How the look at one node went.

    ``status`` is ok, partial (some of it is missing) or failed (nothing is known of it); ``reason`` says why.
    ``clock_offset`` is how many seconds the node's clock is ahead of ours, None where it was not measured; ``cost``
    what the look has cost the node by its own account, None where it did not say.
    """

    name: str
    address: str = ""
    status: str = "ok"
    reason: str = ""
    seconds: float = 0.0
    roles: frozenset[str] = frozenset()
    clock_offset: float | None = None
    cost: Cost | None = None


@dataclass(frozen=True)
class Report:
    """What one look at one cloud says.

    ``version`` is the tool's, ``started`` seconds since the epoch (UTC), ``source`` is ``LIVE`` or the path of
    the snapshot.  ``diagnoses`` come best first.  ``findings`` are all of them, explained or not;
    ``unexplained`` are those that no diagnosis accounts for.  ``history`` are causes that held and have ended;
    ``silenced`` is what the configuration sets aside (in no other field), ``expired`` the rules that silence
    no longer.  ``outcomes`` say of every check on every node what became of it.  ``at`` is the moment before
    the look that was judged, None for the look itself.
    """

    version: str
    started: float
    seconds: float
    source: str = LIVE
    nodes: tuple[NodeLine, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()
    findings: tuple[Finding, ...] = ()
    unexplained: tuple[Finding, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()
    silenced: tuple[Silenced, ...] = ()
    history: tuple[Diagnosis, ...] = ()
    expired: tuple[Ignore, ...] = ()
    outcomes: tuple[Outcomes, ...] = ()
    at: float | None = None

    @property
    def answered(self) -> tuple[NodeLine, ...]:
        """The nodes of which something is known."""
        return tuple(node for node in self.nodes if node.status != "failed")

    @property
    def failed(self) -> tuple[NodeLine, ...]:
        """The nodes of which nothing is known."""
        return tuple(node for node in self.nodes if node.status == "failed")


def exit_status(report: Report, fail_on: Severity) -> int:
    """0: nothing as bad as ``fail_on``; 1: a diagnosis or a finding is; 3: no node gave anything."""
    if not report.answered:
        return 3
    severities = [d.severity for d in report.diagnoses]
    severities += [f.severity for f in (*report.findings, *report.unexplained)]
    return int(any(severity >= fail_on for severity in severities))

"""The one way from a snapshot to what it means, whether it was just taken or read from disk."""

from __future__ import annotations

from dataclasses import dataclass

from stackdoctor.diagnose.correlate import Correlation, correlate
from stackdoctor.diagnose.knowledge import Knowledge
from stackdoctor.diagnose.runner import Examination, examine
from stackdoctor.snapshot.format import Snapshot

__all__ = ["Analysis", "analyse"]


@dataclass(frozen=True)
class Analysis:
    """What the checks found and what the playbooks make of it."""

    examination: Examination
    correlation: Correlation


def analyse(snapshot: Snapshot, knowledge: Knowledge) -> Analysis:
    """Facts, checks, correlation."""
    examination = examine(snapshot.nodes, knowledge.checks)
    return Analysis(examination, correlate(knowledge.playbooks, examination))

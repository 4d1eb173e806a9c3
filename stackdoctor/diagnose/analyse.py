"""The one way from a snapshot to what it means, whether it was just taken or read from disk."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace

from stackdoctor.diagnose.correlate import Correlation, correlate
from stackdoctor.diagnose.knowledge import Knowledge
from stackdoctor.diagnose.outcomes import Outcomes, outcomes
from stackdoctor.diagnose.part import Part, parts_by
from stackdoctor.diagnose.runner import Examination, join
from stackdoctor.diagnose.silence import Silenced, in_force, rule_for
from stackdoctor.inventory.ignore import Ignore
from stackdoctor.model import Finding
from stackdoctor.snapshot.format import Snapshot

__all__ = ["Analysis", "analyse"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Analysis:
    """What the checks found and what the playbooks make of it.

    What ``silenced`` holds is in neither ``examination.findings`` nor in what ``correlation`` says.  ``expired``
    are the rules that silence no longer.  ``at`` is the moment that was judged, None for the time of the look.
    """

    examination: Examination
    correlation: Correlation
    outcomes: tuple[Outcomes, ...] = ()
    silenced: tuple[Silenced, ...] = ()
    expired: tuple[Ignore, ...] = ()
    at: float | None = None


def analyse(
    snapshot: Snapshot,
    knowledge: Knowledge,
    ignores: Iterable[Ignore] = (),
    at: float | None = None,
    judged: Iterable[Part] = (),
) -> Analysis:
    """Facts, checks, correlation; ``ignores`` are set aside before causes are looked for, and causes after.

    ``judged`` are the parts of nodes that workers have made already.
    """
    parts = {part.results.node.name: part for part in judged}
    judge = parts_by(knowledge.checks, at)
    whole = join([parts.get(results.node.name) or judge(results) for results in snapshot.nodes], knowledge.checks)
    _LOG.debug("%d findings, %d checks not made", len(whole.findings), len(whole.not_checked))
    rules, expired = in_force(ignores, snapshot.started)
    by_finding = [(finding, rule_for(finding, rules)) for finding in whole.findings]
    silenced = [Silenced(rule, (finding,)) for finding, rule in by_finding if rule is not None]
    examination = replace(whole, findings=tuple(finding for finding, rule in by_finding if rule is None))
    correlation = correlate(knowledge.playbooks, examination, by_logs=at is not None)
    _LOG.debug("causes: %s", ", ".join(d.cause for d in correlation.diagnoses) or "none")
    causes, correlation = _without_known_causes(correlation, rules)
    silenced += causes
    gone = {id(finding) for silence in causes for finding in silence.findings}
    return Analysis(
        replace(examination, findings=tuple(f for f in examination.findings if id(f) not in gone)),
        correlation,
        outcomes((c.id for c in knowledge.checks), whole),
        tuple(silenced),
        expired,
        at,
    )


def _without_known_causes(correlation: Correlation, rules: tuple[Ignore, ...]) -> tuple[list[Silenced], Correlation]:
    """The diagnoses that a rule names, each with what only it explains, and what is left."""
    judged = [(diagnosis, rule_for(diagnosis, rules)) for diagnosis in correlation.diagnoses]
    kept = tuple(diagnosis for diagnosis, rule in judged if rule is None)
    explained = {id(finding) for diagnosis in kept for finding in diagnosis.explains}
    silenced = []
    for diagnosis, rule in judged:
        if rule is not None:
            only: list[Finding] = [f for f in diagnosis.explains if id(f) not in explained]
            explained |= {id(finding) for finding in only}
            silenced.append(Silenced(rule, tuple(only), diagnosis))
    history = tuple(d for d in correlation.history if rule_for(d, rules) is None)
    return silenced, replace(correlation, diagnoses=kept, history=history)

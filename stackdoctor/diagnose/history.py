"""Causes that held and ended: read off the log lines of the past, each by what was written at the same time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from stackdoctor.diagnose.cover import Choice, choose
from stackdoctor.diagnose.episodes import OFTEN, Episode, ended, overlap, together
from stackdoctor.diagnose.finding_index import FindingIndex
from stackdoctor.diagnose.hypothesis import Evaluated, Hypothesis, hypotheses
from stackdoctor.diagnose.playbook import Playbook
from stackdoctor.diagnose.runner import Examination
from stackdoctor.model import Finding

__all__ = ["SLACK", "History", "came_and_went", "held", "history_of", "only_past", "times"]

SLACK = 120.0
"""Seconds that a symptom's lines may come before or after those of its cause: time-outs last a minute."""

History = tuple[Choice, FindingIndex]
"""The chosen causes of the past, and the findings that their positions mean."""


def history_of(playbooks: Iterable[Playbook], examination: Examination, explained: Collection[int]) -> History:
    """The causes that log lines show by themselves and that have ended, without the findings at ``explained``.

    A cause has ended when one of the things that it takes has: all lines of it are of the past.
    """
    left = (finding for position, finding in enumerate(examination.findings) if position not in explained)
    logged = [finding for finding in left if finding.past or finding.id.startswith("log.")]
    over = {position for position, finding in enumerate(logged) if finding.past}
    then = replace(examination, findings=tuple(_as_it_was(f) for f in logged))
    index = FindingIndex(then.findings)
    candidates = [
        timely
        for playbook in playbooks
        if over and playbook.by_logs is not None
        for hypothesis in hypotheses(playbook.by_logs, index, then)
        if any(over.issuperset(ground.matched) for ground in hypothesis.when)
        and (timely := _timely(hypothesis, then.findings)) is not None
    ]
    return choose(candidates, then.findings), index


def only_past(hypothesis: Hypothesis, findings: Sequence[Finding]) -> bool:
    """Whether all that ``hypothesis`` rests on has ended."""
    return all(findings[position].past for position in hypothesis.own)


def held(finding: Finding) -> tuple[Episode, ...]:
    """When ``finding`` held; nothing for one without times."""
    if finding.episodes:
        return finding.episodes
    if finding.first is None or finding.last is None:
        return ()
    return ((finding.first, finding.last),)


def times(findings: Iterable[Finding]) -> tuple[Episode, ...]:
    """When any of ``findings`` held."""
    return together(episode for finding in findings for episode in held(finding))


def came_and_went(findings: Iterable[Finding], *, present: bool) -> bool:
    """Whether what these findings show ended again and again, one by one or taken together."""
    findings = tuple(findings)
    counts = [ended(held(f), present=present and not f.past) for f in findings]
    counts.append(ended(times(findings), present=present))
    return max(counts) >= OFTEN


def _as_it_was(finding: Finding) -> Finding:
    keys = {key: value for key, value in finding.keys.items() if key != "state"}
    return finding.stamped(finding.id, finding.severity, finding.node, keys)


def _timely(hypothesis: Hypothesis, findings: Sequence[Finding]) -> Hypothesis | None:
    """``hypothesis`` with what happened at other times left out; None where its grounds were never together."""
    grounds = [times(findings[p] for p in e.matched) for e in hypothesis.when]
    if any(not overlap(some, other, SLACK) for some in grounds for other in grounds):
        return None
    own = times(findings[p] for p in hypothesis.own)

    def kept(positions: Iterable[int]) -> Iterator[int]:
        return (p for p in positions if overlap(held(findings[p]), own, SLACK))

    def trimmed(evaluated: Evaluated) -> Evaluated:
        return replace(evaluated, matched=frozenset(kept(evaluated.matched)))

    return replace(
        hypothesis,
        because=tuple(trimmed(e) for e in hypothesis.because),
        unless=tuple(trimmed(e) for e in hypothesis.unless),
        against=tuple(trimmed(e) for e in hypothesis.against),
        explains=tuple(tuple(frozenset(kept(part)) for part in parts) for parts in hypothesis.explains),
    )

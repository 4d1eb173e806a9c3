"""From findings to diagnoses: join, score, cover, and tell the story of each chosen cause."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from stackdoctor.diagnose.cover import Choice, choose
from stackdoctor.diagnose.finding_index import FindingIndex
from stackdoctor.diagnose.hypothesis import Hypothesis, hypotheses
from stackdoctor.diagnose.pattern import fill
from stackdoctor.diagnose.playbook import Playbook
from stackdoctor.diagnose.runner import Examination
from stackdoctor.model import Diagnosis, Evidence, Finding, Fix, Severity

__all__ = ["Correlation", "correlate"]

CHAIN_NODES = 4


@dataclass(frozen=True)
class Correlation:
    """The diagnoses, best first, the findings that none explains, and how it was decided."""

    diagnoses: tuple[Diagnosis, ...]
    unexplained: tuple[Finding, ...]
    choice: Choice


def correlate(playbooks: Iterable[Playbook], examination: Examination) -> Correlation:
    """The smallest set of causes that explains the findings of ``examination``."""
    index = FindingIndex(examination.findings)
    candidates = [h for playbook in playbooks for h in hypotheses(playbook, index, examination)]
    choice = choose(candidates, index.findings)
    explained: set[int] = set()
    diagnoses = []
    for hypothesis, links in zip(choice.chosen, choice.links, strict=True):
        explained |= hypothesis.covers.union(*(link.covers for link in links))
        diagnoses.append(_diagnosis(hypothesis, links, index.findings))
    unexplained = tuple(
        finding
        for position, finding in enumerate(index.findings)
        if position not in explained and finding.severity >= Severity.WARNING and not finding.past
    )
    return Correlation(tuple(diagnoses), unexplained, choice)


def _diagnosis(hypothesis: Hypothesis, links: Sequence[Hypothesis], findings: Sequence[Finding]) -> Diagnosis:
    playbook = hypothesis.playbook
    binding = hypothesis.binding
    grounds = [findings[p] for e in (*hypothesis.when, *hypothesis.because) for p in e.matched]
    covered = hypothesis.covers.union(*(link.covers for link in links))
    symptoms = [findings[p] for p in sorted(covered - hypothesis.own)]
    own = [findings[p] for p in sorted(hypothesis.own)]
    return Diagnosis(
        cause=playbook.cause,
        title=hypothesis.title,
        severity=playbook.severity,
        confidence=hypothesis.score,
        where=_where(hypothesis, grounds),
        why=fill(playbook.why, binding),
        chain=tuple(_chain(hypothesis, links, findings)),
        explains=(*own, *symptoms),
        evidence=tuple(_evidence(grounds, symptoms)),
        confirm=tuple(fill(command, binding) for command in playbook.confirm),
        fix=tuple(Fix(fill(f.do, binding), f.risk, fill(f.on, binding)) for f in playbook.fix),
        unchecked=tuple(str(e.pattern) for e in hypothesis.unless if e.unchecked),
        refs=playbook.refs,
    )


def _where(hypothesis: Hypothesis, grounds: Sequence[Finding]) -> dict[str, str]:
    binding = hypothesis.binding
    where = {name: fill(text, binding) for name, text in hypothesis.playbook.where.items()}
    if not where:
        where = dict(binding)
    where.setdefault("node", binding.get("node") or binding.get("host") or grounds[0].node)
    return {name: value for name, value in where.items() if value and not value.startswith("<")}


def _chain(hypothesis: Hypothesis, links: Sequence[Hypothesis], findings: Sequence[Finding]) -> Iterator[str]:
    """The cause, what it was seen by, the causes that it leads to, and the symptoms of them all."""
    told: set[int] = set()

    def tell(groups: Iterable[frozenset[int]]) -> Iterator[str]:
        for group in groups:
            fresh = [findings[p] for p in sorted(group - told) if not findings[p].past]
            told.update(group)
            if fresh:
                yield _told_together(fresh)

    yield hypothesis.title
    yield from tell(frozenset(e.matched) for e in hypothesis.when)
    yield from dict.fromkeys(link.title for link in links if link.title != hypothesis.title)
    yield from tell((*hypothesis.explains, *(found for link in links for found in link.explains)))


def _told_together(group: Sequence[Finding]) -> str:
    others = [n for n in dict.fromkeys(f.node for f in group) if n and n != group[0].node]
    if not others:
        return group[0].message
    named = ", ".join(others[:CHAIN_NODES]) + (
        f" and {len(others) - CHAIN_NODES} more" if len(others) > CHAIN_NODES else ""
    )
    return f"{group[0].message}; likewise on {named}"


def _evidence(grounds: Iterable[Finding], symptoms: Iterable[Finding]) -> Iterator[Evidence]:
    """The grounds first, whole; of the symptoms one line for each kind on each node."""
    seen: set[Evidence] = set()
    kinds: set[tuple[str, str]] = set()
    for finding in grounds:
        for evidence in finding.evidence:
            if evidence not in seen:
                seen.add(evidence)
                yield evidence
    for finding in symptoms:
        if finding.past or (finding.id, finding.node) in kinds:
            continue
        kinds.add((finding.id, finding.node))
        for evidence in finding.evidence[:1]:
            if evidence not in seen:
                seen.add(evidence)
                yield evidence

"""From findings to diagnoses: join, score, cover, and tell the story of each chosen cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from stackdoctor.diagnose.cover import Choice, choose
from stackdoctor.diagnose.episodes import OFTEN, together
from stackdoctor.diagnose.finding_index import FindingIndex, Parts
from stackdoctor.diagnose.history import came_and_went, history_of, only_past, times
from stackdoctor.diagnose.hypothesis import Hypothesis, hypotheses
from stackdoctor.diagnose.pattern import fill
from stackdoctor.diagnose.playbook import Playbook
from stackdoctor.diagnose.runner import Examination
from stackdoctor.model import Diagnosis, Evidence, Finding, Fix, Severity

__all__ = ["Correlation", "correlate"]

CHAIN_NODES = 4

EXPLAINERS = 4
"""Diagnoses that list a set of symptoms that all of them would explain: the best ones."""


@dataclass(frozen=True)
class Correlation:
    """The diagnoses, best first, the findings that none explains, and how it was decided.

    ``history`` are causes that held in the window and have ended, the latest first.
    """

    diagnoses: tuple[Diagnosis, ...]
    unexplained: tuple[Finding, ...]
    choice: Choice
    history: tuple[Diagnosis, ...] = ()


def correlate(playbooks: Iterable[Playbook], examination: Examination, *, by_logs: bool = False) -> Correlation:
    """The smallest set of causes that explains the findings of ``examination``.

    With ``by_logs`` a cause is judged by what its playbook says of logs alone: for a moment that is past.
    """
    playbooks = tuple(playbooks)
    judged = [judging for p in playbooks if (judging := p.by_logs if by_logs else p) is not None]
    index = FindingIndex(examination.findings)
    candidates = [h for playbook in judged for h in hypotheses(playbook, index, examination)]
    choice = choose((h for h in candidates if not only_past(h, index.findings)), index.findings)
    diagnoses = [
        _with_log_times(diagnosis, hypothesis, index)
        for hypothesis, diagnosis in zip(choice.chosen, _diagnoses(choice, index), strict=True)
    ]
    parts = {
        id(p): p
        for h, links in zip(choice.chosen, choice.links, strict=True)
        for each in (h, *links)
        for p in each.parts
    }
    explained: set[int] = set().union(*parts.values())
    unexplained = tuple(
        finding
        for position, finding in enumerate(index.findings)
        if position not in explained and finding.severity >= Severity.WARNING and not finding.past
    )
    earlier = _earlier(*history_of(playbooks, examination, explained))
    present, before = _by_place(diagnoses), _by_place(earlier)
    history = tuple(e for e in earlier if not any(_is_of(e, d) for d in present.get(_place(e), ())))
    diagnoses = [_with_earlier(d, [e for e in before.get(_place(d), ()) if _is_of(e, d)]) for d in diagnoses]
    return Correlation(tuple(diagnoses), unexplained, choice, history)


def _earlier(choice: Choice, index: FindingIndex) -> list[Diagnosis]:
    """The causes of the past, the one that ended last first."""
    found = []
    for hypothesis, diagnosis in zip(choice.chosen, _diagnoses(choice, index), strict=True):
        grounds = [index.findings[p] for p in sorted(hypothesis.own)]
        state = "flapping" if came_and_went(grounds, present=False) else "recovered"
        found.append(replace(diagnosis, state=state, episodes=times(grounds)))
    return sorted(found, key=lambda d: -max((end for _, end in d.episodes), default=0.0))


def _with_log_times(diagnosis: Diagnosis, hypothesis: Hypothesis, index: FindingIndex) -> Diagnosis:
    """A cause that holds, with the times at which logs show it at this very place, also those that are past."""
    by_logs = hypothesis.playbook.by_logs
    patterns = [p for clause in by_logs.when for p in clause if p.variables] if by_logs is not None else []
    told = {
        position
        for pattern in patterns
        for position in index.first(index.positions(replace(pattern, past=True), hypothesis.binding))
    }
    if not told:
        return diagnosis
    findings = [index.findings[position] for position in sorted(told)]
    state = "flapping" if came_and_went(findings, present=True) else diagnosis.state
    return replace(diagnosis, state=state, episodes=together((*diagnosis.episodes, *times(findings))))


def _place(diagnosis: Diagnosis) -> tuple[str, str]:
    return diagnosis.cause, diagnosis.where.get("node", "")


def _by_place(diagnoses: Iterable[Diagnosis]) -> dict[tuple[str, str], list[Diagnosis]]:
    places: dict[tuple[str, str], list[Diagnosis]] = {}
    for diagnosis in diagnoses:
        places.setdefault(_place(diagnosis), []).append(diagnosis)
    return places


def _is_of(earlier: Diagnosis, diagnosis: Diagnosis) -> bool:
    """Whether it is the same cause at the same place, as far as logs name it."""
    shared = earlier.where.keys() & diagnosis.where.keys()
    return earlier.cause == diagnosis.cause and all(earlier.where[k] == diagnosis.where[k] for k in shared)


def _with_earlier(diagnosis: Diagnosis, earlier: Sequence[Diagnosis]) -> Diagnosis:
    """A cause that holds, with the times at which it held before."""
    before = [episode for each in earlier for episode in each.episodes]
    if not before:
        return diagnosis
    episodes = together((*diagnosis.episodes, *before))
    state = "flapping" if diagnosis.state == "flapping" or len(before) >= OFTEN else diagnosis.state
    return replace(diagnosis, state=state, episodes=episodes)


def _diagnoses(choice: Choice, index: FindingIndex) -> list[Diagnosis]:
    """The chosen causes with what each explains: what many would explain counts for the best of them."""
    given: Counter[int] = Counter()
    diagnoses = []
    for hypothesis, links in zip(choice.chosen, choice.links, strict=True):
        parts = {id(part): part for each in (hypothesis, *links) for part in each.parts}
        told = {key: part for key, part in parts.items() if given[key] < EXPLAINERS or part <= hypothesis.own}
        given.update(parts.keys())
        diagnoses.append(_diagnosis(hypothesis, links, told, index))
    return diagnoses


def _diagnosis(
    hypothesis: Hypothesis, links: Sequence[Hypothesis], told: Mapping[int, frozenset[int]], index: FindingIndex
) -> Diagnosis:
    findings = index.findings
    playbook = hypothesis.playbook
    binding = hypothesis.binding
    rests_on = [findings[p] for e in hypothesis.when for p in index.first(e.matched)]
    grounds = [*rests_on, *(findings[p] for e in hypothesis.because for p in index.first(e.matched))]
    symptoms = sorted(frozenset().union(*told.values()) - hypothesis.own)
    own = [findings[p] for p in sorted(hypothesis.own)]
    return Diagnosis(
        cause=playbook.cause,
        title=hypothesis.title,
        severity=playbook.severity,
        confidence=hypothesis.score,
        where=_where(hypothesis, grounds),
        why=fill(playbook.why, binding),
        chain=tuple(_chain(hypothesis, links, told, index)),
        explains=(*own, *map(findings.__getitem__, symptoms)),
        evidence=_evidence(grounds, symptoms, index),
        confirm=tuple(fill(command, binding) for command in playbook.confirm),
        fix=tuple(Fix(fill(f.do, binding), f.risk, fill(f.on, binding)) for f in playbook.fix),
        unchecked=tuple(str(e.pattern) for e in hypothesis.unless if e.unchecked),
        refs=playbook.refs,
        state="flapping" if came_and_went(rests_on, present=True) else "now",
        episodes=times(rests_on),
    )


def _where(hypothesis: Hypothesis, grounds: Sequence[Finding]) -> dict[str, str]:
    binding = hypothesis.binding
    where = {name: fill(text, binding) for name, text in hypothesis.playbook.where.items()}
    if not where:
        where = dict(binding)
    where.setdefault("node", binding.get("node") or binding.get("host") or grounds[0].node)
    return {name: value for name, value in where.items() if value and not value.startswith("<")}


def _chain(
    hypothesis: Hypothesis, links: Sequence[Hypothesis], told: Mapping[int, frozenset[int]], index: FindingIndex
) -> Iterator[str]:
    """The cause, what it was seen by, the causes that it leads to, and the symptoms of them all (of ``told``)."""
    seen: set[int] = set()

    def tell(groups: Iterable[Parts]) -> Iterator[str]:
        for group in groups:
            fresh = sorted(frozenset().union(*group) - seen - index.past)
            seen.update(fresh)
            if fresh:
                yield _told_together(fresh, index)

    yield hypothesis.title
    yield from tell((e.matched,) for e in hypothesis.when)
    yield from dict.fromkeys(link.title for link in links if link.title != hypothesis.title)
    left = dict(told)
    for each in (hypothesis, *links):
        yield from tell(tuple(left.pop(id(part)) for part in group if id(part) in left) for group in each.explains)


def _told_together(group: Sequence[int], index: FindingIndex) -> str:
    first = index.findings[group[0]]
    others = [node for node in dict.fromkeys(index.nodes[p] for p in group) if node and node != first.node]
    if not others:
        return first.message
    named = ", ".join(others[:CHAIN_NODES]) + (
        f" and {len(others) - CHAIN_NODES} more" if len(others) > CHAIN_NODES else ""
    )
    return f"{first.message}; likewise on {named}"


def _evidence(grounds: Iterable[Finding], symptoms: Sequence[int], index: FindingIndex) -> tuple[Evidence, ...]:
    """The grounds first, whole; of the symptoms that are not past one line for each kind on each node."""
    first = {index.kinds[p]: p for p in reversed(symptoms) if p not in index.past}
    lines = chain((f.evidence for f in grounds), (index.findings[p].evidence[:1] for p in sorted(first.values())))
    return tuple(dict.fromkeys(chain.from_iterable(lines)))

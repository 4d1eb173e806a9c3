"""Triage: of the causes that may explain what is seen, which holds, which is ruled out and by what, which is open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

from stackdoctor.diagnose.analyse import Analysis
from stackdoctor.diagnose.cover import Choice, Fate
from stackdoctor.diagnose.hypothesis import Hypothesis
from stackdoctor.diagnose.pattern import Pattern, fill
from stackdoctor.diagnose.playbook import Clause, Playbook
from stackdoctor.diagnose.question import Question
from stackdoctor.model import Diagnosis, Evidence, Finding

__all__ = [
    "ABSENT",
    "ENDED",
    "EXCLUDED",
    "FOLLOWS",
    "HOLDS",
    "NOT_HERE",
    "POSSIBLE",
    "STATES",
    "UNKNOWN",
    "UNSEEN",
    "Judged",
    "Triage",
    "triage",
]

HOLDS, FOLLOWS, POSSIBLE, UNKNOWN, UNSEEN, ENDED, EXCLUDED, ABSENT, NOT_HERE = STATES = (
    "holds",
    "follows",
    "possible",
    "not-looked-at",
    "not-in-logs",
    "ended",
    "excluded",
    "absent",
    "not-here",
)
"""``holds``: it is a diagnosis.  ``follows``: a diagnosis explains it.  ``possible``: it has grounds, too few.
``not-looked-at``: what it needs could not be looked at.  ``not-in-logs``: only a log would tell, and no line does.
``ended``: it held, and is over.  ``excluded``: something rules it out.  ``absent``: what it needs was looked for,
and is not there.  ``not-here``: the cloud has nothing of the kind."""


@dataclass(frozen=True)
class Judged:
    """One cause: its state, why (a sentence each), the evidence for that, and the checks that would tell more.

    ``confirm`` are the commands that decide it where it is possible.
    """

    cause: str
    state: str
    reasons: tuple[str, ...]
    evidence: tuple[Evidence, ...] = ()
    nodes: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    confirm: tuple[str, ...] = ()


@dataclass(frozen=True)
class Triage:
    """``explaining`` are the diagnoses that account for what is seen, ``others`` those that do not.

    ``seen`` are the findings that are the symptom itself; ``unexplained`` those of them that no diagnosis explains.
    ``unread`` are logs that could not be read, though others of their node were.
    ``judged`` are all causes that might explain it, in the order of ``STATES``.
    """

    question: Question
    analysis: Analysis
    explaining: tuple[Diagnosis, ...]
    others: tuple[Diagnosis, ...]
    seen: tuple[Finding, ...]
    unexplained: tuple[Finding, ...]
    judged: tuple[Judged, ...]
    unread: tuple[str, ...] = ()

    def of(self, *states: str) -> tuple[Judged, ...]:
        """The causes in one of ``states``."""
        return tuple(each for each in self.judged if each.state in states)


def triage(question: Question, playbooks: Iterable[Playbook], analysis: Analysis) -> Triage:
    """Judge every cause of ``playbooks`` that may explain what is asked, by what ``analysis`` found."""
    judge = _Judge(analysis)
    explaining: list[Diagnosis] = []
    others: list[Diagnosis] = []
    for diagnosis, case, links in judge.cases:
        (explaining if question.explained_by(diagnosis, case, links) else others).append(diagnosis)
    judged = [judge.judged(playbook) for playbook in question.causes(playbooks)]
    held = {d.cause for d in explaining}
    unexplained = {id(finding) for finding in analysis.correlation.unexplained}
    seen = question.seen_in(analysis.examination.findings)
    return Triage(
        question,
        analysis,
        tuple(explaining),
        tuple(others),
        seen,
        tuple(finding for finding in seen if id(finding) in unexplained),
        tuple(sorted(judged, key=lambda each: (STATES.index(each.state), each.cause not in held))),
        judge.unread,
    )


class _Judge:
    """What an analysis says of single causes, looked up by check and cause."""

    def __init__(self, analysis: Analysis) -> None:
        self.examination = analysis.examination
        self.correlation = analysis.correlation
        self.choice: Choice = analysis.correlation.choice
        self.present = [finding for finding in self.examination.findings if not finding.past]
        self.ended = {d.cause: d for d in self.correlation.history}
        self.fates: dict[str, list[tuple[Hypothesis, Fate]]] = {}
        for hypothesis, fate in self.choice.fates:
            self.fates.setdefault(hypothesis.playbook.cause, []).append((hypothesis, fate))

    @property
    def cases(self) -> Iterator[tuple[Diagnosis, Hypothesis | None, tuple[Hypothesis, ...]]]:
        """The diagnoses with the hypothesis that each is and the links of its chain."""
        chosen = {(h.playbook.cause, h.title): (h, links) for h, links in zip(*self._chosen, strict=True)}
        for diagnosis in self.correlation.diagnoses:
            case, links = chosen.get((diagnosis.cause, diagnosis.title), (None, ()))
            yield diagnosis, case, links

    @property
    def _chosen(self) -> tuple[Sequence[Hypothesis], Sequence[tuple[Hypothesis, ...]]]:
        return self.choice.chosen, self.choice.links

    @cached_property
    def _looked(self) -> Mapping[str, tuple[str, ...]]:
        nodes: dict[str, set[str]] = {}
        for check, node in self.examination.checked:
            nodes.setdefault(check, set()).add(node)
        return {check: tuple(sorted(names)) for check, names in nodes.items()}

    def judged(self, playbook: Playbook) -> Judged:
        fates = self.fates.get(playbook.cause, [])
        for outcome, state in (("chosen", HOLDS), ("link", FOLLOWS), ("redundant", FOLLOWS), ("weak", POSSIBLE)):
            of_it = [(h, fate) for h, fate in fates if fate.outcome == outcome]
            if of_it:
                return self._case(playbook, state, of_it)
        if fates:
            return self._excluded(playbook, [h for h, _ in fates])
        if playbook.cause in self.ended:
            return Judged(playbook.cause, ENDED, (self.ended[playbook.cause].title,))
        return self._without_case(playbook)

    def _case(self, playbook: Playbook, state: str, fates: Sequence[tuple[Hypothesis, Fate]]) -> Judged:
        reasons = []
        for hypothesis, fate in fates:
            by = f", which follows from {fate.by.playbook.cause}" if fate.by is not None else ""
            doubt = f" (score {hypothesis.score:.2f}: too little speaks for it)" if state == POSSIBLE else ""
            reasons.append(f"{hypothesis.title}{by}{doubt}")
        grounds = [self.examination.findings[p] for h, _ in fates for p in sorted(h.own)]
        confirm = dict.fromkeys(fill(command, h.binding) for h, _ in fates for command in playbook.confirm)
        decide = tuple(confirm) if state == POSSIBLE else ()
        return Judged(playbook.cause, state, tuple(dict.fromkeys(reasons)), tuple(_lines(grounds)), confirm=decide)

    def _excluded(self, playbook: Playbook, cases: Sequence[Hypothesis]) -> Judged:
        against = {p for h in cases for e in h.unless for p in e.matched}
        findings = [self.examination.findings[p] for p in sorted(against)]
        said = dict.fromkeys(f"{f.node}: {f.message}" if f.node else f.message for f in findings)
        nodes = tuple(sorted({f.node for f in findings if f.node}))
        return Judged(playbook.cause, EXCLUDED, tuple(said), tuple(_lines(findings)), nodes)

    def _without_case(self, playbook: Playbook) -> Judged:
        """Which of its grounds is missing: the one that was looked for best."""
        clauses = [self._clause(playbook.cause, clause) for clause in playbook.when]
        missing = [each for each in clauses if each is not None]
        if missing:
            return min(missing, key=lambda each: (ABSENT, NOT_HERE, UNSEEN, UNKNOWN).index(each.state))
        apart = ", ".join(clause[0].finding for clause in playbook.when)
        return Judged(playbook.cause, ABSENT, (f"{apart}: found, and not of one thing",))

    def _clause(self, cause: str, clause: Clause) -> Judged | None:
        """Why no pattern of ``clause`` has a finding; None where one has."""
        if any(pattern.bind(finding, {}) is not None for pattern in clause for finding in self._of(pattern)):
            return None
        ids = tuple(dict.fromkeys(pattern.finding for pattern in clause))
        missed = {id_: self._missed(id_) for id_ in ids}
        if any(missed.values()):
            reasons = tuple(dict.fromkeys(self._why(id_) for id_ in ids if missed[id_]))
            nodes = tuple(sorted({node for names in missed.values() for node in names if node}))
            return Judged(cause, UNKNOWN, reasons, nodes=nodes, checks=tuple(id_ for id_ in ids if missed[id_]))
        nodes = tuple(
            sorted({n for id_ in ids for check, names in self._looked.items() if _fits(check, id_) for n in names})
        )
        if not nodes:
            return Judged(cause, NOT_HERE, (f"no node has what {' or '.join(ids)} looks at",), checks=ids)
        state = UNSEEN if all(id_.startswith("log.") for id_ in ids) else ABSENT
        return Judged(cause, state, tuple(self._none(id_) for id_ in ids), nodes=nodes, checks=ids)

    def _missed(self, id_: str) -> frozenset[str]:
        """The nodes where it could not be looked at; of logs, those where none was read."""
        missed = self.examination.missed(id_)
        if not missed or not id_.startswith("log."):
            return missed
        return missed - {n for check, names in self._looked.items() if _fits(check, id_) for n in names}

    @property
    def unread(self) -> tuple[str, ...]:
        """The logs that could not be read on nodes where others were."""
        return tuple(
            dict.fromkeys(f"{gap.node}: {gap.reason}" for gap in self.examination.not_checked if gap.check == "log.*")
        )

    def _none(self, id_: str) -> str:
        """That nothing of it was found, or nothing that would be this cause."""
        return f"{id_} found, of another kind" if any(_fits(f.id, id_) for f in self.present) else f"no {id_} found"

    def _of(self, pattern: Pattern) -> Iterator[Finding]:
        return (f for f in self.present if _fits(f.id, pattern.finding))

    def _why(self, check: str) -> str:
        """Why ``check`` could not be made, for the first node of each reason."""
        reasons = dict.fromkeys(
            gap.reason for gap in self.examination.not_checked if _fits(gap.check, check) or _fits(check, gap.check)
        )
        return "; ".join(list(reasons)[:2])


def _fits(id_: str, glob: str) -> bool:
    return id_ == glob or fnmatchcase(id_, glob)


def _any_fits(id_: str, globs: Iterable[str]) -> bool:
    return any(_fits(id_, glob) for glob in globs)


def _lines(findings: Iterable[Finding]) -> Iterator[Evidence]:
    yield from dict.fromkeys(evidence for finding in findings for evidence in finding.evidence[:1])

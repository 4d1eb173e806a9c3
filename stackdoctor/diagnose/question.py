"""What is asked in a triage: which causes may explain what an operator sees, and what is looked at to judge them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from stackdoctor.diagnose.hypothesis import Hypothesis
from stackdoctor.diagnose.knowledge import Knowledge
from stackdoctor.diagnose.pattern import Binding, Pattern, attribute
from stackdoctor.diagnose.playbook import Playbook
from stackdoctor.diagnose.symptom import Symptom, causes_of, may_show_as
from stackdoctor.facts.signature import Signature
from stackdoctor.model import Diagnosis, Finding, Severity

__all__ = ["Question", "focused", "lines_in", "place_of", "speaks_of"]


@dataclass(frozen=True)
class Question:
    """What is seen: symptoms, or log lines as the findings that they are.

    ``stopped`` are pairs of a service and its node where something stopped: of interest are the causes of the system
    that has the service's name.
    """

    symptoms: tuple[Symptom, ...] = ()
    lines: tuple[Finding, ...] = ()
    stopped: tuple[tuple[str, str], ...] = ()

    def causes(self, playbooks: Iterable[Playbook]) -> tuple[Playbook, ...]:
        """The playbooks whose cause may explain it somewhere, in their order."""
        playbooks = tuple(playbooks)
        systems = {service.partition("-")[0] for service, _ in self.stopped}
        shown = {p.cause for symptom in self.symptoms for p in causes_of(symptom, playbooks)}
        return tuple(
            p
            for p in playbooks
            if p.cause in shown
            or not systems.isdisjoint(p.systems)
            or any(speaks_of(p, line, {}) for line in self.lines)
        )

    def explained_by(self, diagnosis: Diagnosis, case: Hypothesis | None, links: Iterable[Hypothesis]) -> bool:
        """Whether ``diagnosis``, which is ``case`` with the links of its chain, accounts for what is seen."""
        if any(self._shown_by(finding) for finding in diagnosis.explains):
            return True
        if any({service, node} <= set(diagnosis.where.values()) for service, node in self.stopped):
            return True
        if case is not None and self._of(case.playbook, diagnosis.where, case.binding):
            return True
        return any(self._of(link.playbook, place_of(link), link.binding) for link in links)

    def seen_in(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """The findings that are the symptom itself, as it is now."""
        return tuple(finding for finding in findings if self._shown_by(finding))

    def _shown_by(self, finding: Finding) -> bool:
        """Whether ``finding``, of now and no mere note, is what is asked about."""
        return (
            not finding.past
            and finding.severity >= Severity.WARNING
            and any(_is_of(shown, finding) for symptom in self.symptoms for shown in symptom.shows)
        )

    def _of(self, playbook: Playbook, where: Mapping[str, str], binding: Binding) -> bool:
        return any(may_show_as(symptom, playbook, where) for symptom in self.symptoms) or any(
            speaks_of(playbook, line, binding) for line in self.lines
        )


def place_of(case: Hypothesis) -> dict[str, str]:
    """The place of a case: what its variables are bound to, under the names of ``where`` as well."""
    named = {key: case.binding.get(text.strip("{}"), "") for key, text in case.playbook.where.items()}
    return {key: value for key, value in {**case.binding, **named}.items() if value}


def _is_of(shown: Pattern, finding: Finding) -> bool:
    return fnmatchcase(finding.id, shown.finding) and shown.bind(finding, {}) is not None


def speaks_of(playbook: Playbook, line: Finding, binding: Binding) -> bool:
    """Whether ``line`` is evidence or a symptom of the cause; what the line does not tell speaks not against it."""
    for pattern in playbook.patterns:
        if pattern in playbook.unless or pattern in playbook.against or not fnmatchcase(line.id, pattern.finding):
            continue
        told = tuple((key, term) for key, term in pattern.terms if attribute(line, key))
        if replace(pattern, terms=told).bind(line, binding) is not None:
            return True
    return False


def lines_in(text: str, signatures: Iterable[Signature]) -> Iterator[tuple[Signature, Finding]]:
    """The signatures that ``text`` (a record, or lines of several) has, each with the finding that it is.

    The finding has no node, nor a service: a pasted line tells neither.
    """
    for signature in signatures:
        read = signature.match(text)
        if read is not None:
            keys = {k: v for k, v in signature.finding_keys(read).items() if k not in ("node", "service")}
            said = signature.says("a node", _service_in(signature), 1, read)
            yield signature, _finding(signature, said, keys)


def _finding(signature: Signature, said: str, keys: Mapping[str, str]) -> Finding:
    return Finding(
        "",
        said,
        node="",
        id=signature.finding_id,
        severity=signature.severity,
        evidence=None,
        first=None,
        last=None,
        count=1,
        episodes=(),
        **keys,
    )


def _service_in(signature: Signature) -> str:
    return signature.services[0] if len(signature.services) == 1 and "*" not in signature.services[0] else "a service"


def focused(knowledge: Knowledge, question: Question) -> Knowledge:
    """What must be looked at to judge the causes of ``question``, and all causes that this is enough for."""
    causes = question.causes(knowledge.playbooks)
    globs = {g for playbook in causes for g in _needs(playbook)}
    globs |= {shown.finding for symptom in question.symptoms for shown in symptom.shows}
    globs |= {line.id for line in question.lines}
    exact = {glob for glob in globs if "*" not in glob}
    wild = globs - exact
    checks = tuple(c for c in knowledge.checks if c.id in exact or any(fnmatchcase(c.id, glob) for glob in wild))
    ids = {c.id for c in checks}
    judged = tuple(
        p for p in knowledge.playbooks if all(any(fnmatchcase(id_, glob) for id_ in ids) for glob in _needs(p))
    )
    return replace(knowledge, checks=checks, playbooks=judged)


def _needs(playbook: Playbook) -> Iterator[str]:
    """The findings that the cause rests on or that speak against it; what it explains need not be there."""
    for clause in (*playbook.when, *playbook.logs):
        yield from (p.finding for p in clause)
    yield from (p.finding for p in (*playbook.because, *playbook.unless, *playbook.against))

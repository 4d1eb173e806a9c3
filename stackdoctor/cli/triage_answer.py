"""A triage from question to answer: look at what is needed, follow what can be followed, judge the causes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from stackdoctor.cli.look import Looking
from stackdoctor.cli.triage_ask import Seen, known_symptom
from stackdoctor.cli.triage_next import Step, next_steps, where_to_look
from stackdoctor.diagnose.analyse import analyse
from stackdoctor.diagnose.knowledge import Knowledge
from stackdoctor.diagnose.playbook import Playbook
from stackdoctor.diagnose.question import Question, focused, lines_in
from stackdoctor.diagnose.symptom import Symptom, meant
from stackdoctor.diagnose.triage import Triage, triage
from stackdoctor.errors import UsageError
from stackdoctor.facts.signature import Signature
from stackdoctor.model import Diagnosis, Finding
from stackdoctor.report.make import make_report
from stackdoctor.report.report import Report
from stackdoctor.snapshot.format import Snapshot
from stackdoctor.trace.guest import Guest, guest_at, guest_named
from stackdoctor.trace.records import LogRecord, Records, read_records
from stackdoctor.trace.request import last_request, request_id, request_trace
from stackdoctor.trace.steps import Trace
from stackdoctor.trace.wiring import FACTS

__all__ = ["Answer", "Line", "answer"]

_REQUEST = re.compile(r"\breq-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_INSTANCE = re.compile(r"\[instance: ([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\]")

Look = Callable[..., Snapshot]


@dataclass(frozen=True)
class Line:
    """A pasted log line: the signatures that know it, and the causes that it speaks of, by id with their titles."""

    text: str
    known: tuple[tuple[Signature, Finding], ...]
    causes: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Answer:
    """All that a triage says.  ``report`` and ``triage`` are None where nothing was looked at.

    ``probes`` are how many of how many probes were planned, None with a snapshot.  ``elsewhere`` are diagnoses that
    explain the symptom, but of another instance than the one asked about.
    """

    seen: Seen
    symptoms: tuple[Symptom, ...]
    triage: Triage | None = None
    report: Report | None = None
    guest: Guest | None = None
    trace: Trace | None = None
    line: Line | None = None
    elsewhere: tuple[Diagnosis, ...] = ()
    records: tuple[LogRecord, ...] = ()
    next: tuple[Step, ...] = ()
    probes: tuple[int, int] | None = None

    @property
    def exit_status(self) -> int:
        """0 no cause was found, 1 one was, 3 no node gave anything."""
        if self.report is None:
            return 0
        if not self.report.answered:
            return 3
        return int(bool(self.report.diagnoses))


def answer(seen: Seen, knowledge: Knowledge, look: Look, looking: Looking, sources: tuple[Path, ...]) -> Answer:
    """Judge what is ``seen`` by what ``look`` gives: ``look(knowledge, facts, words)`` is a snapshot."""
    cloud = where_to_look(sources, looking)
    answered = Answer(seen, (known_symptom(seen.symptom, knowledge.symptoms),) if seen.symptom else ())
    question = Question(answered.symptoms)
    nothing = Knowledge((), (), ())
    if seen.line:
        line = _line(seen.line, knowledge)
        answered = replace(answered, line=line)
        question = replace(question, lines=tuple(finding for _, finding in line.known))
    if seen.request:
        id_ = request_id(seen.request)
        records = read_records(look(nothing, (), (id_,)).nodes, (id_,))
        trace = request_trace(id_, records)
        answered = replace(answered, trace=trace)
        question = _of_request(question, trace, _failed(records), knowledge)
    if seen.instance and not (seen.symptom or seen.line or seen.request):
        answered, question = _of_instance(answered, question, knowledge, look)
    if seen.line and not question.symptoms and not (question.lines and cloud):
        return replace(answered, next=_after_line(seen.line, knowledge, cloud))
    return _judged(answered, question, knowledge, look, looking, sources, cloud)


def _judged(
    answered: Answer,
    question: Question,
    knowledge: Knowledge,
    look: Look,
    looking: Looking,
    sources: tuple[Path, ...],
    cloud: tuple[str, ...],
) -> Answer:
    """What the causes of ``question`` come to, with the whole knowledge where the whole snapshot is there."""
    focus = knowledge if sources else focused(knowledge, question)
    wants_guest = bool(answered.seen.instance)
    snapshot = look(focus, FACTS if wants_guest else ())
    guest = answered.guest
    if wants_guest and guest is None:
        guest = guest_named(answered.seen.instance, snapshot.nodes)
    analysis = analyse(snapshot, focus)
    judged = triage(question, knowledge.playbooks, analysis)
    elsewhere: tuple[Diagnosis, ...] = ()
    if guest is not None:
        elsewhere = tuple(d for d in judged.explaining if not guest.may_be_hit_by(d.where))
        judged = replace(
            judged,
            explaining=tuple(d for d in judged.explaining if guest.may_be_hit_by(d.where)),
            seen=tuple(f for f in judged.seen if guest.may_be_hit_by({**f.keys, "node": f.node})),
            unexplained=tuple(f for f in judged.unexplained if guest.may_be_hit_by({**f.keys, "node": f.node})),
        )
    known = judged.explaining[0].where if judged.explaining else {}
    at = guest or guest_at(known, snapshot.nodes) if known or guest else None
    values = {
        **known,
        **(at.values if at is not None else {}),
        "request": answered.trace.subject if answered.trace else "",
    }
    steps = next_steps(question.symptoms, values, cloud, live=not sources)
    return replace(
        answered,
        symptoms=question.symptoms,
        triage=judged,
        report=make_report(snapshot, analysis),
        guest=guest,
        elsewhere=elsewhere,
        next=steps,
        probes=None if sources else _probes(focus, knowledge, looking, FACTS if wants_guest else ()),
    )


def _probes(focus: Knowledge, whole: Knowledge, looking: Looking, facts: Iterable[type]) -> tuple[int, int]:
    plans = [
        k.plan(since=looking.since, seconds=looking.timeout, facts=f, consents=looking.consents)
        for k, f in ((focus, facts), (whole, ()))
    ]
    return len(plans[0].probes), len(plans[1].probes)


def _line(text: str, knowledge: Knowledge) -> Line:
    known = tuple(lines_in(text.strip(), knowledge.signatures))
    causes = Question(lines=tuple(finding for _, finding in known)).causes(knowledge.playbooks)
    ids = {finding.id for _, finding in known}

    def speaks(playbook: Playbook) -> tuple[float, float, int, str]:
        grounds = (p.weight for clause in playbook.when for p in clause if p.finding in ids)
        support = (p.weight for p in playbook.because if p.finding in ids)
        return -max(grounds, default=0.0), -max(support, default=0.0), -playbook.severity, playbook.cause

    ordered = sorted(causes, key=speaks)
    return Line(text.strip(), known, tuple((p.cause, p.title) for p in ordered))


def _of_request(question: Question, trace: Trace, failed: Iterable[LogRecord], knowledge: Knowledge) -> Question:
    """The causes of the lines with which a request failed, and of the service where it stopped."""
    stopped = trace.stuck_at or trace.last_proven
    lines = (finding for record in failed for _, finding in lines_in(record.text, knowledge.signatures))
    places = ((stopped.service, stopped.node),) if stopped is not None and stopped.service else ()
    return replace(question, lines=(*question.lines, *_each_once(lines)), stopped=places)


def _of_instance(answered: Answer, question: Question, knowledge: Knowledge, look: Look) -> tuple[Answer, Question]:
    """What there is of an instance, and the symptoms that one in its state can have."""
    nothing = Knowledge((), (), ())
    nodes = look(nothing, FACTS).nodes
    guest = guest_named(answered.seen.instance, nodes)
    records = read_records(look(nothing, (), (guest.id,)).nodes, (guest.id,))
    failed = _failed(records)
    lines = _each_once(f for record in failed for _, f in lines_in(record.text, knowledge.signatures))
    symptoms = tuple(s for s in knowledge.symptoms if s.instance == "any" or (s.instance and s.instance == guest.state))
    trace = None
    try:
        id_ = last_request(guest.id, records)
        trace = request_trace(id_, read_records(look(nothing, (), (guest.id, id_)).nodes, (id_,)))
    except UsageError:
        trace = None  # no request on it is in the logs of this time, which is no error here
    return (
        replace(answered, guest=guest, trace=trace, records=failed),
        replace(question, symptoms=symptoms, lines=tuple(lines)),
    )


def _failed(records: Records) -> tuple[LogRecord, ...]:
    return tuple(record for record in records.records if record.failed)


def _each_once(lines: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple({(f.id, tuple(sorted(f.keys.items()))): f for f in lines}.values())


def _after_line(text: str, knowledge: Knowledge, cloud: tuple[str, ...]) -> tuple[Step, ...]:
    """What can be done with a line where it is not known, or where there is no cloud to look at for it."""
    options = cloud or ("-i", "INVENTORY")

    def step(why: str, *words: str) -> Step:
        return Step(shlex.join(("stackdoctor", *words, *options)), why, bool(cloud))

    steps = []
    if request := _REQUEST.search(text):
        steps.append(step("where that request stopped", "triage", "--request", request[0]))
    if instance := _INSTANCE.search(text):
        steps.append(step("what is known of that instance", "triage", "--instance", instance[1]))
    if any(True for _ in lines_in(text, knowledge.signatures)):
        steps.append(step("which of the causes it is, in your cloud", "triage", "--line", "LINE"))
    else:
        steps += [step(s.title, "triage", "--symptom", s.id) for s in meant(text, knowledge.symptoms)[:3]]
        steps.append(step("whatever is broken", "diagnose"))
    return tuple(steps)

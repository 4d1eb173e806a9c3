"""A triage on the terminal: what explains it, then the way there: what is ruled out, what is open, what is next."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.console import Console

from stackdoctor.cli.trace_page import show_steps
from stackdoctor.cli.triage_answer import Answer, Line
from stackdoctor.diagnose.triage import (
    ABSENT,
    ENDED,
    EXCLUDED,
    FOLLOWS,
    NOT_HERE,
    POSSIBLE,
    UNKNOWN,
    UNSEEN,
    Judged,
    Triage,
)
from stackdoctor.model import Diagnosis, Finding, Severity
from stackdoctor.report.cause import show_cause
from stackdoctor.report.groups import alike, grouped, left_open, named
from stackdoctor.report.hostile import flat
from stackdoctor.report.page import Page
from stackdoctor.report.pieces import folded, heading, label
from stackdoctor.report.report import LIVE, Report
from stackdoctor.report.times import clock_time
from stackdoctor.report.wording import counted, headline, seen

__all__ = ["show", "verdict_of"]

_SEEN = 5
_RULED_OUT = 12
_OPEN = 8
_NAMES = 5
_CAUSES = 12
_STEPS = 8


def show(answer: Answer, console: Console, *, verbose: bool) -> None:
    """Print ``answer``; ``verbose`` leaves nothing folded."""
    page = Page(console)
    for symptom in answer.symptoms if len(answer.symptoms) == 1 else ():
        page.write(page.text(f"{symptom.title} ({symptom.id})"), 0, page.text("Seen: ", "bold"))
    if answer.guest is not None:
        page.write(page.text(str(answer.guest)), 0, page.text("Instance: ", "bold"))
    if answer.line is not None:
        _line(page, answer.line, verbose, judged=answer.triage is not None)
    if answer.trace is not None:
        page.blank()
        show_steps(page, answer.trace)
    if answer.triage is not None and answer.report is not None:
        _judged(page, answer, answer.triage, answer.report, verbose)
    if answer.next:
        heading(page, "Look next", 0)
        for step in answer.next if verbose else answer.next[:_STEPS]:
            page.exact(page.text(step.command), 2)
            page.write(page.text(step.why, "dim"), 6)
        folded(page, 0 if verbose else len(answer.next) - _STEPS, "command", 2)
    if answer.report is not None:
        _last_line(page, answer, answer.report)


def verdict_of(answer: Answer) -> str:
    """One sentence: whether what was found explains what is seen."""
    if answer.triage is None:
        return "Nothing was looked at."
    of_it, judged = _asked(answer), answer.triage
    number = len(alike(judged.explaining))
    if number:
        return f"{counted(number, 'root cause')} found that {'explains' if number == 1 else 'explain'} {of_it}."
    if answer.seen.request and answer.trace is not None and answer.trace.whole:
        return "No step of this request failed, and nothing was found that would hold it up."
    broken = len(alike((*judged.others, *answer.elsewhere)))
    if broken:
        return f"What was found does not explain {of_it}; but something else is broken ({counted(broken, 'cause')})."
    if judged.unexplained:
        return f"Something of {of_it} is seen, and no known cause fits."
    return f"Nothing was found that explains {of_it}."


def _asked(answer: Answer) -> str:
    if len(answer.symptoms) == 1:
        return "this symptom" + (" of this instance" if answer.guest is not None else "")
    return "this line" if answer.line is not None else "this request" if answer.seen.request else "this"


def _judged(page: Page, answer: Answer, judged: Triage, report: Report, verbose: bool) -> None:
    page.blank()
    page.write(page.text(verdict_of(answer), "bold"))
    causes = alike(judged.explaining)
    for place, members in enumerate(causes, 1):
        page.blank()
        show_cause(page, report, members, place if len(causes) > 1 else 0, verbose)
    _others(page, "Broken as well, which does not explain it", judged.others)
    _others(page, "Broken as well, at other instances or their hosts", answer.elsewhere)
    _seen_of_it(page, judged, report, verbose)
    if not judged.others and not judged.explaining:
        _unexplained(page, judged, report)
    _possible(page, judged.of(POSSIBLE, FOLLOWS, ENDED), verbose)
    _ruled_out(page, judged.of(EXCLUDED, ABSENT), report, verbose)
    _unseen(page, judged.of(UNSEEN), judged.unread, verbose)
    _not_here(page, judged.of(NOT_HERE), verbose)
    _unknown(page, judged.of(UNKNOWN), report, verbose)


def _others(page: Page, title: str, diagnoses: Sequence[Diagnosis]) -> None:
    if not diagnoses:
        return
    heading(page, title, 0)
    for members in alike(diagnoses):
        page.write(page.text(f"{headline(members)} ({members[0].cause})"), 2, label(page, members[0].severity, 0))


def _seen_of_it(page: Page, judged: Triage, report: Report, verbose: bool) -> None:
    if not judged.seen:
        return
    heading(page, "Seen of it", 0)
    groups = grouped(judged.seen)
    for group in groups if verbose else groups[:_SEEN]:
        page.write(page.text(f"{seen(report, group)}: {flat(group.findings[0].message)}"), 2, hang=2)
    folded(page, 0 if verbose else len(groups) - _SEEN, "kind", 2)


def _unexplained(page: Page, judged: Triage, report: Report) -> None:
    of_it = {id(finding) for finding in judged.seen}
    left: list[Finding] = [f for f in left_open(report) if f.severity >= Severity.ERROR and id(f) not in of_it]
    if not left:
        return
    heading(page, "Not of it, and explained by nothing", 0)
    for group in grouped(left)[:_SEEN]:
        page.write(page.text(f"{seen(report, group)}: {flat(group.findings[0].message)}"), 2, hang=2)


def _possible(page: Page, causes: Sequence[Judged], verbose: bool) -> None:
    words = {POSSIBLE: "Still possible", FOLLOWS: "Follows from what was found", ENDED: "Was, and is over"}
    for state, of_it in groupby(causes, key=lambda each: each.state):
        heading(page, words[state], 0)
        for each in of_it:
            for reason in each.reasons if verbose else each.reasons[:1]:
                page.write(page.text(f"{each.cause}: ", "cyan") + page.text(flat(reason)), 2, hang=2)
            for command in each.confirm:
                page.exact(page.text(command), 6)


def _ruled_out(page: Page, causes: Sequence[Judged], report: Report, verbose: bool) -> None:
    if not causes:
        return
    heading(page, f"Ruled out ({len(causes)})", 0)
    for each in causes if verbose else causes[:_RULED_OUT]:
        why = ", ".join(each.reasons if verbose else each.reasons[:2])
        on = "" if each.state == EXCLUDED else _on(each.nodes, report)
        by = "by " if each.state == EXCLUDED else ""
        page.write(page.text(f"{each.cause}: ", "cyan") + page.text(flat(f"{by}{why}{on}")), 2, hang=2)
    folded(page, 0 if verbose else len(causes) - _RULED_OUT, "cause", 2)


def _on(nodes: Sequence[str], report: Report) -> str:
    answered = {node.name for node in report.answered}
    if len(nodes) > 1 and answered <= set(nodes):
        return f" on all {len(nodes)} nodes"
    return f" on {named([node for node in nodes if node], 3)}" if any(nodes) else ""


def _unseen(page: Page, causes: Sequence[Judged], unread: Sequence[str], verbose: bool) -> None:
    if causes:
        heading(page, "Only logs would tell, and no line in them does", 0)
        page.write(page.text(named((each.cause for each in causes), len(causes) if verbose else _CAUSES)), 2)
        for log in unread if verbose else unread[:_SEEN]:
            page.write(page.text(flat(log)), 2, page.text("not read: ", "yellow"), hang=2)


def _not_here(page: Page, causes: Sequence[Judged], verbose: bool) -> None:
    if causes:
        heading(page, "Nothing of the kind on these nodes", 0)
        page.write(page.text(named((each.cause for each in causes), len(causes) if verbose else _CAUSES)), 2)


def _unknown(page: Page, causes: Sequence[Judged], report: Report, verbose: bool) -> None:
    if not causes:
        return
    heading(page, f"Could not be looked at ({counted(len(causes), 'cause')} left open)", 0)
    by_reason: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for each in causes:
        by_reason.setdefault((each.nodes, "; ".join(each.reasons)), []).append(each.cause)
    lines = list(by_reason.items())
    for (nodes, reason), ids in lines if verbose else lines[:_OPEN]:
        said = page.text(f"{named(ids, len(ids) if verbose else _NAMES)}: ", "cyan")
        page.write(said + page.text(flat(reason) + _on(nodes, report)), 2, hang=2)
    folded(page, 0 if verbose else len(lines) - _OPEN, "reason", 2)
    page.write(page.text(f"by hand: stackdoctor playbook show {causes[0].cause}"), 2)


def _line(page: Page, line: Line, verbose: bool, *, judged: bool) -> None:
    page.quote(page.text(line.text.split("\n", 1)[0][:400], "dim"), 0)
    if not line.known:
        page.write(page.text("No log signature knows this line.", "bold"))
        page.write(page.text("If it is worth one, a signature is six lines of YAML: see CONTRIBUTING.md."), 2)
        return
    for signature, finding in line.known:
        page.blank()
        page.write(page.text(flat(finding.message)), 0, page.text(f"{finding.id}: ", "bold"))
        page.write(page.text(flat(signature.explain)), 2)
        for benign in signature.benign:
            page.write(page.text(flat(benign.why)), 2, page.text("Harmless: "))
    if judged:
        return
    heading(page, f"It may be ({len(line.causes)})", 0)
    for cause, title in line.causes if verbose else line.causes[:_CAUSES]:
        page.write(page.text(flat(title)), 2, page.text(f"{cause}: ", "cyan"))
    folded(page, 0 if verbose else len(line.causes) - _CAUSES, "cause", 2)
    page.blank()
    page.write(page.text("No node was looked at: name yours with --inventory or --nodes, or a snapshot with --from."))


def _last_line(page: Page, answer: Answer, report: Report) -> None:
    page.blank()
    planned = f" · {answer.probes[0]} of {answer.probes[1]} probes" if answer.probes is not None else ""
    judged = f" · {counted(len(answer.triage.judged), 'cause')} judged" if answer.triage is not None else ""
    taken = "live" if report.source == LIVE else f"from {report.source}"
    nodes = f"{counted(len(report.nodes), 'node')} in {report.seconds:.1f} s"
    failed = [node.name for node in report.failed]
    silent = f" ({named(failed, 3)} gave nothing)" if failed else ""
    page.write(page.text(f"{nodes}{silent}{planned}{judged} · {clock_time(report.started)} · {taken}"))

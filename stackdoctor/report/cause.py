"""One root cause as a reader sees it: proof, what it explains, how to confirm it, the way out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from stackdoctor.model import Diagnosis
from stackdoctor.report.groups import grouped, spread, unalike
from stackdoctor.report.hostile import flat, plain
from stackdoctor.report.page import Page
from stackdoctor.report.pieces import folded, heading, label, lines, source
from stackdoctor.report.report import Report
from stackdoctor.report.times import clock_time
from stackdoctor.report.wording import SUBJECT, certainty, counted, headline, seen

__all__ = ["show_cause"]

_EVIDENCE = 5
_SYMPTOMS = 8
_PLACES = 6


def show_cause(page: Page, report: Report, alike: Sequence[Diagnosis], place: int, verbose: bool) -> None:
    """The first of ``alike`` in full, with the places of the others; ``place`` is its number, 0 for the only one."""
    diagnosis = alike[0]
    page.write(page.text(headline(alike), "bold"), head=label(page, diagnosis.severity, place))
    facts = (certainty(diagnosis.confidence), diagnosis.cause, _where(diagnosis.where), _when(report, diagnosis))
    page.write(page.text(" · ".join(fact for fact in facts if fact)), 2)
    if diagnosis.why:
        page.blank()
        page.write(page.text(flat(diagnosis.why)), 2)
    if diagnosis.chain:
        page.blank()
        page.write(page.text(flat(diagnosis.chain[0])), 2)
        for link in diagnosis.chain[1:]:
            page.write(page.text(flat(link)), 3, page.text("→ "))
    _places(page, alike, verbose)
    _proof(page, diagnosis, verbose)
    _symptoms(page, report, alike, verbose)
    _way_out(page, alike if verbose else alike[:1])
    unchecked = list(dict.fromkeys(what for each in alike for what in each.unchecked))
    if unchecked:
        heading(page, "Could not be excluded")
        for what in unchecked:
            page.write(page.text(flat(what)), 4, hang=2)
    if diagnosis.refs and verbose:
        heading(page, "Read more")
        for ref in diagnosis.refs:
            page.exact(page.text(ref), 4)


def _where(where: Mapping[str, str]) -> str:
    return ", ".join(f"{key} {plain(value, SUBJECT)}" for key, value in where.items())


def _when(report: Report, diagnosis: Diagnosis) -> str:
    if diagnosis.state == "flapping":
        return f"flapping: it came and went {len(diagnosis.episodes)} times"
    since = clock_time(diagnosis.episodes[-1][0], report.started) if diagnosis.episodes else ""
    return f"seen since {since}" if since else ""


def _places(page: Page, alike: Sequence[Diagnosis], verbose: bool) -> None:
    others = alike[1:]
    if not others:
        return
    heading(page, f"The same {counted(len(others), 'more time')}")
    shown = others if verbose else others[:_PLACES]
    for each in shown:
        page.write(page.text(_where(unalike(each, alike))), 4, hang=2)
    folded(page, len(others) - len(shown), "place", 4)


def _proof(page: Page, diagnosis: Diagnosis, verbose: bool) -> None:
    if not diagnosis.evidence:
        return
    heading(page, "Evidence")
    shown = spread(diagnosis.evidence, None if verbose else _EVIDENCE)
    for (node, where), together in groupby(shown, key=lambda line: (line.node, line.source)):
        source(page, node, where, 4)
        for line in together:
            lines(page, line.line, 4, verbose)
    folded(page, len(set(diagnosis.evidence)) - len(shown), "line", 4)


def _symptoms(page: Page, report: Report, alike: Sequence[Diagnosis], verbose: bool) -> None:
    explained = {id(finding): finding for diagnosis in alike for finding in diagnosis.explains}
    if not explained:
        return
    heading(page, "Explains")
    groups = grouped(explained.values())
    for group in groups if verbose else groups[:_SYMPTOMS]:
        said = seen(report, group)
        if len(group.findings) == 1:
            page.write(page.text(f"{said}: ") + page.text(flat(group.findings[0].message)), 4, hang=2)
            continue
        page.write(page.text(said), 4, hang=2)
        for finding in group.findings if verbose else ():
            page.write(
                page.text(f"{finding.node}: " if finding.node else "") + page.text(flat(finding.message)), 6, hang=2
            )
    folded(page, 0 if verbose else len(groups) - _SYMPTOMS, "kind", 4)


def _way_out(page: Page, alike: Sequence[Diagnosis]) -> None:
    confirm = list(dict.fromkeys(command for diagnosis in alike for command in diagnosis.confirm))
    if confirm:
        heading(page, "Confirm")
        for command in confirm:
            page.exact(page.text(command.strip()), 4)
    fix = list(dict.fromkeys(step for diagnosis in alike for step in diagnosis.fix))
    if fix:
        heading(page, "Fix")
        for (risk, on), steps in groupby(fix, key=lambda step: (step.risk, step.on)):
            page.write(page.text(f"{risk}, on {on}:" if on else f"{risk}:"), 4)
            for step in steps:
                page.exact(page.text(step.do.strip()), 6)

"""What the report says of the past and of what is set aside: in few lines, after what is wrong now."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.diagnose.silence import Silenced
from stackdoctor.model import Diagnosis
from stackdoctor.report.groups import alike
from stackdoctor.report.hostile import flat
from stackdoctor.report.page import Page
from stackdoctor.report.pieces import folded, heading, lines, source
from stackdoctor.report.report import Report
from stackdoctor.report.times import clock_time
from stackdoctor.report.wording import counted

__all__ = ["show_earlier", "show_silenced"]

_EARLIER = 6
_SILENCED = 8
_SPANS = 3


def show_earlier(page: Page, report: Report, verbose: bool) -> None:
    """The causes that held in the window of the logs and have ended."""
    causes = alike(report.history)
    if not causes:
        return
    heading(page, "Earlier in this window", 0)
    for members in causes if verbose else causes[:_EARLIER]:
        more = f" (and {len(members) - 1} more like it)" if len(members) > 1 else ""
        page.write(page.text(f"{_times(report, members[0])}  {flat(members[0].title)}{more}"), 2, hang=2)
        for line in members[0].evidence if verbose else ():
            source(page, line.node, line.source, 4)
            lines(page, line.line, 4, verbose)
    folded(page, 0 if verbose else len(causes) - _EARLIER, "cause", 2)


def _times(report: Report, diagnosis: Diagnosis) -> str:
    if not diagnosis.episodes:
        return "at an unknown time"
    spans = [_span(report, episode) for episode in diagnosis.episodes]
    ended = clock_time(diagnosis.episodes[-1][1], report.started)
    if diagnosis.state == "flapping":
        return f"{spans[0]} … {spans[-1]} (flapping: {len(spans)} times, recovered at {ended})"
    shown = spans if len(spans) <= _SPANS else [spans[0], "…", spans[-1]]
    return f"{', '.join(shown)} (recovered at {ended})"


def _span(report: Report, episode: tuple[float, float]) -> str:
    began, ended = (clock_time(time, report.started) for time in episode)
    return began if began == ended else f"{began}–{ended}"


def show_silenced(page: Page, report: Report, verbose: bool) -> None:
    """What the configuration sets aside, by rule, with the reason; and the rules that have expired."""
    if not report.silenced and not report.expired:
        return
    by_rule: dict[int, list[Silenced]] = {}
    for silenced in report.silenced:
        by_rule.setdefault(id(silenced.rule), []).append(silenced)
    only_known = not report.expired and all(silenced.rule.until is None for silenced in report.silenced)
    heading(page, "Known" if only_known else "Silenced", 0)
    groups = list(by_rule.values())
    for group in groups if verbose else groups[:_SILENCED]:
        rule = group[0].rule
        causes = [silenced.diagnosis for silenced in group if silenced.diagnosis is not None]
        alone = len(group) - len(causes)
        counts = [counted(len(causes), "root cause")] if causes else []
        what = ", ".join(counts + ([counted(alone, "finding")] if alone else []))
        page.write(page.text(flat(f"{rule}: {what}{rule.term} – {rule.reason}")), 2, hang=2)
        known = [diagnosis.title for diagnosis in causes[:_EARLIER]] if rule.until is None else []
        for text in _silent(group) if verbose else known:
            page.write(page.text(flat(text)), 4, hang=2)
    folded(page, 0 if verbose else len(groups) - _SILENCED, "rule", 2)
    for rule in report.expired:
        page.write(page.text(flat(f"{rule}: expired on {rule.until}, silences nothing ({rule.origin})")), 2, hang=2)


def _silent(group: list[Silenced]) -> Iterator[str]:
    for silenced in group:
        if silenced.diagnosis is not None:
            yield silenced.diagnosis.title
        yield from (finding.message for finding in silenced.findings)

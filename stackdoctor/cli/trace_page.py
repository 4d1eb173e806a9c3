"""A trace on the terminal: one line a step, the gaps between them, the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackdoctor.report.hostile import plain
from stackdoctor.report.times import clock_time
from stackdoctor.trace.request import SILENCE
from stackdoctor.trace.steps import FAILED, IMPLIED, MISSING, PROVEN, UNKNOWN, Step, Trace

if TYPE_CHECKING:
    from stackdoctor.report.page import Page

__all__ = ["show", "show_steps"]

WORDS = {PROVEN: "ok", IMPLIED: "ok", MISSING: "MISSING", FAILED: "FAILED", UNKNOWN: "unknown"}
STYLES = {PROVEN: "green", IMPLIED: "dim", MISSING: "bold yellow", FAILED: "bold red", UNKNOWN: "yellow"}
WORD = 9
TIME = 14
LONGEST = 200


def show(trace: Trace) -> None:
    """Print ``trace``."""
    from rich.console import Console

    from stackdoctor.report.page import Page

    show_steps(Page(Console(highlight=False)), trace)


def show_steps(page: Page, trace: Trace) -> None:
    """``trace`` on ``page``: its steps, its verdict, what would tell more."""
    about = " · ".join(f"{key} {value}" for key, value in trace.about.items() if value != trace.subject)
    page.write(page.text(f"{trace.kind} {trace.subject}", "bold"))
    if about:
        page.write(page.text(about))
    before: float | None = None
    place = ""
    for step in trace.steps:
        if step.time is not None and before is not None and step.time - before >= SILENCE:
            page.write(page.text(f"{step.time - before:.1f} s without a record", "yellow"), 2 + WORD + TIME)
        where = " on ".join(part for part in (step.service, step.node) if part)
        _line(page, step, where if where != place else "")
        place = where
        before = step.time if step.time is not None else before
    page.blank()
    page.write(page.text(trace.verdict), 0, page.text("OK: " if trace.whole else "Verdict: ", "bold"))
    for gap in trace.gaps[:10]:
        page.write(page.text(gap), 0, page.text("Not looked at: ", "yellow"))
    for more in trace.tell_more:
        page.write(page.text(more), 0, page.text("Would tell more: "))


def _line(page: Page, step: Step, where: str) -> None:
    head = page.text(WORDS[step.state], STYLES[step.state])
    head.pad_right(max(WORD - head.cell_len, 1))
    time = page.text(_time(step.time), "dim")
    time.pad_right(max(TIME - time.cell_len, 1))
    body = page.text(step.name, "bold")
    if where:
        body += page.text(f"  {where}" if step.name != step.service else f"  on {step.node or '?'}", "cyan")
    page.write(body, 2, head + time, prose=False)
    if step.text:
        page.write(page.text(plain(step.text, LONGEST)), 2 + WORD + TIME, prose=False)


def _time(epoch: float | None) -> str:
    return "" if epoch is None else f"{clock_time(epoch, epoch).rstrip('Z')}.{int(epoch * 1000) % 1000:03d}Z"

"""The report for a reader as text without colour: for a file, for a mail, inside of other formats."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.console import Console

from stackdoctor.model import Diagnosis, Evidence
from stackdoctor.report.cause import show_cause
from stackdoctor.report.hostile import inert, plain
from stackdoctor.report.page import Page
from stackdoctor.report.report import Report
from stackdoctor.report.terminal import render

__all__ = ["cause_text", "evidence_text", "to_text"]

_WIDTH = 100


def to_text(report: Report, verbose: bool = False) -> str:
    """What a terminal of 100 columns shows, without its colours."""
    console = _console()
    render(report, console, verbose=verbose)
    return _said(console)


def cause_text(report: Report, alike: Sequence[Diagnosis]) -> str:
    """One root cause as the terminal shows it: proof, what it explains, how to confirm it, the way out."""
    console = _console()
    show_cause(Page(console), report, alike, 0, verbose=False)
    return _said(console)


def evidence_text(lines: Sequence[Evidence], limit: int) -> str:
    """The first ``limit`` quoted records, each below the place where it was read."""
    shown = [f"{plain(f'{e.node}: ' if e.node else '')}{plain(e.source)}\n{inert(e.line)}" for e in lines[:limit]]
    more = len(lines) - len(shown)
    return "\n".join([*shown, *([f"… (+{more} more)"] if more > 0 else [])])


def _console() -> Console:
    return Console(file=io.StringIO(), width=_WIDTH, color_system=None, highlight=False, legacy_windows=False)


def _said(console: Console) -> str:
    written = console.file
    assert isinstance(written, io.StringIO)
    return written.getvalue()

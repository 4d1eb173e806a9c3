"""What several sections of the report for a reader are made of: headings, quoted lines, counts of what is folded."""

from __future__ import annotations

from rich.text import Text

from stackdoctor.model import Severity
from stackdoctor.report.hostile import plain
from stackdoctor.report.page import Page
from stackdoctor.report.wording import counted, quoted

__all__ = ["STYLE", "folded", "heading", "label", "lines", "source"]

STYLE = {Severity.CRITICAL: "bold red", Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}

_SOURCE = 400


def label(page: Page, severity: Severity, place: int) -> Text:
    """The severity's word in its colour, with the number of the entry where entries are numbered (``place`` > 0)."""
    word = page.text(str(severity).upper(), STYLE[severity])
    word.pad_right(max(10 - len(word), 2) if place else 2)
    return (page.text(f"{place}  ") if place else Text()) + word


def heading(page: Page, title: str, indent: int = 2) -> None:
    """A blank line and ``title``."""
    page.blank()
    page.write(page.text(title, "bold"), indent)


def source(page: Page, node: str, source: str, indent: int) -> None:
    """Where a quoted line was read."""
    page.write(page.text(f"{node}: " if node else "") + page.text(plain(source, _SOURCE)), indent, hang=2, prose=False)


def lines(page: Page, text: str, indent: int, verbose: bool) -> None:
    """The quoted record."""
    for line in quoted(text, page.console.width - indent - 2, verbose):
        page.quote(page.text(line, "dim"), indent)


def folded(page: Page, number: int, what: str, indent: int) -> None:
    """How many more there are, where there are any."""
    if number > 0:
        page.write(page.text(f"… and {counted(number, f'more {what}')} (--verbose)"), indent)

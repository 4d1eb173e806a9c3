"""What came of active tests, on the terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from stackdoctor.active.outcome import Outcome

__all__ = ["tell"]

_WORDS = {"ok": ("ok", "green"), "failed": ("FAILED", "bold red"), "not-run": ("not run", "yellow")}
_WIDTH = 9


def tell(test: str, outcomes: Sequence[Outcome], form: str) -> int:
    """Print ``outcomes`` of the test called ``test``; the exit status that goes with them."""
    from stackdoctor.active.outcome import exit_status, outcomes_value

    if form == "json":
        click.echo(json.dumps(outcomes_value(test, outcomes), indent=2))
        return exit_status(outcomes)
    from rich.console import Console

    from stackdoctor.report.page import Page

    page = Page(Console(highlight=False))
    for outcome in outcomes:
        word, style = _WORDS[outcome.state.value]
        head = page.text(word, style)
        head.pad_right(_WIDTH - head.cell_len)
        page.write(page.text(f"{outcome.where}: {outcome.says}"), 0, head)
        if outcome.advice:
            page.write(page.text(outcome.advice, "dim"), _WIDTH)
    return exit_status(outcomes)

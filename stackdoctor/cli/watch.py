"""`stackdoctor watch`: look again and again, show what changes, end when the cloud is healthy."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stackdoctor.cli.look import Looking, ignores_of, look
from stackdoctor.cli.looks import keep_look
from stackdoctor.cli.options import (
    SECONDS,
    SEVERITY,
    database_options,
    knowledge_options,
    node_options,
    run_options,
)
from stackdoctor.cli.settings import Settings
from stackdoctor.diagnose.analyse import analyse
from stackdoctor.diagnose.knowledge import load_knowledge
from stackdoctor.errors import NothingCollected
from stackdoctor.model import Severity
from stackdoctor.report.changes import Changes, changes
from stackdoctor.report.make import make_report
from stackdoctor.report.report import Report, exit_status
from stackdoctor.report.times import clock_time

if TYPE_CHECKING:
    from stackdoctor.report.page import Page

__all__ = ["command"]

STABLE = 2
"""Looks in a row that find nothing, until the cloud counts as healthy."""


@click.command("watch")
@node_options
@run_options
@database_options
@knowledge_options
@click.option("--every", type=SECONDS, default="60s", show_default=True, help="From the begin of a look to the next.")
@click.option("--for", "most", type=SECONDS, default="30m", show_default=True, help="Give up after so long.")
@click.option("--fail-on", type=SEVERITY, default="error", show_default=True, help="Not healthy from here on.")
@click.option("-v", "--verbose", is_flag=True, help="Every finding that changes.")
@click.option(
    "--keep-run/--no-keep-run", default=True, envvar="STACKDOCTOR_KEEP_RUN", help="Keep the last look for `history`."
)
@click.pass_obj
def command(
    settings: Settings | None,
    /,
    globs: tuple[str, ...],
    check_directories: tuple[Path, ...],
    playbook_directories: tuple[Path, ...],
    every: float,
    most: float,
    fail_on: str,
    verbose: bool,
    keep_run: bool,
    **options: Any,
) -> int:
    """Look at the cloud again and again, and show only what changes: for a deployment, or while you repair.

    Exit status: 0 once two looks in a row found nothing at or above --fail-on and reached every node, 1 when --for is
    over before. Nodes that do not answer yet are waited for.
    """
    from rich.console import Console

    from stackdoctor.report.page import Page

    knowledge = load_knowledge(globs, check_directories, playbook_directories)
    looking = Looking(partial=False, **options)
    ignores = ignores_of(looking.inventory, settings, knowledge)
    page = Page(Console(highlight=False))
    end = time.monotonic() + most
    before: Report | None = None
    quiet = 0
    while True:
        began = time.monotonic()
        last = None
        try:
            snapshot = look(looking, knowledge)
        except NothingCollected as error:
            if looking.alone:
                raise
            page.write(page.text(f"{clock_time(time.time())}  {error}", "yellow"))
            quiet = 0
        else:
            report = make_report(snapshot, analyse(snapshot, knowledge, ignores))
            _tell(page, before, report, Severity[fail_on.upper()], verbose)
            healthy = not report.failed and exit_status(report, Severity[fail_on.upper()]) == 0
            quiet = quiet + 1 if healthy else 0
            before, last = report, snapshot
        again = max(began + every, time.monotonic())
        over = quiet < STABLE and again > end
        if quiet >= STABLE or over:
            if keep_run and last is not None:
                keep_look(report, last, looking.place)
            said = "healthy: nothing wrong in two looks" if quiet >= STABLE else "not healthy in the time given"
            page.write(page.text(f"{clock_time(time.time())}  {said}", "bold"))
            return int(over)
        time.sleep(max(0.0, again - time.monotonic()))


def _tell(page: Page, before: Report | None, report: Report, fail_on: Severity, verbose: bool) -> None:
    """At first all that makes it fail, afterwards what changes; nothing where nothing does."""
    from stackdoctor.cli.diff_page import in_words, show_changes
    from stackdoctor.report.wording import verdict

    if before is None:
        serious = tuple(f for f in report.unexplained if f.severity >= fail_on)
        found, said = Changes(new_causes=report.diagnoses, new=serious), " ".join(filter(None, verdict(report)))
    else:
        found = changes(before, report)
        said = in_words(found)
    if found or before is None:
        page.write(page.text(f"{clock_time(report.started)}  {said}", "bold"))
        show_changes(page, found, report.started, verbose)
        page.blank()

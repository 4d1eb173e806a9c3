"""How a report is printed and written, alike for one just made and for one of the past."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stackdoctor.cli.options import SEVERITY, setting, together
from stackdoctor.cli.pager import paged
from stackdoctor.model import Severity
from stackdoctor.report.formats import FORMATS, SUFFIXES, Output, Wish, outputs, write_outputs, written_as
from stackdoctor.report.report import Report, exit_status
from stackdoctor.snapshot.format import Snapshot

if TYPE_CHECKING:
    from stackdoctor.report.html_scene import Scene

__all__ = ["files_of", "present", "report_options"]

report_options = together(
    [
        setting("--format", "form", type=click.Choice(FORMATS), default="terminal", show_default=True),
        setting("--fail-on", type=SEVERITY, default="error", show_default=True, help="Exit with 1 from here on."),
        setting("-v", "--verbose", is_flag=True, help="All evidence and every finding."),
        click.option(
            "-o",
            "--output",
            "paths",
            multiple=True,
            type=click.Path(path_type=Path),
            help=f"Write the report there as well, in the format that the name ends with: {' '.join(SUFFIXES)}."
            " Repeatable.",
        ),
        click.option("--force", is_flag=True, help="Overwrite files of --output."),
    ]
)
"""The options ``form``, ``fail_on``, ``verbose``, ``paths`` and ``force``."""


def files_of(paths: tuple[Path, ...], force: bool) -> tuple[Output, ...]:
    """The files to be written, each seen to be writable; asks before one is overwritten, where somebody can answer."""
    return outputs(paths, force=force, ask=_overwrite if sys.stdin.isatty() else None)


def present(
    report: Report, snapshot: Snapshot | None, found: tuple[Output, ...], form: str, fail_on: str, verbose: bool
) -> int:
    """Write the files of ``found``, print ``report`` in ``form``; the exit status that it stands for."""
    scene = {} if snapshot is None else {"scene": functools.partial(_scene, snapshot)}
    wish = Wish(verbose, Severity[fail_on.upper()], **scene)
    write_outputs(report, found, wish)
    if form == "terminal":
        from rich.console import Console

        from stackdoctor.report.terminal import render

        with paged():
            render(report, Console(highlight=False), verbose=verbose)
    else:
        click.echo(written_as(report, form, wish), nl=False)
    if form == "nagios":
        from stackdoctor.report.nagios import nagios_status

        return nagios_status(report)
    return exit_status(report, wish.fail_on)


def _scene(snapshot: Snapshot) -> Scene:
    from stackdoctor.report.html_scene import make_scene

    return make_scene(snapshot)


def _overwrite(path: Path) -> bool:
    return click.confirm(f"{path} is there already. Overwrite it?", err=True)

"""`stackdoctor show RUN`: the report of a run again, in any form."""

from __future__ import annotations

from pathlib import Path

import click

from stackdoctor.cli.looks import find_look
from stackdoctor.cli.reporting import files_of, present, report_options
from stackdoctor.diagnose.knowledge import load_knowledge

__all__ = ["command"]


@click.command("show", context_settings={"ignore_unknown_options": True})
@click.argument("run", default="last")
@report_options
def command(run: str, form: str, fail_on: str, verbose: bool, paths: tuple[Path, ...], force: bool) -> int:
    """Show the report of RUN as it was: an id of `history` or its beginning, `last`, `-2`, a report's
    file, a snapshot, or what else --from reads.

    The exit status is that of `diagnose`.
    """
    found = files_of(paths, force)
    look = find_look(run, load_knowledge)
    return present(look.report, look.snapshot, found, form, fail_on, verbose)

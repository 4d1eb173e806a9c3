"""`stackdoctor history`: the runs that are kept, the latest last."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from stackdoctor.cli.looks import kept_runs
from stackdoctor.report.runs import Run, list_runs
from stackdoctor.report.times import iso

__all__ = ["command"]

_CAUSES = 3


@click.command("history")
@click.option("--format", "form", type=click.Choice(("terminal", "json")), default="terminal", show_default=True)
@click.option("-n", "most", type=click.IntRange(1), help="Only so many, the latest.")
def command(form: str, most: int | None) -> int:
    """List the runs that are kept: when, of what, how bad, why.

    `diagnose` keeps each run that looked (docs/history.md). `show`, `diff` and `diagnose --baseline` take a run by its
    id, the beginning of it, `last`, or `-2` for the one before the last.
    """
    directory = kept_runs()
    runs, problems = list_runs(directory)
    for problem in problems:
        click.echo(f"stackdoctor: {_plain(problem)}", err=True)
    shown = runs[-most:] if most else runs
    if form == "json":
        click.echo(json.dumps([_entry(run) for run in shown], indent=2))
    elif not shown:
        click.echo(f"no run is kept yet in {directory}; `stackdoctor diagnose` keeps each that looked")
    else:
        _table(shown)
    return 0


def _table(runs: Sequence[Run]) -> None:
    rows = [("run", "nodes", "worst", "findings", "of", "causes"), *(_row(run) for run in runs)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        click.echo("  ".join((*cells, row[-1])).rstrip())


def _row(run: Run) -> tuple[str, ...]:
    nodes = f"{run.nodes - run.failed}/{run.nodes}" if run.failed else str(run.nodes)
    more = len(run.causes) - _CAUSES
    causes = ", ".join(run.causes[:_CAUSES]) + (f" and {more} more" if more > 0 else "")
    as_of = f" as of {run.at}" if run.at else ""
    worst = "-" if run.severity is None else str(run.severity)
    return run.id, nodes, worst, str(run.findings), _plain(run.place + as_of), _plain(causes)


def _entry(run: Run) -> dict[str, object]:
    return {
        "id": run.id,
        "started": iso(run.started),
        "at": run.at or None,
        "place": run.place,
        "nodes": run.nodes,
        "failed": run.failed,
        "severity": None if run.severity is None else str(run.severity),
        "causes": list(run.causes),
        "findings": run.findings,
        "snapshot": run.snapshot is not None,
    }


def _plain(text: str) -> str:
    from stackdoctor.report.hostile import plain

    return plain(text, 300)

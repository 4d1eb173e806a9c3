"""`stackdoctor diagnose`: collect, analyse, report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stackdoctor.cli.look import Looking, look
from stackdoctor.cli.options import SEVERITY, knowledge_options, node_options, run_options
from stackdoctor.diagnose.analyse import analyse
from stackdoctor.diagnose.knowledge import Knowledge, load_knowledge
from stackdoctor.diagnose.why import why
from stackdoctor.errors import UsageError
from stackdoctor.model import Severity
from stackdoctor.report.make import make_report
from stackdoctor.report.report import Report, exit_status
from stackdoctor.snapshot.format import Snapshot

__all__ = ["command"]


@click.command("diagnose")
@node_options
@click.option("--from", "source", type=click.Path(path_type=Path), help="Analyse a snapshot instead of looking.")
@click.option("--demo", is_flag=True, help="Look at a recorded broken cloud, served on loopback over real SSH.")
@run_options
@knowledge_options
@click.option("--format", "form", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True)
@click.option("--fail-on", type=SEVERITY, default="error", show_default=True, help="Exit with 1 from here on.")
@click.option("--why", "cause", metavar="CAUSE", help="Show how this cause scored, and why it won or lost.")
@click.option("-v", "--verbose", is_flag=True, help="All evidence and every finding.")
@click.option("-o", "--keep", type=click.Path(path_type=Path), help="Keep the snapshot there as well.")
def command(
    source: Path | None,
    demo: bool,
    globs: tuple[str, ...],
    check_directories: tuple[Path, ...],
    playbook_directories: tuple[Path, ...],
    form: str,
    fail_on: str,
    cause: str | None,
    verbose: bool,
    **options: Any,
) -> int:
    """Look at every node and say which root cause explains all of it.

    Without --inventory or --nodes it looks at this host.  Exit status: 0 nothing at or above --fail-on,
    1 something, 2 wrong use or configuration, 3 nothing could be collected.
    """
    knowledge = load_knowledge(globs, check_directories, playbook_directories)
    playbook = next((p for p in knowledge.playbooks if p.cause == cause), None)
    if cause is not None and playbook is None:
        raise UsageError(f"no playbook for {cause!r}; `stackdoctor checks --causes` lists the causes")
    snapshot = _snapshot(source, Looking(demo=demo, **options), knowledge)
    analysis = analyse(snapshot, knowledge)
    if playbook is not None:
        _echo_plain(why(playbook, analysis.correlation.choice, analysis.examination.findings))
        return 0
    report = make_report(snapshot, analysis)
    _show(report, form, verbose)
    status = exit_status(report, Severity[fail_on.upper()])
    return 0 if demo and status == 1 else status


def _snapshot(source: Path | None, looking: Looking, knowledge: Knowledge) -> Snapshot:
    if source is not None:
        from stackdoctor.snapshot.read import read_snapshot

        if looking.inventory or looking.nodes or looking.demo:
            raise UsageError("--from analyses a snapshot: leave out --inventory, --nodes and --demo")
        return read_snapshot(source)
    snapshot = look(looking, knowledge)
    if looking.keep is not None:
        from stackdoctor.snapshot.write import write_snapshot

        write_snapshot(snapshot, looking.keep)
    return snapshot


def _show(report: Report, form: str, verbose: bool) -> None:
    if form == "json":
        from stackdoctor.report.as_json import to_json

        click.echo(to_json(report))
        return
    from rich.console import Console

    from stackdoctor.report.terminal import render

    render(report, Console(highlight=False), verbose=verbose)


def _echo_plain(lines: Any) -> None:
    from stackdoctor.report.hostile import plain

    for line in lines:
        click.echo(plain(line))

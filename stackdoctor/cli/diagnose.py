"""`stackdoctor diagnose`: collect, analyse, report."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stackdoctor.cli.look import Looking, look
from stackdoctor.cli.options import (
    database_options,
    knowledge_options,
    moment_options,
    node_options,
    run_options,
)
from stackdoctor.cli.report_options import report_options
from stackdoctor.cli.settings import BESIDE, Settings
from stackdoctor.diagnose.analyse import analyse
from stackdoctor.diagnose.knowledge import Knowledge, load_knowledge
from stackdoctor.diagnose.silence import refuse_unknown
from stackdoctor.diagnose.why import why
from stackdoctor.errors import StackdoctorError, UsageError
from stackdoctor.inventory.ignore import Ignore
from stackdoctor.model import Severity
from stackdoctor.report.formats import SUFFIXES, Wish, outputs, write_outputs, written_as
from stackdoctor.report.make import make_report
from stackdoctor.report.report import Report, exit_status
from stackdoctor.report.times import clock_time
from stackdoctor.snapshot.format import Snapshot

if TYPE_CHECKING:
    from stackdoctor.report.html_scene import Scene

__all__ = ["command"]


def _for_monitoring(run: Callable[..., int]) -> Callable[..., int]:
    """With ``--format nagios`` an error is the status UNKNOWN: what the others are would be taken for the cloud's."""

    @functools.wraps(run)
    def wrapped(*settings: Any, form: str, **rest: Any) -> int:
        try:
            return run(*settings, form=form, **rest)
        except StackdoctorError as error:
            if form != "nagios":
                raise
            from stackdoctor.report.nagios import UNKNOWN, unknown

            click.echo(unknown(str(error)), nl=False)
            return UNKNOWN

    return wrapped


@click.command("diagnose")
@node_options
@click.option("--from", "source", type=click.Path(path_type=Path), help="Analyse a snapshot instead of looking.")
@click.option("--demo", is_flag=True, help="Look at a recorded broken cloud, served on loopback over real SSH.")
@run_options
@database_options
@moment_options
@knowledge_options
@report_options
@click.option("--why", "cause", metavar="CAUSE", help="Show how this cause scored, and why it won or lost.")
@click.option(
    "-o",
    "--output",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    help=f"Write the report there as well, in the format that the name ends with: {' '.join(SUFFIXES)}. Repeatable.",
)
@click.option("--force", is_flag=True, help="Overwrite files of --output.")
@click.option("--keep", type=click.Path(path_type=Path), help="Keep the snapshot there as well.")
@click.pass_obj
@_for_monitoring
def command(
    settings: Settings | None,
    source: Path | None,
    demo: bool,
    globs: tuple[str, ...],
    check_directories: tuple[Path, ...],
    playbook_directories: tuple[Path, ...],
    form: str,
    fail_on: str,
    cause: str | None,
    verbose: bool,
    paths: tuple[Path, ...],
    force: bool,
    **options: Any,
) -> int:
    """Look at every node and say which root cause explains all of it.

    Without --inventory or --nodes it looks at this host; with --from, of the inventory `ignore:` counts.
    Exit status: 0 nothing at or above --fail-on, 1 something, 2 wrong use or configuration, 3 nothing
    could be collected; with --format nagios 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
    """
    knowledge = load_knowledge(globs, check_directories, playbook_directories)
    playbook = next((p for p in knowledge.playbooks if p.cause == cause), None)
    if cause is not None and playbook is None:
        raise UsageError(f"no playbook for {cause!r}; `stackdoctor checks --causes` lists the causes")
    if playbook is not None and paths:
        raise UsageError("--why prints how a cause scored, and writes no report: leave out --output")
    found = outputs(paths, force=force, ask=_overwrite if sys.stdin.isatty() else None)
    looking = Looking(demo=demo, **options)
    ignores = _ignores(looking.inventory, settings or Settings(), knowledge)
    snapshot = _snapshot(source, looking, knowledge)
    at = None if looking.at is None else looking.at.before(snapshot.started)
    analysis = analyse(snapshot, knowledge, ignores, at)
    if at is not None and not analysis.examination.checked:
        raise UsageError(f"no log that was read covers {clock_time(at)}: --since says how far back they are read")
    if playbook is not None:
        _echo_plain(why(playbook, analysis.correlation.choice, analysis.examination.findings))
        return 0
    report = make_report(snapshot, analysis)
    wish = Wish(verbose, Severity[fail_on.upper()], functools.partial(_scene, snapshot))
    write_outputs(report, found, wish)
    _show(report, form, wish)
    if form == "nagios":
        from stackdoctor.report.nagios import nagios_status

        return nagios_status(report)
    status = exit_status(report, wish.fail_on)
    return 0 if demo and status == 1 else status


def _ignores(inventory: Path | None, settings: Settings, knowledge: Knowledge) -> tuple[Ignore, ...]:
    """What the configuration and the inventory silence; raises UsageError where they name what there is not.

    With --from the configured inventory is not looked at, and what it silences counts all the same.
    """
    file = inventory or settings.inventory
    ignores = settings.ignores
    if file is not None:
        from stackdoctor.inventory.file import read_inventory

        ignores += tuple(ignore for ignore in read_inventory(file, BESIDE).ignores if ignore not in ignores)
    refuse_unknown(ignores, knowledge.known, {playbook.cause for playbook in knowledge.playbooks})
    return ignores


def _snapshot(source: Path | None, looking: Looking, knowledge: Knowledge) -> Snapshot:
    if source is not None:
        from stackdoctor.snapshot.read import read_snapshot

        if looking.nodes or looking.demo:
            raise UsageError("--from analyses a snapshot: leave out --nodes and --demo")
        return read_snapshot(source)
    snapshot = look(looking, knowledge)
    if looking.keep is not None:
        from stackdoctor.snapshot.write import write_snapshot

        write_snapshot(snapshot, looking.keep)
    return snapshot


def _scene(snapshot: Snapshot) -> Scene:
    from stackdoctor.report.html_scene import make_scene

    return make_scene(snapshot)


def _overwrite(path: Path) -> bool:
    return click.confirm(f"{path} is there already. Overwrite it?", err=True)


def _show(report: Report, form: str, wish: Wish) -> None:
    if form != "terminal":
        click.echo(written_as(report, form, wish), nl=False)
        return
    from rich.console import Console

    from stackdoctor.report.terminal import render

    render(report, Console(highlight=False), verbose=wish.verbose)


def _echo_plain(lines: Any) -> None:
    from stackdoctor.report.hostile import plain

    for line in lines:
        click.echo(plain(line))

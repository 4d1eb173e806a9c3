"""`stackdoctor diagnose`: collect, analyse, report."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from stackdoctor.cli.complete import causes
from stackdoctor.cli.explain import near
from stackdoctor.cli.look import Looked, Looking, ignores_of, look_and_judge
from stackdoctor.cli.looks import find_look, keep_look
from stackdoctor.cli.options import (
    database_options,
    executor_options,
    knowledge_options,
    moment_options,
    node_options,
    run_options,
)
from stackdoctor.cli.reporting import files_of, present, report_options
from stackdoctor.cli.settings import Settings
from stackdoctor.cli.source import read_sources, source_option
from stackdoctor.diagnose.analyse import analyse
from stackdoctor.diagnose.knowledge import Knowledge, load_knowledge
from stackdoctor.diagnose.why import why
from stackdoctor.errors import StackdoctorError, UsageError
from stackdoctor.report.baseline import against
from stackdoctor.report.make import make_report
from stackdoctor.report.runs import Bounds
from stackdoctor.report.times import clock_time

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
@source_option
@click.option("--demo", is_flag=True, help="Look at a recorded broken cloud, served on loopback over real SSH.")
@run_options
@executor_options
@database_options
@moment_options
@knowledge_options
@report_options
@click.option(
    "--why", "cause", metavar="CAUSE", shell_complete=causes, help="Show how this cause scored, and why it won or lost."
)
@click.option(
    "--baseline", metavar="RUN", help="Only what is new against it counts: a run of `history`, `last`, a report's file."
)
@click.option("--keep", type=click.Path(path_type=Path), help="Keep the snapshot there as well.")
@click.option(
    "--keep-run/--no-keep-run",
    default=None,
    envvar="STACKDOCTOR_KEEP_RUN",
    help="Keep the run for `history` (default: if it looked, and is no demo).",
)
@click.option("--most-runs", type=click.IntRange(1), default=50, show_default=True, help="Runs that are kept.")
@click.option("--most-mb", type=click.IntRange(1), default=500, show_default=True, help="Megabytes that are kept.")
@click.pass_obj
@_for_monitoring
def command(
    settings: Settings | None,
    sources: tuple[Path, ...],
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
    baseline: str | None,
    keep_run: bool | None,
    most_runs: int,
    most_mb: int,
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
        hint = near(cause, (p.cause for p in knowledge.playbooks)) or "`stackdoctor checks --causes` lists the causes"
        raise UsageError(f"no playbook for {cause!r}: {hint}")
    if playbook is not None and paths:
        raise UsageError("--why prints how a cause scored, and writes no report: leave out --output")
    found = files_of(paths, force)
    earlier = None if baseline is None else find_look(baseline, lambda: knowledge, snapshot=False)
    looking = Looking(demo=demo, **options)
    ignores = ignores_of(looking.inventory, settings, knowledge)
    kept = keep_run if keep_run is not None else not sources and not demo
    raw = looking.keep is not None or form == "html" or any(output.form == "html" for output in found)
    raw = raw or (kept and looking.executor == "threads")  # from elsewhere it travels when it is asked for
    looked = _looked(sources, looking, knowledge, raw=raw)
    snapshot = looked.snapshot
    at = None if looking.at is None else looking.at.before(snapshot.started)
    analysis = analyse(snapshot, knowledge, ignores, at, looked.parts)
    if at is not None and not analysis.examination.checked:
        raise UsageError(f"no log that was read covers {clock_time(at)}: --since says how far back they are read")
    if playbook is not None:
        _echo_plain(why(playbook, analysis.correlation.choice, analysis.examination.findings))
        return 0
    report = make_report(snapshot, analysis)
    if kept:
        whole = snapshot if raw or not looked.parts else None
        keep_look(report, whole, " ".join(map(str, sources)) or looking.place, Bounds(most_runs, most_mb * 1_000_000))
    if earlier is not None:
        report = against(report, earlier.report, earlier.name)
    status = present(report, snapshot, found, form, fail_on, verbose)
    return 0 if demo and status == 1 and form != "nagios" else status


def _looked(sources: tuple[Path, ...], looking: Looking, knowledge: Knowledge, *, raw: bool) -> Looked:
    if sources:
        return Looked(read_sources(sources, looking, knowledge, inventory=True))
    looked = look_and_judge(looking, knowledge, raw=raw)
    if looking.keep is not None:
        from stackdoctor.snapshot.write import write_snapshot

        write_snapshot(looked.snapshot, looking.keep)
    return looked


def _echo_plain(lines: Any) -> None:
    from stackdoctor.report.hostile import plain

    for line in lines:
        click.echo(plain(line))

"""Looks of the past by the word that an operator names them with: a run that was kept, a report, a snapshot."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from stackdoctor.cli.look import Looking
from stackdoctor.diagnose.knowledge import Knowledge
from stackdoctor.errors import UsageError
from stackdoctor.report.report import Report
from stackdoctor.report.runs import Bounds, Run, find_run, keep_run, runs_directory
from stackdoctor.snapshot.format import Snapshot

__all__ = ["Look", "find_look", "keep_look", "kept_runs"]

_RUN = re.compile(r"last|-\d+|[\dTZ.]+")


@dataclass(frozen=True)
class Look:
    """A look of the past: what it is called, its report, and its snapshot or why there is none."""

    name: str
    report: Report
    snapshot: Snapshot | None
    no_snapshot: str = ""


def kept_runs() -> Path:
    """The directory of this user's runs; raises UsageError where none can be."""
    try:
        return runs_directory(os.environ)
    except OSError as error:
        raise UsageError(f"{error}: set XDG_STATE_HOME to a directory for the runs") from None


def keep_look(report: Report, snapshot: Snapshot | None, place: str, bounds: Bounds | None = None) -> None:
    """Keep the run for later, its report only where there is no ``snapshot``.

    A full disk or a home that is read-only costs a line, and the run goes on.
    """
    try:
        keep_run(runs_directory(os.environ), report, snapshot, place, bounds)
    except (OSError, UsageError) as error:
        said = f"{error.filename or 'runs'}: {error.strerror or error}" if isinstance(error, OSError) else str(error)
        click.echo(f"stackdoctor: this run is not kept: {said} (--no-keep-run keeps none)", err=True)


def find_look(word: str, knowledge: Callable[[], Knowledge], *, snapshot: bool = True) -> Look:
    """The look that ``word`` names: a file or directory, else a run (docs/history.md).

    A snapshot, or what others collected (docs/foreign.md), is judged by ``knowledge``.  Raises UsageError for what is
    none of these, or cannot be read.
    """
    path = Path(word)
    if not path.exists():
        if not _RUN.fullmatch(word) and ("/" in word or path.suffix):
            raise UsageError(f"there is no file {word}; `stackdoctor history` lists the runs that are kept")
        return _of_run(find_run(kept_runs(), word), snapshot)
    if path.is_file() and _begins_as_json(path):
        from stackdoctor.report.from_json import read_report

        return Look(word, read_report(path), None, "it is a report, without its snapshot")
    from stackdoctor.cli.source import read_sources
    from stackdoctor.diagnose.analyse import analyse
    from stackdoctor.report.make import make_report

    known = knowledge()
    read = read_sources((path,), Looking(), known)
    return Look(word, make_report(read, analyse(read, known)), read)


def _of_run(run: Run, snapshot: bool) -> Look:
    from stackdoctor.report.from_json import read_report

    name = f"run {run.id}"
    report = read_report(run.report)
    if not snapshot or run.snapshot is None:
        return Look(name, report, None, run.no_snapshot or "its snapshot is no longer there")
    from stackdoctor.snapshot.read import read_snapshot

    try:
        return Look(name, report, read_snapshot(run.snapshot))
    except UsageError as error:
        return Look(name, report, None, str(error))


def _begins_as_json(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(64).lstrip()[:1] in (b"{", b"[")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None

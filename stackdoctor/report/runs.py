"""Runs that are kept: the report of each look and, where it is small, its snapshot, for `history`, `show` and `diff`.

    ~/.local/state/stackdoctor/runs/20261123T011815Z/run.json       what `history` lists
                                                     report.json    schema stackdoctor/report/1
                                                     snapshot.tar.gz

(XDG Base Directory Specification: what persists between restarts and is not worth a backup lies in $XDG_STATE_HOME.)
"""

from __future__ import annotations

import difflib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stackdoctor.errors import UsageError
from stackdoctor.model import Severity
from stackdoctor.report.as_json import to_json
from stackdoctor.report.report import Report
from stackdoctor.report.times import iso
from stackdoctor.snapshot.format import Snapshot

__all__ = ["FORMAT", "Bounds", "Run", "find_run", "keep_run", "list_runs", "runs_directory"]

FORMAT = "stackdoctor/run/1"
SUMMARY, REPORT, SNAPSHOT = "run.json", "report.json", "snapshot.tar.gz"
_ID = re.compile(r"\d{8}T\d{6}Z(?:\.\d{1,4})?")
_UNFINISHED = ".new-"
_STALE = 86400.0
_SUMMARY_LIMIT = 1 << 20


@dataclass(frozen=True)
class Bounds:
    """How much is kept: so many runs and bytes in all; a snapshot only up to ``snapshot`` bytes of answers."""

    runs: int = 50
    bytes: int = 500_000_000
    snapshot: int = 64_000_000


@dataclass(frozen=True)
class Run:
    """One kept run as it is listed.

    ``started`` is seconds since the epoch, ``place`` the inventory or nodes it was told, ``severity`` the worst that
    it says, None where nothing is wrong.  ``no_snapshot`` says why its snapshot is not there, empty where it is.
    """

    id: str
    started: float
    place: str
    nodes: int
    failed: int
    severity: Severity | None
    causes: tuple[str, ...]
    findings: int
    folder: Path = field(compare=False)
    no_snapshot: str = ""
    at: str = ""

    @property
    def report(self) -> Path:
        """The file of its report."""
        return self.folder / REPORT

    @property
    def snapshot(self) -> Path | None:
        """Its snapshot, where it was kept."""
        path = self.folder / SNAPSHOT
        return path if path.is_file() else None


def runs_directory(environ: Mapping[str, str]) -> Path:
    """Where runs are kept; raises OSError where no home is known."""
    state = environ.get("XDG_STATE_HOME", "")
    if not state.startswith("/"):  # the specification has relative ones ignored
        try:
            state = str(Path.home() / ".local" / "state")
        except RuntimeError as error:
            raise OSError(f"no home directory is known ({error})") from None
    return Path(state) / "stackdoctor" / "runs"


def keep_run(
    directory: Path, report: Report, snapshot: Snapshot | None, place: str = "", bounds: Bounds | None = None
) -> Run:
    """Keep a run, whole or not at all, and let the oldest go beyond ``bounds``; raises OSError or UsageError."""
    bounds = bounds or Bounds()
    _private(directory)
    size = 0 if snapshot is None else sum(len(r.stdout) for n in snapshot.nodes for r in n.results.values())
    why = "what its nodes answered stayed with the workers of --executor" if snapshot is None else ""
    if size > bounds.snapshot:
        why = f"{size // 1_000_000} MB of answers are more than is kept"
    folder = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=directory))
    try:
        if snapshot is not None and not why:
            from stackdoctor.snapshot.write import write_snapshot

            write_snapshot(snapshot, folder / SNAPSHOT)
        _write(folder / REPORT, to_json(report) + "\n")
        _write(folder / SUMMARY, json.dumps(_summary(report, place, why), indent=1) + "\n")
        folder = _named(folder, directory, report.started)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    _forget(directory, bounds, folder)
    return _run(folder)


def list_runs(directory: Path) -> tuple[tuple[Run, ...], tuple[str, ...]]:
    """The runs, the oldest first, and a sentence for each that cannot be read."""
    runs, problems = [], []
    for folder in _folders(directory):
        try:
            runs.append(_run(folder))
        except UsageError as error:
            problems.append(str(error))
    return tuple(runs), tuple(problems)


def find_run(directory: Path, word: str) -> Run:
    """The run that ``word`` means: its id or the beginning of it, ``last``, or ``-2`` for the one before the last.

    Raises UsageError, with what there is, where it means none or several, and where that one cannot be read.
    """
    folders = {folder.name: folder for folder in _folders(directory)}
    if word in folders:
        return _run(folders[word])
    if not folders:
        raise UsageError(
            f"no run {word}: none is kept yet in {directory}; `stackdoctor diagnose` keeps each that looked"
        )
    back = 1 if word == "last" else int(word[1:]) if re.fullmatch(r"-\d{1,6}", word) else 0
    if back:
        runs = list_runs(directory)[0]
        if back > len(runs):
            raise UsageError(f"no run {word}: {len(runs)} can be read; `stackdoctor history` lists them")
        return runs[-back]
    begun = [name for name in folders if word and name.startswith(word)]
    if len(begun) == 1:
        return _run(folders[begun[0]])
    near = begun or difflib.get_close_matches(word, folders, 3, 0.7)
    hint = f": did you mean {' or '.join(near[-3:])}?" if near else ""
    raise UsageError(
        f"no run is called {word!r}{hint} (`stackdoctor history` lists them; last and -2 count from the end)"
    )


def _folders(directory: Path) -> list[Path]:
    try:
        found = [entry for entry in directory.iterdir() if _ID.fullmatch(entry.name) and entry.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"{directory} cannot be read: {error.strerror or error}") from None
    return sorted(found, key=_age)


def _age(folder: Path) -> tuple[str, int]:
    moment, _, number = folder.name.partition(".")
    return moment, int(number or 0)


def _run(folder: Path) -> Run:
    file = folder / SUMMARY
    try:
        with file.open("rb") as handle:
            value = json.loads(handle.read(_SUMMARY_LIMIT))
        form = value["format"]
        if form != FORMAT and str(form).startswith(FORMAT.rpartition("/")[0] + "/"):
            raise UsageError(f"run {folder.name} is of format {form}, this version reads {FORMAT}: update stackdoctor")
        if form != FORMAT:
            raise ValueError(f"format {str(form)[:60]!r}")
        return Run(
            id=folder.name,
            started=float(value["started"]),
            place=str(value["place"]),
            nodes=int(value["nodes"]),
            failed=int(value["failed"]),
            severity=None if value["severity"] is None else Severity[str(value["severity"]).upper()],
            causes=tuple(map(str, value["causes"])),
            findings=int(value["findings"]),
            folder=folder,
            no_snapshot=str(value["no_snapshot"]),
            at=str(value["at"]),
        )
    except OSError as error:
        raise UsageError(f"run {folder.name} is damaged: {SUMMARY}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        said = f"{type(error).__name__}: {str(error)[:120]}"
        raise UsageError(f"run {folder.name} is damaged: {SUMMARY}: {said}") from None


def _summary(report: Report, place: str, no_snapshot: str) -> dict[str, object]:
    severities = [d.severity for d in report.diagnoses] + [f.severity for f in report.findings]
    return {
        "format": FORMAT,
        "tool": report.version,
        "started": report.started,
        "at": iso(report.at) or "",
        "place": place,
        "nodes": len(report.nodes),
        "failed": len(report.failed),
        "severity": str(max(severities)) if severities else None,
        "causes": list(dict.fromkeys(diagnosis.cause for diagnosis in report.diagnoses)),
        "findings": len(report.findings),
        "no_snapshot": no_snapshot,
    }


def _private(directory: Path) -> None:
    """The directory is there, and its owner's alone."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in (directory.parent, directory):
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)


def _write(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def _named(folder: Path, directory: Path, started: float) -> Path:
    """``folder`` under the name of its time; two runs of one second are told apart by a number."""
    name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(started))
    for number in range(1, 1000):
        place = directory / (name if number == 1 else f"{name}.{number}")
        try:
            return folder.rename(place)  # fails where there is one: a folder with files in it is never replaced
        except OSError:
            if not place.exists():
                raise
    raise OSError(f"{directory} has a thousand runs of one second")


def _forget(directory: Path, bounds: Bounds, newest: Path) -> None:
    """The oldest runs go until the others are within ``bounds``; what a killed run left unfinished goes after a day."""
    for left in directory.glob(f"{_UNFINISHED}*"):
        if left.stat().st_mtime < time.time() - _STALE:
            shutil.rmtree(left, ignore_errors=True)
    kept = _folders(directory)
    sizes = {folder: sum(_sizes(folder)) for folder in kept}
    for folder in kept:
        if len(sizes) <= bounds.runs and sum(sizes.values()) <= bounds.bytes:
            return
        if folder != newest:
            shutil.rmtree(folder, ignore_errors=True)
            del sizes[folder]


def _sizes(folder: Path) -> Iterator[int]:
    for entry in os.scandir(folder):
        try:
            yield entry.stat(follow_symlinks=False).st_size
        except FileNotFoundError:  # another run is letting it go at this moment
            continue

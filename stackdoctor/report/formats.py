"""The report in every form that it has, and the files that it is written to."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stackdoctor.errors import UsageError
from stackdoctor.model import Severity
from stackdoctor.report.html_scene import Scene
from stackdoctor.report.report import Report

__all__ = ["FORMATS", "SUFFIXES", "Output", "Wish", "outputs", "write_outputs", "written_as"]

SUFFIXES = {
    ".html": "html",
    ".htm": "html",
    ".xml": "junit",
    ".json": "json",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".md": "markdown",
    ".prom": "prometheus",
    ".txt": "terminal",
}
"""The form of a file by the end of its name."""

FORMATS = ("terminal", "json", "yaml", "markdown", "html", "junit", "nagios", "prometheus", "github")

_ARCHIVES = (".tar.gz", ".tgz", ".tar.xz", ".tar")


@dataclass(frozen=True)
class Wish:
    """How the user wants it: all of it, from which severity on it is a failure, and what the picture may show."""

    verbose: bool = False
    fail_on: Severity = Severity.ERROR
    scene: Callable[[], Scene] = Scene


@dataclass(frozen=True)
class Output:
    """A file to be written, and in which form."""

    path: Path
    form: str


def written_as(report: Report, form: str, wish: Wish) -> str:
    """``report`` in one of ``FORMATS``, with its last line end; the terminal's without colour."""
    # a form is imported when it is asked for
    if form == "html":
        from stackdoctor.report.as_html import to_html

        return to_html(report, wish.scene())
    if form == "junit":
        from stackdoctor.report.junit import to_junit

        return to_junit(report, wish.fail_on)
    if form == "json":
        from stackdoctor.report.as_json import to_json

        return to_json(report) + "\n"
    if form == "yaml":
        from stackdoctor.report.as_yaml import to_yaml

        return to_yaml(report)
    if form == "markdown":
        from stackdoctor.report.markdown import to_markdown

        return to_markdown(report, wish.verbose)
    if form == "nagios":
        from stackdoctor.report.nagios import to_nagios

        return to_nagios(report)
    if form == "prometheus":
        from stackdoctor.report.prometheus import to_prometheus

        return to_prometheus(report)
    if form == "github":
        from stackdoctor.report.github import to_github

        return to_github(report)
    if form == "terminal":
        from stackdoctor.report.as_text import to_text

        return to_text(report, wish.verbose)
    raise UsageError(f"there is no format {form!r}; there are {', '.join(FORMATS)}")


def outputs(
    paths: Sequence[Path], *, force: bool = False, ask: Callable[[Path], bool] | None = None
) -> tuple[Output, ...]:
    """The files of ``paths`` with their forms, each seen to be writable; for before a look begins.

    A file that is there is overwritten with ``force`` or where ``ask`` says so.  Raises UsageError otherwise, for a
    name that tells no form, and for a place that cannot be written to.
    """
    found = tuple(Output(path, _form(path)) for path in paths)
    seen: set[Path] = set()
    for output in found:
        place = output.path.resolve()
        if place in seen:
            raise UsageError(f"{output.path} was named twice: give each report a file of its own")
        seen.add(place)
        _refuse_unwritable(output.path)
        regular = output.path.exists() and not _is_special(output.path)
        if regular and not force and not (ask is not None and ask(output.path)):
            raise UsageError(f"{output.path} is there already: name another file, or overwrite it with --force")
    return found


def write_outputs(report: Report, found: Sequence[Output], wish: Wish) -> None:
    """Write each file as a whole or not at all; whoever reads one meanwhile gets the old one or the new one."""
    for output in found:
        text = written_as(report, output.form, wish)
        try:
            _write(output.path, text.encode("utf-8", "backslashreplace"))
        except OSError as error:
            raise UsageError(f"{output.path}: {error.strerror or error}") from None


def _form(path: Path) -> str:
    form = SUFFIXES.get(path.suffix.lower())
    if form is None:
        known = ", ".join(f"{suffix} ({form})" for suffix, form in SUFFIXES.items())
        hint = "; a snapshot is kept with --keep" if path.name.lower().endswith(_ARCHIVES) else ""
        raise UsageError(f"{path}: the end of the name tells no format{hint}; there are {known}")
    return form


def _is_special(path: Path) -> bool:
    return not stat.S_ISREG(path.stat().st_mode)


def _refuse_unwritable(path: Path) -> None:
    """Raises UsageError where ``path`` could not be written to."""
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a directory: name a file in it")
        if path.exists() and (_is_special(path) or not os.access(path, os.W_OK)):
            if not os.access(path, os.W_OK):
                raise UsageError(f"{path}: it may not be written to")
            return
        with tempfile.NamedTemporaryFile(dir=path.resolve().parent, prefix=".stackdoctor-"):
            pass
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None


def _write(path: Path, data: bytes) -> None:
    if path.exists() and _is_special(path):
        path.write_bytes(data)
        return
    place = path.resolve()  # what a symbolic link points to is replaced, not the link
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=".stackdoctor-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, _mode(place))
        os.replace(name, place)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def _mode(path: Path) -> int:
    """That of the file that is replaced, else what the user's mask leaves."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask

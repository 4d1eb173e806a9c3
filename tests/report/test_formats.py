"""Files of reports: by the end of their names, whole or not at all, and never over what is there unasked."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from stackdoctor.errors import UsageError
from stackdoctor.report.formats import FORMATS, SUFFIXES, Output, Wish, outputs, write_outputs, written_as
from stackdoctor.report.report import Report

BEGINS = {
    "terminal": "1 root cause found",
    "json": '{\n"schema": "stackdoctor/report/1"',
    "yaml": "schema: stackdoctor/report/1\n",
    "markdown": "## 1 root cause found",
    "html": "<!doctype html>",
    "junit": '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites',
    "nagios": "CRITICAL: nova-conductor on controller",
    "prometheus": "# HELP stackdoctor_diagnosis ",
    "github": "::error title=critical",
}


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_begins_as_it_should_and_ends_with_a_line_end(hung: Report, form: str) -> None:
    text = written_as(hung, form, Wish())
    assert text.startswith(BEGINS[form])
    assert text.endswith("\n")


def test_several_files_are_written_at_once_each_by_the_end_of_its_name(hung: Report, tmp_path: Path) -> None:
    paths = [tmp_path / f"report{suffix.upper()}" for suffix in SUFFIXES]
    write_outputs(hung, outputs(paths), Wish())
    for path, form in zip(paths, SUFFIXES.values(), strict=True):
        assert path.read_text(encoding="utf-8").startswith(BEGINS[form])
    assert len(list(tmp_path.iterdir())) == len(paths)
    assert json.loads((tmp_path / "report.JSON").read_text())["source"] == hung.source


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("report.pdf", r"tells no format; there are \.html \(html\)"),
        ("report", "tells no format"),
        ("cloud.tar.gz", "a snapshot is kept with --keep"),
        ("folder.md", "is a directory"),
        ("missing/report.md", "cannot be written: No such file"),
        ("file.md/report.md", "cannot be written: Not a directory"),
        ("/proc/report.md", "cannot be written"),
        ("there.md", "is there already.*--force"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_the_look(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "folder.md").mkdir()
    (tmp_path / "file.md").write_text("x")
    (tmp_path / "there.md").write_text("mine")
    with pytest.raises(UsageError, match=said):
        outputs([tmp_path / name])
    assert (tmp_path / "there.md").read_text() == "mine"


def test_one_file_named_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="named twice"):
        outputs([tmp_path / "a.md", tmp_path / "x" / ".." / "a.md"])


def test_what_is_there_is_overwritten_with_force_or_where_the_user_says_yes(hung: Report, tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("mine")
    path.chmod(0o640)
    with pytest.raises(UsageError, match="already"):
        outputs([path], ask=lambda _: False)
    assert outputs([path], ask=lambda asked: asked == path) == (Output(path, "markdown"),)
    assert path.read_text() == "mine"
    write_outputs(hung, outputs([path], force=True), Wish())
    assert path.read_text().startswith("## ")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_stays_a_link_and_a_pipe_a_pipe(hung: Report, tmp_path: Path) -> None:
    target, link = tmp_path / "target.prom", tmp_path / "link.prom"
    target.write_text("old")
    link.symlink_to(target)
    write_outputs(hung, outputs([link], force=True), Wish())
    assert link.is_symlink()
    assert target.read_text().startswith("# HELP")
    pipe = tmp_path / "pipe.prom"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_outputs(hung, outputs([pipe]), Wish())
    assert os.read(reader, 6) == b"# HELP"
    os.close(reader)


def test_a_disk_that_is_full_leaves_the_old_file_and_nothing_else(hung: Report, tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "a.md"
    path.write_text("old")
    found = outputs([path], force=True)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UsageError, match="No space left"):
        write_outputs(hung, found, Wish())
    assert [p.name for p in tmp_path.iterdir()] == ["a.md"]
    assert path.read_text() == "old"

"""Runs that are kept: whole, private, bounded; others' and damaged ones are said."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from stackdoctor.errors import UsageError
from stackdoctor.model import Node, NodeResults, Result, Severity
from stackdoctor.report.from_json import read_report
from stackdoctor.report.report import Report
from stackdoctor.report.runs import Bounds, find_run, keep_run, list_runs, runs_directory
from stackdoctor.snapshot.format import Snapshot
from stackdoctor.snapshot.read import read_snapshot

BEGAN = 1795396695.0  # 2026-11-23T01:18:15Z


@pytest.fixture
def snapshot() -> Snapshot:
    results = {("host.uname", ""): Result("host.uname", "uname -snrm", stdout=b"Linux a 6.1.0 x86_64\n")}
    return Snapshot((NodeResults(Node("a"), results, hostname="a"),), BEGAN, 1.0, "stackdoctor 0")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "state" / "stackdoctor" / "runs"


def later(report: Report, seconds: float) -> Report:
    return replace(report, started=BEGAN + seconds)


def test_a_run_is_listed_with_what_it_said_and_gives_its_report_and_snapshot_back(
    runs: Path, hung: Report, snapshot: Snapshot
) -> None:
    run = keep_run(runs, later(hung, 0), snapshot, "cloud.yaml")
    assert list_runs(runs) == ((run,), ())
    assert (run.id, run.place, run.nodes, run.severity) == (
        "20261123T011815Z",
        "cloud.yaml",
        len(hung.nodes),
        Severity.CRITICAL,
    )
    assert run.causes == tuple(dict.fromkeys(d.cause for d in hung.diagnoses))
    assert [d.title for d in read_report(run.report).diagnoses] == [d.title for d in hung.diagnoses]
    assert run.snapshot is not None
    assert read_snapshot(run.snapshot).nodes == snapshot.nodes


def test_folders_and_files_are_their_owners_alone_whatever_the_mask(
    runs: Path, hung: Report, snapshot: Snapshot
) -> None:
    before = os.umask(0)
    try:
        runs.parent.mkdir(parents=True)
        runs.parent.chmod(0o755)
        keep_run(runs, hung, snapshot)
    finally:
        os.umask(before)
    found = [runs.parent, runs, *runs.rglob("*")]
    modes = (
        {stat.S_IMODE(p.stat().st_mode) for p in found if p.is_dir()},
        {stat.S_IMODE(p.stat().st_mode) for p in found if p.is_file()},
    )
    assert modes == ({0o700}, {0o600})
    assert len(found) == 2 + 1 + 3


def test_the_oldest_go_when_there_are_too_many_or_too_much(runs: Path, hung: Report, snapshot: Snapshot) -> None:
    for number in range(5):
        keep_run(runs, later(hung, number), snapshot, bounds=Bounds(runs=3))
    assert [run.started - BEGAN for run in list_runs(runs)[0]] == [2, 3, 4]
    keep_run(runs, later(hung, 9), snapshot, bounds=Bounds(bytes=1))
    assert [run.started - BEGAN for run in list_runs(runs)[0]] == [9]


def test_a_large_snapshot_is_left_out_and_the_run_says_so(runs: Path, hung: Report, snapshot: Snapshot) -> None:
    run = keep_run(runs, hung, snapshot, bounds=Bounds(snapshot=5))
    assert run.snapshot is None
    assert "more than is kept" in run.no_snapshot
    assert keep_run(runs, hung, snapshot).no_snapshot == ""


def test_two_runs_of_one_second_are_two_and_last_is_the_later(runs: Path, hung: Report, snapshot: Snapshot) -> None:
    ids = [keep_run(runs, later(hung, 0), snapshot, str(n)).id for n in range(11)]
    assert len(set(ids)) == 11
    assert find_run(runs, "last").place == "10"
    assert find_run(runs, "-2").place == "9"
    assert find_run(runs, ids[3]).place == "3"


def test_a_run_is_found_by_the_beginning_of_its_id_and_an_unknown_one_is_told_its_like(
    runs: Path, hung: Report
) -> None:
    with pytest.raises(UsageError, match="none is kept yet"):
        find_run(runs, "last")
    keep_run(runs, later(hung, 0), None)
    keep_run(runs, later(hung, 86400), None)
    assert find_run(runs, "20261124").id == "20261124T011815Z"
    with pytest.raises(UsageError, match="did you mean 20261123T011815Z or 20261124T011815Z"):
        find_run(runs, "202611")
    with pytest.raises(UsageError, match=r"did you mean .*20261123T011815Z"):
        find_run(runs, "20261123T011816Z")
    with pytest.raises(UsageError, match="no run -3: 2 can be read; `stackdoctor history` lists them"):
        find_run(runs, "-3")
    with pytest.raises(UsageError, match="`stackdoctor history` lists them"):
        find_run(runs, "../../etc")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '{"format": "stackdoctor/run/2"}',
            "of format stackdoctor/run/2, this version reads stackdoctor/run/1",
        ),
        ('{"format": "stackdoctor/run/1"}', "is damaged: run.json: KeyError"),
        ('{"format": "foreign"}', "is damaged: run.json: ValueError"),
        ("{", "is damaged: run.json"),
        ("[]", "is damaged: run.json"),
    ],
)
def test_a_newer_or_damaged_run_is_named_and_the_others_are_listed(
    runs: Path, hung: Report, text: str, said: str
) -> None:
    bad, good = keep_run(runs, later(hung, 0), None), keep_run(runs, later(hung, 5), None)
    (bad.folder / "run.json").write_text(text)
    found, problems = list_runs(runs)
    assert found == (good,)
    (problem,) = problems
    assert problem.startswith(f"run {bad.id} ")
    assert said in problem
    with pytest.raises(UsageError, match=bad.id):
        find_run(runs, bad.id)
    assert find_run(runs, "last") == good


def test_a_run_that_cannot_be_written_leaves_nothing(runs: Path, hung: Report, snapshot: Snapshot) -> None:
    runs.parent.parent.mkdir(parents=True)
    runs.parent.write_text("a file stands where the directory belongs")
    with pytest.raises(OSError, match=r"."):
        keep_run(runs, hung, snapshot)
    runs.parent.unlink()
    runs.mkdir(parents=True)
    broken = replace(snapshot, started=None)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        keep_run(runs, hung, broken)
    assert list(runs.iterdir()) == []


def test_what_a_killed_run_left_goes_after_a_day_and_is_never_listed(runs: Path, hung: Report) -> None:
    for name, age in (("old", 2 * 86400), ("new", 60)):
        (runs / f".new-{name}").mkdir(parents=True)
        moment = os.stat(runs).st_mtime - age
        os.utime(runs / f".new-{name}", (moment, moment))
    keep_run(runs, hung, None)
    assert [p.name for p in runs.glob(".new-*")] == [".new-new"]
    assert len(list_runs(runs)[0]) == 1


def test_the_place_is_that_of_the_user_and_a_relative_one_is_ignored(tmp_path: Path) -> None:
    assert runs_directory({"XDG_STATE_HOME": "/var/state"}) == Path("/var/state/stackdoctor/runs")
    assert runs_directory({"XDG_STATE_HOME": "state"}) == Path.home() / ".local/state/stackdoctor/runs"


def test_the_list_of_a_run_is_small_however_long_its_report(runs: Path, hung: Report) -> None:
    run = keep_run(runs, replace(hung, findings=hung.findings * 200), None)
    assert (run.folder / "run.json").stat().st_size < 2000
    assert json.loads((run.folder / "run.json").read_text())["findings"] == len(hung.findings) * 200

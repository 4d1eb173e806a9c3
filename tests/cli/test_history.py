"""Runs that are kept, from the installed command: diagnose, history, show, diff, --baseline."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

FIXTURES = Path(__file__).parents[2] / "fixtures"


def fixture(case: str) -> str:
    return str(FIXTURES / case / "snapshot.tar.gz")


@pytest.fixture
def kept(run: Run, tmp_path: Path) -> Run:
    """The command, with a state directory of its own, in which runs are kept as they are by default."""

    def run_(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return run(*arguments, **{"XDG_STATE_HOME": str(tmp_path / "state"), "STACKDOCTOR_KEEP_RUN": "", **environment})

    return run_


def test_a_run_that_looked_is_kept_and_shown_again_as_it_was(kept: Run, inventory: Path, tmp_path: Path) -> None:
    live = kept("diagnose", "-i", str(inventory), "-q", "--format", "json")
    assert (live.returncode, live.stderr) == (1, "")
    (listed,) = json.loads(kept("history", "--format", "json").stdout)
    assert (listed["causes"], listed["severity"], listed["nodes"]) == (["rpc-consumer-hung"], "critical", 4)
    assert (listed["place"], listed["snapshot"]) == (str(inventory), True)
    assert kept("show", "--format", "json").stdout == live.stdout
    assert kept("show", listed["id"][:11], "--format", "json").returncode == 1
    page = kept("show", "-1", "-o", "again.html")
    assert "running but answers no RPC" in page.stdout
    assert '["compute1","compute2","vxlan"]' in (tmp_path / "again.html").read_text()  # the snapshot is there as well
    for path in (tmp_path / "state" / "stackdoctor").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_what_did_not_look_is_kept_only_when_asked_and_what_looked_is_not_when_told(kept: Run, inventory: Path) -> None:
    kept("diagnose", "--from", fixture("healthy"))
    kept("diagnose", "-i", str(inventory), "-q", "--check", "process.*", "--no-keep-run")
    kept("diagnose", "-i", str(inventory), "-q", "--check", "process.*", STACKDOCTOR_KEEP_RUN="no")
    assert "no run is kept yet" in kept("history").stdout
    kept("diagnose", "--from", fixture("healthy"), "--keep-run")
    assert "warning" in kept("history").stdout


def test_of_what_workers_looked_at_the_report_is_kept_and_the_answers_where_they_came(
    kept: Run, inventory: Path
) -> None:
    words = ("diagnose", "-i", str(inventory), "-q", "--executor", "processes:1", "--check", "process.*")
    kept(*words)
    kept(*words, "--keep", "raw.tar.gz")
    done = kept("diff", "--check", "process.*")
    assert "Nothing important changed." in done.stdout, done.stderr
    assert "what its nodes answered stayed with the workers of --executor" in " ".join(done.stdout.split())
    assert kept("diff", "--peers", "--from", "-2").returncode == 2
    assert kept("diff", "--peers", "--from", "last").returncode in (0, 1)


def test_the_number_that_is_kept_is_bounded(kept: Run) -> None:
    for case in ("healthy", "conductor-hung", "mtu-mismatch"):
        kept("diagnose", "--from", fixture(case), "--keep-run", "--check", "process.*", "--most-runs", "2")
    assert len(json.loads(kept("history", "--format", "json").stdout)) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_where_nothing_can_be_kept_the_run_goes_on_and_says_so(kept: Run, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    done = kept("diagnose", "--from", fixture("conductor-hung"), "--keep-run", "--check", "process.*")
    assert done.returncode == 1
    assert "process.stopped" in done.stdout
    assert done.stderr.count("\n") == 1
    assert "this run is not kept: " in done.stderr
    assert "--no-keep-run keeps none" in done.stderr


def test_diff_of_a_healthy_run_and_a_fault_names_the_cause_its_findings_and_what_is_set_otherwise(kept: Run) -> None:
    kept("diagnose", "--from", fixture("healthy"), "--keep-run")
    kept("diagnose", "--from", fixture("compound-conductor-and-vxlan"), "--keep-run")
    done = kept("diff")
    assert done.returncode == 1, done.stderr
    for said in ("New root causes", "(overlay-link-down)", "(rpc-no-consumer)", "vxlan-822", "- up", "+ down"):
        assert said in done.stdout
    value = json.loads(kept("diff", "-2", "last", "--format", "json").stdout)
    assert {c["cause"] for c in value["causes"]["new"]} == {"overlay-link-down", "rpc-no-consumer"}
    assert {s["node"] for s in value["settings"]} == {"compute1", "controller"}
    assert (value["causes"]["gone"], value["nodes"], value["not_compared"]) == ([], [], [])
    same = kept("diff", "last", "last")
    assert (same.returncode, "Nothing important changed." in same.stdout) == (0, True)


def test_diff_takes_reports_and_snapshots_and_says_what_a_report_lacks(kept: Run) -> None:
    kept("diagnose", "--from", fixture("healthy"), "-o", "before.json")
    done = kept("diff", "before.json", fixture("vm-tap-off-bridge"))
    assert done.returncode == 1
    assert "(lb-tap-not-bridged)" in done.stdout
    assert "Settings were not compared: before.json: it is a report, without its snapshot." in " ".join(
        done.stdout.split()
    )


def test_diff_of_peers_names_the_odd_one_and_what_is_odd(kept: Run) -> None:
    done = kept("diff", "--peers", "compute1", "--from", fixture("mtu-mismatch"))
    assert done.returncode == 1
    assert "compute1: mtu 1400" in done.stdout
    healthy = kept("diff", "--peers", "--from", fixture("healthy"))
    assert (healthy.returncode, "compute1, compute2 (compute): set alike" in healthy.stdout) == (0, True)


def test_with_a_baseline_only_what_is_new_counts(kept: Run) -> None:
    one, two = fixture("vm-tap-off-bridge"), fixture("conductor-hung")
    assert kept("diagnose", "--from", one, "--keep-run", "-o", "known.json").returncode == 1
    again = kept("diagnose", "--from", one, "--baseline", "last")
    assert (again.returncode, "Nothing new found on 4 nodes" in again.stdout) == (0, True)
    assert "Known\n" in again.stdout
    assert kept("diagnose", "--from", two, "--baseline", "known.json").returncode == 1
    junit = kept("diagnose", "--from", one, "--baseline", "known.json", "--format", "junit")
    assert junit.returncode == 0
    assert "silenced: baseline known.json: known since 2026-11-22" in junit.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "last"), "none is kept yet"),
        (("show", "nowhere.json"), "there is no file nowhere.json"),
        (("diff", "a", "b", "c"), "two looks are compared, 3 were named"),
        (("diff", fixture("healthy"), "b.tar.gz"), "there is no file b.tar.gz"),
        (("diff", "--peers", "compute", "last"), "name it with --from"),
        (("diagnose", "--from", fixture("healthy"), "--baseline", "20261122"), "none is kept yet"),
        (("diagnose", "--from", fixture("healthy"), "--baseline", "newer.json"), "update stackdoctor"),
        (("diagnose", "--from", fixture("healthy"), "--baseline", "damaged.json"), "is no report, or damaged"),
        (("history", "-n", "0"), "0 is not in the range"),
    ],
)
def test_bad_input_says_what_to_do_next(kept: Run, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    (tmp_path / "newer.json").write_text('{"schema": "stackdoctor/report/9"}')
    (tmp_path / "damaged.json").write_text('{"schema": "stackdoctor/rep')
    done = kept(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_unknown_damaged_and_newer_runs_are_named(kept: Run, tmp_path: Path) -> None:
    for case in ("healthy", "mtu-mismatch", "conductor-hung"):
        kept("diagnose", "--from", fixture(case), "--keep-run", "--check", "process.*")
    runs = sorted((tmp_path / "state" / "stackdoctor" / "runs").iterdir())
    (runs[0] / "run.json").write_text('{"format": "stackdoctor/run/7"}')
    (runs[1] / "run.json").unlink()
    listed = kept("history")
    assert listed.returncode == 0
    assert len(listed.stdout.splitlines()) == 2
    assert f"run {runs[0].name} is of format stackdoctor/run/7" in listed.stderr
    assert f"run {runs[1].name} is damaged" in listed.stderr
    wrong = kept("show", "20261122T2")
    assert (wrong.returncode, "did you mean" in wrong.stderr) == (2, True)


def test_two_different_clouds_are_not_compared(kept: Run, tmp_path: Path) -> None:
    kept("diagnose", "--from", fixture("healthy"), "-o", "a.json")
    text = (tmp_path / "a.json").read_text()
    for name in ("controller", "compute1", "compute2", "storage"):
        text = text.replace(f'"name": "{name}"', f'"name": "other-{name}"')
    (tmp_path / "b.json").write_text(text)
    done = kept("diff", "a.json", "b.json")
    assert (done.returncode, "no node in common: these are different clouds" in done.stderr) == (2, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="file modes do not hold root: it takes root to become somebody else")
def test_a_home_that_is_read_only_costs_a_line(kept: Run, tmp_path: Path) -> None:
    done = kept(
        *("diagnose", "--from", fixture("conductor-hung"), "--keep-run", "--check", "process.*"),
        XDG_STATE_HOME="/proc/sys",  # where nobody can make a directory, not even root
    )
    assert done.returncode == 1
    assert "this run is not kept: /proc/sys/stackdoctor" in done.stderr

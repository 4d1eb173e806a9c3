"""--executor: the same diagnosis, whoever looks."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_other_processes_come_to_the_same_diagnosis(run: Run, inventory: Path) -> None:
    done = run("diagnose", "-i", str(inventory), "--executor", "processes:2", "--format", "json", "-q")
    assert [d["cause"] for d in json.loads(done.stdout)["diagnoses"]] == ["rpc-consumer-hung"], done.stderr


def test_what_they_collect_is_a_whole_snapshot(run: Run, inventory: Path, tmp_path: Path) -> None:
    assert run("collect", "-i", str(inventory), "--executor", "processes:1", "-o", "kept", "-q").returncode == 0
    done = run("diagnose", "--from", "kept", "--format", "json")
    assert [d["cause"] for d in json.loads(done.stdout)["diagnoses"]] == ["rpc-consumer-hung"]


def test_an_executor_that_is_not_known_is_refused(run: Run, inventory: Path) -> None:
    done = run("diagnose", "-i", str(inventory), "--executor", "ray://there:1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--executor ray://there:1: known are threads, processes:N, dask://HOST:PORT" in done.stderr


def test_the_demo_is_looked_at_by_this_process(run: Run) -> None:
    done = run("diagnose", "--demo", "--executor", "processes:2")
    assert done.returncode == 2
    assert "leave out --executor" in done.stderr

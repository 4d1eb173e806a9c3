"""`stackdoctor watch` against nodes served over real SSH that are healed, or not, while it looks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stackdoctor.demo.server import DemoCloud, serve
from stackdoctor.model import Result
from stackdoctor.snapshot.read import read_snapshot

FIXTURES = Path(__file__).parents[2] / "fixtures"
Recorded = dict[tuple[str, str], Result]


@pytest.fixture
def broken() -> Iterator[tuple[DemoCloud, Callable[[], None]]]:
    """A cloud with a fault, and what heals it."""
    healthy = {n.node.name: n for n in read_snapshot(FIXTURES / "healthy" / "snapshot.tar.gz").nodes}
    results: dict[str, Recorded] = {}
    nodes = []
    for node in read_snapshot(FIXTURES / "vm-tap-off-bridge" / "snapshot.tar.gz").nodes:
        results[node.node.name] = dict(healthy[node.node.name].results)
        fault = dict(node.results)
        results[node.node.name].update({k: fault[k] for k in fault if k[0].startswith(("links.", "bridges."))})
        nodes.append(replace(healthy[node.node.name], results=results[node.node.name]))

    def heal() -> None:
        for name, served in results.items():
            served.update(healthy[name].results)

    with serve(nodes) as cloud:
        yield cloud, heal


@pytest.fixture
def start(tmp_path: Path, inventory_of: Callable[[DemoCloud], Path]) -> Callable[..., subprocess.Popen[str]]:
    def start_(cloud: DemoCloud, *arguments: str) -> subprocess.Popen[str]:
        inventory = inventory_of(cloud)
        return subprocess.Popen(
            [sys.executable, "-m", "stackdoctor", "watch", "-i", str(inventory), "-q", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "200", "PYTHONUNBUFFERED": "1", "XDG_STATE_HOME": str(tmp_path / "state")},
        )

    return start_


def until(process: subprocess.Popen[str], words: str) -> str:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(f"it ended without {words!r}: {said}")


def test_it_says_what_is_wrong_then_what_is_gone_and_ends_with_0(
    broken: tuple[DemoCloud, Callable[[], None]], start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    cloud, heal = broken
    with start(cloud, "--every", "1s", "--for", "5m", "--keep-run") as process:
        first = until(process, "(lb-tap-not-bridged)")
        assert "New root causes" in first
        heal()
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    assert "Gone root causes" in out
    assert "healthy: nothing wrong in two looks" in out
    assert out.count("lb-tap-not-bridged") == 1
    assert len(list((tmp_path / "state" / "stackdoctor" / "runs").iterdir())) == 1


def test_a_cloud_that_stays_as_it_is_is_told_once_and_ends_with_1(
    broken: tuple[DemoCloud, Callable[[], None]], start: Callable[..., subprocess.Popen[str]]
) -> None:
    with start(broken[0], "--every", "1s", "--for", "8s") as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 1, out + err
    assert out.count("lb-tap-not-bridged") == 1
    assert out.splitlines()[-1].endswith("not healthy in the time given")


def test_ctrl_c_ends_it_at_once_and_leaves_nothing(
    broken: tuple[DemoCloud, Callable[[], None]], start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    with start(broken[0], "--every", "10m", "--for", "1h") as process:
        until(process, "(lb-tap-not-bridged)")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "stopped\n")
    assert [p.name for p in tmp_path.iterdir()] == ["cloud.yaml"]

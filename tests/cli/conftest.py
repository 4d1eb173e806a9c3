"""The installed command, run as a user runs it, against nodes served over real SSH."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stackdoctor.demo.cloud import recorded_cloud
from stackdoctor.demo.server import DemoCloud

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run_(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "stackdoctor", *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "100", **environment},
            timeout=120,
            check=False,
        )

    return run_


@pytest.fixture(scope="session")
def cloud() -> Iterator[DemoCloud]:
    with recorded_cloud() as served:
        yield served


@pytest.fixture
def inventory(cloud: DemoCloud, tmp_path: Path) -> Path:
    return write_inventory(tmp_path / "cloud.yaml", cloud)


@pytest.fixture
def inventory_of(tmp_path: Path) -> Callable[[DemoCloud], Path]:
    return lambda cloud: write_inventory(tmp_path / "cloud.yaml", cloud)


def write_inventory(path: Path, cloud: DemoCloud) -> Path:
    lines = [f"known_hosts: {cloud.known_hosts}", "nodes:"]
    for node in cloud.nodes:
        lines.append(
            f"  - {{name: {node.name}, address: {node.address}, port: {node.port}, user: {node.user}, key: {node.key}}}"
        )
    path.write_text("\n".join(lines) + "\n")
    return path

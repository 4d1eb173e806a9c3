"""docs/extending.md, followed literally."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TEXT = (Path(__file__).parent.parent / "docs" / "extending.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    (tmp_path / "mychecks").mkdir()
    (tmp_path / "mychecks" / "memory.py").write_text(blocks("python")[0])
    (tmp_path / "mychecks" / "mine.yaml").write_text(blocks("yaml")[0])
    (tmp_path / "mychecks" / "entropy.py").write_text(blocks("python")[1])
    (tmp_path / "myplaybooks").mkdir()
    (tmp_path / "myplaybooks" / "lost-its-way.yaml").write_text(blocks("yaml")[1])
    return tmp_path


def sh(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    return subprocess.run(
        ["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_check_of_the_guide_is_listed_explained_and_run(workplace: Path) -> None:
    listed, explained, diagnosed = (sh(command, workplace) for command in blocks("sh")[0].strip().splitlines())
    for done in (listed, explained, diagnosed):
        assert done.returncode == 0, done.stderr
    assert "host.memory.tight  warning   Less than 2 %" in listed.stdout
    assert "Looks at: Memory" in explained.stdout
    assert "No fault found" in diagnosed.stdout


def test_the_signature_of_the_guide_loads_with_its_example(workplace: Path) -> None:
    done = sh("stackdoctor explain log.my-service-lost-its-way --checks mychecks", workplace)
    assert done.returncode == 0, done.stderr
    assert "The service cannot find the place" in done.stdout


def test_the_playbook_of_the_guide_is_shown_and_scored(workplace: Path) -> None:
    shown, scored = (sh(command, workplace) for command in blocks("sh")[1].strip().splitlines())
    assert "cannot find" in shown.stdout, shown.stderr
    assert "lost-its-way" in scored.stdout, scored.stderr


def test_the_fact_of_the_guide_is_planned(workplace: Path) -> None:
    done = sh("stackdoctor plan --nodes compute1 --checks mychecks --check host.entropy.low", workplace)
    assert "/proc/sys/kernel/random/entropy_avail" in done.stdout, done.stderr

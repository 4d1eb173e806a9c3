"""Reports in files and in other formats, from the installed command."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Run = Callable[..., "CompletedProcess[str]"]

SNAPSHOT = str(Path(__file__).parents[2] / "fixtures" / "conductor-hung" / "snapshot.tar.gz")
ARGUMENTS = ("diagnose", "--from", SNAPSHOT)


def test_several_files_are_written_beside_what_is_printed(run: Run, tmp_path: Path) -> None:
    done = run(*ARGUMENTS, "--format", "json", "-o", "a.html", "-o", "a.xml", "-o", "a.md")
    assert done.returncode == 1
    assert json.loads(done.stdout)["diagnoses"][0]["cause"] == "rpc-consumer-hung"
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert '["compute1","compute2","vxlan"]' in page  # what only the snapshot knows
    assert int(ET.parse(tmp_path / "a.xml").getroot().get("tests", "")) > 1000
    assert (tmp_path / "a.md").read_text(encoding="utf-8").startswith("## 1 root cause found")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "a.md", "a.xml"]


def test_nothing_is_overwritten_unasked_and_a_wrong_name_is_said_before_the_look(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("mine")
    done = run(*ARGUMENTS, "-o", "a.md")
    assert (done.returncode, done.stdout) == (2, "")
    assert "a.md is there already" in done.stderr
    assert (tmp_path / "a.md").read_text() == "mine"
    done = run("diagnose", "--nodes", "192.0.2.1", "-o", "a.pdf")
    assert done.returncode == 2
    assert ".html (html)" in done.stderr
    assert run(*ARGUMENTS, "--force", "-o", "a.md").returncode == 1
    assert (tmp_path / "a.md").read_text().startswith("## ")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (ARGUMENTS, 2, "CRITICAL: nova-conductor on controller is running but answers no RPC"),
        ((*ARGUMENTS, "--fail-on", "critical"), 2, "CRITICAL: "),
        (("diagnose", "--from", "nowhere.tar.gz"), 3, "UNKNOWN: there is no snapshot"),
    ],
)
def test_monitoring_gets_one_line_and_its_own_status(
    run: Run, arguments: tuple[str, ...], status: int, said: str
) -> None:
    done = run(*arguments, "--format", "nagios")
    assert done.returncode == status
    assert done.stdout.startswith(said)
    assert done.stdout.count("\n") == 1


def test_the_exit_status_for_ci_is_that_of_the_severity_asked_for(run: Run) -> None:
    assert run(*ARGUMENTS, "--format", "github").returncode == 1
    assert run(*ARGUMENTS, "--format", "junit", "--fail-on", "critical").returncode == 1

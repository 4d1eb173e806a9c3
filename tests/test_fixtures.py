"""Every recorded cloud in fixtures/ gets its right verdict, and nothing else is said of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from stackdoctor.diagnose.analyse import analyse
from stackdoctor.diagnose.exam import Case, find_cases, sit
from stackdoctor.diagnose.knowledge import Knowledge, load_knowledge
from stackdoctor.model import Severity
from stackdoctor.snapshot.read import read_snapshot

FIXTURES = Path(__file__).parent.parent / "fixtures"
CASES = list(find_cases([FIXTURES]))


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return load_knowledge()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_verdict_is_the_truth(case: Case, knowledge: Knowledge) -> None:
    mark = sit(case, knowledge)
    assert mark.right, mark
    assert mark.unexplained == 0, mark


@pytest.mark.parametrize("case", [c for c in CASES if not c.broken], ids=lambda case: case.name)
def test_nothing_of_severity_error_is_found_on_a_healthy_cloud(case: Case, knowledge: Knowledge) -> None:
    examination = analyse(read_snapshot(case.snapshot), knowledge).examination
    assert [f for f in examination.findings if f.severity >= Severity.ERROR] == []


def test_every_case_says_what_was_done() -> None:
    assert len(CASES) >= 3
    for case in CASES:
        truth = json.loads((case.snapshot.parent / "truth.json").read_text())
        assert set(truth) == {"what", "broken", "cloud"}
        assert case.snapshot.stat().st_size < 1_000_000


def test_no_snapshot_holds_a_secret_or_a_path_of_the_machine_that_it_was_made_on() -> None:
    secret = re.compile(rb"(?:rabbit|mysql\+pymysql)://[^\s:/@]+:(?!<redacted>)[^\s@/]+@|/home/|/root/lab")
    for case in CASES:
        for node in read_snapshot(case.snapshot).nodes:
            for result in node.results.values():
                assert not secret.search(result.stdout), (case.name, node.node.name, result.probe)

"""The marks of the exam."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stackdoctor.diagnose.exam import Mark, find_cases, sit
from stackdoctor.diagnose.knowledge import Knowledge
from stackdoctor.errors import UsageError
from stackdoctor.snapshot.format import Snapshot
from stackdoctor.snapshot.write import write_snapshot


@pytest.fixture
def mark(tmp_path: Path, refusals: Knowledge, refused: Snapshot):
    """``mark(broken, must_not=...)``: of a cloud in whose broker's log a password is wrong."""

    def marked(*broken: tuple[list[str], list[str]], **more: object) -> Mark:
        case = tmp_path / f"case{len(list(tmp_path.iterdir()))}"
        case.mkdir()
        write_snapshot(refused, case / "snapshot.tar.gz")
        truth = {"what": "x", "broken": [{"causes": c, "where": w} for c, w in broken], **more}
        (case / "truth.json").write_text(json.dumps(truth))
        return sit(next(find_cases([case])), refusals)

    return marked


def test_the_right_cause_at_the_right_place_is_right(mark):
    made = mark((["rpc-wrong-credentials"], ["controller"]))
    assert (made.right, made.first, made.places, made.wrong, made.unexplained) == (True, True, True, (), 0)


def test_the_right_cause_at_another_place_is_not(mark):
    made = mark((["rpc-wrong-credentials"], ["compute1"]))
    assert (made.right, made.first, made.places, made.wrong) == (False, True, False, ("rpc-wrong-credentials",))


def test_another_cause_is_not(mark):
    made = mark((["rmq-memory-alarm"], ["controller"]))
    assert (made.right, made.first, made.places, made.missed) == (False, False, False, ("rmq-memory-alarm",))


def test_a_cause_of_a_healthy_cloud_is_false(mark):
    assert mark().wrong == ("rpc-wrong-credentials",)


def test_a_cause_that_must_not_be_named_is_false_wherever_it_stands(mark):
    made = mark((["rpc-wrong-credentials"], []), must_not=["rpc-wrong-credentials"])
    assert (made.right, made.wrong) == (False, ("rpc-wrong-credentials",))


def test_a_truth_that_is_none_is_refused(tmp_path: Path):
    (tmp_path / "truth.json").write_text('{"what": "x"}')
    with pytest.raises(UsageError, match="no truth about a case"):
        list(find_cases([tmp_path]))

"""A report against one that is known."""

from __future__ import annotations

from dataclasses import replace

import jsonschema
import pytest

from stackdoctor.model import Finding, Severity
from stackdoctor.report.as_json import schema, to_json
from stackdoctor.report.baseline import against
from stackdoctor.report.formats import Wish, written_as
from stackdoctor.report.from_json import from_json
from stackdoctor.report.report import Report, exit_status


def new_one(severity: Severity = Severity.ERROR) -> Finding:
    return Finding("disk", "disk is full", node="compute1", id="host.disk.full", severity=severity, mount="/")


def test_against_itself_nothing_counts_and_all_of_it_is_told_as_known(hung: Report) -> None:
    assert exit_status(hung, Severity.INFO) == 1
    left = against(hung, hung, "run x")
    assert (left.diagnoses, left.unexplained, exit_status(left, Severity.INFO)) == ((), (), 0)
    text = written_as(left, "terminal", Wish())
    assert "Nothing new found on" in text
    assert "Known\n  baseline run x: 1 root cause" in text
    assert hung.diagnoses[0].title in text


def test_what_is_new_counts_and_is_shown_as_ever(hung: Report) -> None:
    more = replace(hung, findings=(*hung.findings, new_one()), unexplained=(*hung.unexplained, new_one()))
    left = against(more, hung, "a.json")
    assert [f.id for f in left.findings] == ["host.disk.full"]
    assert (exit_status(left, Severity.ERROR), exit_status(left, Severity.CRITICAL)) == (1, 0)
    assert "disk is full" in written_as(left, "terminal", Wish())


def test_what_has_become_worse_is_new(hung: Report) -> None:
    before = replace(hung, findings=(new_one(Severity.WARNING),), unexplained=(), diagnoses=())
    after = replace(before, findings=(new_one(Severity.ERROR),))
    assert len(against(after, before, "b").findings) == 1
    assert against(before, after, "b").findings == ()


def test_a_new_symptom_of_a_known_cause_is_known_and_a_known_one_of_a_new_cause_stays_with_it(hung: Report) -> None:
    (diagnosis,) = hung.diagnoses
    symptom = new_one(Severity.WARNING)
    wider = replace(
        hung,
        findings=(*hung.findings, symptom),
        diagnoses=(replace(diagnosis, explains=(*diagnosis.explains, symptom)),),
    )
    assert against(wider, hung, "b").findings == ()
    other = replace(wider, diagnoses=(replace(diagnosis, cause="another"),))
    left = against(other, wider, "b")
    assert [d.cause for d in left.diagnoses] == ["another"]
    assert set(map(id, diagnosis.explains)) <= set(map(id, left.findings)) | set(map(id, diagnosis.explains))
    assert symptom not in left.findings


def test_what_has_ended_in_the_baseline_is_new_when_it_is_back(hung: Report) -> None:
    ended = Finding("x", "m", node="n", id="log.x", severity=Severity.WARNING, state="past")
    back = Finding("x", "m", node="n", id="log.x", severity=Severity.WARNING, state="now")
    empty = replace(hung, diagnoses=(), unexplained=())
    assert against(replace(empty, findings=(back,)), replace(empty, findings=(ended,)), "b").findings == (back,)


@pytest.mark.parametrize("form", ["json", "yaml", "markdown", "html", "junit", "nagios", "prometheus", "github"])
def test_every_form_has_it(hung: Report, form: str) -> None:
    left = against(hung, hung, "run x")
    text = written_as(left, form, Wish())
    assert "until None" not in text
    if form in ("markdown", "html"):
        assert "known since" in text


def test_the_json_keeps_to_its_schema_and_can_be_a_baseline_itself(hung: Report) -> None:
    import json

    left = against(hung, hung, "run x")
    jsonschema.validate(json.loads(to_json(left)), schema())
    again = from_json(to_json(left))
    assert against(hung, again, "y").diagnoses == ()

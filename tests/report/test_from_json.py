"""A report that was written as JSON, read back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stackdoctor.diagnose.analyse import analyse
from stackdoctor.diagnose.knowledge import Knowledge, load_knowledge
from stackdoctor.errors import UsageError
from stackdoctor.model import Severity
from stackdoctor.report.as_json import to_json
from stackdoctor.report.formats import FORMATS, Wish, written_as
from stackdoctor.report.from_json import from_json, read_report
from stackdoctor.report.make import make_report
from stackdoctor.report.report import Report
from stackdoctor.snapshot.read import read_snapshot

FIXTURES = Path(__file__).parents[2] / "fixtures"


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return load_knowledge()


@pytest.mark.parametrize("case", ["conductor-hung", "benign-old-errors"])
def test_a_report_of_a_real_cloud_comes_back_as_the_same_value_and_reads_alike_in_every_form(
    knowledge: Knowledge, case: str
) -> None:
    snapshot = read_snapshot(FIXTURES / case / "snapshot.tar.gz")
    report = make_report(snapshot, analyse(snapshot, knowledge))
    again = from_json(to_json(report))
    assert from_json(to_json(again)) == again
    for form in set(FORMATS) - {"html", "prometheus"}:  # these have more digits than JSON has
        assert written_as(again, form, Wish(verbose=True)) == written_as(report, form, Wish(verbose=True)), form


def test_what_is_silenced_expired_and_past_comes_back_with_its_rule(eventful: Report) -> None:
    again = from_json(to_json(eventful))
    assert [s.rule for s in again.silenced] == [s.rule for s in eventful.silenced]
    assert again.expired == eventful.expired
    assert [d.explains for d in again.history] == [d.explains for d in eventful.history]
    assert written_as(again, "terminal", Wish(verbose=True)) == written_as(eventful, "terminal", Wish(verbose=True))


def test_what_a_diagnosis_explains_are_the_findings_with_their_times_and_evidence(hung: Report) -> None:
    again = from_json(to_json(hung))
    for diagnosis in again.diagnoses:
        assert all(any(finding is other for other in again.findings) for finding in diagnosis.explains)
    assert again.diagnoses[0].severity is Severity.CRITICAL


def test_a_report_of_a_version_that_wrote_less_of_a_rule_is_read(eventful: Report) -> None:
    value = json.loads(to_json(eventful))
    for entry in (*value["silenced"], *value["expired"]):
        for name in ("finding", "cause", "node", "subject", "keys", "origin"):
            del entry[name]
    again = from_json(json.dumps(value))
    assert [str(s.rule) for s in again.silenced] == [str(s.rule) for s in eventful.silenced]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no report, or damaged"),
        ("[" * 100_000, "is no report, or damaged"),
        ("[]", "is no report: `stackdoctor diagnose -o NAME.json` writes one"),
        ('{"schema": 7}', "is no report"),
        (
            '{"schema": "stackdoctor/report/2"}',
            "of format stackdoctor/report/2, this version reads stackdoctor/report/1",
        ),
        ('{"schema": "stackdoctor/report/1"}', "is damaged (KeyError: 'findings')"),
    ],
)
def test_what_is_no_report_is_refused_with_the_reason(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UsageError) as refused:
        read_report(tmp_path / "a.json")
    assert said in str(refused.value)
    assert "a.json" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("nodes", 5), ("started", "yesterday"), ("findings", [{}]), ("diagnoses", [[]]), ("seconds", "long"), ("at", 7)],
)
def test_a_field_of_another_kind_is_damage_and_no_traceback(hung: Report, name: str, value: object) -> None:
    with pytest.raises(UsageError, match="damaged"):
        from_json(json.dumps({**json.loads(to_json(hung)), name: value}))

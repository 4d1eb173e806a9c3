"""The report for programs keeps to its schema, and the schema is strict."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from stackdoctor.model import Evidence, Finding, Severity
from stackdoctor.report.as_json import schema, to_json
from stackdoctor.report.report import Report

VALIDATOR = Draft202012Validator(schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in ``value`` whose members the schema names."""
    if isinstance(value, list):
        for element in value:
            yield from objects(element)
    elif isinstance(value, dict):
        yield value
        for name, element in value.items():
            if name not in ("keys", "where"):
                yield from objects(element)


def test_the_schema_is_itself_valid():
    Draft202012Validator.check_schema(schema())


def test_a_full_and_an_empty_report_keep_to_the_schema(hung: Report, healthy: Report, eventful: Report):
    VALIDATOR.validate(json.loads(to_json(eventful)))
    VALIDATOR.validate(json.loads(to_json(hung)))
    VALIDATOR.validate(json.loads(to_json(healthy)))
    VALIDATOR.validate(json.loads(to_json(Report("0.1.0", 0.0, 0.0))))


def test_the_schema_refuses_a_missing_field_anywhere(eventful: Report):
    report = json.loads(to_json(eventful))
    places = list(objects(report))
    assert len(places) > 30
    for place in places:
        for name in list(place):
            kept = place.pop(name)
            with pytest.raises(ValidationError):
                VALIDATOR.validate(report)
            place[name] = kept
    VALIDATOR.validate(report)


def test_the_schema_refuses_an_unknown_field_anywhere(eventful: Report):
    report = json.loads(to_json(eventful))
    for place in list(objects(report)):
        place["colour"] = "red"
        with pytest.raises(ValidationError):
            VALIDATOR.validate(report)
        del place["colour"]
    VALIDATOR.validate(report)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), "stackdoctor/report/2"),
        (("started",), "22 Nov 2026"),
        (("started",), None),
        (("nodes", 0, "status"), "unknown"),
        (("diagnoses", 0, "confidence"), 97),
        (("diagnoses", 0, "severity"), "fatal"),
        (("diagnoses", 0, "fix", 0, "risk"), "none"),
        (("findings", 0, "count"), 0),
        (("findings", 0, "keys", "pid"), 39567),
    ],
)
def test_the_schema_refuses_a_value_out_of_its_range(hung: Report, path, value):
    report = copy.deepcopy(json.loads(to_json(hung)))
    place = report
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(ValidationError):
        VALIDATOR.validate(report)


def test_times_are_utc_and_the_confidence_has_two_digits(hung: Report):
    report = json.loads(to_json(hung))
    assert report["started"] == "2026-11-22T17:50:39.135Z"
    assert report["diagnoses"][0]["confidence"] == 0.97
    timeouts = [f for f in report["findings"] if f["id"] == "log.messaging-timeout"]
    assert [(f["node"], f["count"], f["last"]) for f in timeouts] == [
        ("compute1", 2, "2026-11-22T17:50:42.286Z"),
        ("compute2", 1, "2026-11-22T17:50:32.334Z"),
    ]
    assert report["findings"][0]["first"] is None


def test_the_recorded_lines_survive_unchanged(hung: Report):
    lines = [line["line"] for line in json.loads(to_json(hung))["diagnoses"][0]["evidence"]]
    assert lines == [line.line for line in hung.diagnoses[0].evidence]


def test_hostile_text_is_inert_and_readable_by_every_reader(healthy: Report):
    line = "\x1b[2J \x9b31m \u202e \x00 half \ud83d"
    bad = Finding(line, line, id="a.b", severity=Severity.INFO, evidence=Evidence("n", "c", line), last=1e20, key=line)
    written = to_json(dataclasses.replace(healthy, findings=(bad,)))
    assert written.replace("\n", "").isprintable()
    assert written.isascii()
    (read,) = json.loads(written)["findings"]
    assert read["subject"] == read["keys"]["key"] == read["evidence"][0]["line"] == line.replace("\ud83d", "\ufffd")
    assert read["last"] is None
    VALIDATOR.validate(json.loads(written))


def test_what_is_over_is_in_history_and_what_is_set_aside_says_why(eventful: Report):
    report = json.loads(to_json(eventful))
    assert [d["cause"] for d in report["diagnoses"]] == ["rpc-consumer-hung"]
    assert [(d["cause"], d["state"], d["episodes"]) for d in report["history"]] == [
        ("rmq-memory-alarm", "recovered", [["2026-11-22T17:40:39.135Z", "2026-11-22T17:45:39.135Z"]])
    ]
    finding, cause = report["silenced"]
    assert (finding["rule"], finding["reason"], finding["until"], finding["diagnosis"]) == (
        "clock.*, node compute2",
        "NTP comes with the new switch",
        "2027-01-31",
        None,
    )
    assert (cause["diagnosis"]["cause"], [f["id"] for f in cause["findings"]]) == (
        "rmq-memory-alarm",
        ["network.address.duplicate"],
    )
    assert [rule["until"] for rule in report["expired"]] == ["2026-01-31"]
    assert report["at"] == "2026-11-22T17:50:29.135Z"


def test_outcomes_are_lists_of_nodes_for_checks_that_went_alike(eventful: Report):
    assert json.loads(to_json(eventful))["outcomes"] == [
        {
            "checks": ["a.b", "a.c"],
            "finding": ["controller"],
            "fine": ["compute1"],
            "not_applicable": ["storage"],
            "not_checked": [""],
        }
    ]

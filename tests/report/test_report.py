"""The report's value and the exit status that goes with it."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from stackdoctor.model import Diagnosis, Finding, Severity
from stackdoctor.report.report import NodeLine, Report, exit_status

UP, HALF, GONE = NodeLine("compute1"), NodeLine("compute2", status="partial"), NodeLine("storage", status="failed")


def report_with(severity: Severity | None, place: str, *nodes: NodeLine) -> Report:
    report = Report(version="0.1.0", started=0.0, seconds=1.0, nodes=nodes)
    if severity is None:
        return report
    if place == "diagnoses":
        cause = Diagnosis("cause", "title", severity, 0.9, {}, "", (), (), (), (), ())
        return dataclasses.replace(report, diagnoses=(cause,))
    return dataclasses.replace(report, **{place: (Finding("subject", "message", id="a.b", severity=severity),)})


@pytest.mark.parametrize("place", ["diagnoses", "findings", "unexplained"])
@pytest.mark.parametrize(("worst", "fail_on"), list(itertools.product([None, *Severity], Severity)))
def test_the_exit_status_is_one_exactly_when_something_is_as_bad_as_asked(worst, fail_on, place):
    expected = int(worst is not None and worst >= fail_on)
    assert exit_status(report_with(worst, place, UP, GONE), fail_on) == expected


@pytest.mark.parametrize("nodes", [(), (GONE,), (GONE, GONE)])
def test_the_exit_status_is_three_when_no_node_gave_anything_whatever_was_found(nodes):
    assert exit_status(report_with(None, "findings", *nodes), Severity.ERROR) == 3
    assert exit_status(report_with(Severity.CRITICAL, "findings", *nodes), Severity.ERROR) == 3


def test_a_node_that_answered_in_part_counts_as_an_answer():
    assert exit_status(report_with(None, "findings", HALF), Severity.INFO) == 0


def test_silenced_findings_do_not_fail():
    report = report_with(Severity.CRITICAL, "findings", UP)
    assert exit_status(dataclasses.replace(report, findings=(), silenced=report.findings), Severity.INFO) == 0

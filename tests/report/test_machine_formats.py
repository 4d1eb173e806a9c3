"""What other programs read: YAML, JUnit, Nagios, Prometheus and GitHub, by their own readers where there are any."""

from __future__ import annotations

import dataclasses
import json
import re
import xml.etree.ElementTree as ET

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stackdoctor.diagnose.outcomes import Outcomes
from stackdoctor.model import Diagnosis, Evidence, Finding, Severity
from stackdoctor.report.as_json import to_json
from stackdoctor.report.as_yaml import to_yaml
from stackdoctor.report.github import to_github
from stackdoctor.report.junit import to_junit
from stackdoctor.report.nagios import nagios_status, to_nagios, unknown
from stackdoctor.report.prometheus import to_prometheus
from stackdoctor.report.report import NodeLine, NotChecked, Report

EVIL = (
    "a\x1b[2J\x00\ud83d\ufffe\u202e ]]> </failure> <b> | \" ' \\ %0A ::set-output name=a::b\n"
    '::error::c\r\nd{e="f"} 1\n= yes'
)


def evil_report(report: Report) -> Report:
    bad = Finding(
        EVIL, EVIL, node=EVIL, id="a.b", severity=Severity.ERROR, evidence=Evidence(EVIL, EVIL, EVIL), key=EVIL
    )
    where = {"node": EVIL, EVIL: EVIL, "job": EVIL, "cause": "x", "9": "y"}
    cause = Diagnosis(
        EVIL,
        EVIL,
        Severity.CRITICAL,
        0.9,
        where,
        EVIL,
        (EVIL, EVIL),
        (bad,),
        bad.evidence,
        (EVIL,),
        (),
        (EVIL,),
        (EVIL,),
    )
    return dataclasses.replace(
        report,
        source=EVIL,
        nodes=(NodeLine(EVIL, EVIL, "failed", EVIL), NodeLine("n", "", "ok", "")),
        diagnoses=(cause,),
        findings=(bad, bad),
        not_checked=(NotChecked("a.*", EVIL, EVIL),),
        outcomes=(Outcomes(("a.b",), (EVIL,), ("n",), (), ()), Outcomes(("a.c",), (), (), (), (EVIL,))),
    )


def test_yaml_says_what_the_json_says(hung: Report, eventful: Report, healthy: Report) -> None:
    for report in (hung, eventful, evil_report(healthy)):
        assert yaml.safe_load(to_yaml(report)) == json.loads(to_json(report))
        assert to_yaml(report).isascii()
        assert to_yaml(report).replace("\n", "").isprintable()


def test_yaml_quotes_a_record_of_several_lines_as_a_block(hung: Report) -> None:
    assert re.search(r"line: \|-\n +2026-11-22 17:50:42\.286 .*\n +2026-11-22 17:50:42\.286 .*Traceback", to_yaml(hung))


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=40) | st.sampled_from(["=", "yes", "1e3", "0x1", "2026-01-01", "~", "- a", "a: b", "\n", " a\n b"])
)
def test_any_text_comes_back_from_yaml_and_xml(text: str) -> None:
    finding = Finding(text, text, id="a.b", severity=Severity.ERROR, node="n", evidence=Evidence("n", text, text))
    report = Report(
        "1", 0.0, 0.0, nodes=(NodeLine("n"),), findings=(finding,), outcomes=(Outcomes(("a.b",), ("n",), (), (), ()),)
    )
    assert yaml.safe_load(to_yaml(report)) == json.loads(to_json(report))
    assert ET.fromstring(to_junit(report)).find(".//failure") is not None
    assert to_github(report).count("\n") == 2
    assert to_nagios(report).count("\n") == 1


def judged(hung: Report) -> Report:
    return dataclasses.replace(
        hung,
        outcomes=(
            Outcomes(("process.stopped",), ("controller",), ("compute1",), ("compute2",), ("storage",)),
            Outcomes(("clock.offset",), ("compute2",), (), (), ()),
            Outcomes(("iscsi.session.lost", "rabbitmq.alarm"), (), (), (), ("controller", "storage")),
            Outcomes(("nova.service.down",), ("",), (), (), ()),
        ),
    )


def case(root: ET.Element, node: str, check: str) -> ET.Element:
    found = root.find(f"testsuite[@name='{node}']/testcase[@name='{check}']")
    assert found is not None, (node, check)
    return found


def test_junit_has_a_case_for_every_check_on_every_node(hung: Report) -> None:
    root = ET.fromstring(to_junit(judged(hung)))
    assert [suite.get("name") for suite in root] == [
        "root causes",
        "cloud",
        "compute1",
        "compute2",
        "controller",
        "storage",
    ]
    failure = case(root, "controller", "process.stopped").find("failure")
    assert failure is not None
    assert failure.get("type") == "critical"
    assert "do_signal_stop" in (failure.text or "")
    assert len(case(root, "compute1", "process.stopped")) == 0
    skipped = case(root, "compute2", "process.stopped").find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "there is nothing to look at"
    unlooked = case(root, "storage", "iscsi.session.lost").find("skipped")
    assert unlooked is not None
    assert unlooked.get("message") == "could not look: could not connect: timed out after 10 s"
    assert case(root, "cloud", "nova.service.down").find("failure") is not None
    told = root.find("testsuite[@name='root causes']/testcase/failure")
    assert told is not None
    assert "kill -CONT 39567" in (told.text or "")


def test_junit_counts_are_those_of_its_cases(hung: Report) -> None:
    root = ET.fromstring(to_junit(judged(hung)))
    for place in (root, *root.findall("testsuite")):
        cases = place.findall(".//testcase")
        assert int(place.get("tests", "")) == len(cases)
        for name, tag in (("failures", "failure"), ("skipped", "skipped"), ("errors", "error")):
            assert int(place.get(name, "")) == sum(each.find(tag) is not None for each in cases)


def test_junit_fails_from_the_severity_on_that_the_exit_status_does(hung: Report) -> None:
    mild = ET.fromstring(to_junit(judged(hung)))
    assert case(mild, "compute2", "clock.offset").find("failure") is None
    assert "37 s ahead" in (case(mild, "compute2", "clock.offset").findtext("system-out") or "")
    strict = ET.fromstring(to_junit(judged(hung), Severity.WARNING))
    assert case(strict, "compute2", "clock.offset").find("failure") is not None


def test_junit_says_what_is_silenced_and_why(eventful: Report) -> None:
    report = dataclasses.replace(eventful, outcomes=(Outcomes(("clock.offset",), ("compute2",), (), (), ()),))
    skipped = case(ET.fromstring(to_junit(report)), "compute2", "clock.offset").find("skipped")
    assert skipped is not None
    assert "silenced: clock.*" in (skipped.get("message") or "")


def test_junit_of_a_healthy_cloud_passes(healthy: Report) -> None:
    root = ET.fromstring(to_junit(healthy))
    assert (root.get("tests"), root.get("failures")) == ("1", "0")


def test_hostile_text_is_text_in_xml(hung: Report) -> None:
    written = to_junit(evil_report(hung))
    root = ET.fromstring(written)
    assert len(root.findall(".//failure")) == 2
    assert root.findall(".//b") == []
    assert "\x1b" not in written
    assert "\u202e" not in written
    assert "]]>" not in written
    written.encode("utf-8")


@pytest.mark.parametrize(
    ("severity", "failed", "status"),
    [
        (None, False, 0),
        (Severity.INFO, False, 0),
        (Severity.WARNING, False, 1),
        (Severity.WARNING, True, 1),
        (Severity.ERROR, True, 2),
        (Severity.CRITICAL, False, 2),
        (None, True, 3),
    ],
)
def test_the_status_for_monitoring(healthy: Report, severity: Severity | None, failed: bool, status: int) -> None:
    found = () if severity is None else (Finding("s", "m", id="a.b", severity=severity),)
    nodes = (dataclasses.replace(healthy.nodes[0], status="failed" if failed else "ok"), *healthy.nodes[1:])
    report = dataclasses.replace(healthy, findings=found, nodes=nodes)
    assert nagios_status(report) == status
    assert to_nagios(report).startswith(("OK: ", "WARNING: ", "CRITICAL: ", "UNKNOWN: ")[status])
    lost = dataclasses.replace(report, nodes=tuple(dataclasses.replace(n, status="failed") for n in nodes))
    assert nagios_status(lost) == 3


PERFORMANCE = r"[a-z_]+=\d+(\.\d+)?(s|%)?(;\d*){0,4}"


def test_the_line_for_monitoring_says_the_cause_and_has_its_numbers(hung: Report) -> None:
    line = to_nagios(hung)
    said, _, data = line.strip().partition(" | ")
    assert said == (
        "CRITICAL: nova-conductor on controller is running but answers no RPC (certain 97 %, rpc-consumer-hung);"
        " nothing is known of 1 node"
    )
    assert all(re.fullmatch(PERFORMANCE, pair) for pair in data.split(" "))
    assert "confidence=97%;;;0;100" in data
    assert "nodes_unreachable=1;;;0;4" in data


def test_hostile_text_stays_on_the_line_and_out_of_its_numbers(hung: Report) -> None:
    for line in (to_nagios(evil_report(hung)), unknown(EVIL)):
        assert line.isascii()
        assert line.count("\n") == 1
        assert line.rstrip("\n").isprintable()
        said, _, data = line.rstrip("\n").partition("|")
        assert not set(said) & set('<>`$"')
        assert data == "" or all(re.fullmatch(PERFORMANCE, pair) for pair in data.split())
    long = dataclasses.replace(hung.diagnoses[0], title="x" * 5000)
    assert len(to_nagios(dataclasses.replace(hung, diagnoses=(long,)))) < 1024


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    parser = pytest.importorskip("prometheus_client.parser", reason="no prometheus_client: the metrics were NOT parsed")
    found = {}
    for family in parser.text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found
            found[key] = sample.value
    return found


def test_the_metrics_are_what_a_scraper_reads(hung: Report) -> None:
    found = samples(to_prometheus(hung))
    where = (
        ("cause", "rpc-consumer-hung"),
        ("host", "controller"),
        ("node", "controller"),
        ("service", "nova-conductor"),
        ("severity", "critical"),
        ("state", "now"),
    )
    assert found["stackdoctor_diagnosis", where] == 0.974
    assert found["stackdoctor_findings", (("severity", "error"),)] == sum(
        f.severity == Severity.ERROR for f in hung.findings
    )
    assert found["stackdoctor_nodes_unreachable", ()] == 1
    assert found["stackdoctor_node_up", (("node", "storage"),)] == 0
    assert found["stackdoctor_look_timestamp_seconds", ()] == hung.started


def test_hostile_text_is_one_label_and_no_sample_comes_twice(hung: Report) -> None:
    report = evil_report(hung)
    found = samples(to_prometheus(dataclasses.replace(report, diagnoses=report.diagnoses * 2)))
    labels = [dict(labels) for name, labels in found if name == "stackdoctor_diagnosis"]
    assert len(labels) == 1
    assert "where_job" in labels[0]
    assert labels[0]["where_cause"] == "x"
    assert "job" not in labels[0]
    assert all(
        not line or re.match(r"#|stackdoctor_\w+(\{.*\})? [0-9.e+-]+$", line)
        for line in to_prometheus(report).split("\n")
    )


def test_a_healthy_cloud_has_no_diagnosis_and_all_severities(healthy: Report) -> None:
    found = samples(to_prometheus(healthy))
    assert not any(name == "stackdoctor_diagnosis" for name, _ in found)
    assert sum(value for (name, _), value in found.items() if name == "stackdoctor_findings") == 0
    assert sum(name == "stackdoctor_findings" for name, _ in found) == 4


COMMAND = re.compile(r"::(error|warning|notice) title=([^:,\n\r]*)::([^\n\r]*)")


def test_annotations_begin_with_the_cause_and_end_with_the_verdict(hung: Report) -> None:
    lines = [COMMAND.fullmatch(line) for line in to_github(hung).splitlines()]
    assert all(lines)
    first, *_, last = (match for match in lines if match)
    assert (first[1], first[2]) == ("error", "critical%3A nova-conductor on controller is running but answers no RPC")
    assert "%0AFix%3A" not in first[3]
    assert "%0AFix: kill -CONT 39567 (restart, on controller)" in first[3]
    assert last[1] == "notice"
    assert last[3].startswith("1 root cause found")
    assert {match[1] for match in lines if match} == {"error", "warning", "notice"}


def test_hostile_text_never_begins_a_command(hung: Report) -> None:
    written = to_github(evil_report(hung))
    assert all(COMMAND.fullmatch(line) for line in written.rstrip("\n").split("\n"))
    assert written.replace("\n", "").isprintable()

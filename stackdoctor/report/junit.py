"""The report for CI: JUnit XML with a test case for every check on every node.

The elements are those that Jenkins, GitLab and GitHub's reporters read (Jenkins' junit-10.xsd).
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from stackdoctor.model import Finding, Severity
from stackdoctor.report.as_text import cause_text, evidence_text
from stackdoctor.report.groups import alike
from stackdoctor.report.hostile import flat, plain
from stackdoctor.report.report import Report
from stackdoctor.report.times import iso
from stackdoctor.report.wording import certainty

__all__ = ["to_junit"]

CLOUD = "cloud"
CAUSES = "root causes"

_EVIDENCE = 3
_FINDINGS = 20


def to_junit(report: Report, fail_on: Severity = Severity.ERROR) -> str:
    """``report`` as JUnit XML: a suite of the root causes, then one a node, ``cloud`` for what is about all of it.

    A check fails where it found something of severity ``fail_on`` or above; it passes where it found less or
    nothing, and is skipped, with the reason, where there was nothing to look at, where it could not look, and
    where the configuration silences what it found.
    """
    suites = [_causes(report, fail_on), *_nodes(report, fail_on)]
    totals = {name: str(sum(int(suite.get(name, "0")) for suite in suites)) for name in _COUNTS}
    head = ET.Element("testsuites", {"name": "stackdoctor", **totals, "time": f"{report.seconds:.3f}"})
    head.extend(suites)
    ET.indent(head)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(head, encoding="unicode") + "\n"


_COUNTS = ("tests", "failures", "errors", "skipped")


def _suite(report: Report, name: str, hostname: str, seconds: float, cases: list[ET.Element]) -> ET.Element:
    suite = ET.Element("testsuite", {"name": plain(name)})
    suite.set("tests", str(len(cases)))
    for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(count, str(sum(case.find(tag) is not None for case in cases)))
    suite.set("time", f"{seconds:.3f}")
    # the schema of JUnit knows no zone: UTC
    suite.set("timestamp", (iso(report.started) or "").partition(".")[0])
    suite.set("hostname", plain(hostname))
    suite.extend(cases)
    return suite


def _causes(report: Report, fail_on: Severity) -> ET.Element:
    cases = []
    for members in alike(report.diagnoses):
        first = members[0]
        case = _case(CAUSES, f"{first.cause}: {first.title}")
        if first.severity >= fail_on:
            said = f"{first.title} ({certainty(first.confidence)})"
            _said(case, "failure", said, cause_text(report, members), str(first.severity))
        else:
            _output(case, cause_text(report, members))
        cases.append(case)
    if not cases:
        cases.append(_case(CAUSES, "no root cause"))
    return _suite(report, CAUSES, CLOUD, report.seconds, cases)


@dataclass(frozen=True)
class _Of:
    """What the report knows about each check on each node."""

    report: Report
    fail_on: Severity
    found: dict[tuple[str, str], list[Finding]]
    silenced: dict[tuple[str, str], str]
    reasons: dict[str, list[tuple[str, str]]]

    def case(self, check: str, node: str, outcome: str) -> ET.Element:
        case = _case(node or CLOUD, check)
        if outcome == "finding":
            self._judge(case, check, node)
        elif outcome == "not_applicable":
            _said(case, "skipped", "there is nothing to look at")
        elif outcome == "not_checked":
            _said(case, "skipped", f"could not look: {self._reason(check, node)}")
        return case

    def _judge(self, case: ET.Element, check: str, node: str) -> None:
        findings = self.found.get((check, node), [])
        bad = [f for f in findings if f.severity >= self.fail_on]
        if bad:
            worst = max(bad, key=lambda f: f.severity)
            more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
            _said(case, "failure", worst.message + more, _all(bad), str(worst.severity))
        elif findings:
            _output(case, _all(findings))
        elif (check, node) in self.silenced:
            _said(case, "skipped", f"silenced: {self.silenced[check, node]}")

    def _reason(self, check: str, node: str) -> str:
        of_node = self.reasons.get(node, []) + (self.reasons.get("", []) if node else [])
        every = dict.fromkeys(reason for glob, reason in of_node if fnmatchcase(check, glob) or glob == check)
        return "; ".join(every) or "the reason is not known"


def _nodes(report: Report, fail_on: Severity) -> Iterator[ET.Element]:
    found: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in report.findings:
        found[finding.id, finding.node].append(finding)
    silenced = {
        (finding.id, finding.node): f"{silence.rule}{silence.rule.term}: {silence.rule.reason}"
        for silence in report.silenced
        for finding in silence.findings
    }
    reasons: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for gap in report.not_checked:
        reasons[gap.node].append((gap.check, gap.reason))
    of = _Of(report, fail_on, found, silenced, reasons)
    cases: dict[str, list[ET.Element]] = defaultdict(list)
    for group in report.outcomes:
        for outcome in ("finding", "fine", "not_applicable", "not_checked"):
            for node in getattr(group, outcome):
                cases[node] += (of.case(check, node, outcome) for check in group.checks)
    seconds = {node.name: node.seconds for node in report.nodes}
    for node in sorted(cases):
        of_it = sorted(cases[node], key=lambda case: case.get("name", ""))
        yield _suite(report, node or CLOUD, node or CLOUD, seconds.get(node, 0.0), of_it)


def _case(classname: str, name: str) -> ET.Element:
    return ET.Element("testcase", {"classname": plain(classname), "name": flat(name), "time": "0"})


def _said(case: ET.Element, tag: str, message: str, text: str = "", kind: str = "") -> None:
    element = ET.SubElement(case, tag, {"message": flat(message), **({"type": kind} if kind else {})})
    element.text = text or None


def _output(case: ET.Element, text: str) -> None:
    ET.SubElement(case, "system-out").text = text


def _all(findings: list[Finding]) -> str:
    shown = [
        f"{finding.severity}: {flat(finding.message)}\n{evidence_text(finding.evidence, _EVIDENCE)}"
        for finding in findings[:_FINDINGS]
    ]
    more = len(findings) - len(shown)
    return "\n\n".join([*shown, *([f"… (+{more} more findings)"] if more > 0 else [])])

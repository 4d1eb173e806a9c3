"""The report as JSON for programs, by the schema in ``schema.json``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

from stackdoctor.diagnose.outcomes import Outcomes
from stackdoctor.diagnose.runner import NotChecked
from stackdoctor.diagnose.silence import Silenced
from stackdoctor.inventory.ignore import Ignore
from stackdoctor.model import Diagnosis, Evidence, Finding
from stackdoctor.report.receipt import cost_entry
from stackdoctor.report.report import NodeLine, Report
from stackdoctor.report.times import iso

__all__ = ["SCHEMA", "diagnosis_value", "evidence_value", "finding_value", "schema", "to_json", "whole"]

SCHEMA = "stackdoctor/report/1"

_ENCODER = json.JSONEncoder(allow_nan=False)
_SURROGATE = re.compile("[\ud800-\udfff]")


def to_json(report: Report) -> str:
    """``report`` as one JSON object, ASCII only, so that it is as inert on a terminal as in a file.

    Each element of a list has a line of its own.  Times are ISO 8601 in UTC with milliseconds.  Half surrogates, which
    no UTF-8 reader takes, become U+FFFD.
    """
    members: dict[str, Iterable[Any]] = {
        "nodes": map(_node, report.nodes),
        "diagnoses": map(diagnosis_value, report.diagnoses),
        "findings": map(finding_value, report.findings),
        "unexplained": map(finding_value, report.unexplained),
        "history": map(diagnosis_value, report.history),
        "silenced": map(_silenced, report.silenced),
        "expired": map(_rule, report.expired),
        "outcomes": map(_outcomes, report.outcomes),
        "not_checked": map(_gap, report.not_checked),
    }
    about = {
        "schema": SCHEMA,
        "tool": {"name": "stackdoctor", "version": report.version},
        "started": iso(report.started),
        "seconds": round(report.seconds, 3),
        "source": report.source,
        "at": iso(report.at),
    }
    written = {name: _line(value) for name, value in about.items()}
    written |= {name: _lines(elements) for name, elements in members.items()}
    return "{\n" + ",\n".join(f'"{name}": {text}' for name, text in written.items()) + "\n}"


def _lines(elements: Iterable[Any]) -> str:
    return "[" + ",".join(f"\n  {_line(element)}" for element in elements) + "\n]"


def _line(value: Any) -> str:
    """``value`` in one line: json indents by its slow encoder, which a thousand nodes make felt."""
    text = _ENCODER.encode(value)
    return _ENCODER.encode(whole(value)) if "\\ud" in text else text


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) that ``to_json`` keeps to."""
    value: dict[str, Any] = json.loads(files(__package__).joinpath("schema.json").read_text(encoding="utf-8"))
    return value


def _node(node: NodeLine) -> dict[str, Any]:
    return {
        "name": node.name,
        "address": node.address,
        "status": node.status,
        "reason": node.reason,
        "seconds": round(node.seconds, 3),
        "roles": sorted(node.roles),
        "clock_offset": None if node.clock_offset is None else round(node.clock_offset, 3),
        "cost": cost_entry(node.cost),
    }


def diagnosis_value(diagnosis: Diagnosis) -> dict[str, Any]:
    """A diagnosis as the schema has it."""
    return {
        "cause": diagnosis.cause,
        "title": diagnosis.title,
        "severity": str(diagnosis.severity),
        "confidence": round(diagnosis.confidence, 2),
        "where": dict(diagnosis.where),
        "why": diagnosis.why,
        "chain": list(diagnosis.chain),
        "explains": [_symptom(finding) for finding in diagnosis.explains],
        "evidence": [evidence_value(line) for line in diagnosis.evidence],
        "confirm": list(diagnosis.confirm),
        "fix": [{"do": step.do, "risk": step.risk, "on": step.on} for step in diagnosis.fix],
        "unchecked": list(diagnosis.unchecked),
        "refs": list(diagnosis.refs),
        "state": diagnosis.state,
        "episodes": _episodes(diagnosis.episodes),
    }


def _symptom(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "severity": str(finding.severity),
        "node": finding.node,
        "subject": finding.subject,
        "message": finding.message,
        "keys": dict(finding.keys),
        "count": finding.count,
    }


def finding_value(finding: Finding) -> dict[str, Any]:
    """A finding as the schema has it."""
    return {
        **_symptom(finding),
        "first": iso(finding.first),
        "last": iso(finding.last),
        "episodes": _episodes(finding.episodes),
        "evidence": [evidence_value(line) for line in finding.evidence],
    }


def _episodes(episodes: Iterable[tuple[float, float]]) -> list[list[str]]:
    times = ((iso(begin), iso(end)) for begin, end in episodes)
    return [[begin, end] for begin, end in times if begin is not None and end is not None]


def _silenced(silenced: Silenced) -> dict[str, Any]:
    return {
        **_rule(silenced.rule),
        "diagnosis": None if silenced.diagnosis is None else diagnosis_value(silenced.diagnosis),
        "findings": [finding_value(finding) for finding in silenced.findings],
    }


def _rule(rule: Ignore) -> dict[str, Any]:
    return {
        "rule": str(rule),
        "reason": rule.reason,
        "until": None if rule.until is None else rule.until.isoformat(),
        "finding": rule.finding,
        "cause": rule.cause,
        "node": rule.node,
        "subject": rule.subject,
        "keys": dict(rule.keys),
        "origin": rule.origin,
    }


def _outcomes(group: Outcomes) -> dict[str, list[str]]:
    return {
        "checks": list(group.checks),
        "finding": list(group.finding),
        "fine": list(group.fine),
        "not_applicable": list(group.not_applicable),
        "not_checked": list(group.not_checked),
    }


def _gap(gap: NotChecked) -> dict[str, str]:
    return {"check": gap.check, "node": gap.node, "reason": gap.reason}


def evidence_value(line: Evidence) -> dict[str, str]:
    """A line of evidence as the schema has it."""
    return {"node": line.node, "source": line.source, "line": line.line}


def whole(value: Any) -> Any:
    """``value`` with half surrogates, which no UTF-8 reader takes, made U+FFFD."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {whole(key): whole(element) for key, element in value.items()}
    return [whole(element) for element in value] if isinstance(value, list) else value

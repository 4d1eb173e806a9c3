"""Read a report back from its JSON: the same value, for the same renderers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from stackdoctor.diagnose.outcomes import Outcomes
from stackdoctor.diagnose.silence import Silenced
from stackdoctor.errors import UsageError
from stackdoctor.inventory.ignore import Ignore
from stackdoctor.model import Diagnosis, Evidence, Finding, Fix, Severity
from stackdoctor.report.as_json import SCHEMA
from stackdoctor.report.report import NodeLine, NotChecked, Report
from stackdoctor.snapshot.format import cost_of

__all__ = ["from_json", "read_report"]

LARGEST = 256 * 1024 * 1024
_FAMILY = SCHEMA.rpartition("/")[0] + "/"


def read_report(path: Path) -> Report:
    """The report in the file ``path``; raises UsageError where it is none, damaged, or of a newer format."""
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path} is larger than a report is ({LARGEST} bytes); it is not read")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no report: `stackdoctor diagnose -o NAME.json` writes one") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    return from_json(text, str(path))


def from_json(text: str, origin: str = "the report") -> Report:
    """What ``to_json`` was given; times to the millisecond, the confidence to a hundredth.

    Raises UsageError, with ``origin`` in it, where ``text`` is no report, damaged, or of a newer format.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{origin} is no report, or damaged: {str(error)[:200]}") from None
    named = value.get("schema", "") if isinstance(value, dict) else ""
    if not isinstance(named, str) or not named.startswith(_FAMILY):
        raise UsageError(f"{origin} is no report: `stackdoctor diagnose -o NAME.json` writes one")
    if named != SCHEMA:
        raise UsageError(f"{origin} is of format {named[:60]}, this version reads {SCHEMA}: update stackdoctor")
    try:
        return _report(value)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise UsageError(f"{origin} is damaged ({type(error).__name__}: {str(error)[:200]})") from None


def _report(value: Mapping[str, Any]) -> Report:
    findings = tuple(_finding(entry) for entry in value["findings"])
    unexplained = tuple(_finding(entry) for entry in value["unexplained"])
    rules: dict[str, Ignore] = {}
    set_aside = [(_rule(entry, rules), entry) for entry in value["silenced"]]
    silent = [tuple(_finding(f) for f in entry["findings"]) for _, entry in set_aside]
    known = _Known((*findings, *(finding for of_it in silent for finding in of_it)))
    return Report(
        version=str(value["tool"]["version"]),
        started=_moment(value["started"]),
        seconds=float(value["seconds"]),
        source=str(value["source"]),
        nodes=tuple(_node(entry) for entry in value["nodes"]),
        diagnoses=tuple(_diagnosis(entry, known) for entry in value["diagnoses"]),
        findings=findings,
        unexplained=unexplained,
        not_checked=tuple(
            NotChecked(str(gap["check"]), str(gap["node"]), str(gap["reason"])) for gap in value["not_checked"]
        ),
        silenced=tuple(
            Silenced(rule, found, None if entry["diagnosis"] is None else _diagnosis(entry["diagnosis"], known))
            for (rule, entry), found in zip(set_aside, silent, strict=True)
        ),
        history=tuple(_diagnosis(entry, known) for entry in value["history"]),
        expired=tuple(_rule(entry, rules) for entry in value["expired"]),
        outcomes=tuple(_outcomes(entry) for entry in value["outcomes"]),
        at=_time(value["at"]),
    )


class _Known:
    """The findings of a report, to be met again in what diagnoses explain, where their times are left out."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self._exactly: dict[object, Finding] = {}
        self._as_it_was: dict[object, Finding] = {}
        for finding in findings:
            self._exactly.setdefault(_symptom(finding), finding)
            if "state" in finding.keys:
                # a cause of the past explains what it did while it lasted: the state of today is not in it
                keys = {key: value for key, value in finding.keys.items() if key != "state"}
                then = finding.stamped(finding.id, finding.severity, finding.node, keys)
                self._as_it_was.setdefault(_symptom(then), then)

    def explained(self, entry: Mapping[str, Any]) -> Finding:
        said = _finding({"first": None, "last": None, "episodes": (), "evidence": (), **entry})
        name = _symptom(said)
        return self._exactly.get(name) or self._as_it_was.get(name) or said


def _symptom(finding: Finding) -> object:
    keys = tuple(sorted(finding.keys.items()))
    return finding.id, finding.severity, finding.node, finding.subject, finding.message, keys, finding.count


def _finding(entry: Mapping[str, Any]) -> Finding:
    return Finding(
        str(entry["subject"]),
        str(entry["message"]),
        node=str(entry["node"]),
        id=str(entry["id"]),
        severity=_severity(entry["severity"]),
        evidence=tuple(_evidence(line) for line in entry["evidence"]),
        first=_time(entry["first"]),
        last=_time(entry["last"]),
        count=int(entry["count"]),
        episodes=_episodes(entry["episodes"]),
        **_words(entry["keys"]),
    )


def _diagnosis(entry: Mapping[str, Any], known: _Known) -> Diagnosis:
    return Diagnosis(
        cause=str(entry["cause"]),
        title=str(entry["title"]),
        severity=_severity(entry["severity"]),
        confidence=float(entry["confidence"]),
        where=_words(entry["where"]),
        why=str(entry["why"]),
        chain=_texts(entry["chain"]),
        explains=tuple(known.explained(symptom) for symptom in entry["explains"]),
        evidence=tuple(_evidence(line) for line in entry["evidence"]),
        confirm=_texts(entry["confirm"]),
        fix=tuple(Fix(str(step["do"]), str(step["risk"]), str(step["on"])) for step in entry["fix"]),
        unchecked=_texts(entry["unchecked"]),
        refs=_texts(entry["refs"]),
        state=str(entry["state"]),
        episodes=_episodes(entry["episodes"]),
    )


def _node(entry: Mapping[str, Any]) -> NodeLine:
    offset = entry["clock_offset"]
    return NodeLine(
        name=str(entry["name"]),
        address=str(entry["address"]),
        status=str(entry["status"]),
        reason=str(entry["reason"]),
        seconds=float(entry["seconds"]),
        roles=frozenset(_texts(entry["roles"])),
        clock_offset=None if offset is None else float(offset),
        cost=cost_of(entry["cost"]),
    )


def _rule(entry: Mapping[str, Any], rules: dict[str, Ignore]) -> Ignore:
    """One value for all that a rule sets aside, as it was; of a report that tells its text only, that text."""
    until = entry["until"]
    rule = Ignore(
        finding=str(entry.get("finding", entry["rule"])),
        cause=str(entry.get("cause", "")),
        reason=str(entry["reason"]),
        until=None if until is None else date.fromisoformat(until),
        node=str(entry.get("node", "")),
        subject=str(entry.get("subject", "")),
        keys=_words(entry.get("keys", {})),
        origin=str(entry.get("origin", "")),
    )
    return rules.setdefault(repr(rule), rule)


def _outcomes(entry: Mapping[str, Any]) -> Outcomes:
    names = ("checks", "finding", "fine", "not_applicable", "not_checked")
    return Outcomes(*(_texts(entry[name]) for name in names))


def _evidence(entry: Mapping[str, Any]) -> Evidence:
    return Evidence(str(entry["node"]), str(entry["source"]), str(entry["line"]))


def _severity(word: str) -> Severity:
    return Severity[word.upper()]


def _texts(values: Iterable[Any]) -> tuple[str, ...]:
    if isinstance(values, str):
        raise TypeError("a text stands where a list belongs")
    return tuple(map(str, values))


def _words(values: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in values.items()}


def _episodes(values: Iterable[Any]) -> tuple[tuple[float, float], ...]:
    return tuple((_moment(begin), _moment(end)) for begin, end in values)


def _time(value: str | None) -> float | None:
    return None if value is None else _moment(value)


def _moment(value: str) -> float:
    return datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp()

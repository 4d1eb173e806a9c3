"""A triage as JSON has it (docs/triage.md)."""

from __future__ import annotations

from typing import Any

from stackdoctor.cli.triage_answer import Answer, Line
from stackdoctor.cli.triage_page import verdict_of
from stackdoctor.diagnose.triage import Judged, Triage
from stackdoctor.report.as_json import diagnosis_value, evidence_value, finding_value, whole
from stackdoctor.report.times import iso
from stackdoctor.trace.guest import Guest
from stackdoctor.trace.steps import trace_value

__all__ = ["SCHEMA", "triage_value"]

SCHEMA = "stackdoctor/triage/1"


def triage_value(answer: Answer) -> Any:
    """``answer`` as plain values; what was not looked at is null."""
    report = answer.report
    value = {
        "schema": SCHEMA,
        "asked": dict(vars(answer.seen)),
        "symptoms": [{"symptom": s.id, "title": s.title} for s in answer.symptoms],
        "verdict": verdict_of(answer),
        "started": None if report is None else iso(report.started),
        "source": None if report is None else report.source,
        "nodes": [] if report is None else [{"name": n.name, "status": n.status} for n in report.nodes],
        "probes": None if answer.probes is None else {"planned": answer.probes[0], "of": answer.probes[1]},
        "instance": None if answer.guest is None else _guest(answer.guest),
        "line": None if answer.line is None else _line(answer.line),
        "trace": None if answer.trace is None else trace_value(answer.trace),
        "elsewhere": [diagnosis_value(d) for d in answer.elsewhere],
        **_judged(answer.triage),
        "next": [{"command": step.command, "why": step.why, "whole": step.whole} for step in answer.next],
    }
    return whole(value)


def _judged(judged: Triage | None) -> dict[str, Any]:
    if judged is None:
        return {"explaining": [], "others": [], "seen": [], "unexplained": [], "causes": [], "unread": []}
    return {
        "explaining": [diagnosis_value(d) for d in judged.explaining],
        "others": [diagnosis_value(d) for d in judged.others],
        "seen": [finding_value(f) for f in judged.seen],
        "unexplained": [finding_value(f) for f in judged.unexplained],
        "causes": [_cause(each) for each in judged.judged],
        "unread": list(judged.unread),
    }


def _cause(each: Judged) -> dict[str, Any]:
    return {
        "cause": each.cause,
        "state": each.state,
        "reasons": list(each.reasons),
        "evidence": [evidence_value(line) for line in each.evidence],
        "nodes": list(each.nodes),
        "checks": list(each.checks),
        "confirm": list(each.confirm),
    }


def _guest(guest: Guest) -> dict[str, Any]:
    return {
        "id": guest.id,
        "name": guest.name,
        "state": guest.state,
        "nodes": [node for node, _ in guest.domains],
        "cards": [
            {"port": c.port, "device": c.device, "mac": c.mac, "addresses": list(c.addresses), "network": c.network}
            for c in guest.cards
        ],
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "text": line.text,
        "signatures": [
            {
                "id": finding.id,
                "severity": str(signature.severity),
                "message": finding.message,
                "explain": " ".join(signature.explain.split()),
                "keys": dict(finding.keys),
                "harmless": [benign.why for benign in signature.benign],
            }
            for signature, finding in line.known
        ],
        "causes": [{"cause": cause, "title": title} for cause, title in line.causes],
    }

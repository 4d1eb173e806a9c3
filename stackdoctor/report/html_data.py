"""What the page shows, as one JSON value: the report and the scene with all text made inert.

Findings stand once, in a list; causes, links of a chain and the rest name them by their place in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stackdoctor.diagnose.outcomes import Outcomes
from stackdoctor.model import Diagnosis, Evidence, Finding
from stackdoctor.report.groups import alike, gaps, shortened, unalike
from stackdoctor.report.hostile import inert, plain
from stackdoctor.report.html_scene import Scene
from stackdoctor.report.receipt import receipt
from stackdoctor.report.report import LIVE, Report
from stackdoctor.report.times import clock_time
from stackdoctor.report.wording import certainty, judged_at, missed, verdict

__all__ = ["page_data", "page_json"]

_LINE = 8192
_NAME = 300
_EVIDENCE_OF_A_FINDING = 8
_BUDGET = 6_000_000
"""Characters of evidence that a page may have, so that it still goes into a mail; the worst findings come first."""

_CLOCK_OFF = 1.0


def page_json(report: Report, scene: Scene) -> str:
    """``page_data`` as JSON that may stand inside a ``script`` element: without ``<``, ``>`` and ``&``, ASCII only."""
    written = json.dumps(page_data(report, scene), separators=(",", ":"), allow_nan=False)
    return written.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def page_data(report: Report, scene: Scene) -> dict[str, Any]:
    """The value that the page's script shows; times are seconds since the epoch."""
    findings = _Findings(report)
    said, gap = verdict(report)
    asked = alike(report.diagnoses)
    data = {
        "version": report.version,
        "started": report.started,
        "seconds": round(report.seconds, 1),
        "when": clock_time(report.started),
        "source": "live" if report.source == LIVE else f"from {report.source}",
        "said": said,
        "gap": gap,
        "at": None if report.at is None else {"time": report.at, "text": judged_at(report.at)},
        "nodes": [_node(node) for node in report.nodes],
        "causes": [_cause(members, findings) for members in asked],
        "history": [_past(diagnosis) for diagnosis in report.history],
        "silenced": [_silenced(s.rule, [f.message for f in s.findings]) for s in report.silenced],
        "expired": [str(rule) for rule in report.expired],
        "gaps": [
            {"checks": list(shortened(g.checks)), "nodes": list(g.nodes[:8]), "more": len(g.nodes[8:]), "why": g.reason}
            for g in gaps(report, merged=True)
        ],
        "missed": len({(g.check, g.node) for g in missed(report)}),
        "outcomes": [_outcomes(group) for group in report.outcomes],
        "receipt": [line for line in receipt({node.name: node.cost for node in report.nodes}) if line],
        "unexplained": sorted(findings.place(finding) for finding in findings.left),
        "parts": {name: [[p.kind, p.name, p.state] for p in parts] for name, parts in scene.parts.items()},
        "tunnels": [[t.one, t.other, t.kind] for t in scene.tunnels],
        "bursts": [[b.node, b.id, b.service, sorted(b.minutes.items())] for b in scene.bursts],
    }
    data["findings"] = findings.shown()
    shown: dict[str, Any] = _inert(data)
    return shown


class _Findings:
    """All findings of the report in their order, and the place of each."""

    def __init__(self, report: Report) -> None:
        self.every: list[Finding] = []
        self._places: dict[object, int] = {}
        for finding in report.findings:
            self.place(finding)
        explained = {self.place(finding) for diagnosis in report.diagnoses for finding in diagnosis.explains}
        self.left = [f for f in (*report.findings, *report.unexplained) if self.place(f) not in explained]

    def place(self, finding: Finding) -> int:
        keys = tuple(sorted(finding.keys.items()))
        identity = (finding.id, finding.node, finding.subject, finding.message, finding.first, finding.last, keys)
        if identity not in self._places:
            self._places[identity] = len(self.every)
            self.every.append(finding)
        return self._places[identity]

    def shown(self) -> list[dict[str, Any]]:
        left = _BUDGET
        shown = []
        for finding in self.every:
            evidence = _evidence(finding.evidence[:_EVIDENCE_OF_A_FINDING])
            size = sum(len(line) for _, _, line in evidence)
            if size > left:
                evidence = []
            left -= size if evidence else 0
            shown.append(
                {
                    "id": finding.id,
                    "sev": str(finding.severity),
                    "node": finding.node,
                    "subject": finding.subject,
                    "message": finding.message,
                    "keys": dict(finding.keys),
                    "count": finding.count,
                    "first": _time(finding.first),
                    "last": _time(finding.last),
                    "episodes": _episodes(finding.episodes),
                    "evidence": evidence,
                    "more": len(finding.evidence) - len(evidence),
                }
            )
        return shown


def _time(epoch: float | None) -> float | None:
    # what no calendar has is not drawn
    return round(epoch, 3) if epoch is not None and clock_time(epoch) else None


def _episodes(episodes: Iterable[tuple[float, float]]) -> list[list[float | None]]:
    return [[_time(begin), _time(end)] for begin, end in episodes if clock_time(begin) and clock_time(end)]


def _evidence(lines: Iterable[Evidence]) -> list[list[str]]:
    return [[line.node, line.source, line.line[:_LINE]] for line in lines]


def _node(node: Any) -> dict[str, Any]:
    offset = node.clock_offset
    return {
        "name": node.name,
        "address": node.address,
        "status": node.status,
        "reason": node.reason,
        "roles": sorted(node.roles),
        "clock": None if offset is None or abs(offset) <= _CLOCK_OFF else round(offset),
    }


def _cause(members: Sequence[Diagnosis], findings: _Findings) -> dict[str, Any]:
    first = members[0]
    explains = list(dict.fromkeys(findings.place(f) for each in members for f in each.explains))
    return {
        "cause": first.cause,
        "title": first.title,
        "sev": str(first.severity),
        "confidence": round(first.confidence, 3),
        "certainty": certainty(first.confidence),
        "where": dict(first.where),
        "why": re.sub(r"[ \n]+", " ", first.why).strip(),
        "chain": [{"text": text, "findings": _shown_by(text, first, findings)} for text in first.chain],
        "explains": explains,
        "evidence": _evidence(first.evidence),
        "confirm": list(dict.fromkeys(c.strip() for each in members[:8] for c in each.confirm)),
        "fix": [[step.do.strip(), step.risk, step.on] for step in first.fix],
        "unchecked": list(dict.fromkeys(what for each in members for what in each.unchecked)),
        "refs": list(first.refs),
        "state": first.state,
        "episodes": _episodes(first.episodes),
        "places": [unalike(each, members) for each in members[1:]],
    }


def _shown_by(link: str, diagnosis: Diagnosis, findings: _Findings) -> list[int]:
    """The findings that a link of the chain tells of: it begins with the message of one, and stands for its kind."""
    told = next((f for f in diagnosis.explains if f.message and link.startswith(f.message)), None)
    return [] if told is None else [findings.place(f) for f in diagnosis.explains if f.id == told.id]


def _outcomes(group: Outcomes) -> dict[str, Any]:
    """How many places each outcome of some checks has, and the first of its places."""
    places = {
        "found": group.finding,
        "missed": group.not_checked,
        "fine": group.fine,
        "nothing": group.not_applicable,
    }
    return {"checks": list(group.checks), **{word: [len(on), list(on[:8])] for word, on in places.items()}}


def _past(diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "cause": diagnosis.cause,
        "title": diagnosis.title,
        "state": diagnosis.state,
        "where": dict(diagnosis.where),
        "episodes": _episodes(diagnosis.episodes),
    }


def _silenced(rule: Any, messages: Sequence[str]) -> dict[str, Any]:
    return {"rule": str(rule), "term": rule.term, "reason": rule.reason, "messages": list(messages[:20])}


def _inert(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() and value.isprintable() else inert(value, _LINE)
    if isinstance(value, Mapping):
        return {plain(key, _NAME): _inert(element) for key, element in value.items()}
    return [_inert(element) for element in value] if isinstance(value, (list, tuple)) else value

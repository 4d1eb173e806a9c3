"""The report for Nagios, Icinga and their kin: one line with performance data, and the status that goes with it.

By the Monitoring Plugins Development Guidelines: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN; what follows ``|`` is
``name=value;warn;crit;min;max``.
"""

from __future__ import annotations

from collections import Counter

from stackdoctor.model import Severity
from stackdoctor.report.groups import alike, grouped, left_open
from stackdoctor.report.hostile import flat
from stackdoctor.report.report import Report
from stackdoctor.report.wording import certainty, counted, headline, missed, verdict

__all__ = ["OK", "UNKNOWN", "nagios_status", "to_nagios", "unknown"]

OK, WARNING, CRITICAL, UNKNOWN = range(4)

_WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
# `|` begins the performance data; the rest is what web pages and notification commands would obey
_HARMLESS = str.maketrans({"|": "/", "<": "(", ">": ")", "`": "'", "$": "", "&": "+", '"': "'"})
_MOST = 700  # NRPE 2 cuts at 1 KiB: the performance data has to fit behind


def nagios_status(report: Report) -> int:
    """2 from severity error on, 1 from warning on, 3 where no node or not every node is known; 0 otherwise."""
    if not report.answered:
        return UNKNOWN
    severities = [d.severity for d in report.diagnoses] + [f.severity for f in report.findings]
    worst = max(severities, default=Severity.INFO)
    if worst >= Severity.ERROR:
        return CRITICAL
    if worst >= Severity.WARNING:
        return WARNING
    return UNKNOWN if report.failed else OK


def to_nagios(report: Report) -> str:
    """The one line: status, the first cause (or what else is seen), performance data; ASCII."""
    said = _harmless(_said(report))
    line = f"{_WORDS[nagios_status(report)]}: {said}"
    data = _performance(report)
    if len(line) > _MOST:
        line = line[: _MOST - 3] + "..."
    return f"{line} | {data}\n"


def unknown(why: str) -> str:
    """The line where there is no report at all."""
    return f"UNKNOWN: {_harmless(flat(why))[:_MOST]}\n"


def _harmless(text: str) -> str:
    shown = text.replace("…", "...").replace("–", "-").translate(_HARMLESS)
    return shown.encode("ascii", "backslashreplace").decode("ascii")


def _said(report: Report) -> str:
    causes = alike(report.diagnoses)
    if causes:
        first = causes[0]
        more = f"; {counted(len(causes) - 1, 'more root cause')}" if len(causes) > 1 else ""
        said = f"{headline(first)} ({certainty(first[0].confidence)}, {first[0].cause}){more}"
    else:
        said, _ = verdict(report)
        left = grouped(f for f in left_open(report) if f.severity >= Severity.WARNING)
        if left:
            said = f"{said} {left[0].id}: {flat(left[0].findings[0].message)}"
    failed = f"; nothing is known of {counted(len(report.failed), 'node')}" if report.failed else ""
    return flat(said) + failed


def _performance(report: Report) -> str:
    by_severity = Counter(finding.severity for finding in report.findings)
    confidence = max((d.confidence for d in report.diagnoses), default=0.0)
    pairs = [
        f"causes={len(alike(report.diagnoses))};;0;0",
        f"confidence={int(confidence * 100 + 1e-9)}%;;;0;100",
        *(f"{s}={by_severity[s]};;;0" for s in sorted(Severity, reverse=True)),
        f"nodes={len(report.nodes)};;;0",
        f"nodes_unreachable={len(report.failed)};;;0;{len(report.nodes)}",
        f"checks_not_made={len({(gap.check, gap.node) for gap in missed(report)})};;;0",
        f"time={report.seconds:.3f}s;;;0",
    ]
    return " ".join(pairs)

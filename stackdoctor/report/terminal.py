"""The report for a reader at three in the morning: verdict, proof, way out, and what nobody looked at.

Colour stands for severity only, and always beside its word.  Every text, wherever it comes from, is made
inert before it is printed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from rich.console import Console

from stackdoctor.model import Finding, Severity
from stackdoctor.report.cause import show_cause
from stackdoctor.report.earlier import show_earlier, show_silenced
from stackdoctor.report.groups import Group, alike, gaps, grouped, left_open, named, shortened
from stackdoctor.report.hostile import flat
from stackdoctor.report.page import Page
from stackdoctor.report.pieces import STYLE, folded, heading, label, lines, source
from stackdoctor.report.receipt import receipt
from stackdoctor.report.report import LIVE, NodeLine, Report
from stackdoctor.report.times import clock_time
from stackdoctor.report.wording import counted, headline, judged_at, missed, seen, verdict

__all__ = ["render"]

_CAUSES = 8
_OPEN = 12
_GAPS = 12
_CLOCK_OFF = 1.0


def render(report: Report, console: Console, verbose: bool = False) -> None:
    """Print ``report`` on ``console``; ``verbose`` leaves nothing folded."""
    page = Page(console)
    said, gap = verdict(report)
    if report.at is not None:
        page.write(page.text(judged_at(report.at)))
        page.blank()
    page.write(page.text(said, "bold") + page.text(gap and f" {gap}"))
    causes = alike(report.diagnoses)
    if len(causes) > 1:
        page.blank()
        for place, members in enumerate(causes, 1):
            page.write(page.text(headline(members)), 2, label(page, members[0].severity, place))
    for place, members in enumerate(causes if verbose else causes[:_CAUSES], 1):
        page.blank()
        show_cause(page, report, members, place if len(causes) > 1 else 0, verbose)
    if len(causes) > _CAUSES and not verbose:
        page.blank()
        folded(page, len(causes) - _CAUSES, "root cause", 0)
    left = left_open(report)
    serious = [finding for finding in left if finding.severity >= Severity.ERROR]
    if serious:
        heading(page, "Unexplained", 0)
        groups = grouped(serious)
        for group in groups if verbose else groups[:_OPEN]:
            _open_group(page, report, group, verbose)
        folded(page, 0 if verbose else len(groups) - _OPEN, "kind", 2)
    minor = [finding for finding in left if finding.severity < Severity.ERROR]
    if minor:
        _minor(page, report, minor, verbose)
    show_earlier(page, report, verbose)
    show_silenced(page, report, verbose)
    if not report.diagnoses and not serious and report.answered:
        _looked_at(page, report)
    _not_looked_at(page, report, verbose)
    _last_lines(page, report)


def _open_group(page: Page, report: Report, group: Group, verbose: bool) -> None:
    severity = page.text(str(group.severity).upper(), STYLE[group.severity])
    page.write(page.text(seen(report, group)), 2, severity + page.text("  "))
    shown = group.findings if verbose else group.findings[:1]
    for finding in shown:
        page.write(page.text(flat(finding.message)), 4, hang=2)
        for line in finding.evidence if verbose else finding.evidence[:1]:
            source(page, line.node, line.source, 4)
            lines(page, line.line, 4, verbose)
    folded(page, len(group.findings) - len(shown), "finding", 4)


def _minor(page: Page, report: Report, findings: list[Finding], verbose: bool) -> None:
    if verbose:
        heading(page, "Also seen", 0)
        for group in grouped(findings):
            _open_group(page, report, group, verbose)
        return
    parts = []
    for severity in (Severity.WARNING, Severity.INFO):
        of_it = grouped(finding for finding in findings if finding.severity is severity)
        if of_it:
            number = sum(len(group.findings) for group in of_it)
            ids = named((group.id for group in of_it), 4)
            word = "warning" if severity is Severity.WARNING else "note"
            parts.append(page.text(counted(number, word), STYLE[severity]) + page.text(f" ({ids})"))
    page.blank()
    page.write(page.text("Also seen: ", "bold") + page.text(", ").join(parts) + page.text(" (--verbose)"), hang=2)


def _looked_at(page: Page, report: Report) -> None:
    heading(page, "Looked at", 0)
    by_roles: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for node in report.answered:
        by_roles[tuple(sorted(node.roles))].append(node.name)
    for roles, names in by_roles.items():
        page.write(page.text(named(names) + (f" ({', '.join(roles)})" if roles else "")), 2, hang=2)


def _not_looked_at(page: Page, report: Report, verbose: bool) -> None:
    lines = []
    for reason, nodes in _by_reason(report.failed):
        known = f"nothing is known of {'it' if len(nodes) == 1 else 'them'}"
        lines.append((named(nodes), f"{reason} – {known}" if reason else known))
    for reason, nodes in _by_reason(node for node in report.answered if node.status == "partial"):
        lines.append((named(nodes), f"looked at in part – {reason}" if reason else "looked at in part"))
    for gap in gaps(report, merged=not verbose):
        checks = named(gap.checks, len(gap.checks)) if verbose else named(shortened(gap.checks), 4)
        lines.append((f"{checks} on {named(gap.nodes)}" if gap.nodes else checks, gap.reason))
    if lines:
        heading(page, "Not looked at", 0)
    for what, why in lines if verbose else lines[:_GAPS]:
        page.write(page.text(f"{what}: ") + page.text(flat(why)), 2, hang=2)
    folded(page, 0 if verbose else len(lines) - _GAPS, "gap", 2)


def _by_reason(nodes: Iterable[NodeLine]) -> Iterable[tuple[str, list[str]]]:
    names: dict[str, list[str]] = defaultdict(list)
    for node in nodes:
        names[node.reason].append(node.name)
    return names.items()


def _clocks(report: Report) -> Iterable[str]:
    """The nodes whose clocks are off ours; where all are off alike, that it is ours that differs."""
    known = {n.name: n.clock_offset for n in report.answered if n.clock_offset is not None}
    if len(known) > 1 and max(known.values()) - min(known.values()) < _CLOCK_OFF:
        known = {"all nodes": max(known.values())}
    for name, seconds in known.items():
        if abs(seconds) > _CLOCK_OFF:
            yield f"{name} {abs(seconds):.0f} s {'ahead' if seconds > 0 else 'behind'}"


def _last_lines(page: Page, report: Report) -> None:
    page.blank()
    clocks = named(_clocks(report))
    if clocks:
        page.write(page.text(f"Clocks against ours: {clocks}; times above are ours, in quoted lines each node's own."))
    for line in receipt({node.name: node.cost for node in report.nodes}):
        if line:
            page.write(page.text(line))
    failed = f" ({len(report.failed)} failed)" if report.failed else ""
    gone = len({(gap.check, gap.node) for gap in missed(report)})
    counts = [
        f"{counted(len(report.nodes), 'node')}{failed} in {report.seconds:.1f} s",
        counted(len(alike(report.diagnoses)), "root cause"),
        counted(len(report.findings), "finding"),
        *([f"{counted(gone, 'check')} not made"] if gone else []),
    ]
    page.write(page.text(" · ".join(counts)))
    taken = "live" if report.source == LIVE else f"from {report.source}"
    page.write(page.text(f"stackdoctor {report.version} · {clock_time(report.started)} · {taken}"))

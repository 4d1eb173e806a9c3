"""The report for a reader at three in the morning: verdict, proof, way out, and what nobody looked at.

Colour stands for severity only, and always beside its word.  Every text, wherever it comes from, is made
inert before it is printed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import groupby

from rich.console import Console
from rich.text import Text

from stackdoctor.model import Diagnosis, Finding, Severity
from stackdoctor.report.groups import Group, gaps, grouped, left_open, named, shortened, spread
from stackdoctor.report.hostile import plain
from stackdoctor.report.page import Page
from stackdoctor.report.report import LIVE, NodeLine, Report
from stackdoctor.report.times import clock_time
from stackdoctor.report.wording import certainty, counted, flat, quoted, verdict

__all__ = ["render"]

_STYLE = {Severity.CRITICAL: "bold red", Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_EVIDENCE = 5
_SYMPTOMS = 8
_GAPS = 12
_SOURCE = 400
_SUBJECT = 80
_CLOCK_OFF = 1.0


def render(report: Report, console: Console, verbose: bool = False) -> None:
    """Print ``report`` on ``console``; ``verbose`` leaves nothing folded."""
    page = Page(console)
    said, gap = verdict(report)
    page.write(page.text(said, "bold") + page.text(gap and f" {gap}"))
    numbered = len(report.diagnoses) > 1
    if numbered:
        page.blank()
        for place, diagnosis in enumerate(report.diagnoses, 1):
            page.write(page.text(flat(diagnosis.title)), 2, _label(page, diagnosis, place))
    for place, diagnosis in enumerate(report.diagnoses, 1):
        page.blank()
        _diagnosis(page, report, diagnosis, place if numbered else 0, verbose)
    left = left_open(report)
    serious = [finding for finding in left if finding.severity >= Severity.ERROR]
    if serious:
        _heading(page, "Unexplained", 0)
        for group in grouped(serious):
            _open_group(page, report, group, verbose)
    minor = [finding for finding in left if finding.severity < Severity.ERROR]
    if minor:
        _minor(page, report, minor, verbose)
    if not report.diagnoses and not serious and report.answered:
        _looked_at(page, report)
    _not_looked_at(page, report, verbose)
    _last_lines(page, report)


def _label(page: Page, diagnosis: Diagnosis, place: int) -> Text:
    word = page.text(str(diagnosis.severity).upper(), _STYLE[diagnosis.severity])
    word.pad_right(max(10 - len(word), 2) if place else 2)
    return (page.text(f"{place}  ") if place else Text()) + word


def _heading(page: Page, title: str, indent: int = 2) -> None:
    page.blank()
    page.write(page.text(title, "bold"), indent)


def _diagnosis(page: Page, report: Report, diagnosis: Diagnosis, place: int, verbose: bool) -> None:
    page.write(page.text(flat(diagnosis.title), "bold"), head=_label(page, diagnosis, place))
    where = ", ".join(f"{key} {plain(value, _SUBJECT)}" for key, value in diagnosis.where.items())
    facts = (certainty(diagnosis.confidence), diagnosis.cause, where)
    page.write(page.text(" · ".join(fact for fact in facts if fact)), 2)
    if diagnosis.why:
        page.blank()
        page.write(page.text(flat(diagnosis.why)), 2)
    if diagnosis.chain:
        page.blank()
        page.write(page.text(flat(diagnosis.chain[0])), 2)
        for link in diagnosis.chain[1:]:
            page.write(page.text(flat(link)), 3, page.text("→ "))
    _proof(page, diagnosis, verbose)
    _symptoms(page, report, diagnosis, verbose)
    _way_out(page, diagnosis)
    if diagnosis.unchecked:
        _heading(page, "Could not be excluded")
        for what in diagnosis.unchecked:
            page.write(page.text(flat(what)), 4, hang=2)
    if diagnosis.refs and verbose:
        _heading(page, "Read more")
        for ref in diagnosis.refs:
            page.exact(page.text(ref), 4)


def _proof(page: Page, diagnosis: Diagnosis, verbose: bool) -> None:
    if not diagnosis.evidence:
        return
    _heading(page, "Evidence")
    shown = spread(diagnosis.evidence, None if verbose else _EVIDENCE)
    for (node, source), lines in groupby(shown, key=lambda line: (line.node, line.source)):
        _source(page, node, source, 4)
        for line in lines:
            _lines(page, line.line, 4, verbose)
    _folded(page, len(set(diagnosis.evidence)) - len(shown), "line", 4)


def _source(page: Page, node: str, source: str, indent: int) -> None:
    page.write(page.text(f"{node}: " if node else "") + page.text(plain(source, _SOURCE)), indent, hang=2, prose=False)


def _lines(page: Page, text: str, indent: int, verbose: bool) -> None:
    for line in quoted(text, page.console.width - indent - 2, verbose):
        page.quote(page.text(line, "dim"), indent)


def _symptoms(page: Page, report: Report, diagnosis: Diagnosis, verbose: bool) -> None:
    if not diagnosis.explains:
        return
    _heading(page, "Explains")
    groups = grouped(diagnosis.explains)
    for group in groups if verbose else groups[:_SYMPTOMS]:
        seen = _seen(report, group)
        if len(group.findings) == 1:
            page.write(page.text(f"{seen}: ") + page.text(flat(group.findings[0].message)), 4, hang=2)
            continue
        page.write(page.text(seen), 4, hang=2)
        for finding in group.findings if verbose else ():
            page.write(
                page.text(f"{finding.node}: " if finding.node else "") + page.text(flat(finding.message)), 6, hang=2
            )
    _folded(page, 0 if verbose else len(groups) - _SYMPTOMS, "kind", 4)


def _seen(report: Report, group: Group) -> str:
    times = f"{group.count} × " if group.count > 1 else ""
    if group.nodes:
        where = f" on {named(group.nodes)}"
    else:
        where = (
            f" ({named(dict.fromkeys(plain(f.subject, _SUBJECT) for f in group.findings), 3)})"
            if len(group.findings) > 1
            else ""
        )
    last = clock_time(group.last, report.started)
    return f"{times}{group.id}{where}" + (f", last {last}" if last else "")


def _way_out(page: Page, diagnosis: Diagnosis) -> None:
    if diagnosis.confirm:
        _heading(page, "Confirm")
        for command in diagnosis.confirm:
            page.exact(page.text(command.strip()), 4)
    if diagnosis.fix:
        _heading(page, "Fix")
        for (risk, on), steps in groupby(diagnosis.fix, key=lambda step: (step.risk, step.on)):
            page.write(page.text(f"{risk}, on {on}:" if on else f"{risk}:"), 4)
            for step in steps:
                page.exact(page.text(step.do.strip()), 6)


def _open_group(page: Page, report: Report, group: Group, verbose: bool) -> None:
    severity = page.text(str(group.severity).upper(), _STYLE[group.severity])
    page.write(page.text(_seen(report, group)), 2, severity + page.text("  "))
    shown = group.findings if verbose else group.findings[:1]
    for finding in shown:
        page.write(page.text(flat(finding.message)), 4, hang=2)
        for line in finding.evidence if verbose else finding.evidence[:1]:
            _source(page, line.node, line.source, 4)
            _lines(page, line.line, 4, verbose)
    _folded(page, len(group.findings) - len(shown), "finding", 4)


def _minor(page: Page, report: Report, findings: list[Finding], verbose: bool) -> None:
    if verbose:
        _heading(page, "Also seen", 0)
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
            parts.append(page.text(counted(number, word), _STYLE[severity]) + page.text(f" ({ids})"))
    page.blank()
    page.write(page.text("Also seen: ", "bold") + page.text(", ").join(parts) + page.text(" (--verbose)"), hang=2)


def _looked_at(page: Page, report: Report) -> None:
    _heading(page, "Looked at", 0)
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
    for gap in gaps(report):
        checks = named(gap.checks, len(gap.checks)) if verbose else named(shortened(gap.checks), 4)
        lines.append((f"{checks} on {named(gap.nodes)}" if gap.nodes else checks, gap.reason))
    if lines:
        _heading(page, "Not looked at", 0)
    for what, why in lines if verbose else lines[:_GAPS]:
        page.write(page.text(f"{what}: ") + page.text(flat(why)), 2, hang=2)
    _folded(page, 0 if verbose else len(lines) - _GAPS, "gap", 2)


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
        page.write(page.text(f"Clocks against ours: {clocks}; times above are each node's own."))
    failed = f" ({len(report.failed)} failed)" if report.failed else ""
    gone = len({(gap.check, gap.node) for gap in report.not_checked})
    counts = [
        f"{counted(len(report.nodes), 'node')}{failed} in {report.seconds:.1f} s",
        counted(len(report.diagnoses), "root cause"),
        counted(len(report.findings), "finding"),
        *([f"{counted(gone, 'check')} not made"] if gone else []),
    ]
    page.write(page.text(" · ".join(counts)))
    taken = "live" if report.source == LIVE else f"from {report.source}"
    page.write(page.text(f"stackdoctor {report.version} · {clock_time(report.started)} · {taken}"))


def _folded(page: Page, number: int, what: str, indent: int) -> None:
    if number > 0:
        page.write(page.text(f"… and {counted(number, f'more {what}')} (--verbose)"), indent)

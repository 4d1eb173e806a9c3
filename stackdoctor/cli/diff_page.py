"""What changed from one look to another, on a terminal and as JSON: causes first, then findings, then settings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from stackdoctor.cli.looks import Look
from stackdoctor.diagnose.drift import Difference, Drift
from stackdoctor.model import Diagnosis, Finding
from stackdoctor.report.changes import Changes
from stackdoctor.report.times import clock_time, iso

if TYPE_CHECKING:
    from stackdoctor.report.page import Page

__all__ = ["as_json", "in_words", "show", "show_changes"]

_DIFFERENCES = 40
_LINES = 6
_FINDINGS = 12
_NOT_COMPARED = 6


def show(
    before: Look, after: Look, found: Changes, drifted: Drift | None, lacking: Sequence[str], verbose: bool
) -> None:
    """Print it."""
    from rich.console import Console

    from stackdoctor.report.page import Page

    page = Page(Console(highlight=False))
    page.write(page.text(f"From {_called(before)} to {_called(after)}:"))
    settings = 0 if drifted is None else len(drifted.differences)
    page.write(page.text(in_words(found, settings), "bold"))
    show_changes(page, found, after.report.started, verbose)
    if drifted is not None:
        _show_drift(page, drifted, verbose)
    if lacking:
        page.blank()
        page.write(page.text(f"Settings were not compared: {'; '.join(lacking)}."))


def in_words(found: Changes, settings: int = 0) -> str:
    """The whole in one sentence."""
    from stackdoctor.report.wording import counted

    parts = []
    for word, causes, findings in (
        ("new", found.new_causes, found.new),
        ("gone", found.gone_causes, found.gone),
        ("changed", found.changed_causes, found.changed),
    ):
        said = [counted(len(of), what) for of, what in ((causes, "root cause"), (findings, "finding")) if of]
        parts += [f"{' and '.join(said)} {word}"] if said else []
    parts += [f"{counted(settings, 'setting')} changed"] if settings else []
    parts += [f"{counted(len(found.passed), 'finding')} came and went"] if found.passed else []
    parts += [f"{counted(len(found.unseen), 'finding')} not looked at again"] if found.unseen else []
    parts += ["other nodes"] if found.nodes else []
    return f"{', '.join(parts)}." if parts else "Nothing important changed."


def show_changes(page: Page, found: Changes, now: float, verbose: bool) -> None:
    """Causes, findings and nodes."""
    for title, causes in (("New", found.new_causes), ("Gone", found.gone_causes)):
        _causes(page, title, causes)
    if found.changed_causes:
        _heading(page, "Changed root causes")
        for old, new in found.changed_causes:
            page.write(page.text(f"{new.title}: {_state(old)}, now {_state(new)}"), 2, hang=2)
    _causes(page, "Not looked at again", found.causes_unseen)
    _findings(page, "New findings", found.new, now, verbose)
    if found.changed:
        _heading(page, "Changed findings")
        for was, finding in found.changed if verbose else found.changed[:_FINDINGS]:
            page.write(page.text(f"{finding.id}: {was.severity}, now {finding.severity}: {finding.message}"), 2, hang=2)
        _more(page, 0 if verbose else len(found.changed) - _FINDINGS, "finding")
    _findings(page, "Findings that are gone", found.gone, now, verbose)
    _findings(page, "Came and went", found.passed, now, verbose)
    _findings(page, "Findings that nobody looked for again", found.unseen, now, verbose)
    if found.nodes:
        _heading(page, "Nodes")
        for text in found.nodes if verbose else found.nodes[:_FINDINGS]:
            page.write(page.text(text), 2, hang=2)
        _more(page, 0 if verbose else len(found.nodes) - _FINDINGS, "node")


def _called(look: Look) -> str:
    return f"{look.name} ({clock_time(look.report.started)}, {len(look.report.answered)} nodes)"


def _heading(page: Page, title: str) -> None:
    page.blank()
    page.write(page.text(title, "bold"))


def _causes(page: Page, title: str, causes: Sequence[Diagnosis]) -> None:
    if causes:
        from stackdoctor.report.groups import alike
        from stackdoctor.report.pieces import label
        from stackdoctor.report.wording import headline

        _heading(page, f"{title} root causes" if title != "Not looked at again" else "Root causes not looked at again")
        for members in alike(causes):
            page.write(page.text(f"{headline(members)} ({members[0].cause})"), 2, label(page, members[0].severity, 0))


def _findings(page: Page, title: str, findings: Iterable[Finding], now: float, verbose: bool) -> None:
    from stackdoctor.report.groups import grouped, named
    from stackdoctor.report.hostile import flat
    from stackdoctor.report.pieces import STYLE

    groups = grouped(findings)
    if not groups:
        return
    _heading(page, title)
    for group in groups if verbose else groups[:_FINDINGS]:
        where = f" on {named(group.nodes)}" if group.nodes else ""
        times = f"{len(group.findings)} × " if len(group.findings) > 1 else ""
        head = page.text(f"{group.severity}  ".upper(), STYLE[group.severity])
        page.write(page.text(f"{times}{group.id}{where}"), 2, head)
        for finding in group.findings if verbose else group.findings[:1]:
            last = clock_time(finding.last, now)
            page.write(page.text(flat(finding.message) + (f" (last {last})" if last else "")), 4, hang=2)
    _more(page, 0 if verbose else len(groups) - _FINDINGS, "kind")


def _show_drift(page: Page, drifted: Drift, verbose: bool) -> None:
    shown = drifted.differences if verbose else drifted.differences[:_DIFFERENCES]
    if shown:
        _heading(page, "Set otherwise")
    before = ("", "")
    for difference in shown:
        if (difference.node, difference.kind) != before:
            before = difference.node, difference.kind
            page.write(page.text(f"{difference.node}, {difference.kind}"), 2)
        page.write(page.text(difference.name + _whole(difference)), 4, hang=2)
        lines = [("-", line) for line in difference.gone] + [("+", line) for line in difference.new]
        for sign, line in lines if verbose else lines[:_LINES]:
            page.write(page.text(line), 6, page.text(f"{sign} ", "red" if sign == "-" else "green"))
        _more(page, 0 if verbose else len(lines) - _LINES, "line", 6)
    _more(page, len(drifted.differences) - len(shown), "difference")
    if drifted.not_compared:
        _heading(page, "Not compared")
        for text in drifted.not_compared if verbose else drifted.not_compared[:_NOT_COMPARED]:
            page.write(page.text(text), 2, hang=2)
        _more(page, 0 if verbose else len(drifted.not_compared) - _NOT_COMPARED, "kind")


def _whole(difference: Difference) -> str:
    if difference.before is None:
        return " (new)"
    if difference.after is None:
        return " (gone)"
    return "" if difference.gone or difference.new else ": the same lines in another order"


def _more(page: Page, number: int, what: str, indent: int = 2) -> None:
    from stackdoctor.report.pieces import folded

    folded(page, number, what, indent)


def _state(diagnosis: Diagnosis) -> str:
    from stackdoctor.report.wording import certainty

    state = "" if diagnosis.state == "now" else f", {diagnosis.state}"
    return f"{diagnosis.severity}, {certainty(diagnosis.confidence)}{state}"


def as_json(before: Look, after: Look, found: Changes, drifted: Drift | None, lacking: Sequence[str]) -> str:
    """The same as one JSON object, whole: ``settings`` is null where they were not compared."""
    value = {
        "before": {"name": before.name, "started": iso(before.report.started)},
        "after": {"name": after.name, "started": iso(after.report.started)},
        "causes": {
            "new": [_cause(d) for d in found.new_causes],
            "gone": [_cause(d) for d in found.gone_causes],
            "changed": [_cause(d) for _, d in found.changed_causes],
            "not_looked_at": [_cause(d) for d in found.causes_unseen],
        },
        "findings": {
            "new": [_finding(f) for f in found.new],
            "gone": [_finding(f) for f in found.gone],
            "changed": [_finding(f) for _, f in found.changed],
            "passed": [_finding(f) for f in found.passed],
            "not_looked_at": [_finding(f) for f in found.unseen],
        },
        "nodes": list(found.nodes),
        "settings": None if drifted is None else [vars(difference) for difference in drifted.differences],
        "not_compared": [*lacking, *(() if drifted is None else drifted.not_compared)],
    }
    return json.dumps(value, indent=2)


def _cause(diagnosis: Diagnosis) -> dict[str, object]:
    return {
        "cause": diagnosis.cause,
        "title": diagnosis.title,
        "severity": str(diagnosis.severity),
        "where": dict(diagnosis.where),
        "state": diagnosis.state,
    }


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "id": finding.id,
        "severity": str(finding.severity),
        "node": finding.node,
        "subject": finding.subject,
        "message": finding.message,
        "keys": dict(finding.keys),
    }

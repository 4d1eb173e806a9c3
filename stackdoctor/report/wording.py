"""The sentences of a report for a reader: the verdict, how sure it is, and how a long record is quoted."""

from __future__ import annotations

import re
from collections.abc import Sequence

from stackdoctor.diagnose.part import STATE_OF_THE_LOOK
from stackdoctor.model import Diagnosis, Severity
from stackdoctor.report.groups import Group, alike, left_open, named
from stackdoctor.report.hostile import flat, plain
from stackdoctor.report.report import NotChecked, Report
from stackdoctor.report.times import clock_time, here

__all__ = ["SUBJECT", "certainty", "counted", "headline", "judged_at", "missed", "quoted", "seen", "verdict"]

SUBJECT = 80
"""Characters of a name that a node gave."""

_CERTAINTY = ((0.95, "certain"), (0.8, "very likely"), (0.6, "likely"), (0.4, "possible"))
_LINE = 320
_LINE_VERBOSE = 8192
_LINES_VERBOSE = 60
_SAME_TAIL = 60


def verdict(report: Report) -> tuple[str, str]:
    """What was found, and what nothing is known of (empty where everything was looked at)."""
    left = left_open(report)
    serious = sum(finding.severity >= Severity.ERROR for finding in left)
    answered = counted(len(report.answered), "node")
    if not report.answered:
        asked = {0: "no node was asked", 1: "the one node that was asked gave nothing"}
        why = asked.get(len(report.failed), f"none of the {len(report.failed)} nodes gave anything")
        return f"Nothing can be said: {why}.", ""
    if report.diagnoses:
        everything = len({id(finding) for diagnosis in report.diagnoses for finding in diagnosis.explains}) + len(left)
        number = len(alike(report.diagnoses))
        causes = counted(number, "root cause")
        verb = "it explains" if number == 1 else "they explain"
        said = f"{causes} found; {verb} {everything - len(left)} of {counted(everything, 'finding')}."
    elif serious:
        said = f"No known cause fits: {counted(serious, 'finding')} unexplained."
    else:
        verb = "answers" if len(report.answered) == 1 else "answer"
        where = f"the {answered} that {verb}" if report.failed else answered
        warnings = sum(finding.severity is Severity.WARNING for finding in left)
        but = f", but {counted(warnings, 'warning')}" if warnings else ""
        known = any(silenced.rule.until is None for silenced in report.silenced)
        fault = "Nothing new found on" if known else "No fault found on"
        none = fault if report.at is None else "No cause shows in the logs of"
        said = f"{none} {where}{but}."
    return said, _unknown(report)


def _unknown(report: Report) -> str:
    failed = {node.name for node in report.failed}
    checks = len({(gap.check, gap.node) for gap in missed(report) if gap.node not in failed})
    unknown = []
    if failed:
        unknown.append(f"nothing is known of {named((node.name for node in report.failed), 3)}")
    partial = [node.name for node in report.answered if node.status == "partial"]
    if partial:
        unknown.append(f"only a part of {named(partial, 3)} was looked at")
    if checks:
        unknown.append(f"{counted(checks, 'check')} could not be made")
    sentence = ", and ".join(unknown)
    return f"{sentence[0].upper()}{sentence[1:]}: see the end." if sentence else ""


def missed(report: Report) -> tuple[NotChecked, ...]:
    """What was not looked at and should have been; of a moment that is past, no state is ever known."""
    return tuple(gap for gap in report.not_checked if gap.reason != STATE_OF_THE_LOOK)


def certainty(confidence: float) -> str:
    """A confidence between 0 and 1 in a word and in percent, rounded down: 100 % leaves no doubt at all.

    >>> certainty(0.979), certainty(0.999), certainty(0.5)
    ('certain 97 %', 'certain 99 %', 'possible 50 %')
    """
    word = next((word for least, word in _CERTAINTY if confidence >= least), "weak")
    return f"{word} {int(confidence * 100 + 1e-9)} %"


def judged_at(moment: float) -> str:
    """The moment that was judged, and by what."""
    return f"As of {clock_time(moment)}{here(moment)}, by logs alone."


def counted(number: int, what: str) -> str:
    """A number of things.

    >>> counted(1, "node"), counted(0, "check")
    ('1 node', '0 checks')
    """
    return f"{number} {what}{'' if number == 1 else 's'}"


def headline(alike: Sequence[Diagnosis]) -> str:
    """The title of the first of ``alike``, and how many more there are."""
    more = f" (and {len(alike) - 1} more like it)" if len(alike) > 1 else ""
    return flat(alike[0].title) + more


def seen(report: Report, group: Group) -> str:
    """How often and where the findings of ``group`` were seen, and when last."""
    times = f"{group.count} × " if group.count > 1 else ""
    if group.nodes:
        where = f" on {named(group.nodes)}"
    else:
        where = (
            f" ({named(dict.fromkeys(plain(f.subject, SUBJECT) for f in group.findings), 3)})"
            if len(group.findings) > 1
            else ""
        )
    last = clock_time(group.last, report.started)
    return f"{times}{group.id}{where}" + (f", last {last}" if last else "")


def quoted(text: str, width: int, verbose: bool = False) -> list[str]:
    """The lines of a record, inert; not ``verbose``, a traceback is its first line and the error that ends it.

    Columns are drawn together where the line would not fit into ``width``.
    """
    lines = [line.rstrip("\r") for line in text.strip("\r\n").split("\n")]
    most = _LINES_VERBOSE if verbose else 2
    left_out = len(lines) - most
    if left_out > 0:
        note = f"… (+{counted(left_out, 'line')})"
        lines = [*lines[: most - 1], note, lines[-1]]
    if verbose:
        return [plain(line, _LINE_VERBOSE) for line in lines]
    if len(lines) > 1 and lines[-1].strip()[-_SAME_TAIL:] in lines[0]:
        lines = [f"{lines[0]} … (+{counted(left_out + 1, 'line')})"]
    return [_drawn_together(line, width) for line in lines]


def _drawn_together(line: str, width: int) -> str:
    line = line[: 8 * _LINE]
    return plain(line if len(line) <= width else re.sub(r"[ \t]{2,}", "  ", line).strip(), _LINE)

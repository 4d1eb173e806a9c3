"""The report as workflow commands of GitHub Actions: annotations of the run.

Every line is one command, with what would end it escaped as the runner's toolkit does it
(actions/toolkit, packages/core/src/command.ts).  A run shows ten annotations of a kind a step: causes come first.
"""

from __future__ import annotations

from stackdoctor.model import Severity
from stackdoctor.report.groups import alike, grouped, left_open, named
from stackdoctor.report.hostile import flat
from stackdoctor.report.report import Report
from stackdoctor.report.wording import certainty, headline, verdict

__all__ = ["to_github"]

_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.INFO: "notice",
}
_NAMES = 3


def to_github(report: Report) -> str:
    """One command for the verdict, each root cause, and each kind of finding that none explains."""
    said, _ = verdict(report)
    lines = []
    for members in alike(report.diagnoses):
        first = members[0]
        title = f"{first.severity}: {headline(members)}"
        steps = [f"{step.do.strip()} ({step.risk}{f', on {step.on}' if step.on else ''})" for step in first.fix]
        body = [
            f"{certainty(first.confidence)}, {first.cause}",
            first.why.strip(),
            *(f"-> {link}" for link in first.chain[1:]),
            *(f"Confirm: {command.strip()}" for command in first.confirm),
            *(f"Fix: {step}" for step in steps),
        ]
        lines.append(_command(_LEVELS[first.severity], title, body))
    for group in grouped(left_open(report)):
        where = f" on {named(group.nodes, _NAMES)}" if group.nodes else ""
        messages = [finding.message for finding in group.findings[:_NAMES]]
        lines.append(_command(_LEVELS[group.severity], f"{group.severity}: {group.id}{where}", messages))
    lines.append(_command("notice", "stackdoctor", [said]))
    return "\n".join(lines) + "\n"


def _command(level: str, title: str, body: list[str]) -> str:
    message = "\n".join(flat(line) for line in body if line)
    return f"::{level} title={_property(flat(title))}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

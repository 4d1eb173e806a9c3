"""A playbook as a runbook: what the cause is, what shows it and what does not, how to confirm it, the way out.

It is data of an author, who may be a third party: its text is made inert like any other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from stackdoctor.diagnose.pattern import WEIGHTS, Pattern
from stackdoctor.diagnose.playbook import Clause, Playbook
from stackdoctor.report.hostile import plain
from stackdoctor.report.markup import block, code, words

__all__ = ["SCHEMA", "as_json", "as_lines", "as_markdown", "playbook_value"]

SCHEMA = "stackdoctor/playbook/1"

_WORDS = {weight: word for word, weight in WEIGHTS.items()}


def as_lines(playbook: Playbook) -> Iterator[str]:
    """The runbook as lines of plain text, one column of titles before what they are of."""
    yield f"{playbook.cause} ({playbook.severity}): {plain(playbook.title)}"
    yield ""
    yield plain(playbook.why)
    yield ""
    for title, clauses in (("When", playbook.when), ("In logs", playbook.logs)):
        yield from _rows(title, (" or ".join(_said(p) for p in clause) for clause in clauses), "and")
    for title, patterns in (
        ("Because", playbook.because),
        ("Unless", playbook.unless),
        ("Against", playbook.against),
        ("Explains", playbook.explains),
    ):
        yield from _rows(title, (str(p) if title == "Explains" else _said(p) for p in patterns))
    yield from _rows("Shows as", (str(p) for p in playbook.symptoms))
    yield ""
    yield from _rows("Confirm", playbook.confirm)
    yield from _rows("Fix", (_step(fix.do, fix.risk, fix.on) for fix in playbook.fix))
    yield from _rows("See", playbook.refs)


def _rows(title: str, texts: Iterable[str], again: str = "") -> Iterator[str]:
    for place, text in enumerate(texts):
        yield f"{again if place and again else title:<10}{plain(text)}"


def _said(pattern: Pattern) -> str:
    notes = [_WORDS.get(pattern.weight, f"{pattern.weight:g}")]
    notes += ["expected"] if pattern.expected else []
    return f"{pattern} ({', '.join(notes)})"


def _step(do: str, risk: str, on: str) -> str:
    return f"{do}   [{risk}]" + (f" on {on}" if on else "")


def as_markdown(playbook: Playbook) -> str:
    """The runbook for a wiki."""
    return "\n".join(_markdown(playbook)) + "\n"


def _markdown(playbook: Playbook) -> Iterator[str]:
    yield f"# {words(playbook.cause)}: {words(playbook.title)}"
    yield ""
    yield f"{playbook.severity} · {', '.join(words(system) for system in playbook.systems)}"
    yield ""
    yield words(playbook.why)
    yield ""
    for title, items in (
        ("Holds when", [" or ".join(code(_said(p)) for p in clause) for clause in playbook.when]),
        ("In logs alone", [" or ".join(code(_said(p)) for p in clause) for clause in playbook.logs]),
        ("Speaks for it", [code(_said(p)) for p in playbook.because]),
        ("Rules it out", [code(str(p)) for p in playbook.unless]),
        ("Speaks against it", [code(_said(p)) for p in playbook.against]),
        ("Explains", [code(str(p)) for p in playbook.explains]),
        ("Shows as", [code(str(p)) for p in playbook.symptoms]),
    ):
        yield from _section(title, items)
    yield "## Confirm"
    yield ""
    yield from block("\n".join(plain(command) for command in playbook.confirm))
    yield from _section(
        "Fix",
        [f"**{fix.risk}**{f' on {code(fix.on)}' if fix.on else ''}: {words(fix.do)}" for fix in playbook.fix],
    )
    yield from _section("Read more", [f"<{ref}>" if _address(ref) else words(ref) for ref in playbook.refs])


def _section(title: str, items: Iterable[str]) -> Iterator[str]:
    lines = [f"- {item}" for item in items]
    if lines:
        yield f"## {title}"
        yield ""
        yield from lines
        yield ""


def _address(ref: str) -> bool:
    return ref.startswith("https://") and ref.isascii() and ref.isprintable() and not set("<> ") & set(ref)


def as_json(playbook: Playbook) -> str:
    """The runbook as one JSON object."""
    return json.dumps({"schema": SCHEMA, **playbook_value(playbook)}, indent=2)


def playbook_value(playbook: Playbook) -> dict[str, Any]:
    """The playbook as plain values, patterns as ``{finding, terms, weight}``."""
    return {
        "cause": playbook.cause,
        "title": playbook.title,
        "severity": str(playbook.severity),
        "systems": list(playbook.systems),
        "symptoms": [str(p) for p in playbook.symptoms],
        "why": playbook.why,
        "where": dict(playbook.where),
        "when": [_clause(clause) for clause in playbook.when],
        "logs": [_clause(clause) for clause in playbook.logs],
        "because": _clause(playbook.because),
        "unless": _clause(playbook.unless),
        "against": _clause(playbook.against),
        "explains": [str(p) for p in playbook.explains],
        "confirm": list(playbook.confirm),
        "fix": [{"do": fix.do, "risk": fix.risk, "on": fix.on} for fix in playbook.fix],
        "refs": list(playbook.refs),
        "origin": playbook.origin,
    }


def _clause(patterns: Clause) -> list[dict[str, Any]]:
    return [{"finding": str(p), "weight": p.weight, "expected": p.expected, "past": p.past} for p in patterns]

"""Ask the one on call what is seen: a number, or whatever there is at hand, pasted."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import click

from stackdoctor.diagnose.symptom import Symptom, meant
from stackdoctor.errors import UsageError
from stackdoctor.report.hostile import plain

__all__ = ["Seen", "ask", "has_terminal", "known_symptom", "read_as"]

_REQUEST = re.compile(r"req-[0-9a-f]{8}-[0-9a-f-]{27}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_LOGGED = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\b(?:ERROR|WARNING|CRITICAL|Traceback)\b"
)
"""What log lines have, and names and sentences have not: a stamp, or a level."""

LONGEST_NAME = 80


@dataclass(frozen=True)
class Seen:
    """What the operator has: one of these, an instance besides a symptom."""

    symptom: str = ""
    line: str = ""
    request: str = ""
    instance: str = ""

    def __bool__(self) -> bool:
        return bool(self.symptom or self.line or self.request or self.instance)


def known_symptom(text: str, symptoms: Sequence[Symptom]) -> Symptom:
    """The symptom called ``text``; raises UsageError with those that it may mean."""
    exact = next((s for s in symptoms if s.id == text.strip().lower()), None)
    if exact is not None:
        return exact
    near = [f"{s.id} ({s.title})" for s in meant(text, symptoms)[:3]]
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(s.id for s in symptoms)}"
    raise UsageError(f"no symptom is called {text!r}: {hint}")


def ask(symptoms: Sequence[Symptom]) -> Seen:
    """What is seen, from the terminal; raises click.Abort when the operator leaves."""
    _say("What do you see?\n")
    width = len(str(len(symptoms)))
    for number, symptom in enumerate(symptoms, 1):
        _say(f"  {number:>{width}}  {symptom.title}")
    _say("\nOr paste a log line, a request id (req-...), or an instance's name, id or address.")
    seen = Seen()
    while not seen:
        answer = click.prompt("Number, or what you have", err=True).strip()
        if answer.isdigit():
            if not 1 <= int(answer) <= len(symptoms):
                _say(f"There are 1 to {len(symptoms)}.")
                continue
            seen = Seen(symptom=symptoms[int(answer) - 1].id)
            break
        seen = read_as(answer, symptoms)
        if not seen:
            near = meant(answer, symptoms)[:5]
            _say("That may be one of these, by its number or name:" if near else "That is nothing that is known here.")
            for symptom in near:
                _say(f"  {symptoms.index(symptom) + 1:>{width}}  {symptom.title} ({symptom.id})")
    chosen = next((s for s in symptoms if s.id == seen.symptom), None)
    if chosen is not None and chosen.instance:
        which = click.prompt(
            "Which instance? (name, id, address; Enter: any)", default="", show_default=False, err=True
        )
        return Seen(symptom=chosen.id, instance=which.strip())
    return seen


def read_as(text: str, symptoms: Sequence[Symptom]) -> Seen:
    """What a pasted text is; empty where it may be several things, or none."""
    text = text.strip()
    if _REQUEST.fullmatch(text):
        return Seen(request=text)
    if _UUID.fullmatch(text.lower()):
        return Seen(instance=text.lower())
    near = meant(text, symptoms)
    if near and near[0].id == text.lower():
        return Seen(symptom=near[0].id)
    if _LOGGED.search(text) or len(text) > LONGEST_NAME:
        return Seen(line=text)
    if len(near) == 1:
        return Seen(symptom=near[0].id)
    if not near and text and " " not in text:
        return Seen(instance=text)
    return Seen()


def _say(text: str) -> None:
    click.echo("\n".join(plain(line) for line in text.split("\n")), err=True)


def has_terminal() -> bool:
    """Whether somebody is there to be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()

"""The steps of a smoke check: live while they go, as a page, as JSON, and as JUnit has them."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

from stackdoctor.active.smoke_choice import Wanted
from stackdoctor.active.smoke_removal import Left
from stackdoctor.active.smoke_steps import FAILED, OK, RUNNING, SKIPPED, STOPPED, WAITING, SmokeStep
from stackdoctor.report.hostile import plain

__all__ = ["SCHEMA", "Smoked", "junit", "live", "show_left", "show_steps", "smoked_value", "verdict"]

SCHEMA = "stackdoctor/smoke/1"
WORDS = {WAITING: "not done", RUNNING: "...", OK: "ok", FAILED: "FAILED", STOPPED: "stopped", SKIPPED: "left out"}
STYLES = {WAITING: "dim", RUNNING: "cyan", OK: "green", FAILED: "bold red", STOPPED: "yellow", SKIPPED: "dim"}
WORD, SECONDS = 10, 9
LONGEST = 400

Tell = Callable[[Sequence[SmokeStep]], None]


@dataclass(frozen=True)
class Smoked:
    """What a smoke check gave: ``way`` is heat or calls, ``left`` what could not be removed."""

    wanted: Wanted
    way: str
    steps: tuple[SmokeStep, ...]
    left: tuple[Left, ...]
    seconds: float

    @property
    def failed(self) -> SmokeStep | None:
        """The first step that failed."""
        return next((step for step in self.steps if step.state == FAILED), None)

    @property
    def stopped(self) -> bool:
        """Whether a signal ended it."""
        return any(step.state == STOPPED for step in self.steps)


def verdict(smoked: Smoked) -> str:
    """One sentence: all proven, or what failed."""
    if smoked.failed is not None:
        return f"failed at '{smoked.failed.name}': {smoked.failed.text}"
    if smoked.stopped:
        return "stopped before all was proven"
    return f"all proven in {smoked.seconds:.0f} s"


@contextmanager
def live(quiet: bool, told: Sequence[SmokeStep] = ()) -> Iterator[Tell]:
    """A function to be told of the steps; what it prints goes to standard error.  ``told`` are steps told before."""
    if quiet:
        yield lambda _: None
    elif sys.stderr.isatty():
        with _table() as tell:
            yield tell
    else:
        yield _plain(told)


def _say(sentence: str) -> None:
    click.echo(plain(sentence), err=True)


def _plain(before: Sequence[SmokeStep]) -> Tell:
    told = {step.name: step.state for step in before}

    def tell(steps: Sequence[SmokeStep]) -> None:
        for step in steps:
            if step.state not in (WAITING, RUNNING) and told.get(step.name) != step.state:
                told[step.name] = step.state
                _say(f"{WORDS[step.state]:8} {step.name} ({step.seconds:.1f} s){': ' + step.text if step.text else ''}")

    return tell


@contextmanager
def _table() -> Iterator[Tell]:
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

    console = Console(stderr=True, highlight=False)

    def table(steps: Sequence[SmokeStep]) -> Table:
        made = Table(box=None, show_header=False, pad_edge=False)
        for step in steps:
            seconds = f"{step.seconds:.1f} s" if step.state != WAITING else ""
            word = Text("" if step.state == WAITING else WORDS[step.state], STYLES[step.state])
            made.add_row(word, Text(seconds, "dim"), Text(step.name), Text(plain(step.text, 120), "dim"))
        return made

    with Live(table(()), console=console, transient=True, auto_refresh=False) as shown:
        yield lambda steps: shown.update(table(steps), refresh=True)


def show_steps(smoked: Smoked, after: Callable[[], None] | None) -> None:
    """Print the steps; ``after`` is called under the one that failed."""
    from rich.console import Console

    from stackdoctor.report.page import Page

    page = Page(Console(highlight=False))
    wanted = smoked.wanted
    page.write(
        page.text(f"smoke {wanted.prefix}", "bold") + page.text(f"  image {wanted.image}, flavor {wanted.flavor}")
    )
    for step in smoked.steps:
        head = page.text(WORDS[step.state], STYLES[step.state])
        head.pad_right(max(WORD - head.cell_len, 1))
        time = page.text(f"{step.seconds:.1f} s" if step.state not in (WAITING, SKIPPED) else "", "dim")
        time.pad_right(max(SECONDS - time.cell_len, 1))
        page.write(page.text(step.name, "bold"), 2, head + time)
        if step.text:
            page.write(page.text(plain(step.text, LONGEST)), 2 + WORD + SECONDS)
        if step.state == FAILED:
            for id_ in step.request_ids[-3:]:
                page.exact(page.text(f"request {id_}", "dim"), 2 + WORD + SECONDS)
            if step is smoked.failed and after is not None:
                page.blank()
                after()
    page.blank()
    good = smoked.failed is None and not smoked.stopped
    page.write(page.text(verdict(smoked)), 0, page.text("OK: " if good else "Verdict: ", "bold"))


def show_left(left: Sequence[Left]) -> None:
    """Say on standard error what was left behind, with the commands that remove it, in their order."""
    if not left:
        return
    _say(f"LEFT BEHIND: {len(left)} {'thing' if len(left) == 1 else 'things'} could not be removed. Remove with:")
    for row in left:
        _say(f"  {row.command}    # {row.made.kind} {row.made.name}: {row.why}")


def smoked_value(smoked: Smoked) -> dict[str, Any]:
    """The same as JSON has it (docs/smoke.md)."""
    wanted = smoked.wanted
    return {
        "schema": SCHEMA,
        "name": wanted.prefix,
        "way": smoked.way,
        "image": vars(wanted.image),
        "flavor": vars(wanted.flavor),
        "verdict": verdict(smoked),
        "proven": smoked.failed is None and not smoked.stopped,
        "seconds": round(smoked.seconds, 3),
        "steps": [
            {
                "name": step.name,
                "state": step.state,
                "text": step.text,
                "seconds": round(step.seconds, 3),
                "requests": list(step.request_ids),
            }
            for step in smoked.steps
        ],
        "left": [
            {"kind": row.made.kind, "id": row.made.id, "name": row.made.name, "why": row.why, "command": row.command}
            for row in smoked.left
        ],
    }


def junit(smoked: Smoked) -> bytes:
    """The steps as JUnit's XML: a test case each; those not reached are skipped."""
    bad = [step for step in smoked.steps if step.state in (FAILED, STOPPED)]
    open_ = [step for step in smoked.steps if step.state in (WAITING, SKIPPED)]
    suite = ElementTree.Element(
        "testsuite",
        name="stackdoctor smoke",
        tests=str(len(smoked.steps)),
        failures=str(len(bad)),
        errors="0",
        skipped=str(len(open_)),
        time=f"{smoked.seconds:.3f}",
    )
    for step in smoked.steps:
        case = ElementTree.SubElement(
            suite, "testcase", classname="stackdoctor.smoke", name=step.name, time=f"{step.seconds:.3f}"
        )
        if step in bad:
            text = plain(step.text)
            told = ElementTree.SubElement(case, "failure", message=text)
            told.text = "\n".join([text, *(f"request {id_}" for id_ in step.request_ids)])
        elif step in open_:
            ElementTree.SubElement(case, "skipped", message=plain(step.text) or "not reached")
        elif step.text:
            ElementTree.SubElement(case, "system-out").text = plain(step.text)
    return bytes(ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True))

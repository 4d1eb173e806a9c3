"""`stackdoctor triage`: from what is seen to the causes that may explain it, and what is ruled out."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stackdoctor.cli.complete import symptoms
from stackdoctor.cli.look import Looking
from stackdoctor.cli.options import database_options, knowledge_options, node_options, run_options
from stackdoctor.cli.pager import paged
from stackdoctor.cli.source import read_sources, source_option
from stackdoctor.cli.triage_ask import Seen, ask, has_terminal, known_symptom
from stackdoctor.diagnose.knowledge import Knowledge, load_knowledge
from stackdoctor.errors import UsageError

if TYPE_CHECKING:
    from stackdoctor.cli.triage_answer import Answer
    from stackdoctor.snapshot.format import Snapshot

__all__ = ["command"]

LONGEST_LINE = 65536


@click.command("triage")
@click.option(
    "--symptom", default="", metavar="ID", shell_complete=symptoms, help="What is seen (without it: you are asked)."
)
@click.option("--instance", default="", metavar="NAME|ID|IP", help="The instance that has it.")
@click.option("--line", default="", metavar="TEXT", help="A log line, with its traceback or without; - reads it.")
@click.option("--request", default="", metavar="REQ_ID", help="A request that failed or hangs.")
@node_options
@source_option
@run_options
@database_options
@knowledge_options
@click.option("--format", "form", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True)
@click.option("-v", "--verbose", is_flag=True, help="All causes, and all evidence.")
def command(
    symptom: str,
    instance: str,
    line: str,
    request: str,
    sources: tuple[Path, ...],
    globs: tuple[str, ...],
    check_directories: tuple[Path, ...],
    playbook_directories: tuple[Path, ...],
    form: str,
    verbose: bool,
    **options: Any,
) -> int:
    """Start from what is seen: say what explains it, what is ruled out, what is open and what to look at next.

    Only what can explain it is looked at.  Exit status: 0 no cause was found, 1 one was found (of this, or of
    something else), 2 wrong use, 3 nothing could be collected.
    """
    knowledge = load_knowledge(globs, check_directories, playbook_directories)
    looking = Looking(**options)
    if line == "-":
        line = sys.stdin.read(LONGEST_LINE)
        if not line.strip():
            raise UsageError("--line - reads the line from standard input, and there is none")
    seen = Seen(symptom, line, request, instance)
    if not seen:
        if not has_terminal():
            raise UsageError(
                "there is no terminal to ask on: give --line, --request, --instance, or --symptom with one of "
                + ", ".join(symptom.id for symptom in knowledge.symptoms)
            )
        seen = ask(knowledge.symptoms)
    if seen.symptom:
        known_symptom(seen.symptom, knowledge.symptoms)
    from stackdoctor.cli.triage_answer import answer

    answered = answer(seen, knowledge, partial(_look, sources, looking), looking, sources)
    _tell(answered, form, verbose)
    return answered.exit_status


def _look(sources: tuple[Path, ...], looking: Looking, knowledge: Knowledge, *more: Any) -> Snapshot:
    """What is there already, or a look, with what ``knowledge`` and ``more`` (facts, words) need."""
    if sources:
        return read_sources(sources, looking, knowledge, *more)
    from stackdoctor.cli.look import look

    return look(looking, knowledge, *more)


def _tell(answered: Answer, form: str, verbose: bool) -> None:
    if form == "json":
        from stackdoctor.cli.triage_value import triage_value

        click.echo(json.dumps(triage_value(answered), indent=2, allow_nan=False))
        return
    from rich.console import Console

    from stackdoctor.cli.triage_page import show

    with paged():
        show(answered, Console(highlight=False), verbose=verbose)

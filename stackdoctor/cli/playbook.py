"""`stackdoctor playbook`: the playbooks as runbooks, one by one or as a list."""

from __future__ import annotations

import json
from pathlib import Path

import click

from stackdoctor.cli.complete import causes, symptoms
from stackdoctor.cli.explain import near
from stackdoctor.cli.options import DIRECTORY
from stackdoctor.cli.pager import paged
from stackdoctor.diagnose.knowledge import load_knowledge
from stackdoctor.diagnose.symptom import causes_of
from stackdoctor.errors import UsageError
from stackdoctor.report.hostile import plain
from stackdoctor.report.runbook import SCHEMA, as_json, as_lines, as_markdown, playbook_value

__all__ = ["command"]

directories = click.option("--playbooks", "playbook_directories", multiple=True, type=DIRECTORY, help="More playbooks.")
checks = click.option("--checks", "check_directories", multiple=True, type=DIRECTORY, help="More checks for them.")


@click.group("playbook")
def command() -> None:
    """Read the playbooks as runbooks: why, what shows it, how to confirm it, how to fix it."""


@command.command("show")
@click.argument("cause", metavar="CAUSE", shell_complete=causes)
@directories
@checks
@click.option(
    "--format", "form", type=click.Choice(["terminal", "markdown", "json"]), default="terminal", show_default=True
)
def show(cause: str, playbook_directories: tuple[Path, ...], check_directories: tuple[Path, ...], form: str) -> int:
    """Print the runbook of one cause."""
    playbooks = {p.cause: p for p in load_knowledge((), check_directories, playbook_directories).playbooks}
    if cause not in playbooks:
        raise UsageError(f"no playbook is called {cause!r}: {near(cause, playbooks) or '`stackdoctor playbook list`'}")
    if form == "terminal":
        with paged():
            for line in as_lines(playbooks[cause]):
                click.echo(line)
    else:
        click.echo((as_json if form == "json" else as_markdown)(playbooks[cause]).rstrip("\n"))
    return 0


@command.command("list")
@directories
@checks
@click.option(
    "--symptom", default="", metavar="ID", shell_complete=symptoms, help="Only those whose cause may show so."
)
@click.option("--format", "form", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True)
def list_(playbook_directories: tuple[Path, ...], check_directories: tuple[Path, ...], symptom: str, form: str) -> int:
    """List the causes, all or those of one symptom."""
    from stackdoctor.cli.triage_ask import known_symptom

    knowledge = load_knowledge((), check_directories, playbook_directories)
    shown = knowledge.playbooks
    if symptom:
        shown = causes_of(known_symptom(symptom, knowledge.symptoms), shown)
    if form == "json":
        click.echo(json.dumps({"schema": SCHEMA, "playbooks": [playbook_value(p) for p in shown]}, indent=2))
        return 0
    width = max((len(p.cause) for p in shown), default=0)
    with paged():
        for playbook in shown:
            click.echo(f"{playbook.cause:<{width}}  {playbook.severity!s:<8}  {plain(playbook.title)}")
    return 0

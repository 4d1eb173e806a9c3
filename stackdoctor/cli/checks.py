"""`stackdoctor checks`: what can be found wrong, and which causes are known."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from stackdoctor.cli.options import knowledge_options
from stackdoctor.cli.pager import paged
from stackdoctor.diagnose.knowledge import Knowledge, load_knowledge
from stackdoctor.diagnose.playbook import Playbook

__all__ = ["command", "first_sentence"]


@click.command("checks")
@knowledge_options
@click.option("--causes", is_flag=True, help="List the root causes instead.")
@click.option("--markdown", is_flag=True, help="List everything that has an id, as docs/checks.md.")
def command(
    globs: tuple[str, ...],
    check_directories: tuple[Path, ...],
    playbook_directories: tuple[Path, ...],
    causes: bool,
    markdown: bool,
) -> int:
    """List what can be found wrong; `stackdoctor explain ID` says more of each."""
    knowledge = load_knowledge(globs, check_directories, playbook_directories)
    if markdown:
        for line in _markdown(knowledge):
            click.echo(line)
        return 0
    if causes:
        rows = [(p.cause, str(p.severity), p.title) for p in knowledge.playbooks]
    else:
        rows = [(c.id, str(c.severity), c.title) for c in knowledge.checks]
    width = max((len(id_) for id_, _, _ in rows), default=0)
    with paged():
        for id_, severity, title in rows:
            click.echo(f"{id_:<{width}}  {severity:<8}  {title}")
    return 0


def _markdown(knowledge: Knowledge) -> Iterator[str]:
    yield "# Checks, log signatures and causes"
    yield ""
    yield "Written by `make docs/checks.md`. The ids are stable: inventories, playbooks and scripts may name them."
    yield "`stackdoctor explain ID` says more of each."
    yield from _systems(knowledge)
    checks = [c for c in knowledge.checks if not c.id.startswith("log.")]
    logs = [c for c in knowledge.checks if c.id.startswith("log.")]
    yield from _table("Checks", "A finding is a state that was seen.", ((c.id, str(c.severity), c.doc) for c in checks))
    yield from _table(
        "Log signatures",
        "A finding is a line in a log, now or in the past.",
        ((c.id, str(c.severity), c.doc) for c in logs),
    )
    yield from _table(
        "Causes",
        "A diagnosis is a cause that explains findings.",
        ((p.cause, str(p.severity), p.why) for p in knowledge.playbooks),
    )


def _systems(knowledge: Knowledge) -> Iterator[str]:
    """What each system's causes are found by: all that the playbooks of it name."""
    by_system: dict[str, list[Playbook]] = defaultdict(list)
    for playbook in knowledge.playbooks:
        for system in playbook.systems:
            by_system[system].append(playbook)
    checks = {check.id: check for check in knowledge.checks}
    yield from ("", f"## Systems ({len(by_system)})", "")
    yield "Which facts, checks and log signatures the causes of a system rest on, or are made surer by."
    yield from ("", "| system | causes | facts | checks | log signatures |", "|---|---|---|---|---|")
    for system, playbooks in sorted(by_system.items()):
        patterns = [p for book in playbooks for c in (*book.when, *book.logs, book.because) for p in c]
        used = sorted({p.finding for p in patterns if p.finding in checks})
        states = [id_ for id_ in used if not id_.startswith("log.")]
        facts = {need.fact.__module__.rpartition(".")[2] for id_ in states for need in checks[id_].needs}
        logs = [id_.removeprefix("log.") for id_ in used if id_.startswith("log.")]
        cells = ([book.cause for book in playbooks], sorted(facts), states, logs)
        yield f"| {system} | " + " | ".join(", ".join(cell) for cell in cells) + " |"


def _table(title: str, said: str, rows: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    rows = list(rows)
    yield from ("", f"## {title} ({len(rows)})", "", said, "", "| id | severity | means |", "|---|---|---|")
    for id_, severity, text in rows:
        yield f"| `{id_}` | {severity} | {first_sentence(text)} |"


def first_sentence(text: str) -> str:
    """Of the first paragraph, in one line, with what Markdown would take for the end of a cell or for HTML escaped."""
    paragraph = " ".join(text.strip().split("\n\n", 1)[0].split())
    sentence = re.split(r"(?<=[^.][.!?]) (?=[A-Z`'\"(])", paragraph, maxsplit=1)[0]
    return re.sub(r"([|<>*_])", r"\\\1", sentence)

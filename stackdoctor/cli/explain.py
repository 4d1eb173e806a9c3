"""`stackdoctor explain ID`: what a check, a log signature or a cause means."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from stackdoctor.cli.complete import explainable as explainable_ids
from stackdoctor.cli.options import knowledge_options
from stackdoctor.cli.pager import paged
from stackdoctor.diagnose.knowledge import Knowledge, load_knowledge
from stackdoctor.diagnose.playbook import Playbook
from stackdoctor.diagnose.registry import Check
from stackdoctor.errors import UsageError
from stackdoctor.report.runbook import as_lines

__all__ = ["command", "near"]


@click.command("explain")
@click.argument("id_", metavar="ID", shell_complete=explainable_ids)
@knowledge_options
def command(
    id_: str,
    globs: tuple[str, ...],
    check_directories: tuple[Path, ...],
    playbook_directories: tuple[Path, ...],
) -> int:
    """Explain a check (rabbitmq.queue.no-consumer), a log signature (log.rpc-timeout) or a cause."""
    knowledge = load_knowledge(globs, check_directories, playbook_directories)
    explainable = knowledge.explainable()
    if id_ not in explainable:
        hint = near(id_, explainable) or "`stackdoctor checks` and `checks --causes` list them"
        raise UsageError(f"nothing is called {id_!r}: {hint}")
    subject = explainable[id_]
    lines = as_lines(subject) if isinstance(subject, Playbook) else _check(subject, knowledge)
    with paged():
        for line in lines:
            click.echo(line)
    return 0


def near(id_: str, known: Iterable[str]) -> str:
    """A question with the known ids that ``id_`` may mean; empty where none is near."""
    known = tuple(known)
    close = difflib.get_close_matches(id_, known, 3) or [each for each in known if id_ and id_ in each][:3]
    return f"did you mean {', '.join(close)}?" if close else ""


def _check(check: Check, knowledge: Knowledge) -> Iterator[str]:
    yield f"{check.id} ({check.severity})"
    yield ""
    yield check.doc
    yield ""
    yield "Looks at: " + ", ".join(
        ("the cloud's " if need.cloud else "") + need.fact.__name__ + (" (if there)" if need.optional else "")
        for need in check.needs
    )
    causes = [p.cause for p in knowledge.playbooks if any(q.finding == check.id for q in p.patterns)]
    if causes:
        yield "Speaks in: " + ", ".join(causes)

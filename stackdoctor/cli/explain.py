"""`stackdoctor explain ID`: what a check, a log signature or a cause means."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

import click

from stackdoctor.cli.options import knowledge_options
from stackdoctor.diagnose.knowledge import Knowledge, load_knowledge
from stackdoctor.diagnose.playbook import Playbook
from stackdoctor.diagnose.registry import Check
from stackdoctor.errors import UsageError

__all__ = ["command"]


@click.command("explain")
@click.argument("id_", metavar="ID")
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
        close = difflib.get_close_matches(id_, explainable, 3)
        hint = f"did you mean {', '.join(close)}?" if close else "`stackdoctor checks` and `checks --causes` list them"
        raise UsageError(f"nothing is called {id_!r}: {hint}")
    subject = explainable[id_]
    lines = _playbook(subject) if isinstance(subject, Playbook) else _check(subject, knowledge)
    for line in lines:
        click.echo(line)
    return 0


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


def _playbook(playbook: Playbook) -> Iterator[str]:
    yield f"{playbook.cause} ({playbook.severity}): {playbook.title}"
    yield ""
    yield playbook.why
    yield ""
    for number, clause in enumerate(playbook.when):
        yield ("When      " if not number else "and       ") + " or ".join(str(p) for p in clause)
    for title, patterns in (
        ("Because   ", playbook.because),
        ("Unless    ", playbook.unless),
        ("Against   ", playbook.against),
        ("Explains  ", playbook.explains),
    ):
        yield from (f"{title}{pattern}" for pattern in patterns)
    yield ""
    yield from (f"Confirm   {command}" for command in playbook.confirm)
    yield from (f"Fix       {fix.do}   [{fix.risk}]" + (f" on {fix.on}" if fix.on else "") for fix in playbook.fix)
    yield from (f"See       {ref}" for ref in playbook.refs)

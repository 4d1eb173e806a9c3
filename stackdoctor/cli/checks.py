"""`stackdoctor checks`: what can be found wrong, and which causes are known."""

from __future__ import annotations

from pathlib import Path

import click

from stackdoctor.cli.options import knowledge_options
from stackdoctor.diagnose.knowledge import load_knowledge

__all__ = ["command"]


@click.command("checks")
@knowledge_options
@click.option("--causes", is_flag=True, help="List the root causes instead.")
def command(
    globs: tuple[str, ...],
    check_directories: tuple[Path, ...],
    playbook_directories: tuple[Path, ...],
    causes: bool,
) -> int:
    """List what can be found wrong; `stackdoctor explain ID` says more of each."""
    knowledge = load_knowledge(globs, check_directories, playbook_directories)
    if causes:
        rows = [(p.cause, str(p.severity), p.title) for p in knowledge.playbooks]
    else:
        rows = [(c.id, str(c.severity), c.title) for c in knowledge.checks]
    width = max((len(id_) for id_, _, _ in rows), default=0)
    for id_, severity, title in rows:
        click.echo(f"{id_:<{width}}  {severity:<8}  {title}")
    return 0

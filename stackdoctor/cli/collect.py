"""`stackdoctor collect`: look, and keep the snapshot for later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stackdoctor.cli.look import Looking, look
from stackdoctor.cli.options import knowledge_options, node_options, run_options
from stackdoctor.diagnose.knowledge import load_knowledge
from stackdoctor.errors import UsageError
from stackdoctor.facts.every import every_fact
from stackdoctor.snapshot.write import write_snapshot

__all__ = ["command"]


@click.command("collect")
@node_options
@run_options
@knowledge_options
@click.option("--demo", is_flag=True, help="Look at a recorded broken cloud, served on loopback over real SSH.")
@click.option(
    "-o", "--output", "keep", required=True, type=click.Path(path_type=Path), help="A directory, or NAME.tar.gz."
)
def command(
    globs: tuple[str, ...],
    check_directories: tuple[Path, ...],
    playbook_directories: tuple[Path, ...],
    keep: Path,
    **options: Any,
) -> int:
    """Look at every node and keep the snapshot; `diagnose --from` analyses it anywhere.

    It asks for all that stackdoctor can parse, or with --check for what those checks need.
    """
    if keep.exists():
        raise UsageError(f"{keep} exists: nothing is overwritten; choose another name or remove it")
    knowledge = load_knowledge(globs, check_directories, playbook_directories)
    snapshot = look(Looking(keep=keep, **options), knowledge, () if globs else every_fact())
    write_snapshot(snapshot, keep)
    answered = sum(1 for n in snapshot.nodes if n.results)
    click.echo(f"{keep}: {answered} of {len(snapshot.nodes)} nodes, {snapshot.seconds:.1f} s")
    return 0

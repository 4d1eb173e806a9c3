"""`stackdoctor collect`: look, and keep the snapshot for later."""

from __future__ import annotations

import secrets
from functools import partial
from pathlib import Path
from typing import Any

import click

from stackdoctor.cli.look import Looking, look_and_judge
from stackdoctor.cli.options import (
    database_options,
    executor_options,
    knowledge_options,
    moment_options,
    node_options,
    run_options,
)
from stackdoctor.diagnose.knowledge import load_knowledge
from stackdoctor.errors import UsageError
from stackdoctor.facts.every import every_fact
from stackdoctor.snapshot.anonymize import anonymize
from stackdoctor.snapshot.format import Snapshot
from stackdoctor.snapshot.write import write_snapshot

__all__ = ["command", "take"]


@click.command("collect")
@node_options
@run_options
@executor_options
@database_options
@moment_options
@knowledge_options
@click.option("--demo", is_flag=True, help="Look at a recorded broken cloud, served on loopback over real SSH.")
@click.option(
    "-o", "--output", "keep", required=True, type=click.Path(path_type=Path), help="A directory, or NAME.tar.gz."
)
@click.option("--anonymize", "anonymous", is_flag=True, help="Without the names of this cloud (docs/snapshot.md).")
@click.option(
    "--anonymize-key", metavar="FILE", type=click.Path(path_type=Path), help="A secret, so that names map as before."
)
def command(**options: Any) -> int:
    """Look at every node and keep the snapshot; `diagnose --from` analyses it anywhere.

    It asks for all that stackdoctor can parse, or with --check for what those checks need.
    """
    snapshot = take(**options)
    answered = sum(1 for n in snapshot.nodes if n.results)
    click.echo(f"{options['keep']}: {answered} of {len(snapshot.nodes)} nodes, {snapshot.seconds:.1f} s")
    return 0


def take(
    globs: tuple[str, ...],
    check_directories: tuple[Path, ...],
    playbook_directories: tuple[Path, ...],
    keep: Path,
    anonymous: bool,
    anonymize_key: Path | None,
    **options: Any,
) -> Snapshot:
    """The snapshot that the options ask for, once it is written to ``keep``.  Raises UsageError, NothingCollected."""
    if keep.exists():
        raise UsageError(f"{keep} exists: nothing is overwritten; choose another name or remove it")
    key = _key(anonymize_key) if anonymous or anonymize_key else None
    knowledge = load_knowledge(globs, check_directories, playbook_directories)
    looking = Looking(keep=keep, change=None if key is None else partial(anonymize, key=key), **options)
    snapshot = look_and_judge(looking, knowledge, () if globs else every_fact(), raw=True).snapshot
    write_snapshot(snapshot, keep)
    return snapshot


def _key(file: Path | None) -> bytes:
    """The key of a file, or one that is forgotten afterwards."""
    if file is None:
        return secrets.token_bytes(32)
    try:
        key = file.read_bytes()
    except OSError as error:
        raise UsageError(f"--anonymize-key {file}: {error.strerror}") from error
    if len(key.strip()) < 16:
        raise UsageError(f"--anonymize-key {file} is shorter than 16 bytes: `openssl rand -hex 32 > {file}` makes one")
    return key

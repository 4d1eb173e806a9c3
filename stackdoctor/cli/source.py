"""The option `--from`: a snapshot that exists, or what others collected, instead of a look."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import click

from stackdoctor.cli.look import Looking
from stackdoctor.diagnose.knowledge import Knowledge
from stackdoctor.diagnose.roles import with_roles
from stackdoctor.errors import UsageError
from stackdoctor.facts.fact import Fact
from stackdoctor.snapshot.format import Snapshot

__all__ = ["read_sources", "source_option"]

source_option = click.option(
    "--from",
    "sources",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A snapshot, sosreport, must-gather or folder of logs instead of a look. Repeatable.",
)


def read_sources(
    paths: tuple[Path, ...],
    looking: Looking,
    knowledge: Knowledge,
    facts: Iterable[type[Fact]] = (),
    words: tuple[str, ...] = (),
    *,
    inventory: bool = False,
) -> Snapshot:
    """The snapshot at ``paths``, read for what the checks and ``facts`` need, or for every log record with ``words``.

    With ``inventory`` one may be given, for what it says besides nodes.  Raises UsageError where nodes are named as
    well, and where something cannot be read.
    """
    from stackdoctor.collect.plan import LogScan
    from stackdoctor.facts.log_sources import LOG_SOURCES
    from stackdoctor.facts.service_names import of_container
    from stackdoctor.snapshot.foreign import Reading, is_snapshot, read_all
    from stackdoctor.trace.records import record_scan

    if looking.nodes or looking.demo or (looking.inventory and not inventory):
        rest = "--nodes and --demo" if inventory else "--inventory and --nodes"
        raise UsageError(f"--from reads what was collected: leave out {rest}")
    if looking.from_cloud or looking.only:
        raise UsageError(f"--from reads what was collected: leave out {'--only' if looking.only else '--from-cloud'}")
    if len(paths) == 1 and is_snapshot(paths[0]):
        return _own(paths[0])
    plan = knowledge.plan(since=looking.since, seconds=looking.timeout, facts=facts, consents=looking.consents)
    if words:
        plan = replace(plan, logs=record_scan(words, looking.since))
    elif plan.logs is None:  # where nothing but logs was copied, they name the nodes
        plan = replace(plan, logs=LogScan(looking.since, LOG_SOURCES, ()))
    return read_all(paths, Reading(plan, looking.window, of_container, with_roles))


@functools.cache
def _own(path: Path) -> Snapshot:
    """A snapshot, which does not change: what follows a thing reads it several times."""
    from stackdoctor.snapshot.read import read_snapshot

    return read_snapshot(path)

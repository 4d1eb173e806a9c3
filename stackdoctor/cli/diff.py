"""`stackdoctor diff`: what changed between two looks, or what sets a node apart from its siblings."""

from __future__ import annotations

import functools
from pathlib import Path

import click

from stackdoctor.cli.looks import Look, find_look
from stackdoctor.cli.options import knowledge_options
from stackdoctor.diagnose.knowledge import load_knowledge
from stackdoctor.errors import UsageError

__all__ = ["command"]

EVERY = "*"


@click.command("diff", context_settings={"ignore_unknown_options": True})
@click.argument("looks", nargs=-1, metavar="[A [B]]")
@click.option(
    "--peers",
    is_flag=False,
    flag_value=EVERY,
    metavar="[NODE|ROLE]",
    help="What makes this node, or one of this role, differ from its siblings.",
)
@click.option("--from", "source", default="last", show_default=True, help="With --peers: the look at them.")
@click.option("--format", "form", type=click.Choice(("terminal", "json")), default="terminal", show_default=True)
@click.option("-v", "--verbose", is_flag=True, help="Every line that differs.")
@knowledge_options
def command(
    looks: tuple[str, ...],
    peers: str | None,
    source: str,
    form: str,
    verbose: bool,
    globs: tuple[str, ...],
    check_directories: tuple[Path, ...],
    playbook_directories: tuple[Path, ...],
) -> int:
    """Say what changed from A to B: runs (an id, `last`, `-2`), reports, snapshots or
    what else --from reads.

    Without B it is the last run, without A the one before it. Findings and causes are compared, and where both have
    their snapshot versions, configuration, services, queues, interfaces, routes and rules. With --peers the nodes of
    one look are compared with each other. Exit status: 0 no difference, 1 one, 2 wrong use.
    """
    knowledge = functools.cache(lambda: load_knowledge(globs, check_directories, playbook_directories))
    if peers is not None:
        if looks:
            raise UsageError("--peers compares the nodes of one look: name it with --from")
        return _peers(find_look(source, knowledge), peers, form, verbose)
    if len(looks) > 2:
        raise UsageError(f"two looks are compared, {len(looks)} were named: {' '.join(looks)}")
    first, second = (*looks, *("-2", "last")[len(looks) :])
    return _changes(find_look(first, knowledge), find_look(second, knowledge), form, verbose)


def _changes(before: Look, after: Look, form: str, verbose: bool) -> int:
    from stackdoctor.cli.diff_page import as_json, show
    from stackdoctor.diagnose.drift import drift
    from stackdoctor.report.changes import changes

    names = [{node.name for node in look.report.nodes} for look in (before, after)]
    if all(names) and not names[0] & names[1]:
        some = [", ".join(sorted(of_it)[:4]) for of_it in names]
        raise UsageError(
            f"{before.name} ({some[0]}) and {after.name} ({some[1]}) have no node in common: these are different clouds"
        )
    found = changes(before.report, after.report)
    lacking = [f"{look.name}: {look.no_snapshot}" for look in (before, after) if look.snapshot is None]
    drifted = None
    if before.snapshot is not None and after.snapshot is not None:
        drifted = drift(before.snapshot.nodes, after.snapshot.nodes)
    if form == "json":
        click.echo(as_json(before, after, found, drifted, lacking))
    else:
        show(before, after, found, drifted, lacking, verbose)
    return int(bool(found) or bool(drifted and drifted.differences))


def _peers(look: Look, wanted: str, form: str, verbose: bool) -> int:
    from stackdoctor.cli.peers_page import as_json, show
    from stackdoctor.diagnose.peers import compare_peers

    if look.snapshot is None:
        raise UsageError(f"{look.name} has no snapshot ({look.no_snapshot}): nodes are compared by what they answered")
    groups = compare_peers(look.snapshot.nodes, "" if wanted == EVERY else wanted)
    if form == "json":
        click.echo(as_json(look, groups))
    else:
        show(look, groups, verbose)
    return int(any(group.differences for group in groups))

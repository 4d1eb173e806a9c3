"""From the options to a snapshot: which nodes, live or recorded, with the progress on the terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click

from stackdoctor import __version__
from stackdoctor.cli.progress import progress
from stackdoctor.diagnose.knowledge import Knowledge
from stackdoctor.diagnose.names import name_the_silent
from stackdoctor.diagnose.roles import roles_of
from stackdoctor.errors import NothingCollected, UsageError
from stackdoctor.facts.fact import Fact
from stackdoctor.model import Node, NodeResults
from stackdoctor.snapshot.format import Snapshot
from stackdoctor.snapshot.write import write_snapshot

__all__ = ["Looking", "look", "nodes_to_look_at"]


@dataclass(frozen=True)
class Looking:
    """How to look: the options of ``node_options`` and ``run_options``."""

    inventory: Path | None = None
    nodes: str | None = None
    ssh_config: Path | None = None
    known_hosts: Path | None = None
    accept_new: bool = False
    since: float = 1800.0
    timeout: float = 60.0
    parallel: int = 50
    quiet: bool = False
    demo: bool = False
    keep: Path | None = None


def nodes_to_look_at(looking: Looking) -> tuple[tuple[Node, ...], str]:
    """The nodes and the file of known host keys (empty: the user's own); this host where none are named."""
    from stackdoctor.inventory.file import read_inventory
    from stackdoctor.inventory.nodelist import parse_nodes

    if looking.inventory is not None and looking.nodes is not None:
        raise UsageError("--inventory and --nodes were both given: name the nodes in one way")
    known_hosts = str(looking.known_hosts or "")
    if looking.inventory is not None:
        inventory = read_inventory(looking.inventory)
        return inventory.nodes, known_hosts or inventory.known_hosts
    if looking.nodes is not None:
        return parse_nodes(looking.nodes), known_hosts
    return (Node("localhost", named=False),), known_hosts


def look(looking: Looking, knowledge: Knowledge, facts: Iterable[type[Fact]] = ()) -> Snapshot:
    """Collect from every node what the checks and ``facts`` need.

    Raises NothingCollected when no node answered or this host has no trace of OpenStack, and
    KeyboardInterrupt after Ctrl-C, with what was there by then written to disk.
    """
    from stackdoctor.collect.run import Interrupted, Options, collect

    with ExitStack() as stack:
        nodes, known_hosts = stack.enter_context(_places(looking))
        plan = knowledge.plan(since=looking.since, seconds=looking.timeout, facts=facts)
        options = Options(
            timeout=looking.timeout,
            parallel=looking.parallel,
            known_hosts=known_hosts,
            accept_new=looking.accept_new,
            **({"ssh_config": str(looking.ssh_config)} if looking.ssh_config else {}),
        )
        started = time.time()
        clock = time.monotonic()
        on_event = stack.enter_context(progress(len(nodes), quiet=looking.quiet))
        try:
            answered, complete = collect(nodes, plan, options, on_event), True
        except Interrupted as interrupted:
            answered, complete = interrupted.partial, False
    snapshot = Snapshot(
        nodes=tuple(_with_roles(n) for n in name_the_silent(answered)),
        started=started,
        seconds=time.monotonic() - clock,
        tool=f"stackdoctor {__version__}",
        complete=complete,
    )
    if not complete:
        _keep_partial(snapshot, looking.keep)
        raise KeyboardInterrupt
    _refuse_nothing(snapshot, looking)
    return snapshot


@contextmanager
def _places(looking: Looking) -> Iterator[tuple[tuple[Node, ...], str]]:
    if not looking.demo:
        yield nodes_to_look_at(looking)
        return
    from stackdoctor.demo.cloud import recorded_cloud

    with recorded_cloud() as cloud:
        yield cloud.nodes, cloud.known_hosts


def _with_roles(results: NodeResults) -> NodeResults:
    return replace(results, node=replace(results.node, roles=roles_of(results)))


def _refuse_nothing(snapshot: Snapshot, looking: Looking) -> None:
    alone = looking.inventory is None and looking.nodes is None and not looking.demo
    if alone and not any(n.node.roles for n in snapshot.nodes):
        raise NothingCollected(
            "this host shows no trace of OpenStack. Name the nodes of your cloud with --inventory FILE or"
            " --nodes a,b,c, or see a diagnosis of a recorded cloud with --demo"
        )
    if all(n.failure and not n.results for n in snapshot.nodes):
        reasons = "; ".join(f"{n.node.name}: {n.failure}" for n in snapshot.nodes[:5])
        more = f" (and {len(snapshot.nodes) - 5} more nodes)" if len(snapshot.nodes) > 5 else ""
        raise NothingCollected(f"no node could be looked at: {reasons}{more}")


def _keep_partial(snapshot: Snapshot, keep: Path | None) -> None:
    path = keep or Path(time.strftime("stackdoctor-partial-%Y%m%dT%H%M%SZ.tar.gz", time.gmtime(snapshot.started)))
    if not any(n.results for n in snapshot.nodes):
        click.echo("stopped before any node had answered; nothing is kept", err=True)
        return
    write_snapshot(snapshot, path)
    click.echo(f"stopped; what was collected is in {path}", err=True)
    sys.stderr.flush()

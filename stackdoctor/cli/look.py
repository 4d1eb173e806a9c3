"""From the options to a snapshot: which nodes, live or recorded, with the progress on the terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stackdoctor import __version__
from stackdoctor.cli.moment import Moment
from stackdoctor.cli.nodes import nodes_to_look_at
from stackdoctor.cli.progress import progress
from stackdoctor.diagnose.knowledge import Knowledge
from stackdoctor.diagnose.names import name_the_silent
from stackdoctor.diagnose.roles import roles_of
from stackdoctor.errors import NothingCollected
from stackdoctor.facts.fact import Fact
from stackdoctor.model import API_ROLE, Node, NodeResults
from stackdoctor.snapshot.format import Snapshot
from stackdoctor.snapshot.write import write_snapshot

if TYPE_CHECKING:
    from stackdoctor.collect.run import Options

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
    os_cloud: str = ""
    at: Moment | None = None
    database: bool = False
    budget_cpu: float = 60.0
    budget_bytes: int = 134217728
    full: bool = False
    change: Callable[[Snapshot], Snapshot] | None = None
    login: str = ""
    only: tuple[str, ...] = ()
    from_cloud: bool = False

    @property
    def consents(self) -> frozenset[str]:
        """What the operator allows to be asked besides."""
        return frozenset(("database",) if self.database else ())

    def options(self, known_hosts: str) -> Options:
        """How nodes are reached; ``known_hosts`` is a file instead of the user's own (empty: none)."""
        from stackdoctor.collect.run import Options

        options = Options(self.timeout, self.parallel, known_hosts, self.accept_new)
        return replace(options, ssh_config=str(self.ssh_config)) if self.ssh_config else options

    def window(self, now: float) -> float:
        """How many seconds back from ``now`` logs are read: ``since`` before the moment that is asked about."""
        return self.since + (0.0 if self.at is None else now - self.at.before(now))


def look(
    looking: Looking, knowledge: Knowledge, facts: Iterable[type[Fact]] = (), words: tuple[str, ...] = ()
) -> Snapshot:
    """Collect from every node what the checks and ``facts`` need, or every log record that has one of ``words``.

    Raises NothingCollected when no node answered or this host has no trace of OpenStack, and
    KeyboardInterrupt after Ctrl-C, with what was there by then written to disk.
    """
    from stackdoctor.collect.believing import start_reading
    from stackdoctor.collect.run import Interrupted, collect
    from stackdoctor.trace.records import record_scan

    with ExitStack() as stack:
        nodes, known_hosts = stack.enter_context(_places(looking))
        window = looking.window(time.time())
        plan = knowledge.plan(since=window, seconds=looking.timeout, facts=facts, consents=looking.consents)
        plan = replace(plan, cpu=looking.budget_cpu, most_bytes=looking.budget_bytes, restraint=not looking.full)
        apis = None if looking.demo else start_reading(looking.os_cloud, plan)
        if apis is not None or looking.demo:
            plan = replace(plan, apis=())
        if words:
            plan = replace(plan, logs=record_scan(words, window))
        options = looking.options(known_hosts)
        started = time.time()
        clock = time.monotonic()
        on_event = stack.enter_context(progress(len(nodes), quiet=looking.quiet))
        try:
            answered, complete = collect(nodes, plan, options, on_event), True
        except Interrupted as interrupted:
            answered, complete = interrupted.partial, False
    believed = [] if apis is None else [apis.result(wait=complete)]
    snapshot = Snapshot(
        nodes=(*(_with_roles(n) for n in name_the_silent(answered)), *believed),
        started=started,
        seconds=time.monotonic() - clock,
        tool=f"stackdoctor {__version__}",
        complete=complete,
    )
    if looking.change is not None:
        snapshot = looking.change(snapshot)
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
    alone = looking.inventory is None and looking.nodes is None and not (looking.demo or looking.from_cloud)
    if alone and not any(n.node.roles - {API_ROLE} for n in snapshot.nodes):
        raise NothingCollected(
            "this host shows no trace of OpenStack. Name the nodes of your cloud with --inventory FILE,"
            " --nodes a,b,c or --from-cloud, or see a diagnosis of a recorded cloud with --demo"
        )
    nodes = [n for n in snapshot.nodes if API_ROLE not in n.node.roles]
    if all(n.failure and not n.results for n in nodes):
        reasons = "; ".join(f"{n.node.name}: {n.failure}" for n in nodes[:5])
        more = f" (and {len(nodes) - 5} more nodes)" if len(nodes) > 5 else ""
        raise NothingCollected(f"no node could be looked at: {reasons}{more}")


def _keep_partial(snapshot: Snapshot, keep: Path | None) -> None:
    path = keep or Path(time.strftime("stackdoctor-partial-%Y%m%dT%H%M%SZ.tar.gz", time.gmtime(snapshot.started)))
    if not any(n.results for n in snapshot.nodes):
        click.echo("stopped before any node had answered; nothing is kept", err=True)
        return
    write_snapshot(snapshot, path)
    click.echo(f"stopped; what was collected is in {path}", err=True)
    sys.stderr.flush()

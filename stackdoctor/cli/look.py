"""From the options to a snapshot: which nodes, live or recorded, with the progress on the terminal."""

from __future__ import annotations

import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stackdoctor import __version__
from stackdoctor.cli.moment import Moment
from stackdoctor.cli.nodes import nodes_to_look_at
from stackdoctor.cli.progress import progress
from stackdoctor.cli.settings import BESIDE, Settings
from stackdoctor.collect.passwords import Passwords
from stackdoctor.collect.plan import Plan
from stackdoctor.collect.run import Event, Interrupted, Options, collect, logins_of
from stackdoctor.diagnose.knowledge import Knowledge
from stackdoctor.diagnose.names import known_of, name_the_silent
from stackdoctor.diagnose.part import Part, light, parts_by, without_answers
from stackdoctor.diagnose.roles import with_roles
from stackdoctor.diagnose.silence import refuse_unknown
from stackdoctor.errors import NothingCollected, UsageError
from stackdoctor.facts.fact import Fact
from stackdoctor.inventory.ignore import Ignore
from stackdoctor.model import API_ROLE, Node, NodeResults
from stackdoctor.snapshot.format import Snapshot

if TYPE_CHECKING:
    from openstack.config.cloud_region import CloudRegion

__all__ = ["Looked", "Looking", "ignores_of", "look", "look_and_judge", "nodes_to_look_at"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Looking:
    """How to look: the options of ``node_options`` and ``run_options``; ``partial``: keep what an end halfway left."""

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
    os_cloud: str | CloudRegion = ""
    at: Moment | None = None
    database: bool = False
    budget_cpu: float = 60.0
    budget_bytes: int = 134217728
    full: bool = False
    executor: str = "threads"
    partial: bool = True
    change: Callable[[Snapshot], Snapshot] | None = None
    login: str = ""
    only: tuple[str, ...] = ()
    from_cloud: bool = False
    ask_password: Passwords | None = None
    old_algorithms: bool = False

    @property
    def consents(self) -> frozenset[str]:
        """What the operator allows to be asked besides."""
        return frozenset(("database",) if self.database else ())

    @property
    def alone(self) -> bool:
        """Whether nothing but this host is looked at."""
        return self.inventory is None and self.nodes is None and not (self.demo or self.from_cloud)

    @property
    def place(self) -> str:
        """What is looked at, as the operator named it."""
        if self.demo:
            return "the demo"
        named = [str(way) for way in (self.inventory, self.nodes) if way is not None]
        return " and ".join([*named, *["the cloud's own lists"] * self.from_cloud]) or "this host"

    def options(self, known_hosts: str) -> Options:
        """How nodes are reached; ``known_hosts`` is a file instead of the user's own (empty: none)."""
        options = Options(self.timeout, self.parallel, known_hosts, self.accept_new)
        options = replace(options, passwords=self.ask_password, old_algorithms=self.old_algorithms)
        return replace(options, ssh_config=str(self.ssh_config)) if self.ssh_config else options

    def window(self, now: float) -> float:
        """How many seconds back from ``now`` logs are read: ``since`` before the moment that is asked about."""
        return self.since + (0.0 if self.at is None else now - self.at.before(now))


@dataclass(frozen=True)
class Looked:
    """A snapshot, and the parts of its nodes that workers have judged already: then it may lack what nodes print."""

    snapshot: Snapshot
    parts: tuple[Part, ...] = ()


def look(
    looking: Looking, knowledge: Knowledge, facts: Iterable[type[Fact]] = (), words: tuple[str, ...] = ()
) -> Snapshot:
    """Collect from every node what the checks and ``facts`` need, or every log record that has one of ``words``.

    Raises NothingCollected when no node answered or this host has no trace of OpenStack, and
    KeyboardInterrupt after Ctrl-C, with what was there by then written to disk.
    """
    return _look(looking, knowledge, facts, words, _here).snapshot


def look_and_judge(
    looking: Looking, knowledge: Knowledge, facts: Iterable[type[Fact]] = (), *, raw: bool = False
) -> Looked:
    """The same, each node judged by itself, by ``looking.executor``; ``raw``: what it printed is kept as well."""
    if looking.executor == "threads":
        return _look(looking, knowledge, facts, (), partial(_judged_here, looking, knowledge, raw))
    if looking.demo:
        raise UsageError("--demo is looked at by this process: leave out --executor")
    if looking.ask_password:
        raise UsageError("--ask-password goes to no worker: leave out --executor, or give the workers keys")
    return _look(looking, knowledge, facts, (), partial(_by_workers, looking, knowledge, raw))


Found = tuple[tuple[NodeResults, ...], tuple[Part, ...], bool]
"""What the nodes answered, by the names that all together tell; the parts that are judged; whether it is all."""
Gather = Callable[[tuple[Node, ...], Plan, Options, Callable[[Event], None]], Found]


def _look(
    looking: Looking, knowledge: Knowledge, facts: Iterable[type[Fact]], words: tuple[str, ...], gather: Gather
) -> Looked:
    from stackdoctor.collect.believing import start_reading
    from stackdoctor.trace.records import record_scan

    with ExitStack() as stack:
        nodes, known_hosts = stack.enter_context(_places(looking))
        window = looking.window(time.time())
        plan = knowledge.plan(since=window, seconds=looking.timeout, facts=facts, consents=looking.consents)
        plan = replace(plan, cpu=looking.budget_cpu, most_bytes=looking.budget_bytes, restraint=not looking.full)
        apis = None if looking.demo else start_reading(looking.os_cloud, plan)
        if apis is not None:
            plan = replace(plan, apis=())
        if words:
            plan = replace(plan, logs=record_scan(words, window))
        options = looking.options(known_hosts)
        if options.passwords:
            logins_of(nodes, options)  # asks, and nothing is drawn over the question yet
        patterns = len(plan.logs.patterns) if plan.logs else 0
        _LOG.debug("the plan: %d probes, %d log patterns, %d API reads", len(plan.probes), patterns, len(plan.apis))
        started = time.time()
        clock = time.monotonic()
        on_event = stack.enter_context(progress(len(nodes), quiet=looking.quiet))
        answered, parts, complete = gather(nodes, plan, options, on_event)
    believed = [] if apis is None else [apis.result(wait=complete)]
    snapshot = Snapshot(
        nodes=(*answered, *believed),
        started=started,
        seconds=time.monotonic() - clock,
        tool=f"stackdoctor {__version__}",
        complete=complete,
    )
    _LOG.debug("looked for %.3f s%s", snapshot.seconds, "" if complete else ", and was stopped")
    if looking.change is not None:
        snapshot = looking.change(snapshot)
    if not complete:
        if looking.partial:
            _keep_partial(snapshot, looking.keep)
        raise KeyboardInterrupt
    _refuse_nothing(snapshot, looking)
    return Looked(snapshot, parts)


def _here(nodes: tuple[Node, ...], plan: Plan, options: Options, on_event: Callable[[Event], None]) -> Found:
    answered, complete = _collected(nodes, plan, options, on_event)
    return _with_names_and_roles(answered), (), complete


def _with_names_and_roles(answered: list[NodeResults]) -> tuple[NodeResults, ...]:
    named = zip(answered, name_the_silent(map(known_of, answered)), strict=True)
    return tuple(with_roles(replace(r, node=node)) for r, node in named)


def _collected(
    nodes: tuple[Node, ...],
    plan: Plan,
    options: Options,
    on_event: Callable[[Event], None],
    keep: Callable[[NodeResults], NodeResults] = lambda results: results,
) -> tuple[list[NodeResults], bool]:
    """What nodes answered, and whether it is all."""
    try:
        return collect(nodes, plan, options, on_event, keep), True
    except Interrupted as interrupted:
        return interrupted.partial, False


def _judged_here(
    looking: Looking,
    knowledge: Knowledge,
    raw: bool,
    nodes: tuple[Node, ...],
    plan: Plan,
    options: Options,
    on_event: Callable[[Event], None],
) -> Found:
    """Each node is judged while the others answer; one whose name depends on theirs, when all have.

    What a node printed is let go then, unless it is wanted ``raw``: of a thousand nodes it is more than all else.
    """
    at = None if looking.at is None else looking.at.before(time.time())
    judge = parts_by(knowledge.checks, at)
    parts: dict[str, Part] = {}

    def judged(results: NodeResults) -> NodeResults:
        part = judge(results)
        part = parts[results.node.name] = part if raw else light(part)
        return part.results

    def keep(results: NodeResults) -> NodeResults:
        return judged(results) if results.node.named else results

    answered, complete = _collected(nodes, plan, options, on_event, keep)
    if not complete:
        return _with_names_and_roles(answered) if raw else tuple(map(without_answers, answered)), (), False
    known = [parts[r.node.name].known if r.node.named else known_of(r) for r in answered]
    left = deque(zip(answered, name_the_silent(known), strict=True))
    del answered
    told = []
    while left:
        results, node = left.popleft()
        told.append(results if results.node.named else judged(replace(results, node=node)))
    return tuple(told), tuple(parts[results.node.name] for results in told), True


def _by_workers(
    looking: Looking,
    knowledge: Knowledge,
    raw: bool,
    nodes: tuple[Node, ...],
    plan: Plan,
    options: Options,
    on_event: Callable[[Event], None],
) -> Found:
    from stackdoctor.collect.executors import executors
    from stackdoctor.diagnose.shards import Shard, ShardsBrokenOff, look_by_shards, shards_of

    at = None if looking.at is None else looking.at.before(time.time())
    ids = frozenset(check.id for check in knowledge.checks)
    whole = Shard(nodes, plan, options, checks=ids, check_directories=knowledge.directories, at=at, raw=raw)
    with executors(looking.executor, {node.site for node in nodes}) as near:
        try:
            parts, complete = look_by_shards(tuple(shards_of(whole)), near, knowledge.checks, on_event), True
        except ShardsBrokenOff as broken_off:
            parts, complete = broken_off.partial, False
    named = zip(parts, name_the_silent(part.known for part in parts), strict=True)
    told = tuple(
        replace(part, results=replace(part.results, node=node), known=replace(part.known, node=node))
        for part, node in named
    )
    return tuple(part.results for part in told), told, complete


def ignores_of(inventory: Path | None, settings: Settings | None, knowledge: Knowledge) -> tuple[Ignore, ...]:
    """What the configuration and the inventory silence; raises UsageError where they name what there is not.

    With --from the configured inventory is not looked at, and what it silences counts all the same.
    """
    settings = settings or Settings()
    file = inventory or settings.inventory
    ignores = settings.ignores
    if file is not None:
        from stackdoctor.inventory.file import read_inventory

        ignores += tuple(ignore for ignore in read_inventory(file, BESIDE).ignores if ignore not in ignores)
    refuse_unknown(ignores, knowledge.known, {playbook.cause for playbook in knowledge.playbooks})
    return ignores


@contextmanager
def _places(looking: Looking) -> Iterator[tuple[tuple[Node, ...], str]]:
    if not looking.demo:
        yield nodes_to_look_at(looking)
        return
    from stackdoctor.demo.cloud import recorded_cloud

    with recorded_cloud() as cloud:
        yield cloud.nodes, cloud.known_hosts


def _refuse_nothing(snapshot: Snapshot, looking: Looking) -> None:
    if looking.alone and not any(n.node.roles - {API_ROLE} for n in snapshot.nodes):
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
    if not any(r.stdout for n in snapshot.nodes for r in n.results.values()):
        click.echo("stopped; nothing is kept", err=True)
        return
    from stackdoctor.snapshot.write import write_snapshot

    write_snapshot(snapshot, path)
    click.echo(f"stopped; what was collected is in {path}", err=True)
    sys.stderr.flush()

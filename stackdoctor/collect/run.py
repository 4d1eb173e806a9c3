"""Ask all nodes at once; what each answers, or why it does not, and nothing else, comes back."""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

from stackdoctor.collect.deadlines import Deadlines
from stackdoctor.collect.frames import FrameError, NoPython, bootstrap, opening
from stackdoctor.collect.hostkeys import HostKeyAdded, read_ahead
from stackdoctor.collect.local import start_local
from stackdoctor.collect.passwords import Passwords
from stackdoctor.collect.plain_shell import SHELL, ask_shell
from stackdoctor.collect.plan import Plan
from stackdoctor.collect.session import Channel, Ending, NodeLost, converse, said
from stackdoctor.collect.ssh import Hops, connect, execute
from stackdoctor.inventory.nodelist import valid_name
from stackdoctor.inventory.sshblocks import read_blocks
from stackdoctor.inventory.sshconfig import Login, resolve
from stackdoctor.model import Node, NodeResults

__all__ = [
    "Event",
    "HostKeyAdded",
    "Interrupted",
    "NodeDone",
    "NodeStarted",
    "Options",
    "ProbeDone",
    "collect",
    "logins_of",
]

_LOG = logging.getLogger(__name__)
_FAREWELL = 3.0
_GLANCE = 0.05
"""Seconds between two looks at events while no node is done: waking for each answer costs more than to tell it."""
_BROKEN_OFF = "the collection was interrupted"


@dataclass(frozen=True)
class Options:
    """How nodes are reached.

    ``timeout``: seconds for a login, from the name to the last key, and again for the agent's first word.
    ``parallel``: how many nodes are asked at once.  ``known_hosts``: a file that replaces those of the ssh
    configuration.  ``accept_new``: keys of unknown hosts are added to it instead of refused.  ``ssh_config``: the
    user's configuration (empty: none).  ``passwords``: who has them, where keys alone do not log in.
    ``old_algorithms``: those of SHA-1 are offered as well.
    """

    timeout: float = 10.0
    parallel: int = 32
    known_hosts: str = ""
    accept_new: bool = False
    ssh_config: str = "~/.ssh/config"
    passwords: Passwords | None = field(default=None, repr=False)
    old_algorithms: bool = False


@dataclass(frozen=True)
class NodeStarted:
    """An event: the way to ``node`` is being tried."""

    node: Node


@dataclass(frozen=True)
class ProbeDone:
    """An event: ``probe`` was answered, as number ``done`` of ``total``."""

    node: Node
    probe: str
    done: int
    total: int


@dataclass(frozen=True)
class NodeDone:
    """An event: the conversation with ``node`` is over; ``failure`` says why it has gaps, or never began."""

    node: Node
    seconds: float
    failure: str


Event = NodeStarted | ProbeDone | NodeDone | HostKeyAdded


class Interrupted(Exception):
    """The user broke the collection off; ``partial`` is what each node had answered until then."""

    def __init__(self, partial: list[NodeResults]) -> None:
        super().__init__("interrupted")
        self.partial = partial


@dataclass(frozen=True)
class _Visit:
    """One node, how it is reached (None: it is this machine), and what it is asked."""

    node: Node
    plan: Plan
    login: Login | None
    accept_new: bool
    timeout: float


def collect(
    nodes: Sequence[Node],
    plan: Plan | Mapping[str, Plan],
    options: Options,
    on_event: Callable[[Event], object] = lambda event: None,
    keep: Callable[[NodeResults], NodeResults] = lambda results: results,
) -> list[NodeResults]:
    """What each of ``nodes`` answers to ``plan`` (its own, by its name, where there are several), in their order.

    A node that cannot be reached, or is lost midway, costs its own time only: its ``failure`` says why, and
    it keeps what had come.  ``on_event`` is called in the calling thread, and so is ``keep`` with the answers of each
    node as soon as it is done: what it returns is held instead of them.  Nodes known by their address only get the
    name that they have themselves, where that is unique, when all are done.

    Raises UsageError when the ssh configuration cannot be understood, and Interrupted on Ctrl-C.
    """
    plans = {node.name: plan for node in nodes} if isinstance(plan, Plan) else plan
    _LOG.debug("%d nodes, %d at once, %s s for each step", len(nodes), options.parallel, options.timeout)
    for different in {id(each): each for each in plans.values()}.values():
        opening(different)  # is compiled here, once: threads that need it at once would each do it
    logins = logins_of(nodes, options)
    read_ahead({file for login in logins if login for file in login.known_hosts})
    visits = [
        _Visit(node, plans[node.name], login, options.accept_new, options.timeout)
        for node, login in zip(nodes, logins, strict=True)
    ]
    return _named(_by_threads(visits, options, on_event, keep))


def logins_of(nodes: Iterable[Node], options: Options) -> tuple[Login | None, ...]:
    """How each of ``nodes`` is reached, which may ask for passwords; None for this machine.  Raises UsageError."""
    blocks = read_blocks(options.ssh_config)
    return tuple(_with(resolve(node, blocks), options) if node.address else None for node in nodes)


def _with(login: Login, options: Options) -> Login:
    """``login`` and the hops before it, with what the options say."""
    return replace(
        login,
        known_hosts=(os.path.expanduser(options.known_hosts),) if options.known_hosts else login.known_hosts,
        jump=_with(login.jump, options) if login.jump else None,
        password=options.passwords.of(login.user) if options.passwords else "",
        old_algorithms=options.old_algorithms,
    )


def _by_threads(
    visits: Sequence[_Visit],
    options: Options,
    on_event: Callable[[Event], object],
    keep: Callable[[NodeResults], NodeResults],
) -> list[NodeResults]:
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    done: queue.SimpleQueue[Future[NodeResults]] = queue.SimpleQueue()
    hops = Hops(options.accept_new, options.timeout, events.put)
    deadlines = Deadlines()
    endings = [Ending(deadlines) for _ in visits]
    pool = ThreadPoolExecutor(max(1, min(options.parallel, len(visits))), thread_name_prefix="node")
    under_way: dict[Future[NodeResults], int] = {}
    kept: dict[int, NodeResults] = {}
    try:
        for number, (visit, ending) in enumerate(zip(visits, endings, strict=True)):
            future = pool.submit(_visit, visit, hops, ending, events.put)
            under_way[future] = number
            future.add_done_callback(done.put)
        while under_way:
            over = _next(done)
            while not events.empty():
                on_event(events.get())
            if over is not None:
                number = under_way[over]
                kept[number] = over.result()
                del under_way[over]
                kept[number] = keep(kept[number])
        return [kept[number] for number in range(len(visits))]
    except KeyboardInterrupt:
        pool.shutdown(wait=False, cancel_futures=True)
        for ending in (*endings, hops.ending):
            ending.end(_BROKEN_OFF)
        wait([future for future in under_way if not future.cancelled()], _FAREWELL)
        kept.update({n: f.result() for f, n in under_way.items() if f.done() and not f.cancelled()})
        unheard = (NodeResults(visit.node, failure=_BROKEN_OFF) for visit in visits)
        raise Interrupted(_named([kept.get(number, none) for number, none in enumerate(unheard)])) from None
    finally:
        for ending in (*endings, hops.ending):
            ending.end(_BROKEN_OFF)
        pool.shutdown(wait=False, cancel_futures=True)


def _next(done: queue.SimpleQueue[Future[NodeResults]]) -> Future[NodeResults] | None:
    """One that is done; None when none is for a while."""
    try:
        return done.get(timeout=_GLANCE)
    except queue.Empty:
        return None


def _visit(visit: _Visit, hops: Hops, ending: Ending, emit: Callable[[Event], None]) -> NodeResults:
    node, began = visit.node, time.monotonic()
    threading.current_thread().name = f"node {node.name}"  # so that the log says whose line it is
    _LOG.debug("asked for %d probes, by %s", len(visit.plan.expected), visit.login or "a process of this machine")
    emit(NodeStarted(node))
    try:
        if visit.login is None:
            channel: Channel = start_local(ending)
        else:
            transport = connect(visit.login, visit.accept_new, visit.timeout, ending, hops, emit)
            channel = execute(transport, bootstrap(), visit.login, visit.timeout, ending)
        try:
            results = converse(
                node,
                visit.plan,
                channel,
                ending,
                visit.timeout,
                lambda probe, done, total: emit(ProbeDone(node, probe, done, total)),
            )
        except NoPython:
            if visit.login is None:
                raise
            _LOG.debug("it has no python3: plain commands over sh")
            shell = execute(transport, SHELL, visit.login, visit.timeout, ending)
            results = ask_shell(node, visit.plan, shell, visit.timeout)
    except (NodeLost, FrameError) as lost:
        results = NodeResults(node, failure=str(lost))
    except Exception as error:  # whatever it is, it is about this node, and the others go on
        _LOG.debug("this should not happen", exc_info=True)
        results = NodeResults(node, failure=f"{type(error).__name__}: {said(error)}")
    finally:
        ending.end()
    seconds = time.monotonic() - began
    _LOG.debug("%d results after %.3f s: %s", len(results.results), seconds, results.failure or results.cost)
    emit(NodeDone(node, seconds, results.failure))
    return results


def _named(results: Sequence[NodeResults]) -> list[NodeResults]:
    """Nodes that were given by address, under the host name that they gave, when it is theirs alone."""
    taken = Counter(r.node.name for r in results) + Counter(r.hostname for r in results)
    return [
        replace(r, node=replace(r.node, name=r.hostname))
        if not r.node.named and taken[r.hostname] == 1 and valid_name(r.hostname) and r.hostname != "localhost"
        else r
        for r in results
    ]

"""Look at a cloud's nodes in shards, each by a worker: what it is given, and the parts that it sends back."""

from __future__ import annotations

import copyreg
import functools
import pickle
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from types import MappingProxyType

from stackdoctor import __version__
from stackdoctor.collect.executors import Near
from stackdoctor.collect.plan import Plan
from stackdoctor.collect.run import Event, NodeDone, Options, ProbeDone, collect
from stackdoctor.collect.session import said
from stackdoctor.diagnose.knowledge import load_knowledge
from stackdoctor.diagnose.part import Part, light, part_of, parts_by
from stackdoctor.diagnose.registry import Check
from stackdoctor.model import Node, NodeResults

__all__ = ["Shard", "ShardsBrokenOff", "Share", "look_at", "look_by_shards", "shards_of"]

LARGEST = 25
"""Nodes: a worker that is lost has as many to be looked at again."""

_BROKEN_OFF = "the collection was interrupted"


@dataclass(frozen=True)
class Shard:
    """What a worker is asked: nodes of one site, what they are asked, and the ids of the checks that judge them.

    Nothing of it is secret: ``options`` and the nodes name files of keys and known hosts, and the worker reads its own
    of these names.  ``raw``: what the nodes printed is to come back as well.
    """

    nodes: tuple[Node, ...]
    plan: Plan
    options: Options
    site: str = ""
    checks: frozenset[str] = frozenset()
    check_directories: tuple[Path, ...] = ()
    at: float | None = None
    raw: bool = False
    version: str = __version__


@dataclass(frozen=True)
class Share:
    """What a worker sends back, compressed: a part for each node, in their order, and what happened on the way."""

    parts: tuple[Part, ...]
    events: tuple[Event, ...]

    def __reduce__(self) -> tuple[Callable[[bytes], Share], tuple[bytes]]:
        return _unpacked, (zlib.compress(pickle.dumps((self.parts, self.events)), 1),)


def _unpacked(content: bytes) -> Share:
    return Share(*pickle.loads(zlib.decompress(content)))


class ShardsBrokenOff(Exception):
    """The user broke the look off; ``partial`` has the parts that had come, and why the others have not."""

    def __init__(self, partial: list[Part]) -> None:
        super().__init__("interrupted")
        self.partial = partial


def shards_of(whole: Shard) -> Iterator[Shard]:
    """``whole`` in pieces of at most `LARGEST` nodes, of one site each."""
    by_site: dict[str, list[Node]] = {}
    for node in whole.nodes:
        by_site.setdefault(node.site, []).append(node)
    for site, nodes in by_site.items():
        for start in range(0, len(nodes), LARGEST):
            yield replace(whole, nodes=tuple(nodes[start : start + LARGEST]), site=site)


def look_at(shard: Shard) -> Share:
    """Look at the nodes of ``shard`` and judge each by itself.  Raises ValueError in a worker of another version."""
    if shard.version != __version__:
        raise ValueError(f"it has stackdoctor {__version__}, and this is {shard.version}: install the same")
    checks = tuple(c for c in _knowledge((), shard.check_directories).checks if c.id in shard.checks)
    events: list[Event] = []
    answered = collect(shard.nodes, shard.plan, shard.options, events.append)
    parts = map(parts_by(checks, shard.at), answered)
    told = tuple(event for event in events if not isinstance(event, ProbeDone))
    return Share(tuple(part if shard.raw else light(part) for part in parts), told)


_knowledge = functools.lru_cache(maxsize=2)(load_knowledge)  # a worker is asked again and again


def look_by_shards(
    shards: Sequence[Shard],
    near: Near,
    checks: Sequence[Check],
    on_event: Callable[[Event], object] = lambda event: None,
) -> list[Part]:
    """The parts of all nodes, shard by shard.

    A worker that is lost costs its nodes, whose failures say so, unless its executor has another do them again.
    ``on_event`` is told of a shard's nodes when the shard is done.  Raises ShardsBrokenOff on Ctrl-C.
    """
    futures: list[Future[Share]] = []
    try:
        for shard in shards:
            futures.append(near(shard.site).submit(look_at, shard))
        shard_of = dict(zip(futures, shards, strict=True))
        for future in as_completed(futures):
            for event in _events(future, shard_of[future]):
                on_event(event)
    except KeyboardInterrupt:
        for future in futures:
            future.cancel()
        raise ShardsBrokenOff(_joined(shards, futures, checks)) from None
    return _joined(shards, futures, checks)


def _events(future: Future[Share], shard: Shard) -> Sequence[Event]:
    error = future.exception()
    if error is None:
        return future.result().events
    return [NodeDone(node, 0.0, _lost(error)) for node in shard.nodes]


def _lost(error: BaseException) -> str:
    return f"its worker failed: {said(error)}"


def _joined(shards: Sequence[Shard], futures: Sequence[Future[Share]], checks: Sequence[Check]) -> list[Part]:
    """A part for each node, each with a name of its own; what has not come is not waited for."""
    parts: dict[str, Part] = {}
    for shard, future in zip_longest(shards, futures):
        for node, part in zip(shard.nodes, _parts(shard, future, checks), strict=True):
            name = part.results.node.name
            if name in parts:
                part = _failed(node, f"it calls itself {name}, as another node does: name both", checks)
            parts[part.results.node.name] = part
    return list(parts.values())


def _parts(shard: Shard, future: Future[Share] | None, checks: Sequence[Check]) -> Sequence[Part]:
    if future is None or not future.done() or future.cancelled():
        failure = _BROKEN_OFF
    elif (error := future.exception()) is not None:
        failure = _lost(error)
    else:
        return future.result().parts
    return [_failed(node, failure, checks) for node in shard.nodes]


def _failed(node: Node, why: str, checks: Sequence[Check]) -> Part:
    return part_of(NodeResults(node, failure=why), checks)


def _read_only(content: dict[object, object]) -> MappingProxyType[object, object]:
    return MappingProxyType(content)


copyreg.pickle(MappingProxyType, lambda mapping: (_read_only, (dict(mapping),)))  # findings and facts have some

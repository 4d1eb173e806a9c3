"""What the picture of the cloud shows besides findings: what runs on each node, how nodes are tied, when logs burst.

All of it is read from the snapshot's facts; what a node could not tell is left out of the picture, as the report
says elsewhere what was not looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.bridges import Bridges, Fdb
from stackdoctor.facts.fact import Fact
from stackdoctor.facts.libvirt import Domains
from stackdoctor.facts.links import Links
from stackdoctor.facts.logs import LogHits
from stackdoctor.facts.namespaces import Namespaces
from stackdoctor.facts.ovs_db import OpenvSwitch
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.rabbitmq_queues import Queues
from stackdoctor.facts.services import Services
from stackdoctor.model import NodeResults
from stackdoctor.snapshot.format import Snapshot

__all__ = ["Burst", "Part", "Scene", "Tunnel", "make_scene"]

F = TypeVar("F", bound=Fact)

_TIED = 60
"""More nodes than this have more tunnels than a picture can show."""

_PARTS = 60
_TUNNELS = ("vxlan", "gre", "geneve", "stt")


@dataclass(frozen=True)
class Part:
    """Something on a node: ``kind`` is service, queue, namespace, bridge or guest; an empty ``state`` is usual."""

    kind: str
    name: str
    state: str = ""


@dataclass(frozen=True)
class Tunnel:
    """Two nodes that send tenants' traffic to each other: vxlan, gre or geneve."""

    one: str
    other: str
    kind: str


@dataclass(frozen=True)
class Burst:
    """How often a node's service logged what one signature knows, by minute since the epoch on our clock."""

    node: str
    id: str
    service: str
    minutes: Mapping[int, int]


@dataclass(frozen=True)
class Scene:
    """What is known of the cloud besides the findings; empty where only a report is there."""

    parts: Mapping[str, tuple[Part, ...]] = field(default_factory=dict)
    tunnels: tuple[Tunnel, ...] = ()
    bursts: tuple[Burst, ...] = ()


def make_scene(snapshot: Snapshot) -> Scene:
    """The scene of ``snapshot``."""
    return Scene(
        parts={n.node.name: tuple(_parts(n))[:_PARTS] for n in snapshot.nodes},
        tunnels=tuple(_tunnels(snapshot.nodes)) if len(snapshot.nodes) <= _TIED else (),
        bursts=tuple(burst for n in snapshot.nodes for burst in _bursts(n)),
    )


def _read(kind: type[F], results: NodeResults) -> F | None:
    with suppress(CouldNotCheck, NotApplicable):
        fact = kind.parse(results)
        return fact if isinstance(fact, kind) else None
    return None


def _parts(results: NodeResults) -> Iterator[Part]:
    yield from _services(results)
    for queue in _read(Queues, results) or ():
        if queue.purpose.kind in ("rpc", "rpc-host") and queue.messages:
            yield Part("queue", queue.name, f"{queue.messages} messages, {queue.consumers} consumers")
    spaces = _read(Namespaces, results)
    for space in spaces.namespaces if spaces else ():
        if space.kind:
            yield Part("namespace", space.name)
    switch = _read(OpenvSwitch, results)
    bridges = [bridge.name for bridge in switch.bridges] if switch else []
    kernel = _read(Bridges, results)
    bridges += [bridge.name for bridge in kernel.bridges] if kernel else []
    yield from (Part("bridge", name) for name in dict.fromkeys(bridges))
    guests = _read(Domains, results)
    for guest in guests.domains if guests else ():
        yield Part("guest", guest.name, "" if guest.state == "running" else guest.state)


def _services(results: NodeResults) -> Iterator[Part]:
    stopped: dict[str, list[bool]] = {}
    for process in _read(Processes, results) or ():
        if process.service:
            stopped.setdefault(process.service, []).append(process.stopped or process.zombie)
    states = {name: "stopped" if all(every) else "" for name, every in stopped.items()}
    for service in _read(Services, results) or ():
        if service.down and service.name not in states:
            states[service.name] = "down"
    yield from (Part("service", name, state) for name, state in sorted(states.items()))


def _tunnels(nodes: Iterable[NodeResults]) -> Iterator[Tunnel]:
    at: dict[str, str] = {}
    ends: list[tuple[str, str, str]] = []
    for results in nodes:
        name = results.node.name
        addresses = _read(Addresses, results)
        at |= {address.ip: name for address in (addresses.within() if addresses else ())}
        ends += ((name, kind, remote) for kind, remote in _remotes(results))
    pairs = Counter(
        (min(name, at[remote]), max(name, at[remote]), kind)
        for name, kind, remote in ends
        if at.get(remote, name) != name
    )
    yield from (Tunnel(*pair) for pair in sorted(pairs))


def _remotes(results: NodeResults) -> Iterator[tuple[str, str]]:
    links, fdb = _read(Links, results), _read(Fdb, results)
    for link in links.within("") if links else ():
        if link.vxlan is not None:
            if link.vxlan.remote:
                yield "vxlan", link.vxlan.remote
            yield from (("vxlan", remote) for remote in (fdb.flooded_to(link.name) if fdb else ()))
    switch = _read(OpenvSwitch, results)
    for bridge in switch.bridges if switch else ():
        for port in bridge.ports:
            for interface in port.interfaces:
                if interface.kind in _TUNNELS and "remote_ip" in interface.options:
                    yield interface.kind, interface.options["remote_ip"]


def _bursts(results: NodeResults) -> Iterator[Burst]:
    ahead = 0.0 if results.clock is None else results.clock.offset
    counts: dict[tuple[str, str], Counter[int]] = {}
    logs = _read(LogHits, results)
    for hit in logs.hits if logs else ():
        minutes = counts.setdefault((f"log.{hit.signature}", hit.service), Counter())
        for minute, number in hit.minutes.items():
            minutes[int((minute * 60 + 30 - ahead) // 60)] += number
    for (id_, service), minutes in counts.items():
        yield Burst(results.node.name, id_, service, minutes)

"""From a port, an address or a network to the place that an active test starts from."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from stackdoctor.cli.look import Looking, look, nodes_to_look_at
from stackdoctor.errors import UsageError

if TYPE_CHECKING:
    from stackdoctor.collect.run import Options
    from stackdoctor.model import Node, NodeResults, Probe
    from stackdoctor.trace.endpoints import Endpoint
    from stackdoctor.trace.wiring import Wiring

__all__ = [
    "Start",
    "asked",
    "known_nodes",
    "known_options",
    "namespaces",
    "refuse_unknown",
    "start_of",
    "target_of",
    "test_options",
    "wiring_of",
]

_SLACK = 15.0


@dataclass(frozen=True)
class Start:
    """Where a test starts: a node, and a namespace of it or (empty) outside of all."""

    node: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.node}:{self.namespace}" if self.namespace else self.node


def test_options(function: Any) -> Any:
    """The options of every active test."""
    from stackdoctor.cli.consent import consent_option
    from stackdoctor.cli.options import node_options

    forms = click.Choice(["terminal", "json"])
    for option in (
        click.option("--format", "form", type=forms, default="terminal", show_default=True),
        click.option("-q", "--quiet", is_flag=True, help="No progress."),
        consent_option,
        node_options,
    ):
        function = option(function)
    return function


def wiring_of(looking: Looking) -> Wiring:
    """How the cloud is wired now."""
    from stackdoctor.diagnose.knowledge import Knowledge
    from stackdoctor.trace.wiring import FACTS, Wiring

    return Wiring.of(look(looking, Knowledge((), (), ()), FACTS).nodes)


def known_nodes(looking: Looking) -> tuple[Mapping[str, Node], str]:
    """The nodes by name, and the file of known host keys."""
    nodes, known_hosts = nodes_to_look_at(looking)
    return {node.name: node for node in nodes}, known_hosts


def known_options(looking: Looking, known_hosts: str) -> Options:
    """How nodes are reached."""
    return replace(looking.options(known_hosts), timeout=10.0, parallel=32)


def asked(looking: Looking, probes: Mapping[str, Sequence[Probe]]) -> Mapping[str, NodeResults]:
    """What each node answers to its probes, all of which must be in the list of consented commands.

    Raises UsageError for a node that is none, and KeyboardInterrupt after Ctrl-C.
    """
    from stackdoctor.active.consent import refuse_unconsented
    from stackdoctor.collect.plan import Plan
    from stackdoctor.collect.run import Interrupted, collect

    nodes, known_hosts = known_nodes(looking)
    refuse_unknown(probes, nodes)
    for wanted in probes.values():
        refuse_unconsented(wanted)
    plans = {
        name: Plan(tuple(wanted), seconds=max(p.timeout for p in wanted) + _SLACK, parallel=len(wanted))
        for name, wanted in probes.items()
    }
    try:
        answers = collect([nodes[name] for name in plans], plans, known_options(looking, known_hosts))
    except Interrupted:
        raise KeyboardInterrupt from None
    return dict(zip(plans, answers, strict=True))


def refuse_unknown(names: Iterable[str], nodes: Iterable[str]) -> None:
    """Raises UsageError for a name that is none of ``nodes``, with those it may mean first."""
    known = sorted(nodes)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 3)
            told = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
            raise UsageError(f"{name} is none of the nodes: {told}")


def namespaces(wiring: Wiring) -> tuple[Start, ...]:
    """Every qdhcp, qrouter and snat namespace with its node."""
    from stackdoctor.facts.namespaces import Namespaces
    from stackdoctor.facts.neutron_names import namespace_kind

    found = []
    for site in wiring.sites.values():
        known = site.fact(Namespaces)
        found += [Start(site.name, n.name) for n in (known.namespaces if known else ()) if namespace_kind(n.name)[0]]
    return tuple(found)


def target_of(wiring: Wiring, what: str) -> tuple[str, Endpoint | None]:
    """The IPv4 address that ``what`` names, and its port where it is one.  Raises UsageError."""
    from stackdoctor.trace.endpoints import find

    try:
        end = find(wiring, what)
    except UsageError:
        if not _is_ipv4(what):
            raise
        return what, None
    if _is_ipv4(what):
        return what, end
    address = next((a for a in end.addresses if _is_ipv4(a) and a != "169.254.169.254"), "")
    if not address:
        raise UsageError(f"no DHCP server and no namespace tells an IPv4 address of {end}: name the address itself")
    return address, end


def _is_ipv4(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 4
    except ValueError:
        return False


def start_of(wiring: Wiring, end: Endpoint | None, place: str) -> Start:
    """Where to start: ``place`` is qdhcp, qrouter, a namespace's name, NODE:NAMESPACE or a node.  Raises UsageError."""
    from stackdoctor.trace.endpoints import endpoints, same_network

    known = namespaces(wiring)
    if place in ("qdhcp", "qrouter"):
        if end is None:
            raise UsageError(f"that is no port of this cloud: say where to start with --from NODE or --from {place}-ID")
        owner = "dhcp" if place == "qdhcp" else "router"
        at = [e for e in endpoints(wiring) if e.owner == owner and same_network(e.network, end.network)]
        starts = [Start(e.node, e.namespace) for e in at if e.namespace and e.addresses] or [
            Start(e.node, e.namespace) for e in at if e.namespace
        ]
        if not starts:
            raise UsageError(
                f"no {place} namespace of {end}'s network was found: use --from NODE or --from NODE:NAMESPACE"
            )
        return sorted(starts, key=lambda s: s.node == end.node)[0]
    node, colon, namespace = place.partition(":")
    if colon and node in wiring.sites and re.fullmatch(r"[A-Za-z0-9][\w.-]{0,63}", namespace):
        return Start(node, namespace)
    if place in wiring.sites:
        return Start(place)
    named = [start for start in known if start.namespace.startswith(place)] if len(place) > 6 else []
    if len(named) == 1:
        return named[0]
    near = named or difflib.get_close_matches(place, [*wiring.sites, *map(str, known)], 3)
    raise UsageError(
        f"{place!r} is neither a node nor one namespace: "
        + (f"did you mean {' or '.join(map(str, near))}?" if near else f"there are {', '.join(wiring.sites)}")
    )

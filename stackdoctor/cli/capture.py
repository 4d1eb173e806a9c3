"""`stackdoctor capture`: packets copied on many hops at once, and followed over them."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stackdoctor.cli.active_places import refuse_unknown
from stackdoctor.cli.consent import consent_option, need_consent
from stackdoctor.cli.flows_page import flows_value, show_flows
from stackdoctor.cli.look import Looking, look, nodes_to_look_at
from stackdoctor.cli.options import SECONDS, node_options
from stackdoctor.errors import UsageError

if TYPE_CHECKING:
    from stackdoctor.active.capture import Tap
    from stackdoctor.active.follow import Way

__all__ = ["command"]

NOT_OURS = ("not", "tcp", "port", "22")
"""Else a capture sends itself over the very interface that it copies, again and again."""


@click.command("capture")
@click.option("--on", "on", multiple=True, metavar="NODE:[NAMESPACE/]INTERFACE", help="A hop; several in their order.")
@click.option("--path", "port", metavar="PORT", help="The hops of a port's packets, as `stackdoctor path` finds them.")
@click.option(
    "--to", default="dhcp", show_default=True, metavar="dhcp|gateway|metadata|PORT", help="Where --path goes."
)
@click.option(
    "--filter", "expression", default=None, help="A pcap-filter(7); by default all but port 22, or what --path carries."
)
@click.option("--seconds", type=SECONDS, default="10s", show_default=True, help="How long.")
@click.option("--packets", type=click.IntRange(1, 100_000), default=2000, show_default=True, help="At most, for a hop.")
@click.option("--snap", type=click.IntRange(256, 262_144), default=400, show_default=True, help="Bytes of each packet.")
@click.option("-o", "--keep", type=click.Path(path_type=Path), help="Write each hop's capture into this directory.")
@click.option("--format", "form", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@consent_option
@node_options
def command(
    on: tuple[str, ...],
    port: str | None,
    to: str,
    expression: str | None,
    seconds: float,
    packets: int,
    snap: int,
    keep: Path | None,
    form: str,
    quiet: bool,
    yes: bool,
    **where: Any,
) -> int:
    """Copy packets on many hops at once with tcpdump, and follow each over them: last seen where, changed how.

    Exit status: 0 nothing was lost, 1 packets of a kind did not get to the end, 2 wrong use or consent refused,
    3 no hop could be captured on.
    """
    from stackdoctor.active.capture import Bounds, capture_plans, captured, parse_tap
    from stackdoctor.active.follow import flows, follow
    from stackdoctor.collect.run import collect

    looking = Looking(quiet=quiet, **where)
    if bool(on) == bool(port):
        raise UsageError("name the hops with --on NODE:INTERFACE (once each, in their order), or a port with --path")
    taps, words, way = (tuple(map(parse_tap, on)), NOT_OURS, None) if on else _of_path(looking, str(port), to)
    words = _words(expression) if expression else words
    plans = capture_plans(taps, words, Bounds(seconds=seconds, packets=packets, snap=snap))
    nodes, known_hosts = nodes_to_look_at(looking)
    known = {node.name: node for node in nodes}
    refuse_unknown([tap.node for tap in taps], known)
    said = f"run tcpdump for {seconds:g} s (at most {packets} packets) on "
    need_consent([said + ", ".join(str(tap) for tap in taps if tap.node == node) for node in plans], yes)
    if keep is not None:
        keep.mkdir(mode=0o700, parents=True, exist_ok=True)
    options = replace(looking.options(known_hosts), timeout=10.0)
    found = captured(taps, collect([known[name] for name in plans], plans, options))
    if keep is not None:
        _write(keep, found)
    captures = tuple(capture for capture, _ in found)
    journeys = follow(captures)
    if way is not None:
        journeys = tuple(filter(way.carries, journeys))
    flowing = flows(journeys, len(captures))
    if form == "json":
        click.echo(json.dumps(flows_value(captures, flowing), indent=2))
    else:
        show_flows(captures, flowing)
    if all(capture.unread for capture in captures):
        return 3
    return 1 if any(flow.lost_after is not None for flow in flowing) else 0


def _words(expression: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(expression))
    except ValueError as why:
        raise UsageError(f"--filter {expression!r}: {str(why).lower()}") from None


def _of_path(looking: Looking, port: str, to: str) -> tuple[tuple[Tap, ...], tuple[str, ...], Way | None]:
    from stackdoctor.active.capture import Tap
    from stackdoctor.active.follow import Way
    from stackdoctor.diagnose.knowledge import Knowledge
    from stackdoctor.trace.endpoints import find
    from stackdoctor.trace.path import paths
    from stackdoctor.trace.places import places
    from stackdoctor.trace.wiring import FACTS, Wiring

    wiring = Wiring.of(look(looking, Knowledge((), (), ()), FACTS).nodes)
    guest = find(wiring, port)
    path = paths(wiring, guest, to)[0]
    taps = tuple(Tap(place.node, place.interface, place.namespace) for place in places(wiring, path))
    if not taps:
        raise UsageError(f"no hop of the path of {guest} can be captured on: {path.verdict}")
    inner = f"ether host {guest.mac} or arp or icmp or udp port 67 or udp port 68"
    words = tuple(f"{inner} or udp port 8472 or udp port 4789 or ip proto 47 or vlan".split())
    if not path.ends:
        return taps, words, None  # who would get the packets is not known
    first, *behind = path.ends
    goal = frozenset(address for end in behind for address in end.addresses)
    return taps, words, Way(guest.mac, first.mac, frozenset(first.addresses), goal, dhcp=to == "dhcp")


def _write(keep: Path, found: Any) -> None:
    for capture, data in found:
        if data:
            file = keep / (capture.name.replace(":", "_").replace("/", "_") + ".pcap")
            file.touch(mode=0o600)
            file.write_bytes(data)

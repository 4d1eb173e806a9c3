"""`stackdoctor capture`: packets copied on many hops at once, and followed over them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import click

from stackdoctor.cli.consent import consent_option
from stackdoctor.cli.flows_page import flows_value, show_flows
from stackdoctor.cli.look import Looking, look
from stackdoctor.cli.options import SECONDS, node_options
from stackdoctor.cli.taps import PathTaps, copied, taps_of
from stackdoctor.errors import UsageError

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
    from stackdoctor.active.capture import Bounds, parse_tap
    from stackdoctor.active.follow import flows, follow

    looking = Looking(quiet=quiet, **where)
    if bool(on) == bool(port):
        raise UsageError("name the hops with --on NODE:INTERFACE (once each, in their order), or a port with --path")
    hops = PathTaps(tuple(map(parse_tap, on)), NOT_OURS, None) if on else _of_path(looking, str(port), to)
    words = _words(expression) if expression else hops.words
    if keep is not None:
        keep.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = copied(looking, hops.taps, words, Bounds(seconds=seconds, packets=packets, snap=snap), yes)
    if keep is not None:
        _write(keep, found)
    captures = tuple(capture for capture, _ in found)
    journeys = follow(captures)
    if hops.way is not None:
        journeys = tuple(filter(hops.way.carries, journeys))
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


def _of_path(looking: Looking, port: str, to: str) -> PathTaps:
    from stackdoctor.diagnose.knowledge import Knowledge
    from stackdoctor.trace.endpoints import find
    from stackdoctor.trace.path import paths
    from stackdoctor.trace.wiring import FACTS, Wiring

    wiring = Wiring.of(look(looking, Knowledge((), (), ()), FACTS).nodes)
    guest = find(wiring, port)
    return taps_of(wiring, guest, paths(wiring, guest, to)[0], dhcp=to == "dhcp")


def _write(keep: Path, found: Any) -> None:
    for capture, data in found:
        if data:
            file = keep / (capture.name.replace(":", "_").replace("/", "_") + ".pcap")
            file.touch(mode=0o600)
            file.write_bytes(data)

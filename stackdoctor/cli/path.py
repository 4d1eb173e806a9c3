"""`stackdoctor path`: the way of a guest's packets, hop by hop over all nodes."""

from __future__ import annotations

import json
from pathlib import Path as FilePath
from typing import Any

import click

from stackdoctor.cli.look import Looking, look
from stackdoctor.cli.options import node_options, run_options
from stackdoctor.cli.pager import paged
from stackdoctor.cli.source import read_sources, source_option
from stackdoctor.diagnose.knowledge import Knowledge
from stackdoctor.snapshot.format import Snapshot
from stackdoctor.trace.endpoints import find
from stackdoctor.trace.hops import BROKEN, OK
from stackdoctor.trace.path import Path, paths
from stackdoctor.trace.path_text import SCHEMA, lines, path_value, size_of, verdict_of
from stackdoctor.trace.wiring import FACTS, Wiring

__all__ = ["command"]

STYLES = {"ok": "green", "BROKEN": "bold red", "unknown": "yellow", "OK": "bold green", "NOT KNOWN": "bold yellow"}
WORD = 8
NAME = 24


@click.command("path")
@click.argument("what", metavar="PORT|INSTANCE|IP|MAC")
@click.option("--to", default="dhcp", show_default=True, metavar="dhcp|gateway|metadata|PORT", help="Where it goes.")
@node_options
@source_option
@run_options
@click.option("--format", "form", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True)
def command(what: str, to: str, sources: tuple[FilePath, ...], form: str, **options: Any) -> int:
    """Follow a port's packets to its DHCP server, gateway, metadata service or another port, hop by hop.

    A port is named by its id, its device (tap584e904e-a1), its MAC or IP address, a floating IP, or the
    instance that has it; ids can be cut.  Exit status: 0 the path is whole, 1 it is broken at a hop, 2 wrong
    use, or something on the way could not be looked at.
    """
    snapshot = _snapshot(sources, Looking(**options))
    wiring = Wiring.of(snapshot.nodes)
    found = paths(wiring, find(wiring, what), to)
    if form == "json":
        value = {"schema": SCHEMA, "source": snapshot.source, "paths": [path_value(path) for path in found]}
        click.echo(json.dumps(value, indent=2, allow_nan=False))
    else:
        with paged():
            _show(found)
    if any(path.status == BROKEN for path in found):
        return 1
    return 0 if all(path.status == OK for path in found) else 2


def _snapshot(sources: tuple[FilePath, ...], looking: Looking) -> Snapshot:
    knowledge = Knowledge((), (), ())
    return read_sources(sources, looking, knowledge, FACTS) if sources else look(looking, knowledge, FACTS)


def _show(found: tuple[Path, ...]) -> None:
    from rich.console import Console

    from stackdoctor.report.page import Page

    page = Page(Console(highlight=False))
    for place, path in enumerate(found):
        if place:
            page.blank()
        _show_one(page, path)


def _show_one(page: Any, path: Path) -> None:
    page.write(page.text(f"{path.start} to {path.goal}", "bold"))
    shown = [(line, page.text(line.name)) for line in lines(path)]
    wide = min(max((name.cell_len for _, name in shown), default=0), NAME) + 2
    for line, name in shown:
        if line.beyond:
            page.write(page.text("beyond the break, as far as it can be derived:"), 2)
        if line.node:
            page.write(page.text(line.node, "bold"), 2)
        head = page.text(line.word, STYLES[line.word])
        head.pad_right(max(WORD - head.cell_len, 1))
        name.pad_right(max(wide - name.cell_len, 1))
        page.write(page.text(line.proof), 4, head + name, prose=False)
    if size := size_of(path):
        page.write(page.text(size))
    word, sentence = verdict_of(path)
    page.write(page.text(sentence), 0, page.text(word, STYLES[word]) + page.text(": "))

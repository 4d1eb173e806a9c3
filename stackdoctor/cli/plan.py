"""`stackdoctor plan`: exactly what would be run where."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from stackdoctor.cli.look import Looking, nodes_to_look_at
from stackdoctor.cli.options import database_options, knowledge_options, moment_options, node_options, run_options
from stackdoctor.cli.pager import paged
from stackdoctor.collect.allowed import ALLOWED, ALLOWED_BY_ITSELF, ALLOWED_ENV
from stackdoctor.collect.api_reads import OPENRC_FILES
from stackdoctor.collect.plan import Plan
from stackdoctor.diagnose.knowledge import load_knowledge
from stackdoctor.model import Probe

__all__ = ["command"]


@click.command("plan")
@node_options
@run_options
@database_options
@moment_options
@knowledge_options
@click.option("--allowed", is_flag=True, help="Every command that can ever be sent, and why each changes nothing.")
def command(
    allowed: bool,
    globs: tuple[str, ...],
    check_directories: tuple[Path, ...],
    playbook_directories: tuple[Path, ...],
    **options: Any,
) -> int:
    """Print exactly what would be run where; nothing is run, no node is contacted."""
    if allowed:
        for line in _allowed_lines():
            click.echo(line)
        return 0
    looking = Looking(**options)
    knowledge = load_knowledge(globs, check_directories, playbook_directories)
    nodes, _ = nodes_to_look_at(looking)
    plan = knowledge.plan(since=looking.window(time.time()), seconds=looking.timeout, consents=looking.consents)
    with paged():
        for node in nodes:
            click.echo(f"{node.name}: {_where(node.address, node.port, node.user)}")
        click.echo(f"\nOn each of them, {plan.parallel} at a time, within {plan.seconds:g} s, at nice 19:")
        for line in _lines(plan):
            click.echo(line)
    return 0


def _allowed_lines() -> Iterator[str]:
    yield "Every command that can be sent to a node. {each} is an element of a list that the node gave, {show} a"
    yield "statement that begins with SHOW, and ... any further words: none of them can make the program write."
    for title, table in (
        ("For a check (any other is refused before a node is contacted)", ALLOWED),
        ("The agent's own, or in front of these", ALLOWED_BY_ITSELF),
    ):
        yield f"\n{title}:"
        for form, why in table:
            yield f"  {form}\n      {why}"
    yield "\nVariables that a check may set for its command: " + ", ".join(sorted(ALLOWED_ENV))
    yield "\nCommands of `test`, `capture` and `smoke`, which ask before they begin: docs/test.md, docs/capture.md"


def _where(address: str, port: int, user: str) -> str:
    if not address:
        return "this host, without SSH"
    return "ssh " + (f"{user}@" if user else "") + address + (f" port {port}" if port != 22 else "")


def _lines(plan: Plan) -> Iterator[str]:
    for probe in plan.probes:
        yield from _probe_lines(probe)
    if plan.apis:
        yield "\nAPIs, with $OS_CLOUD or OS_AUTH_URL from here, else from a node that has one of"
        yield from (f"  read  {file}" for file in OPENRC_FILES)
        yield "  POST {identity}/auth/tokens   (for the token, and nothing else)"
        yield "  GET the root of every endpoint, without the token"
        yield from (f"  {read}" for read in plan.apis)
    if plan.logs is not None:
        count = len(plan.logs.patterns)
        yield f"\nLogs of the last {plan.logs.window:g} s, {count} signatures, by the node's own grep -E:"
        yield from (f"  read  {file}" for source in plan.logs.sources for file in source.files)


def _probe_lines(probe: Probe) -> Iterator[str]:
    sudo = "sudo -n " if probe.root else ""
    note = "   (with sudo where the login is not root)" if probe.root else ""
    yield from (f"  read  {sudo and '[sudo] '}{file}" for file in probe.files)
    if not probe.argv:
        return
    if probe.each is not None:
        yield f"  run   {shlex.join(probe.each.argv)}   (the list for the next)"
    again = f"   (again after {probe.again_after:g} s)" if probe.again_after else ""
    yield f"  run   {shlex.join(probe.argv)}{again}{note}"
    yield from (f"   or   {shlex.join(argv)}   (older programs)" for argv in probe.otherwise)

"""Options that several commands share, and the values that they stand for."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from stackdoctor.cli.debug import debug_option
from stackdoctor.cli.moment import MOMENT
from stackdoctor.model import Severity

__all__ = [
    "SECONDS",
    "SEVERITY",
    "api_options",
    "database_options",
    "executor_options",
    "knowledge_options",
    "moment_options",
    "node_options",
    "run_options",
]

Command = TypeVar("Command", bound=Callable[..., Any])

_UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


class Seconds(click.ParamType):  # type: ignore[type-arg]
    """A length of time: 90, 90s, 30m, 2h, 1d."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds; fails with what is expected."""
        if isinstance(value, (int, float)):
            return float(value)
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d|)", str(value).strip())
        if match is None or float(match[1]) == 0:
            self.fail(f"{value!r} is not a length of time: write 90s, 30m, 2h or 1d", param, ctx)
        return float(match[1]) * _UNITS[match[2]]


SECONDS = Seconds()
SEVERITY = click.Choice([str(s) for s in sorted(Severity, reverse=True)])


def _apply(options: list[Callable[[Command], Command]]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


DIRECTORY = click.Path(path_type=Path)

node_options = _apply(
    [
        click.option("-i", "--inventory", type=click.Path(path_type=Path), help="Nodes, as YAML (docs/inventory.md)."),
        click.option("-n", "--nodes", help="Nodes by name: a,b,user@c:2222."),
        click.option("--ssh-config", type=click.Path(path_type=Path), help="Instead of ~/.ssh/config."),
        click.option("--known-hosts", type=click.Path(path_type=Path), help="Instead of ~/.ssh/known_hosts."),
        click.option("--accept-new", is_flag=True, help="Trust host keys on first use, and write them down."),
    ]
)

api_options = _apply(
    [
        click.option(
            "--os-cloud",
            envvar="OS_CLOUD",
            default="",
            metavar="NAME",
            help="Ask the APIs as this cloud of clouds.yaml (default: $OS_CLOUD, $OS_AUTH_URL, a node's openrc).",
        ),
    ]
)

run_options = _apply(
    [
        click.option("--since", type=SECONDS, default="30m", show_default=True, help="How far back logs are read."),
        click.option("--timeout", type=SECONDS, default="60s", show_default=True, help="At most so long for a node."),
        click.option("--parallel", type=click.IntRange(1, 1000), default=50, show_default=True, help="Nodes at once."),
        click.option(
            "--budget-cpu", type=SECONDS, default="60s", show_default=True, help="At most so much CPU time of a node."
        ),
        click.option(
            "--budget-bytes",
            type=click.IntRange(1),
            default=134217728,
            show_default=True,
            help="At most so many bytes from a node.",
        ),
        click.option("--full", is_flag=True, envvar="STACKDOCTOR_FULL", help="Spare no node, not even one in trouble."),
        click.option("-q", "--quiet", is_flag=True, help="No progress."),
        debug_option(),
    ]
)

database_options = _apply(
    [
        click.option(
            "--database",
            is_flag=True,
            help="Also read the cloud's tables: fixed SELECTs in a read-only session, as the node's root.",
        )
    ]
)

executor_options = _apply(
    [
        click.option(
            "--executor",
            default="threads",
            show_default=True,
            metavar="WHERE",
            help="Who looks: threads, processes:N, or workers near the nodes: dask://HOST:PORT (docs/scale.md).",
        )
    ]
)

moment_options = _apply(
    [click.option("--at", type=MOMENT, help="A moment that is past, by the logs: 2026-11-22T03:10, 03:10, '2h ago'.")]
)

knowledge_options = _apply(
    [
        click.option("--check", "globs", multiple=True, metavar="GLOB", help="Only checks whose id matches."),
        click.option(
            "--checks", "check_directories", multiple=True, type=DIRECTORY, help="More checks and signatures."
        ),
        click.option("--playbooks", "playbook_directories", multiple=True, type=DIRECTORY, help="More playbooks."),
    ]
)

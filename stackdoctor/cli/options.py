"""Options that several commands share, and the values that they stand for."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from stackdoctor.cli.complete import checks
from stackdoctor.cli.debug import debug_option
from stackdoctor.cli.moment import MOMENT
from stackdoctor.errors import UsageError
from stackdoctor.model import Severity

if TYPE_CHECKING:
    from stackdoctor.collect.passwords import Passwords

__all__ = [
    "SECONDS",
    "SEVERITY",
    "Setting",
    "database_options",
    "executor_options",
    "knowledge_options",
    "moment_options",
    "node_options",
    "run_options",
    "setting",
    "together",
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


def together(options: list[Callable[[Command], Command]]) -> Callable[[Command], Command]:
    """One decorator of several; help lists them in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


DIRECTORY = click.Path(path_type=Path)


class Setting(click.Option):
    """An option that a configuration may set as well, under its long name."""

    @property
    def key(self) -> str:
        """What it is called in a configuration: ``accept_new`` for ``--accept-new``."""
        return next(o for o in self.opts if o.startswith("--"))[2:].replace("-", "_")


setting = functools.partial(click.option, cls=Setting)


def _unless_named(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """How a configuration names the nodes gives way to how the command line does, which is processed before."""
    ways = ("inventory", "nodes", "from_cloud", "demo", "sources")
    given = [
        way for way in ways if ctx.params.get(way) and ctx.get_parameter_source(way) is ParameterSource.COMMANDLINE
    ]
    configured = ctx.get_parameter_source(str(param.name)) is ParameterSource.DEFAULT_MAP
    return (False if isinstance(value, bool) else None) if configured and given else value


def _unless_demo(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """A configured executor is for the cloud; the demo is looked at by this process."""
    configured = ctx.get_parameter_source(str(param.name)) is ParameterSource.DEFAULT_MAP
    return "threads" if configured and ctx.params.get("demo") else value


def _listed(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """The list of nodes; with ``-`` it is what stands on standard input."""
    if value != "-" or ctx.resilient_parsing:
        return value
    import sys

    from stackdoctor.inventory.nodelist import LARGEST_LIST, listed_nodes

    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "--nodes - reads the nodes from standard input: openstack compute service list -f value -c Host |"
            " stackdoctor diagnose --nodes -"
        )
    return listed_nodes(sys.stdin.buffer.read(LARGEST_LIST + 1))


def _passwords(ctx: click.Context, param: click.Parameter, value: bool) -> Passwords | None:
    """Who asks when a password is wanted; --ask-password is not kept in a configuration."""
    if not value:
        return None
    from stackdoctor.collect.passwords import Passwords

    return Passwords()


node_options = together(
    [
        setting(
            *("-i", "--inventory"),
            type=click.Path(path_type=Path),
            callback=_unless_named,
            help="Nodes: YAML, or an inventory of Ansible's (docs/inventory.md).",
        ),
        click.option("-n", "--nodes", callback=_listed, help="Nodes by name: a,b,user@c:2222; - reads them."),
        setting(
            "--os-cloud",
            envvar="OS_CLOUD",
            default="",
            metavar="NAME",
            help="Ask the APIs as this cloud of clouds.yaml (default: $OS_CLOUD, $OS_AUTH_URL, a node's openrc).",
        ),
        setting("--from-cloud", is_flag=True, callback=_unless_named, help="Also those of the cloud's own lists."),
        click.option("--only", multiple=True, metavar="GLOB", help="Of these, those whose name or role matches."),
        setting("--login", metavar="USER", default="", help="Log in as this user where nobody is named."),
        click.option(
            "--ask-password",
            is_flag=True,
            callback=_passwords,
            help="Ask once for each user's password, for nodes that take no key (or: keyring set stackdoctor USER).",
        ),
        click.option("--old-algorithms", is_flag=True, help="Offer SHA-1 too, to nodes of before 2016."),
        setting("--ssh-config", type=click.Path(path_type=Path), help="Instead of ~/.ssh/config."),
        setting("--known-hosts", type=click.Path(path_type=Path), help="Instead of ~/.ssh/known_hosts."),
        setting("--accept-new", is_flag=True, help="Trust host keys on first use, and write them down."),
    ]
)

run_options = together(
    [
        setting("--since", type=SECONDS, default="30m", show_default=True, help="How far back logs are read."),
        setting("--timeout", type=SECONDS, default="60s", show_default=True, help="At most so long for a node."),
        setting("--parallel", type=click.IntRange(1, 1000), default=50, show_default=True, help="Nodes at once."),
        setting(
            "--budget-cpu", type=SECONDS, default="60s", show_default=True, help="At most so much CPU time of a node."
        ),
        setting(
            "--budget-bytes",
            type=click.IntRange(1),
            default=134217728,
            show_default=True,
            help="At most so many bytes from a node.",
        ),
        setting("--full", is_flag=True, envvar="STACKDOCTOR_FULL", help="Spare no node, not even one in trouble."),
        setting("-q", "--quiet", is_flag=True, help="No progress."),
        debug_option(),
    ]
)

database_options = together(
    [
        setting(
            "--database",
            is_flag=True,
            help="Also read the cloud's tables: fixed SELECTs in a read-only session, as the node's root.",
        )
    ]
)

executor_options = together(
    [
        setting(
            "--executor",
            default="threads",
            show_default=True,
            metavar="WHERE",
            callback=_unless_demo,
            help="Who looks: threads, processes:N, or workers near the nodes: dask://HOST:PORT (docs/scale.md).",
        )
    ]
)

moment_options = together(
    [click.option("--at", type=MOMENT, help="A moment that is past, by the logs: 2026-11-22T03:10, 03:10, '2h ago'.")]
)

knowledge_options = together(
    [
        setting(
            "--check",
            "globs",
            multiple=True,
            metavar="GLOB",
            shell_complete=checks,
            help="Only checks whose id matches.",
        ),
        setting("--checks", "check_directories", multiple=True, type=DIRECTORY, help="More checks and signatures."),
        setting("--playbooks", "playbook_directories", multiple=True, type=DIRECTORY, help="More playbooks."),
    ]
)

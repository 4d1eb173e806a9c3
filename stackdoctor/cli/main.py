"""The `stackdoctor` command: its subcommands load only when they are called."""

from __future__ import annotations

import gc
import importlib
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import click

from stackdoctor import __version__
from stackdoctor.cli.debug import debug_option
from stackdoctor.errors import StackdoctorError

__all__ = ["main", "outcome", "stackdoctor"]

COMMANDS = {
    "diagnose": "Look at every node and say which root cause explains all of it.",
    "triage": "Start from a symptom, a log line, a request or an instance: what it is, what it is not.",
    "watch": "Look again and again and show what changes, until the cloud is healthy.",
    "history": "List the runs that are kept.",
    "show": "Show the report of a run again.",
    "diff": "Say what changed from one look to another, or what sets a node apart from its siblings.",
    "collect": "Look at every node and keep the snapshot.",
    "plan": "Print exactly what would be run where; nothing is run.",
    "checks": "List what can be found wrong.",
    "path": "Follow a port's packets hop by hop to DHCP, its gateway, metadata or another port.",
    "trace": "Follow a request, a boot, a volume, an RPC call or a DHCP exchange, step by step.",
    "capture": "Copy packets on many hops at once and follow each over them.",
    "pcap": "Follow packets over captures from elsewhere, with the RPC and API calls in them.",
    "test": "Try one thing as a service or a guest would, and undo it: amqp, rpc, dhcp, ping, mtu, ...",
    "smoke": "Launch a small VNF from outside, prove step by step that it works, remove it.",
    "exam": "Judge the verdicts on recorded clouds (for contributors).",
    "playbook": "Read the playbooks as runbooks: list, show.",
    "explain": "Explain a check, a log signature or a cause.",
    "config": "Check the configuration, and show what is set and where.",
    "firewall": "Say what a node's rules do to one packet of a port, and by which rule.",
}
"""Each command lives in the module of its name; its help stands here so that `--help` imports none of them."""

INTERRUPTED = 130
MOMENT = 0.05
"""Seconds until a callback is over."""

COLLECT_GARBAGE = (100_000, 20, 100)
"""A run is short and keeps nearly all that it makes: Python's own thresholds cost it a fifth of its time."""


class CommandsByModule(click.Group):
    """A group whose commands are imported when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"stackdoctor.cli.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BaseException as error:
            if "logging" in sys.modules:  # else nobody has asked for a log
                sys.modules["logging"].getLogger(__name__).debug("it ends with %s", type(error).__name__, exc_info=True)
            if not isinstance(error, KeyboardInterrupt):
                raise
            if sys.stderr.isatty():  # which has printed ^C; click would write an empty line to a file as well
                click.echo(err=True)
            raise click.Abort from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS:
            import difflib

            close = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean {close[0]}?" if close else ""
            ctx.fail(f"There is no command {args[0]!r}.{hint}")
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None and name != "config" and not ctx.resilient_parsing and not {"-h", "--help"} & set(rest):
            _configure(ctx, command)
        return name, command, rest


def _configure(ctx: click.Context, command: click.Command) -> None:
    """Give the command what the configuration sets, under what the command line says; nothing loads where none is."""
    from stackdoctor.cli.settings import configuration_files, read_settings

    files = configuration_files(ctx.params.get("config"))
    if files:
        from stackdoctor.cli.settings_file import defaults_of

        ctx.obj = read_settings(files)
        ctx.default_map = {str(command.name): defaults_of(command, ctx.obj)}


@click.group(cls=CommandsByModule, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="stackdoctor")
@debug_option("STACKDOCTOR_DEBUG")
@click.option(
    "--config", type=click.Path(path_type=Path), help="Instead of ~/.config/stackdoctor and ./stackdoctor.yaml."
)
@click.option("--no-pager", is_flag=True, help="Never through $PAGER, not even what is longer than the screen.")
def stackdoctor(config: Path | None, no_pager: bool) -> None:
    """Find the root cause of what an OpenStack cloud shows.

    stackdoctor looks at every node at once over SSH, read-only and with nothing
    installed there, and says which cause explains all of it, with the evidence,
    how to confirm it and how to fix it.

    \b
    See it work on a recorded broken cloud:   stackdoctor diagnose --demo
    Look at your cloud:                       stackdoctor diagnose --inventory cloud.yaml
    """


def _end(number: int, frame: FrameType | None) -> None:
    """SIGTERM and SIGHUP end a run as Ctrl-C does: nothing is left on a node, and what had come is kept."""
    raise KeyboardInterrupt


def _unraised(error: sys.UnraisableHookArgs) -> None:
    """Ctrl-C that came in a callback, where Python may raise nothing and ignores it, comes again in a moment."""
    if error.exc_type is KeyboardInterrupt:
        signal.setitimer(signal.ITIMER_REAL, MOMENT)
    else:
        sys.__unraisablehook__(error)


def main() -> None:
    """Run the command; errors are one sentence on standard error and an exit status, never a traceback."""
    gc.set_threshold(*COLLECT_GARBAGE)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wants it
            signal.signal(number, _end)
    signal.signal(signal.SIGALRM, _end)
    sys.unraisablehook = _unraised
    status = outcome(lambda: stackdoctor(standalone_mode=False))
    gc.freeze()  # all goes with the process: to look through it for garbage once more takes a tenth of a second
    sys.exit(status)


def outcome(run: Callable[[], object]) -> int:
    """The exit status of ``run``; what ends it early is said on standard error."""
    try:
        status = run()
    except click.exceptions.Exit as left:
        return left.exit_code
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except StackdoctorError as error:
        from stackdoctor.report.hostile import plain

        click.echo(f"stackdoctor: {plain(str(error))}", err=True)
        return error.exit_status
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    return status if isinstance(status, int) else 0

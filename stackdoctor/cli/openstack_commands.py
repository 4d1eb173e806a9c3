"""``openstack doctor``: stackdoctor's commands in python-openstackclient, with its login and its formatters."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click
from osc_lib.cli.format_columns import DictColumn
from osc_lib.command import command as osc

from stackdoctor.cli.as_argparse import add_parameters, written
from stackdoctor.cli.main import outcome, stackdoctor
from stackdoctor.errors import UsageError
from stackdoctor.report.hostile import plain

if TYPE_CHECKING:
    from openstack.config.cloud_region import CloudRegion

__all__ = [
    "Checks",
    "Collect",
    "Diagnose",
    "Explain",
    "Path",
    "Plan",
    "TraceBoot",
    "TraceDhcp",
    "TraceRequest",
    "TraceRpc",
    "TraceVolume",
    "Triage",
]

_CLIENTS = {"os_cloud", "quiet", "verbose", "debug"}
"""The client has options of these names for all of its commands."""
_WAYS = ("inventory", "nodes", "from_cloud", "demo", "source", "sources")
"""How it is said what to look at."""


class _Command(osc.Command):
    """One of stackdoctor's commands, printed as stackdoctor prints it."""

    auth_required = False
    words: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()
    status = 0

    def get_description(self) -> str:
        """What stackdoctor's own help says."""
        return (_leaf(self.words)[0].help or "").replace("\b", "").replace("`", "").strip()

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The client's parser, with the options of stackdoctor's command."""
        parser = super().get_parser(prog_name)
        add_parameters(parser, _leaf(self.words)[0], _CLIENTS | self.without)
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """stackdoctor's exit status; what goes wrong is said as stackdoctor says it."""

        def done() -> int:
            super(_Command, self).run(parsed_args)
            return self.status

        logging.getLogger("stackdoctor").propagate = False  # what its libraries say is in the report, in its words
        return outcome(done)

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        """Run stackdoctor's command."""
        with self.context(parsed_args) as context:
            self.status = int(context.command.invoke(context) or 0)

    @contextlib.contextmanager
    def context(self, parsed: argparse.Namespace, *more: str) -> Iterator[click.Context]:
        """The command line as click has read it, with what the client knows already."""
        command, parent = _leaf(self.words)
        has = {parameter.name for parameter in command.params}
        level = getattr(self.app.options, "verbose_level", 1)
        if "quiet" in has and level == 0:
            more = (*more, "--quiet")
        if "verbose" in has and level > 1:
            more = (*more, "--verbose")
        with command.make_context(command.name, [*more, *written(parsed)], parent=parent) as context:
            if "os_cloud" in has and not context.params.get("demo"):
                login = self.login()
                context.params["os_cloud"] = login or ""
                if login is not None and not any(context.params.get(way) for way in _WAYS):
                    context.params["from_cloud"] = True
            yield context

    def login(self) -> CloudRegion | None:
        """The cloud that the client is told to talk to, by all its ways to be told; None where it is not."""
        told = {**self.app.cloud.config, **(self.app.cloud.config.get("auth") or {})}
        if not told.get("auth_url"):
            return None
        try:
            region: CloudRegion = self.app.cloud_config.get_one(
                cloud=self.app.options.cloud, argparse=self.app.options, validate=True, app_name="stackdoctor"
            )
        except Exception as error:  # every kind of login misses something else, in its own words
            raise UsageError(f"the client cannot log in with what it is told: {error}") from error
        return region


class Diagnose(_Command, osc.Lister):
    """The diagnoses, a row each."""

    words = ("diagnose",)
    without = frozenset(("form", "cause"))

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Names and rows, from the report by its schema."""
        text = io.StringIO()
        with self.context(parsed_args, "--format", "json") as context, contextlib.redirect_stdout(text):
            self.status = int(context.command.invoke(context) or 0)
        report = json.loads(text.getvalue())
        _say_the_rest(report, self.app.options)
        names = ("Cause", "Where", "Severity", "Confidence", "State", "Title")
        return names, [_row(diagnosis) for diagnosis in report["diagnoses"]]


def _row(diagnosis: dict[str, Any]) -> tuple[Any, ...]:
    where = DictColumn({name: plain(value) for name, value in diagnosis["where"].items()})
    told = [diagnosis[name] for name in ("severity", "confidence", "state")]
    return (diagnosis["cause"], where, *told, plain(diagnosis["title"]))


def _say_the_rest(report: dict[str, Any], options: Any) -> None:
    """What a list of diagnoses leaves out is not silent."""
    silent = [node["name"] for node in report["nodes"] if node["status"] != "ok"]
    rest: dict[str, int | str] = {
        "findings that no diagnosis explains": len(report["unexplained"]),
        "checks that could not be made": len(report["not_checked"]),
        "nodes not wholly looked at": ", ".join(map(plain, silent)),
    }
    said = "; ".join(f"{what}: {which}" for what, which in rest.items() if which)
    if getattr(options, "verbose_level", 1) and said:
        print(f"not in this list: {said} (--output FILE.html or FILE.json has all of it)", file=sys.stderr)


class Collect(_Command, osc.ShowOne):
    """A snapshot, and what is in it."""

    words = ("collect",)

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        """Names and values."""
        from stackdoctor.cli.collect import take

        with self.context(parsed_args) as context:
            snapshot = take(**context.params)
            answered = [plain(results.node.name) for results in snapshot.nodes if results.results]
            silent = [plain(results.node.name) for results in snapshot.nodes if not results.results]
            names = ("Snapshot", "Answered", "Silent", "Seconds")
            return names, (str(context.params["keep"]), ", ".join(answered), ", ".join(silent), snapshot.seconds)


def _leaf(words: Iterable[str]) -> tuple[click.Command, click.Context]:
    """The command that ``words`` name, and the context of the group that has it, as the configuration sets it."""
    context = click.Context(stackdoctor, info_name="openstack doctor")
    _, command, rest = stackdoctor.resolve_command(context, list(words))
    while isinstance(command, click.Group):
        context = click.Context(command, info_name=command.name, parent=context)
        _, command, rest = command.resolve_command(context, rest)
    assert command is not None
    return command, context


class Checks(_Command):
    """`stackdoctor checks`."""

    words = ("checks",)


class Explain(_Command):
    """`stackdoctor explain`."""

    words = ("explain",)


class Path(_Command):
    """`stackdoctor path`."""

    words = ("path",)


class Plan(_Command):
    """`stackdoctor plan`."""

    words = ("plan",)


class TraceBoot(_Command):
    """`stackdoctor trace boot`."""

    words = ("trace", "boot")


class TraceDhcp(_Command):
    """`stackdoctor trace dhcp`."""

    words = ("trace", "dhcp")


class TraceRequest(_Command):
    """`stackdoctor trace request`."""

    words = ("trace", "request")


class TraceRpc(_Command):
    """`stackdoctor trace rpc`."""

    words = ("trace", "rpc")


class TraceVolume(_Command):
    """`stackdoctor trace volume`."""

    words = ("trace", "volume")


class Triage(_Command):
    """`stackdoctor triage`."""

    words = ("triage",)

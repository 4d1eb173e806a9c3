"""The options of a click command as argparse takes them, so that they are written once.

argparse only recognises what is written, and lists it in its help; click then reads it: types, defaults, environment,
configuration and what options forbid each other are its matter alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Iterator
from typing import Any

import click

__all__ = ["add_parameters", "written"]

_OPTIONS = "click_options"
_ARGUMENTS = "click_arguments"


class _Option(argparse.Action):
    """Keeps what was written, as it was."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        option = self.option_strings[-1] if option_string is None else option_string
        words = (option,) if self.nargs == 0 else (option, str(values))
        setattr(namespace, _OPTIONS, (*getattr(namespace, _OPTIONS, ()), *words))


class _Argument(argparse.Action):
    """The same for what has its place instead of a name."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        words = values if isinstance(values, list) else () if values is None else (values,)
        setattr(namespace, _ARGUMENTS, (*getattr(namespace, _ARGUMENTS, ()), *words))


def add_parameters(parser: argparse.ArgumentParser, command: click.Command, without: Collection[str]) -> None:
    """Add what ``command`` takes to ``parser``, except the parameters called as in ``without``."""
    context = click.Context(command, info_name=command.name)
    for parameter in command.params:
        if parameter.name in without:
            continue
        if isinstance(parameter, click.Option) and not parameter.hidden:
            _add_option(parser.add_argument, parameter, context)
        elif isinstance(parameter, click.Argument):
            nargs = "*" if parameter.nargs == -1 else None if parameter.required else "?"
            name = (parameter.metavar or str(parameter.name)).strip("[]")
            parser.add_argument(f"click:{parameter.name}", action=_Argument, nargs=nargs, metavar=name)


def _add_option(add: Callable[..., Any], option: click.Option, context: click.Context) -> None:
    record = option.get_help_record(context)
    settings: dict[str, Any] = {"action": _Option, "dest": argparse.SUPPRESS, "default": argparse.SUPPRESS}
    settings["help"] = (record[1] if record else "").replace("%", "%%")
    if option.is_flag or option.count:
        settings["nargs"] = 0
    elif isinstance(option.type, click.Choice):
        settings["choices"] = list(option.type.choices)
    else:
        settings["metavar"] = option.metavar or option.type.name.upper()
    add(*option.opts, **settings)
    if option.secondary_opts:
        add(*option.secondary_opts, **settings)


def written(parsed: argparse.Namespace) -> Iterator[str]:
    """The words for click of a command line that ``add_parameters`` made argparse understand."""
    yield from getattr(parsed, _OPTIONS, ())
    arguments = getattr(parsed, _ARGUMENTS, ())
    if arguments:
        yield "--"
        yield from arguments

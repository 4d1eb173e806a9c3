"""The option `--debug FILE`, of the program and of its commands; the log itself is loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = ["debug_option"]

Command = TypeVar("Command", bound=Callable[..., Any])


def debug_option(envvar: str | None = None) -> Callable[[Command], Command]:
    """``--debug FILE``, which acts at once and is no argument of the command."""
    return click.option(
        "--debug",
        type=click.Path(path_type=Path),
        metavar="FILE",
        envvar=envvar,
        show_envvar=True,
        is_eager=True,
        expose_value=False,
        callback=_begin,
        help="Log every step to this file, without secrets (docs/debug.md).",
    )


def _begin(ctx: click.Context, param: click.Parameter, path: Path | None) -> None:
    if path is not None:
        from stackdoctor.cli.debug_log import start_debug_log

        start_debug_log(ctx, path)

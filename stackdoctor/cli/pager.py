"""Long output on a terminal goes through the user's pager, what fits on the screen does not."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
from collections.abc import Iterator

import click

__all__ = ["paged"]


class _Held(io.StringIO):
    """What would be on the terminal; it passes for one, so that it is coloured and encoded as for it."""

    def __init__(self, terminal: object) -> None:
        super().__init__()
        self._encoding = str(getattr(terminal, "encoding", None) or "utf-8")

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the terminal."""
        return self._encoding

    def isatty(self) -> bool:
        """It stands for one."""
        return True


@contextlib.contextmanager
def paged() -> Iterator[None]:
    """What is printed inside goes to $PAGER where standard output is a terminal and it is longer than that is high.

    Nothing is held back elsewhere, nor with --no-pager or where the terminal is dumb; what was printed before an
    error is shown first.
    """
    if not _wanted():
        yield
        return
    held = _Held(sys.stdout)
    try:
        with contextlib.redirect_stdout(held):
            yield
    finally:
        text = held.getvalue()
        if text.count("\n") < shutil.get_terminal_size().lines:
            click.echo(text, nl=False, color=True)
        else:
            # as git does: colours, and what is read stays on the screen
            os.environ.setdefault("LESS", "-FRX")
            click.echo_via_pager(text.rstrip("\n"), color=True)


def _wanted() -> bool:
    context = click.get_current_context(silent=True)
    refused = context is not None and context.find_root().params.get("no_pager")
    if refused or os.environ.get("PAGER", "less") in ("", "cat") or os.environ.get("TERM", "dumb") == "dumb":
        return False
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()

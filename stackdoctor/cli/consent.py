"""The user's consent to what touches the cloud."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import click

from stackdoctor.errors import UsageError

__all__ = ["consent_option", "need_consent"]

consent_option = click.option("-y", "--yes", is_flag=True, help="Do it without asking.")


def need_consent(what: Iterable[str], yes: bool) -> None:
    """Say what will be done, and ask unless ``yes``.

    Raises UsageError where the user says no, or where there is nobody to ask.
    """
    from stackdoctor.report.hostile import plain

    click.echo("This will:", err=True)
    for line in what:
        click.echo(f"  - {plain(line)}", err=True)
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nothing was done: this touches the cloud, and needs --yes where there is no terminal to ask")
    if not click.confirm("Go on?", err=True):
        raise UsageError("nothing was done: consent was refused")

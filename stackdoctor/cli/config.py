"""`stackdoctor config`: whether the configuration is right, and what it comes to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click

from stackdoctor.cli.settings import BESIDE, KEYS, Mistakes, Settings, Value, configuration_files, read_settings
from stackdoctor.cli.settings_file import options_by_key
from stackdoctor.cli.trust import distrusted
from stackdoctor.report.hostile import plain

__all__ = ["command"]


@click.group("config")
def command() -> None:
    """Check the configuration, and show what is set and where (docs/configuration.md)."""


@command.command("check")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.pass_context
def check(ctx: click.Context, file: Path | None) -> int:
    """Say every mistake in FILE, or in the files that are in use; else show each setting and where it comes from.

    The inventory that is set is read as well, and what is to be ignored is looked up. Nothing is contacted.
    """
    from stackdoctor.diagnose.knowledge import load_knowledge
    from stackdoctor.diagnose.silence import refuse_unknown

    try:
        settings = _settings(ctx, file)
    except Mistakes as mistakes:
        for problem in mistakes.problems:
            click.echo(plain(problem), err=True)
        return mistakes.exit_status
    knowledge = load_knowledge((), _paths(settings, "checks"), _paths(settings, "playbooks"))
    ignores = settings.ignores
    if settings.inventory is not None:
        from stackdoctor.inventory.file import read_inventory

        ignores += read_inventory(settings.inventory, BESIDE).ignores
    refuse_unknown(ignores, knowledge.known, {playbook.cause for playbook in knowledge.playbooks})
    return _shown(settings)


@command.command("show")
@click.pass_context
def show(ctx: click.Context) -> int:
    """Show each setting and where it comes from."""
    return _shown(_settings(ctx, None))


def _settings(ctx: click.Context, file: Path | None) -> Settings:
    return read_settings(configuration_files(file or ctx.find_root().params.get("config")))


def _paths(settings: Settings, key: str) -> Iterator[Path]:
    value = settings.values.get(key, ())
    return (Path(path) for path in (() if isinstance(value, str | bool) else value))


def _shown(settings: Settings) -> int:
    for file in settings.files:
        why = distrusted(file)
        click.echo(plain(f"{file}" + (f"   (restricted: {why})" if why else "")))
    if not settings.files:
        click.echo("no configuration: neither ~/.config/stackdoctor/config.yaml nor ./stackdoctor.yaml is there")
    click.echo()
    for key in KEYS:
        value, origin = _effective(settings, key)
        click.echo(plain(f"{key:<14}{_text(value):<24}  {origin}").rstrip())
    for ignore in settings.ignores:
        click.echo(plain(f"{'ignore':<14}{ignore}  until {ignore.until}: {ignore.reason}  {ignore.origin}"))
    return 0


def _effective(settings: Settings, key: str) -> tuple[Value, str]:
    option = options_by_key()[key]
    if isinstance(option.envvar, str) and os.environ.get(option.envvar):
        return os.environ[option.envvar], f"${option.envvar}"
    if key in settings.values:
        return settings.values[key], settings.origins[key]
    default = option.default
    return default if isinstance(default, str | bool) else str(default) if isinstance(default, int) else "", "default"


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return (value if isinstance(value, str) else ", ".join(value)) or "-"

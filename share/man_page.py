"""The man page of all commands, from the commands themselves: ``python share/man_page.py > stackdoctor.1``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from stackdoctor import __version__
from stackdoctor.cli.main import stackdoctor

OUTCOMES = {
    "0": "Nothing at or above --fail-on; what was asked for is done.",
    "1": "Something was found.",
    "2": "Wrong use or configuration.",
    "3": "Nothing could be collected.",
    "130": "Stopped by Ctrl-C.",
}
FILES = {
    "~/.config/stackdoctor/config.yaml": "The configuration of this user (docs/configuration.md).",
    "./stackdoctor.yaml": "The same for who starts stackdoctor in this directory; it counts over the user's.",
    "~/.ssh/config, ~/.ssh/known_hosts": "How nodes are reached, and the host keys that are known.",
    "clouds.yaml": "How the APIs are asked; see openstacksdk.",
}


def page() -> Iterator[str]:
    """The lines of the page, in man(7)'s macros."""
    context = click.Context(stackdoctor, info_name="stackdoctor")
    about = paragraphs(stackdoctor)[0].partition("\n")[0]
    yield f'.TH STACKDOCTOR 1 "" "stackdoctor {__version__}" "OpenStack"'
    yield from (".SH NAME", f"stackdoctor \\- {escaped(about.rstrip('.'))}")
    yield from (".SH SYNOPSIS", ".B stackdoctor", escaped(" ".join(stackdoctor.collect_usage_pieces(context))))
    yield ".SH DESCRIPTION"
    yield from text(stackdoctor, skip=1)
    yield ".SH OPTIONS"
    yield from options(stackdoctor, context)
    yield ".SH COMMANDS"
    for name in stackdoctor.list_commands(context):
        command = stackdoctor.get_command(context, name)
        if command is not None:
            yield from section(command, name, context)
    yield ".SH EXIT STATUS"
    yield from listed(OUTCOMES)
    yield ".SH ENVIRONMENT"
    yield from listed(dict(sorted(variables(stackdoctor, context))))
    yield ".SH FILES"
    yield from listed(FILES)
    yield from (".SH SEE ALSO", ".BR ssh_config (5),", ".BR openstack (1)")


def section(command: click.Command, name: str, parent: click.Context) -> Iterator[str]:
    """One command and those below it."""
    context = click.Context(command, info_name=name, parent=parent)
    yield f".SS {escaped(context.command_path)} {escaped(' '.join(command.collect_usage_pieces(context)))}"
    yield from text(command)
    yield from options(command, context)
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            under = command.get_command(context, below)
            if under is not None:
                yield from section(under, below, context)


def paragraphs(command: click.Command) -> list[str]:
    """The help of ``command``, a text each."""
    return inspect.cleandoc(command.help or "").split("\n\n")


def text(command: click.Command, skip: int = 0) -> Iterator[str]:
    """The help of ``command``; what click leaves unfilled stays so."""
    for paragraph in paragraphs(command)[skip:]:
        yield ".PP"
        if paragraph.startswith("\b"):
            yield from (".nf", *(escaped(line) for line in paragraph.strip("\b\n").split("\n")), ".fi")
        else:
            yield escaped(" ".join(paragraph.split()))


def options(command: click.Command, context: click.Context) -> Iterator[str]:
    """The options of ``command``, but --help."""
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None and isinstance(parameter, click.Option):
            yield from (".TP", f"\\fB{escaped(record[0])}\\fR", escaped(record[1] or "See above."))


def variables(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    """Each environment variable that sets an option, and which."""
    for parameter in command.params:
        if parameter.envvar:
            yield str(parameter.envvar), f"As {parameter.opts[-1]}."
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from variables(below, context)


def listed(entries: dict[str, str]) -> Iterator[str]:
    """A list of names and what they mean."""
    for name, means in entries.items():
        yield from (".TP", f"\\fB{escaped(name)}\\fR", escaped(means))


def escaped(line: str) -> str:
    """``line`` as it shall be read: no macro, no escape, and a minus that can be copied."""
    line = line.replace("\\", "\\e").replace("-", "\\-").replace("\u2019", "'")
    return re.sub(r"^([.'])", r"\\&\1", line)


if __name__ == "__main__":
    print("\n".join(page()))

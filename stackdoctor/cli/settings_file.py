"""Reading one file of the configuration: types as the options have them, and who may set what."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click
import yaml

from stackdoctor.cli.options import (
    Setting,
    database_options,
    executor_options,
    knowledge_options,
    node_options,
    run_options,
)
from stackdoctor.cli.reporting import report_options
from stackdoctor.cli.settings import HARMLESS, KEYS, Mistakes, Settings, Value
from stackdoctor.cli.trust import distrusted
from stackdoctor.errors import UsageError
from stackdoctor.inventory.document import Document, composed, file_content, unknown_key
from stackdoctor.inventory.ignore import Ignore
from stackdoctor.inventory.ignore_yaml import read_ignores
from stackdoctor.inventory.own_yaml import OwnYaml

__all__ = ["defaults_of", "options_by_key", "read_file"]

_NODES = ("nodes", "defaults")
_BOOL = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_CODE = ("checks", "playbooks")


@functools.cache
def options_by_key() -> Mapping[str, Setting]:
    """The options that a configuration may set, by key."""

    def none() -> None: ...

    groups: tuple[Callable[[Callable[[], None]], Callable[[], None]], ...] = (
        *(report_options, knowledge_options, database_options, executor_options, run_options, node_options),
    )
    for group in groups:
        group(none)
    options = {option.key: option for option in getattr(none, "__click_params__", ()) if isinstance(option, Setting)}
    return MappingProxyType({key: options[key] for key in KEYS})


def defaults_of(command: click.Command, settings: Settings) -> dict[str, Any]:
    """What ``settings`` are for the options of ``command`` and of the commands below it, as click takes defaults."""
    defaults: dict[str, Any] = {}
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            defaults[name] = defaults_of(below, settings)
    for option in command.params:
        if isinstance(option, Setting) and option.key in settings.values:
            defaults[str(option.name)] = settings.values[option.key]
    return defaults


def read_file(file: Path) -> Settings:
    """What ``file`` sets; paths in it are relative to it.

    Raises UsageError that names every mistake with its line: unknown keys, wrong types, secrets, and what may not be
    set by a file that somebody else could have written.
    """
    root = composed(file, file_content(file, "configuration"), "a configuration")
    if root is None:
        return Settings(files=(file,))
    return _Reader(file).settings(root)


class _Reader(Document):
    def settings(self, root: yaml.Node) -> Settings:
        if not isinstance(root, yaml.MappingNode):
            self.fail(root, f"a configuration must be a mapping of {', '.join((*KEYS, 'ignore', *_NODES))}")
        why = distrusted(self.file)
        values: dict[str, Value] = {}
        origins: dict[str, str] = {}
        problems: list[str] = []
        ignores: tuple[Ignore, ...] = ()
        for key, node in root.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            try:
                self.refuse(key, name, why)
                if name == "ignore":
                    ignores = read_ignores(self, node)
                elif name == "nodes":
                    OwnYaml(self.file).inventory(root, (*KEYS, "ignore"))
                    values["inventory"] = str(self.file.absolute())
                elif name in KEYS:
                    values[name] = self.value(name, node)
                origins["inventory" if name == "nodes" else name] = f"{self.file}:{key.start_mark.line + 1}"
            except UsageError as error:
                problems.append(str(error))
        names = {key.value for key, _ in root.value if isinstance(key, yaml.ScalarNode)}
        if {"inventory", "nodes"} <= names:
            problems.append(f"{self.file}: `inventory` and `nodes` are both set: name the nodes in one way")
        if "defaults" in names and "nodes" not in names:
            problems.append(f"{self.file}: `defaults` are of `nodes`, which are not set here")
        if problems:
            raise Mistakes(tuple(dict.fromkeys(problems)))
        kept = {name: place for name, place in origins.items() if name in values}
        return Settings(MappingProxyType(values), MappingProxyType(kept), ignores, (self.file,))

    def refuse(self, key: yaml.Node, name: str, why: str) -> None:
        """Unknown keys, and those that this file is not trusted with."""
        known = (*KEYS, "ignore", *_NODES)
        if name not in known:
            self.fail(key, unknown_key("a configuration", name, known, known))
        if why and name not in HARMLESS:
            self.fail(key, f"`{name}` is not taken from this file, because {why}: give --{_option(name)} yourself")

    def value(self, name: str, node: yaml.Node) -> Value:
        """The value as the option takes it, after it has been tried."""
        option = options_by_key()[name]
        if option.is_flag:
            word = node.value.lower() if isinstance(node, yaml.ScalarNode) else ""
            if word not in _BOOL or node.tag != "tag:yaml.org,2002:bool":
                self.fail(node, f"`{name}` must be true or false")
            return _BOOL[word]
        if not option.multiple:
            return self.tried(option, node)
        return [self.tried(option, n) for n in (node.value if isinstance(node, yaml.SequenceNode) else [node])]

    def tried(self, option: Setting, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode) or node.tag == "tag:yaml.org,2002:null" or not node.value.strip():
            self.fail(
                node, f"`{option.key}` must be " + ("a value or a list of them" if option.multiple else "a value")
            )
        if isinstance(option.type, click.Path):
            return self.place(option.key, node)
        try:
            option.type.convert(node.value, option, None)
        except click.BadParameter as error:
            self.fail(node, f"`{option.key}`: {error.message}")
        return str(node.value)

    def place(self, name: str, node: yaml.Node) -> str:
        """A path; where code may lie nobody else may write."""
        path = self.path(node, name)
        if name in _CODE:
            if not Path(path).is_dir():
                self.fail(node, f"`{name}`: there is no such directory: {path}")
            folder = Path(path)
            for part in (folder, *folder.rglob("*.py"), *folder.rglob("*.yaml")):
                if why := distrusted(part):
                    self.fail(node, f"`{name}`: {part} is not loaded, because {why}")
        return path


def _option(name: str) -> str:
    return name.replace("_", "-")

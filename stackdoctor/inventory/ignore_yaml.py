"""The list ``ignore:`` of a configuration in YAML."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn, Protocol

import yaml

from stackdoctor.inventory.ignore import Ignore

__all__ = ["Reader", "read_ignores"]

_KEYS = ("finding", "cause", "node", "subject", "keys", "reason", "until")


class Reader(Protocol):
    """Reads YAML nodes of one file and complains with their line and column."""

    @property
    def file(self) -> Path: ...

    def fail(self, node: yaml.Node, problem: str) -> NoReturn: ...

    def mapping(self, node: yaml.Node, what: str, known: Sequence[str]) -> dict[str, yaml.Node]: ...

    def text(self, node: yaml.Node, what: str) -> str: ...


def read_ignores(reader: Reader, node: yaml.Node) -> tuple[Ignore, ...]:
    """The list ``ignore:``; raises UsageError (by ``reader``) for an entry that lacks a reason or a day, or is odd."""
    if not isinstance(node, yaml.SequenceNode):
        reader.fail(node, "`ignore` must be a list")
    return tuple(_ignore(reader, entry) for entry in node.value)


def _ignore(reader: Reader, node: yaml.Node) -> Ignore:
    given = reader.mapping(node, "an entry of ignore", _KEYS)
    if ("finding" in given) == ("cause" in given):
        reader.fail(node, "an entry of ignore names a `finding` or a `cause`")
    for name in ("reason", "until"):
        if name not in given:
            reader.fail(node, f"an entry of ignore needs a `{name}`")
    texts = {name: reader.text(value, name) for name, value in given.items() if name not in ("keys", "until")}
    for name in ("finding", "cause", "reason"):
        if name in texts and not texts[name]:
            reader.fail(given[name], f"`{name}` is empty")
    return Ignore(
        finding=texts.get("finding", ""),
        cause=texts.get("cause", ""),
        reason=texts["reason"],
        until=_day(reader, given["until"]),
        node=texts.get("node", ""),
        subject=texts.get("subject", ""),
        keys=MappingProxyType(_keys(reader, given["keys"]) if "keys" in given else {}),
        origin=f"{reader.file}:{node.start_mark.line + 1}",
    )


def _day(reader: Reader, node: yaml.Node) -> date:
    try:
        return date.fromisoformat(node.value if isinstance(node, yaml.ScalarNode) else "")
    except ValueError:
        reader.fail(node, "`until` must be a day, such as 2027-01-31")


def _keys(reader: Reader, node: yaml.Node) -> dict[str, str]:
    if not isinstance(node, yaml.MappingNode):
        reader.fail(node, "`keys` must be a mapping, such as {network: 5d0c*}")
    values = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or not isinstance(value, yaml.ScalarNode):
            reader.fail(value, "`keys` must be a mapping of words")
        values[str(key.value)] = str(value.value)  # what a finding says is text, a number as well
    return values

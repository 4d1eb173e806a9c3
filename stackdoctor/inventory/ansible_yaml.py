"""Ansible inventories as YAML, and what ``ansible-inventory --list`` prints as JSON or YAML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import yaml

from stackdoctor.errors import UsageError
from stackdoctor.inventory.ansible_groups import Groups
from stackdoctor.inventory.host_range import hosts_and_port

__all__ = ["Vaulted", "constructed", "read_groups"]


class Vaulted:
    """A value that only Ansible's vault can open."""


class _Loader(yaml.SafeLoader):
    """Plain values; what is vaulted is known to be there, and no more."""


def _vaulted(loader: _Loader, node: yaml.Node) -> Vaulted:
    return Vaulted()


def _unsafe(loader: _Loader, node: yaml.Node) -> str:
    return str(node.value)


for _tag in ("!vault", "!vault-encrypted"):
    _Loader.add_constructor(_tag, _vaulted)
_Loader.add_constructor("!unsafe", _unsafe)


def constructed(file: Path, root: yaml.Node) -> Any:
    """The values of composed YAML; ``!vault`` ones become Vaulted.  Raises UsageError with file, line and column."""
    try:
        return _Loader("").construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
        raise UsageError(f"{place}: {error.problem}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file}: {error}") from error


def read_groups(file: Path, top: Mapping[str, Any]) -> Groups:
    """The groups of a mapping of them; raises UsageError that names the file and the group.

    ``hosts`` and ``children`` are mappings in inventories and lists in what ``ansible-inventory --list`` prints, whose
    variables are under ``_meta``.
    """
    reader = _Reader(file)
    found = Groups()
    for name, group in top.items():
        if name != "_meta":
            reader.group(found, str(name), group, 0)
    meta = reader.mapping(reader.mapping(top.get("_meta"), "_meta").get("hostvars"), "_meta.hostvars")
    for host, variables in meta.items():
        if host in found.hosts:
            found.hosts[str(host)].update(reader.mapping(variables, f"_meta.hostvars.{host}"))
    return found


class _Reader:
    def __init__(self, file: Path) -> None:
        self._file = file

    def fail(self, problem: str) -> NoReturn:
        raise UsageError(f"{self._file}: {problem}")

    def mapping(self, value: Any, what: str) -> Mapping[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.fail(f"{what} must be a mapping")
        return value

    def names(self, value: Any, what: str) -> Iterator[tuple[str, Any]]:
        """Names with what stands under each: of a mapping, a list, or one alone."""
        if isinstance(value, str):
            value = [value]
        if isinstance(value, list):
            value = dict.fromkeys(map(str, value))
        for name, below in self.mapping(value, what).items():
            yield str(name), below

    def group(self, found: Groups, name: str, value: Any, depth: int) -> None:
        if depth > 50:
            self.fail(f"the group {name} is nested more than 50 deep")
        if isinstance(value, list):  # a group may be nothing but its hosts
            value = {"hosts": value}
        given = self.mapping(value, f"the group {name}")
        group = found.group(name)
        for pattern, variables in self.names(given.get("hosts"), f"hosts of the group {name}"):
            own = self.mapping(variables, f"the host {pattern} of the group {name}")
            try:
                hosts, port = hosts_and_port(pattern)
            except UsageError as error:
                self.fail(f"the group {name}: {error}")
            for host in hosts:
                found.add_host(name, host, ({"ansible_port": port} if port else {}) | dict(own))
        for child, below in self.names(given.get("children"), f"children of the group {name}"):
            if child not in group.children:
                group.children.append(child)
            self.group(found, child, below, depth + 1)
        group.vars.update(self.mapping(given.get("vars"), f"vars of the group {name}"))

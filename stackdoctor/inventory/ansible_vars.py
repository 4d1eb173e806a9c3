"""``group_vars/`` and ``host_vars/`` beside an Ansible inventory: what they say about logging in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stackdoctor.errors import UsageError
from stackdoctor.inventory.ansible_groups import Groups
from stackdoctor.inventory.ansible_yaml import constructed
from stackdoctor.inventory.document import composed, file_content

__all__ = ["variables_beside"]

_SUFFIXES = ("", ".yml", ".yaml", ".json")
Variables = dict[str, dict[str, Any]]


def variables_beside(file: Path, found: Groups) -> tuple[Variables, Variables]:
    """The variables of groups and of hosts, by name.  Raises UsageError for a file that is no mapping in YAML.

    A name's variables are in a file of that name, with or without suffix, or in the files of a directory of that name.
    What is encrypted is taken for empty: logins are rarely kept there, and one that is will be missed by SSH.
    """
    return (
        _variables(file.parent / "group_vars", ("all", *found.groups)),
        _variables(file.parent / "host_vars", found.hosts),
    )


def _variables(folder: Path, names: Iterable[str]) -> Variables:
    if not folder.is_dir():
        return {}
    found: Variables = {}
    for name in dict.fromkeys(names):
        if "/" in name or name.startswith("."):
            continue
        for path in _files(folder, name):
            found.setdefault(name, {}).update(_read(path))
    return found


def _files(folder: Path, name: str) -> Iterator[Path]:
    for suffix in _SUFFIXES:
        path = folder / (name + suffix)
        if path.is_file():
            yield path
        elif path.is_dir() and not suffix:
            yield from (p for p in sorted(path.rglob("*")) if p.is_file() and p.suffix in _SUFFIXES)


def _read(path: Path) -> Mapping[str, Any]:
    content = file_content(path, "file of variables")
    if content.startswith(b"$ANSIBLE_VAULT;"):
        return {}
    root = composed(path, content, "a file of variables")
    value = None if root is None else constructed(path, root)
    if not isinstance(value, Mapping | None):
        raise UsageError(f"{path}: variables must be a mapping")
    return value or {}

"""The inventory file: which kind it is, and which nodes it names."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from stackdoctor.errors import UsageError
from stackdoctor.inventory.document import composed, file_content
from stackdoctor.inventory.nodes import Inventory
from stackdoctor.inventory.own_yaml import OwnYaml

if TYPE_CHECKING:
    from stackdoctor.inventory.ansible_groups import Groups

__all__ = ["Inventory", "read_inventory"]


def read_inventory(path: str | os.PathLike[str], beside: Sequence[str] = ()) -> Inventory:
    """The inventory in ``path``, of whatever kind its content is.

    The kinds are the own one (``nodes:``), Ansible's INI and YAML, what ``ansible-inventory --list`` prints, and
    OpenStack-Ansible's openstack_user_config.yml.  In the own one keys ``beside`` may stand too, and paths are relative
    to the file.  Nothing is ever run: dynamic inventories and vaulted files raise UsageError with the command that
    makes a static one, and so do mistakes, with the place where they are.
    """
    file = Path(path).expanduser()
    _refuse_dynamic(file)
    content = file_content(file, "inventory")
    if content.startswith(b"$ANSIBLE_VAULT;"):
        raise UsageError(f"{file} is encrypted with ansible-vault: {_exported(file)}, with --ask-vault-pass")
    if content.startswith(b"#!"):
        raise UsageError(f"{file} is a program (a dynamic inventory), and is not run: {_exported(file)}")
    if (value := _json(content)) is not None:
        return _mapping(file, value)
    if _looks_like_ini(file, content):
        return _ini(file, content)
    root = composed(file, content, "an inventory")
    if root is None:
        raise UsageError(f"{file} is empty: it needs a list `nodes:`, or is to be an inventory of Ansible's")
    if isinstance(root, yaml.MappingNode) and not any(key.value == "nodes" for key, _ in root.value):
        from stackdoctor.inventory.ansible_yaml import constructed

        found = _of_a_tool(file, constructed(file, root))
        if found is not None:
            return found
    return OwnYaml(file).inventory(root, beside)


def _exported(file: Path) -> str:
    return f"`ansible-inventory -i {file} --list -y > inventory.yaml` writes down what it says"


def _refuse_dynamic(file: Path) -> None:
    """What only Ansible can read, by its place and name."""
    if file.is_dir():
        raise UsageError(f"{file} is a directory: name one file of it, or {_exported(file)}")
    if file.suffix == ".toml":
        raise UsageError(f"{file} is TOML, which is not read: {_exported(file)}")


def _json(content: bytes) -> Mapping[str, Any] | None:
    """JSON, which large exports are, at the speed of JSON; None where it is none."""
    if not content.lstrip().startswith(b"{"):
        return None
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and "nodes" not in value else None


def _looks_like_ini(file: Path, content: bytes) -> bool:
    """A section in brackets at the beginning of a line, or nothing but lines of hosts."""
    from stackdoctor.inventory.ansible_ini import SECTION

    lines = [line.rstrip() for line in content.decode("utf-8", "replace").splitlines()]
    said = [line for line in lines if line.strip() and line.lstrip()[0] not in "#;"]
    if not said or any(re.match(r"(---|%YAML)", line) for line in said):
        return False
    if file.suffix == ".ini" or any(SECTION.fullmatch(line) for line in said):
        return True
    return all(re.fullmatch(r"(\w|\[[0-9a-f:]+\])([\w.\[\]:-]*[\w\]])?(\s+(\w+=|#).*)?", line) for line in said)


def _ini(file: Path, content: bytes) -> Inventory:
    from stackdoctor.inventory.ansible_ini import read_ini

    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UsageError(f"{file}:{line}: this is not text (UTF-8)") from error
    return _inventory(file, read_ini(file, text))


def _mapping(file: Path, value: Mapping[str, Any]) -> Inventory:
    found = _of_a_tool(file, value)
    if found is None:
        raise UsageError(f"{file} is JSON, but neither an inventory with `nodes` nor one of Ansible's")
    return found


def _of_a_tool(file: Path, top: Any) -> Inventory | None:
    """The inventory of a mapping that Ansible or one of its users writes; None where it is none."""
    from stackdoctor.inventory.ansible_yaml import read_groups
    from stackdoctor.inventory.openstack_ansible import is_user_config, read_user_config

    if not isinstance(top, Mapping):
        return None
    if "plugin" in top:
        raise UsageError(f"{file} is the configuration of an inventory plugin, which is not run: {_exported(file)}")
    if is_user_config(top):
        return _inventory(file, read_user_config(file, top))
    groups = [g for g in top.values() if isinstance(g, Mapping) and g.keys() & {"hosts", "children", "vars"}]
    lists = [g for g in top.values() if isinstance(g, list)] if "_meta" in top else []
    if not (groups or lists or top.keys() & {"all", "ungrouped", "_meta"}):
        return None
    return _inventory(file, read_groups(file, top))


def _inventory(file: Path, found: Groups) -> Inventory:
    from stackdoctor.inventory.ansible_nodes import nodes_of
    from stackdoctor.inventory.ansible_vars import variables_beside

    try:
        found.refuse_circles()
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from error
    return nodes_of(file, found, found.resolved(*variables_beside(file, found)))

"""The inventory file: which nodes there are and how each is reached, in YAML."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import yaml

from stackdoctor.errors import UsageError
from stackdoctor.inventory.ignore import Ignore, read_ignores
from stackdoctor.inventory.nodelist import is_ip, parse_address, valid_name
from stackdoctor.model import Node

__all__ = ["Inventory", "read_inventory"]

_LARGEST = 4 * 1024 * 1024
_MOST_VALUES = 200_000
_TOP = ("nodes", "defaults", "known_hosts", "ignore")
_NODE = ("name", "address", "port", "user", "key", "jump", "roles", "site")
_DEFAULTS = ("port", "user", "key", "jump", "site")


@dataclass(frozen=True)
class Inventory:
    """The nodes, the file of host keys that they are known by (empty: the user's own), and what is silenced."""

    nodes: tuple[Node, ...]
    known_hosts: str = ""
    ignores: tuple[Ignore, ...] = ()


def read_inventory(path: str | os.PathLike[str]) -> Inventory:
    """The inventory in ``path``; paths in it (``key``, ``known_hosts``) are relative to it.

    A node without ``address`` is reached by its name; an empty one (``address: ""``) is this machine.
    Raises UsageError with file, line and column for what is not YAML, unknown keys, names given twice,
    wrong types and impossible ports.
    """
    file = Path(path).expanduser()
    try:
        with file.open("rb") as stream:
            content = stream.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(f"cannot read the inventory {file}: {error.strerror or error}") from error
    if len(content) > _LARGEST:
        raise UsageError(f"{file} is larger than {_LARGEST // 1024 // 1024} MiB: that is no inventory")
    return _Reader(file).inventory(_composed(file, content))


def _composed(file: Path, content: bytes) -> yaml.Node:
    """The YAML nodes of the one document, with merge keys resolved."""
    try:
        loader = yaml.SafeLoader(content)
        try:
            root = loader.get_single_node()
            if root is None:
                raise UsageError(f"{file} is empty: it needs a list `nodes:`")
            _refuse_bomb(file, root)
            for mapping in _mappings(root, set()):
                _refuse_repeated(file, mapping)
                loader.flatten_mapping(mapping)
            _refuse_bomb(file, root)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
        raise UsageError(f"{place}: {error.problem or error.context or 'not YAML'}") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{file} is not YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise UsageError(f"{file} is nested too deeply to be an inventory") from error
    return root


def _refuse_bomb(file: Path, root: yaml.Node) -> None:
    """An alias is one word that may stand for a million values: count what they would expand to."""
    sizes: dict[int, int] = {}
    open_: set[int] = set()

    def size(node: yaml.Node) -> int:
        if id(node) in open_:
            raise _at(file, node, "an alias refers to the value that it is part of")
        if id(node) not in sizes:
            open_.add(id(node))
            sizes[id(node)] = 1 + sum(size(child) for child in _children(node))
            open_.discard(id(node))
        if sizes[id(node)] > _MOST_VALUES:
            raise _at(file, node, f"its aliases expand to more than {_MOST_VALUES} values")
        return sizes[id(node)]

    size(root)


def _refuse_repeated(file: Path, mapping: yaml.MappingNode) -> None:
    seen: dict[str, yaml.Node] = {}
    for key, _ in mapping.value:
        if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
            continue
        if key.value in seen:
            raise _at(file, key, f"{key.value!r} is also in line {seen[key.value].start_mark.line + 1}")
        seen[key.value] = key


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value


def _mappings(node: yaml.Node, seen: set[int]) -> Iterator[yaml.MappingNode]:
    """Every mapping once, inner ones first."""
    if id(node) in seen:
        return
    seen.add(id(node))
    for child in _children(node):
        yield from _mappings(child, seen)
    if isinstance(node, yaml.MappingNode):
        yield node


def _at(file: Path, node: yaml.Node, problem: str) -> UsageError:
    return UsageError(f"{file}:{node.start_mark.line + 1}:{node.start_mark.column + 1}: {problem}")


@dataclass(frozen=True)
class _Reader:
    """Reads YAML nodes of ``file``, so that each complaint knows its line and column."""

    file: Path

    def fail(self, node: yaml.Node, problem: str) -> NoReturn:
        raise _at(self.file, node, problem)

    def inventory(self, root: yaml.Node) -> Inventory:
        top = self.mapping(root, "the inventory", _TOP)
        if "nodes" not in top:
            self.fail(root, "there is no list `nodes:`")
        defaults = self.mapping(top["defaults"], "defaults", _DEFAULTS) if "defaults" in top else {}
        nodes = [self.node(name, value, defaults) for name, value in self.entries(top["nodes"])]
        if not nodes:
            self.fail(top["nodes"], "`nodes:` names no node")
        known_hosts = self.path(top["known_hosts"], "known_hosts") if "known_hosts" in top else ""
        names: dict[str, yaml.Node] = {}
        for node, where in nodes:
            if node.name in names:
                self.fail(where, f"the node {node.name!r} is also in line {names[node.name].start_mark.line + 1}")
            names[node.name] = where
        ignores = read_ignores(self, top["ignore"]) if "ignore" in top else ()
        return Inventory(tuple(node for node, _ in nodes), known_hosts, ignores)

    def entries(self, nodes: yaml.Node) -> list[tuple[yaml.Node | None, yaml.Node]]:
        """The nodes of a list, or of a mapping together with the keys that name them."""
        if isinstance(nodes, yaml.SequenceNode):
            return [(None, value) for value in nodes.value]
        if not isinstance(nodes, yaml.MappingNode):
            self.fail(nodes, "`nodes` must be a list, or a mapping of names")
        return list(nodes.value)

    def node(self, key: yaml.Node | None, value: yaml.Node, defaults: dict[str, yaml.Node]) -> tuple[Node, yaml.Node]:
        """One node, and where its name stands."""
        empty = isinstance(value, yaml.ScalarNode) and value.tag == "tag:yaml.org,2002:null"
        given = {} if empty and key is not None else self.mapping(value, "a node", _NODE)
        if key is not None and "name" in given:
            self.fail(given["name"], "the node's name is already the key of this mapping")
        name_at = key or given.get("name")
        if name_at is None and "address" not in given:
            self.fail(value, "a node needs a `name` or an `address`")
        name = self.text(name_at, "name") if name_at is not None else ""
        address = self.text(given["address"], "address") if "address" in given else name
        named = bool(name) or not is_ip(address)
        where = name_at or given["address"]
        if not valid_name(name or address):
            self.fail(where, f"a node cannot be called {name or address!r}")
        if address and not (valid_name(address) or is_ip(address)):
            self.fail(given.get("address", value), f"{address!r} cannot be an address")
        both = {**defaults, **given}
        return (
            Node(
                name=name or address,
                address=address,
                port=self.port(both["port"]) if "port" in both else 22,
                user=self.text(both["user"], "user") if "user" in both else "",
                key=self.path(both["key"], "key") if "key" in both else "",
                jump=self.jump(both["jump"]) if "jump" in both else "",
                roles=self.roles(both["roles"]) if "roles" in both else frozenset(),
                site=self.text(both["site"], "site") if "site" in both else "",
                named=named,
            ),
            where,
        )

    def mapping(self, node: yaml.Node, what: str, known: Sequence[str]) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            self.fail(node, f"{what} must be a mapping of {', '.join(known)}")
        values: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
                self.fail(key, f"{what} has no key {name!r}: {hint}")
            values[name] = value
        return values

    def text(self, node: yaml.Node, what: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:str":
            hint = f': write it in quotes, "{node.value}"' if isinstance(node, yaml.ScalarNode) and node.value else ""
            self.fail(node, f"{what} must be text{hint}")
        return str(node.value).strip()

    def port(self, node: yaml.Node) -> int:
        digits = node.value if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:int" else ""
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 5 and 1 <= int(digits) <= 65535):
            self.fail(node, "port must be a number from 1 to 65535")
        return int(digits)

    def path(self, node: yaml.Node, what: str) -> str:
        """An absolute path; relative ones start at the inventory's folder."""
        written = os.path.expanduser(self.text(node, what))
        return os.path.normpath(os.path.join(self.file.absolute().parent, written)) if written else ""

    def jump(self, node: yaml.Node) -> str:
        hops = self.text(node, "jump")
        if hops not in ("", "none"):
            for hop in hops.split(","):
                try:
                    parse_address(hop)
                except UsageError as error:
                    self.fail(node, f"jump: {error}")
        return hops

    def roles(self, node: yaml.Node) -> frozenset[str]:
        if not isinstance(node, yaml.SequenceNode):
            self.fail(node, "roles must be a list, such as [controller, network]")
        return frozenset(self.text(role, "a role") for role in node.value)

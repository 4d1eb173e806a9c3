"""The own form of an inventory: ``nodes:`` in YAML, with how each is reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import yaml

from stackdoctor.errors import UsageError
from stackdoctor.inventory.document import Document
from stackdoctor.inventory.ignore_yaml import read_ignores
from stackdoctor.inventory.nodelist import is_ip, parse_address, parse_nodes, valid_name
from stackdoctor.inventory.nodes import Inventory
from stackdoctor.model import API_ROLE, Node

__all__ = ["OwnYaml"]

_TOP = ("nodes", "defaults", "known_hosts", "ignore")
_NODE = ("name", "address", "port", "user", "key", "jump", "roles", "site")
_DEFAULTS = ("port", "user", "key", "jump", "site")


@dataclass(frozen=True)
class OwnYaml(Document):
    """The own form of an inventory."""

    def inventory(self, root: yaml.Node, beside: Sequence[str] = ()) -> Inventory:
        """The inventory; keys ``beside`` those of an inventory are somebody else's.

        A node without ``address`` is reached by its name; an empty one (``address: ""``) is this machine.
        Raises UsageError with file, line and column for unknown keys, names given twice, wrong types and
        impossible ports.
        """
        top = self.mapping(root, "the inventory", _TOP, beside)
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
        if key is None and isinstance(value, yaml.ScalarNode) and value.tag == "tag:yaml.org,2002:str":
            return self.listed(value, defaults), value
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
        return self.reached(Node(name or address, address, named=named), {**defaults, **given}), where

    def listed(self, value: yaml.Node, defaults: dict[str, yaml.Node]) -> Node:
        """A node that is written as on the command line: ``user@host:port``."""
        try:
            (node,) = parse_nodes(self.text(value, "a node"))
        except (UsageError, ValueError) as error:
            self.fail(value, f"a node must be one address or a mapping of {', '.join(_NODE)}: {error}")
        reached = self.reached(node, defaults)
        port = node.port if node.port != 22 else reached.port
        return replace(reached, user=node.user or reached.user, port=port)

    def reached(self, node: Node, given: dict[str, yaml.Node]) -> Node:
        return replace(
            node,
            port=self.port(given["port"]) if "port" in given else 22,
            user=self.text(given["user"], "user") if "user" in given else "",
            key=self.path(given["key"], "key") if "key" in given else "",
            jump=self.jump(given["jump"]) if "jump" in given else "",
            roles=self.roles(given["roles"]) if "roles" in given else frozenset(),
            site=self.text(given["site"], "site") if "site" in given else "",
        )

    def port(self, node: yaml.Node) -> int:
        digits = node.value if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:int" else ""
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 5 and 1 <= int(digits) <= 65535):
            self.fail(node, "port must be a number from 1 to 65535")
        return int(digits)

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
        roles = frozenset(self.text(role, "a role") for role in node.value)
        if API_ROLE in roles:
            self.fail(node, f"{API_ROLE!r} is the role of the cloud's APIs, and no host's")
        return roles

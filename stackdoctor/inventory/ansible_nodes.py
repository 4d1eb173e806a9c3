"""From the groups and variables of an Ansible inventory to nodes: addresses, logins, roles."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from stackdoctor.errors import UsageError
from stackdoctor.inventory.ansible_groups import Groups, Resolved
from stackdoctor.inventory.ansible_ssh import Way, way_of
from stackdoctor.inventory.ansible_yaml import Vaulted
from stackdoctor.inventory.nodelist import is_ip, valid_name
from stackdoctor.inventory.nodes import Inventory
from stackdoctor.inventory.roles import roles_of_groups
from stackdoctor.model import Node

__all__ = ["LOGIN_VARIABLES", "nodes_of"]

_HOST = ("ansible_ssh_host", "ansible_host")
_USER = ("ansible_ssh_user", "ansible_user")
_PORT = ("ansible_ssh_port", "ansible_port")
_KEY = ("ansible_ssh_private_key_file", "ansible_private_key_file")
_ARGUMENTS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
LOGIN_VARIABLES = (*_HOST, *_USER, *_PORT, *_KEY, *_ARGUMENTS, "ansible_connection")
"""What of a host's variables says how it is reached; the first of several names wins, as in Ansible."""

_PASSWORDS = ("ansible_password", "ansible_ssh_pass", "ansible_ssh_password")
_NOT_OF_THE_CLOUD = {"deployment", "undercloud"}
"""Groups of Kolla-Ansible and TripleO for the machine that deploys."""

_TEMPLATE = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")


def nodes_of(file: Path, found: Groups, resolved: Resolved) -> Inventory:
    """The hosts as nodes, in the order of the file.  Raises UsageError that names the host and the variable.

    A host with ``ansible_connection=local`` is this machine.  Left out are: the machine that deploys where it is not a
    part of the cloud itself, LXC containers of OpenStack-Ansible, and what is not reached by SSH; the last two with
    a note.
    """
    nodes: list[Node] = []
    containers: list[str] = []
    passwords: list[str] = []
    notes: list[str] = []
    for name in found.hosts:
        variables = _Variables(file, name, resolved.variables[name])
        direct, every = resolved.groups[name]
        connection = variables.text("ansible_connection")
        local = connection == "local"
        if local and {group.lower() for group in direct} <= _NOT_OF_THE_CLOUD and direct:
            continue
        if _is_container(variables):
            containers.append(name)
            continue
        if connection and not local and not re.fullmatch(r"smart|paramiko|(.*[._])?(ssh|paramiko_ssh)", connection):
            notes.append(f"{name} is left out: ansible_connection={connection} is not SSH")
            continue
        passwords += [name] * any(variables.has(password) for password in _PASSWORDS)
        nodes.append(_node(variables, local, roles_of_groups(direct, every)))
        notes += variables.notes
    if not nodes:
        raise UsageError(f"{file} names no host that can be looked at" + "".join(f"; {note}" for note in notes))
    return Inventory(tuple(nodes), notes=(*notes, *_said(containers, passwords)))


def _said(containers: list[str], passwords: list[str]) -> Iterator[str]:
    if containers:
        yield f"{len(containers)} LXC containers ({_few(containers)}) are left out: they are not reached by SSH"
    if passwords:
        yield f"the passwords of {len(passwords)} hosts ({_few(passwords)}) are not used: log in with keys or an agent"


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _is_container(variables: _Variables) -> bool:
    """Of OpenStack-Ansible's openstack_inventory.json: a container names the machine that it lies on."""
    machine = variables.plain("physical_host")
    properties = variables.plain("properties")
    metal = variables.plain("is_metal") or (isinstance(properties, Mapping) and properties.get("is_metal"))
    return isinstance(machine, str) and machine != variables.host and metal is not True


def _node(variables: _Variables, local: bool, roles: frozenset[str]) -> Node:
    host = variables.host
    if not valid_name(host):
        raise UsageError(f"{variables.file}: a node cannot be called {host!r}")
    if local:
        return Node(host, roles=roles, named=host != "localhost" and not is_ip(host))
    address = variables.text(*_HOST) or host
    if not (valid_name(address) or is_ip(address)):
        variables.fail(_HOST[-1], f"{address!r} cannot be an address")
    way = Way()
    for name in _ARGUMENTS:
        try:
            way = way.then(way_of(variables.text(name)))
        except UsageError as error:
            variables.fail(name, str(error))
    variables.notes += [f"{host}: {note}" for note in way.notes]
    port = variables.text(*_PORT) or way.port or "22"
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535):
        variables.fail(_PORT[-1], f"{port!r} is not a number from 1 to 65535")
    key = variables.text(*_KEY) or way.key
    return Node(
        name=host,
        address=address,
        port=int(port),
        user=variables.text(*_USER) or way.user,
        key=str(Path(key).expanduser()) if key else "",
        jump=way.jump,
        roles=roles,
        named=not is_ip(host),
    )


@dataclass
class _Variables:
    """The variables of one host; plain templates, ``{{ name }}``, are filled in."""

    file: Path
    host: str
    values: Mapping[str, Any]

    def __post_init__(self) -> None:
        self.notes: list[str] = []

    def fail(self, name: str, problem: str) -> NoReturn:
        raise UsageError(f"{self.file}: {name} of {self.host}: {problem}")

    def has(self, name: str) -> bool:
        return self.values.get(name) is not None

    def plain(self, name: str) -> Any:
        return self.values.get(name)

    def text(self, *names: str) -> str:
        """The value of the first of ``names`` that there is, as text; empty where there is none."""
        name = next((name for name in names if self.has(name)), "")
        value = self.values.get(name, "")
        if isinstance(value, Vaulted) or (isinstance(value, dict) and "__ansible_vault" in value):
            self.fail(name, "is vaulted: say it in ~/.ssh/config, or in a variable that is not")
        if isinstance(value, dict | list | bool):
            self.fail(name, "is not text")
        text = str(value).strip()
        for _ in range(5):
            if "{" not in text:
                break
            text = _TEMPLATE.sub(self._filled, text)
        if "{{" in text or "{%" in text:
            self.fail(name, f"only Ansible can fill in {text!r}: write it out, or say it in ~/.ssh/config")
        return text

    def _filled(self, match: re.Match[str]) -> str:
        if match[1] == "inventory_hostname":
            return self.host
        if match[1] == "inventory_hostname_short":
            return self.host.partition(".")[0]
        value = self.values.get(match[1])
        return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else match[0]

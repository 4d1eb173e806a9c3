"""What the user's ssh configuration says about reaching a node (ssh_config(5))."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from stackdoctor.errors import UsageError
from stackdoctor.inventory.nodelist import Address, parse_address
from stackdoctor.inventory.sshblocks import Blocks
from stackdoctor.model import Node

__all__ = ["Login", "resolve"]

_DEFAULT_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
_SYSTEM_KNOWN_HOSTS = "/etc/ssh/ssh_known_hosts"
_MOST_HOPS = 8


@dataclass(frozen=True)
class Login:
    """All that it takes to log in to one host.

    ``keys`` are files in the order in which they are tried, before the keys of ``agent`` (a socket's
    path, empty for none).  ``jump`` is the hop before this one.  ``alias`` is the name that the host key
    is known by when it is not the host's.  ``known_hosts``: new keys are added to the first of them.
    ``password`` is tried after the keys (empty: there is none); the configuration has none of either of the last two.
    """

    host: str
    port: int = 22
    user: str = ""
    keys: tuple[str, ...] = ()
    agent: str = ""
    only_keys: bool = False
    known_hosts: tuple[str, ...] = ()
    alias: str = ""
    jump: Login | None = None
    proxy_command: str = ""
    password: str = field(default="", repr=False, compare=False)
    old_algorithms: bool = False

    def __str__(self) -> str:
        return f"{self.host} port {self.port}"


def resolve(node: Node, blocks: Blocks) -> Login:
    """How ``node`` is reached: what the node says itself wins, then the configuration, then ssh's defaults.

    Port 22 counts as not said; the jump host "none" means that the way is direct, whatever is configured.
    Raises UsageError when what is said about it cannot be understood, or when jump hosts go round in a circle.
    """
    address = Address(node.address, node.user, 0 if node.port == 22 else node.port)
    return _resolve(address, (node.key,) if node.key else (), node.jump, None, blocks, 0)


def _resolve(
    address: Address, keys: tuple[str, ...], jump: str, before: Login | None, blocks: Blocks, depth: int
) -> Login:
    """The login for ``address``; ``before`` is the hop that it is reached from when that is already known."""
    said, files = _lookup(address, blocks)
    command = "" if jump or before else said.get("proxycommand", "")
    order = list(said)
    if command and "proxyjump" in said and order.index("proxycommand") < order.index("proxyjump"):
        jump = "none"  # of the two the one that is said first counts
    jump = jump or said.get("proxyjump", "none")
    if before is None and jump != "none":
        hops = [parse_address(hop) for hop in jump.split(",")]
        if depth + len(hops) > _MOST_HOPS:
            raise UsageError(
                f"{address.host} is reached over more than {_MOST_HOPS} jump hosts (ProxyJump in {blocks.path})"
            )
        for hop in hops:
            before = _resolve(hop, (), "", before, blocks, depth + len(hops))
    return Login(
        host=said.get("hostname", address.host),
        port=_port(said.get("port", "22"), blocks.path),
        user=said.get("user", "") or getpass.getuser(),
        keys=_home(keys or files or filter(os.path.isfile, _home(_DEFAULT_KEYS))),
        agent=_agent(said.get("identityagent", "SSH_AUTH_SOCK")),
        only_keys=said.get("identitiesonly", "no").lower() == "yes",
        known_hosts=(*_home(said.get("userknownhostsfile", "~/.ssh/known_hosts").split()), _SYSTEM_KNOWN_HOSTS),
        alias=said.get("hostkeyalias", ""),
        jump=before,
        proxy_command="" if before else command,
    )


def _lookup(address: Address, blocks: Blocks) -> tuple[dict[str, str], tuple[str, ...]]:
    """What is configured for a host: the values by lower-case keyword, and the identity files."""
    from stackdoctor.inventory.paramiko_alone import paramiko

    if re.search(r"[\s\x00-\x1f\x7f]", address.user):
        raise UsageError(f"{address.user!r} cannot be a user's name")
    # The first value obtained wins, and expansions like %p see it: as with options of the ssh command.
    given = [f"User {address.user}"] * bool(address.user) + [f"Port {address.port}"] * bool(address.port)
    try:
        config = paramiko.SSHConfig.from_text("\n".join((*given, *blocks.of(address.host))))
        said = dict(config.lookup(address.host))
    except (paramiko.SSHException, ValueError, KeyError) as error:
        raise UsageError(f"{blocks.path}, for {address.host}: {error}") from error
    files = said.pop("identityfile", None)
    return (
        {keyword: value for keyword, value in said.items() if isinstance(value, str)},
        tuple(files) if isinstance(files, list) else (),
    )


def _home(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(os.path.expanduser(path) for path in paths)


def _port(text: str, path: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise UsageError(f"{path}: Port {text} is not a number from 1 to 65535")
    return int(text)


def _agent(said: str) -> str:
    """The agent's socket from IdentityAgent: a path, a variable, the word SSH_AUTH_SOCK, or none."""
    if said.lower() == "none":
        return ""
    if said == "SSH_AUTH_SOCK":
        return os.environ.get("SSH_AUTH_SOCK", "")
    return os.path.expanduser(os.path.expandvars(said))

"""What the user's ssh configuration says about reaching a node (ssh_config(5))."""

from __future__ import annotations

import getpass
import glob
import os
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field

from stackdoctor.errors import UsageError
from stackdoctor.inventory.nodelist import Address, parse_address
from stackdoctor.model import Node

__all__ = ["Login", "resolve"]

_DEFAULT_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
_SYSTEM_KNOWN_HOSTS = "/etc/ssh/ssh_known_hosts"
_DEEPEST_INCLUDE = 16  # as readconf.c has it
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


def resolve(node: Node, config_path: str | os.PathLike[str] = "~/.ssh/config") -> Login:
    """How ``node`` is reached: what the node says itself wins, then the configuration, then ssh's defaults.

    Port 22 counts as not said; the jump host "none" means that the way is direct, whatever is configured.
    A configuration that does not exist is an empty one.  Raises UsageError
    when it cannot be understood, or when jump hosts go round in a circle.
    """
    path = os.path.expanduser(os.fspath(config_path))
    address = Address(node.address, node.user, 0 if node.port == 22 else node.port)
    return _resolve(address, (node.key,) if node.key else (), node.jump, None, path, 0)


def _resolve(address: Address, keys: tuple[str, ...], jump: str, before: Login | None, path: str, depth: int) -> Login:
    """The login for ``address``; ``before`` is the hop that it is reached from when that is already known."""
    said, files = _lookup(address, path)
    command = "" if jump or before else said.get("proxycommand", "")
    order = list(said)
    if command and "proxyjump" in said and order.index("proxycommand") < order.index("proxyjump"):
        jump = "none"  # of the two the one that is said first counts
    jump = jump or said.get("proxyjump", "none")
    if before is None and jump != "none":
        hops = [parse_address(hop) for hop in jump.split(",")]
        if depth + len(hops) > _MOST_HOPS:
            raise UsageError(f"{address.host} is reached over more than {_MOST_HOPS} jump hosts (ProxyJump in {path})")
        for hop in hops:
            before = _resolve(hop, (), "", before, path, depth + len(hops))
    return Login(
        host=said.get("hostname", address.host),
        port=_port(said.get("port", "22"), path),
        user=said.get("user", "") or getpass.getuser(),
        keys=_home(keys or files or filter(os.path.isfile, _home(_DEFAULT_KEYS))),
        agent=_agent(said.get("identityagent", "SSH_AUTH_SOCK")),
        only_keys=said.get("identitiesonly", "no").lower() == "yes",
        known_hosts=(*_home(said.get("userknownhostsfile", "~/.ssh/known_hosts").split()), _SYSTEM_KNOWN_HOSTS),
        alias=said.get("hostkeyalias", ""),
        jump=before,
        proxy_command="" if before else command,
    )


def _lookup(address: Address, path: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """What is configured for a host: the values by lower-case keyword, and the identity files."""
    import paramiko

    if re.search(r"[\s\x00-\x1f\x7f]", address.user):
        raise UsageError(f"{address.user!r} cannot be a user's name")
    # The first value obtained wins, and expansions like %p see it: as with options of the ssh command.
    given = [f"User {address.user}"] * bool(address.user) + [f"Port {address.port}"] * bool(address.port)
    try:
        config = paramiko.SSHConfig.from_text("\n".join(given + _lines(path, 0)))
        said = dict(config.lookup(address.host))
    except (paramiko.SSHException, ValueError, KeyError) as error:
        raise UsageError(f"{path}, for {address.host}: {error}") from error
    files = said.pop("identityfile", None)
    return (
        {keyword: value for keyword, value in said.items() if isinstance(value, str)},
        tuple(files) if isinstance(files, list) else (),
    )


def _lines(path: str, depth: int, outer: str = "") -> list[str]:
    """The configuration's lines with the files that it includes in their places; none when it is not there.

    ``outer`` is what the block that includes this file asks for, as criteria of Match: blocks in here ask for it too.
    """
    if depth > _DEEPEST_INCLUDE:
        raise UsageError(f"{path}: Include goes deeper than {_DEEPEST_INCLUDE} files")
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            written = stream.read().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    lines: list[str] = []
    criteria = outer
    for line in written:
        found = re.match(r"\s*(\w+)(?:\s*=\s*|\s+)(\S.*)", line)
        keyword, value = (found[1].lower(), found[2].strip()) if found else ("", "")
        if keyword == "match":
            _refuse_unknown(value, path)
        if keyword in ("host", "match"):
            own = value if keyword == "match" else "originalhost " + ",".join(_words(value, path))
            criteria = " ".join(filter(None, (outer, own if own.lower() != "all" else ""))) or "all"
            lines.append(f"Match {criteria}" if outer else line)
        elif keyword == "include":
            for pattern in _words(value, path):
                place = os.path.join(os.path.expanduser("~/.ssh"), os.path.expanduser(pattern))
                for included in sorted(glob.glob(place)):
                    lines += _lines(included, depth + 1, "" if criteria == "all" else criteria)
                    lines.append(f"Match {criteria or 'all'}")  # the included file may have begun other blocks
        else:
            lines.append(line)
    return lines


def _refuse_unknown(value: str, path: str) -> None:
    """Criteria that are not known would be taken for fulfilled, and ``exec`` would run a program."""
    words = [word for part in _words(value, path) for word in part.split("=", 1)]
    while words:
        criterion = words.pop(0).lstrip("!").lower()
        if criterion in ("all", "canonical", "final"):
            continue
        if criterion not in ("host", "originalhost", "user", "localuser") or not words:
            raise UsageError(
                f"{path}: `Match {value}`: {criterion or 'this'} is not followed, and nothing is run for it:"
                " give a file without it, --ssh-config FILE"
            )
        words.pop(0)


def _words(value: str, path: str) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError as error:
        raise UsageError(f"{path}: {value}: {error}") from error


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

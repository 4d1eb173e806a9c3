"""Nodes named on the command line, and the one way in which an address is written: ``user@host:port``."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from dataclasses import dataclass

from stackdoctor.errors import UsageError
from stackdoctor.model import Node

__all__ = ["LARGEST_LIST", "Address", "is_ip", "listed_nodes", "parse_address", "parse_nodes", "valid_name"]

LARGEST_LIST = 1 << 20
"""Bytes of a list of nodes on standard input."""

# What a node may be called: it becomes a file's name in a snapshot and is shown by terminals.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:%-]{0,252}")


@dataclass(frozen=True)
class Address:
    """``[user@]host[:port]`` taken apart; an empty user and port 0 were not given."""

    host: str
    user: str = ""
    port: int = 0


def valid_name(text: str) -> bool:
    """Whether a node may be called so: letters, digits and ``._:%-``, at most 253 of them."""
    return _NAME.fullmatch(text) is not None


def is_ip(text: str) -> bool:
    """Whether ``text`` is an IPv4 or IPv6 address (a zone as in ``fe80::1%eth0`` is allowed)."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def parse_address(text: str) -> Address:
    """``[ssh://][user@]host[:port]`` as ssh takes it; an IPv6 address with a port stands in brackets.

    >>> parse_address("root@[2001:db8::1]:2222")
    Address(host='2001:db8::1', user='root', port=2222)

    Raises UsageError when there is no host, or the port is not a number from 1 to 65535.
    """
    user, at, rest = text.strip().removeprefix("ssh://").rpartition("@")
    if at and not user:
        raise UsageError(f"{text.strip()!r} has no user before the @")
    if rest.startswith("["):
        host, bracket, after = rest[1:].partition("]")
        if not bracket or (after and not after.startswith(":")):
            raise UsageError(f"{text.strip()!r}: an IPv6 address is written [2001:db8::1] or [2001:db8::1]:22")
        if not is_ip(host):
            raise UsageError(f"{text.strip()!r}: {host!r} in brackets is not an IPv6 address")
        colon, port = after[:1], after[1:]
    elif rest.count(":") > 1:
        if not is_ip(rest):
            raise UsageError(f"{text.strip()!r} is neither host:port nor an IPv6 address")
        host, colon, port = rest, "", ""
    else:
        host, colon, port = rest.partition(":")
    if not host:
        raise UsageError(f"{text.strip()!r} names no host")
    if not valid_name(host) and not is_ip(host):
        raise UsageError(f"{text.strip()!r}: {host!r} cannot be the name of a host")
    if not colon:
        return Address(host, user)
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise UsageError(f"{text.strip()!r}: port {port!r} is not a number from 1 to 65535")
    return Address(host, user, int(port))


def listed_nodes(content: bytes) -> str:
    """What a list of nodes on standard input comes to for ``parse_nodes``: one a line, or with blanks or commas.

    Comments begin with # after a blank or at the start of a line; a node that is listed again (lists of agents are)
    counts once, and of Cinder's ``host@backend#pool`` the host counts.

    >>> listed_nodes(b"controller # the first\\ncompute1, compute2\\tcompute1\\nstorage@lvm#pool")
    'controller,compute1,compute2,storage'

    Raises UsageError where there is none, or it is no text.
    """
    if len(content) > LARGEST_LIST:
        raise UsageError(f"the list of nodes on standard input is longer than {LARGEST_LIST >> 20} MiB")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise UsageError("the list of nodes on standard input is not text (UTF-8)") from error
    words = re.split(r"[\s,]+", re.sub(r"(?m)(^|(?<=\s))#.*$", "", text))
    hosts = [word.partition("@")[0] if "#" in word else word for word in words if word]
    if not hosts:
        raise UsageError("the list of nodes on standard input is empty")
    return ",".join(dict.fromkeys(hosts))


def parse_nodes(text: str) -> tuple[Node, ...]:
    """The nodes of a comma-separated list: names, IP addresses, ``user@host:port``.

    A node given by a bare IP address, or by one of several ports of a host, is ``named=False``: it is
    called by its own host name once it answers.  Raises UsageError for empty or repeated entries.

    >>> [(n.name, n.port, n.named) for n in parse_nodes("controller,root@192.0.2.20:2222")]
    [('controller', 22, True), ('192.0.2.20', 2222, False)]
    """
    entries = text.split(",")
    for place, entry in enumerate(entries, 1):
        if not entry.strip():
            raise UsageError(f"the list of nodes {text!r} has an empty entry (number {place} of {len(entries)})")
    addresses = [parse_address(entry) for entry in entries]
    endpoints = Counter((a.host, a.port or 22) for a in addresses)
    for (host, port), times in endpoints.items():
        if times > 1:
            raise UsageError(f"{host} port {port} is {times} times in the list of nodes")
    hosts = Counter(a.host for a in addresses)
    return tuple(
        Node(
            name=a.host if hosts[a.host] == 1 else f"{a.host}:{a.port or 22}",
            address=a.host,
            port=a.port or 22,
            user=a.user,
            named=hosts[a.host] == 1 and not is_ip(a.host),
        )
        for a in addresses
    )

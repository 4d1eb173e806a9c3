"""What keepalived.conf(5) says of virtual addresses: VRRP instances, their peers and the addresses they carry.

>>> conf = '''vrrp_instance VI_1 {   # the public one
...   interface eth0
...   priority 101
...   virtual_ipaddress { 192.0.2.100/24 dev eth0
...     192.0.2.110
...   }
... }'''
>>> instance, = parse_keepalived(conf)
>>> instance.name, instance.interface, instance.priority, instance.addresses
('VI_1', 'eth0', 101, ('192.0.2.100', '192.0.2.110'))
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from stackdoctor.errors import ParseError
from stackdoctor.facts.answers import integer

__all__ = ["VrrpInstance", "parse_keepalived"]

DEEPEST = 20
LONGEST = 100_000
ADDRESSES = frozenset(("virtual_ipaddress", "virtual_ipaddress_excluded"))


@dataclass(frozen=True)
class VrrpInstance:
    """One ``vrrp_instance``.  ``peers`` are those of ``unicast_peer``; without any it speaks by multicast."""

    name: str
    interface: str
    router_id: str
    priority: int | None
    addresses: tuple[str, ...]
    peers: tuple[str, ...]


def parse_keepalived(text: str) -> tuple[VrrpInstance, ...]:
    """The VRRP instances of ``text``.  Raises ParseError where the braces do not match or nest too deep."""
    found: list[VrrpInstance] = []
    for path, lines in _blocks(text):
        if len(path) == 1 and path[0][:1] == ["vrrp_instance"]:
            found.append(_instance(path[0][1] if path[0][1:] else "", lines))
    return tuple(found)


Line = tuple[str, list[str]]
"""The block that a line stands in, below the outermost one (empty: that itself), and its words."""


def _blocks(text: str) -> Iterator[tuple[list[list[str]], list[Line]]]:
    """Each outermost block: its path (its own head), and all lines in it with the inner block that they are of."""
    if len(text) > LONGEST:
        raise ParseError(f"keepalived.conf: {len(text)} characters")
    path: list[list[str]] = []
    lines: list[Line] = []
    for words in _statements(text):
        if words == ["}"]:
            if not path:
                raise ParseError("keepalived.conf: a closing brace too many")
            if len(path) == 1:
                yield path, lines
                lines = []
            path = path[:-1]
        elif words[-1] == "{":
            path = [*path, words[:-1]]
            if len(path) > DEEPEST:
                raise ParseError("keepalived.conf: blocks in blocks too deep")
        elif path:
            inner = path[1][0] if len(path) > 1 and path[1] else ""
            lines.append((inner, words))
    if path:
        raise ParseError("keepalived.conf: a closing brace is missing")


def _statements(text: str) -> Iterator[list[str]]:
    """Words of each line without comments; a brace ends a statement wherever it stands."""
    for line in text.splitlines():
        words: list[str] = []
        for word in _uncommented(line).replace("{", " { ").replace("}", " } ").split():
            if word == "}":
                if words:
                    yield words
                yield ["}"]
                words = []
                continue
            words.append(word)
            if word == "{":
                yield words
                words = []
        if words:
            yield words


def _uncommented(line: str) -> str:
    """``line`` up to ``#`` or ``!``, which begin a comment wherever they are not quoted (lib/parser.c)."""
    quoted = False
    for at, character in enumerate(line):
        if character == '"':
            quoted = not quoted
        elif character in "#!" and not quoted:
            return line[:at]
    return line


def _instance(name: str, lines: list[Line]) -> VrrpInstance:
    own = {words[0]: words[1] for inner, words in lines if not inner and words[1:]}
    return VrrpInstance(
        name,
        own.get("interface", ""),
        own.get("virtual_router_id", ""),
        integer(own.get("priority", "")),
        tuple(address for inner, words in lines if inner in ADDRESSES and (address := _address(words[0]))),
        tuple(address for inner, words in lines if inner == "unicast_peer" and (address := _address(words[0]))),
    )


def _address(word: str) -> str:
    """The address without its prefix length; empty for what is none (a name, a variable)."""
    try:
        return str(ipaddress.ip_interface(word).ip)
    except ValueError:
        return ""

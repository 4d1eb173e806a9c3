"""The grammar of iproute2's text about interfaces, which ``ip link``, ``ip addr`` and ``bridge link`` share.

A block is one unindented line and the indented ones below it:

    >>> (block,) = blocks("2: eth0@if5: <UP,LOWER_UP> mtu 1500 state UP\\n    link/ether 12:4f:fd:f8:73:0b\\n")
    >>> block.index, block.name, block.peer, block.flags, block.tail, block.more
    (2, 'eth0', 'if5', ('UP', 'LOWER_UP'), 'mtu 1500 state UP', ('link/ether 12:4f:fd:f8:73:0b',))

From iproute2 ``ip/ipaddress.c`` and ``bridge/link.c``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from stackdoctor.errors import ParseError

__all__ = ["Block", "blocks", "counters_of", "kind_of", "pairs", "value_of"]

HEAD = re.compile(r"([0-9]{1,9}): ([^\s@]{1,64})(?:@([^\s:]{1,64}))?:? ?([^<]{0,64})<([A-Z0-9_,-]{0,400})> ?(.*)")

NOT_A_KIND = ("RX", "TX", "vf", "altname", "alias", "prog", "parentbus", "inet", "inet6")


@dataclass(frozen=True)
class Block:
    """One interface: ``INDEX: NAME@PEER: <FLAGS> TAIL`` and the lines below it, stripped."""

    line: str
    index: int
    name: str
    peer: str
    flags: tuple[str, ...]
    tail: str
    more: tuple[str, ...]


def blocks(printed: str) -> tuple[Block, ...]:
    """The interfaces in ``printed``.  Raises ParseError where a line belongs to none."""
    found: list[Block] = []
    lines: list[str] = []
    for line in [*printed.splitlines(), ""]:
        if line[:1].isspace():
            lines.append(line)
            continue
        if lines:
            found.append(_block(lines))
        lines = [line] if line else []
    return tuple(found)


def _block(lines: list[str]) -> Block:
    head = HEAD.fullmatch(lines[0].rstrip())
    if head is None:
        raise ParseError(f"not an interface: {lines[0][:200]}")
    # bridge(8) before 5.0 printed "eth0 state UP @NONE: <...>"
    between = re.search(r"@([^\s:]{1,64}):", head[4])
    peer = head[3] or (between[1] if between else "")
    flags = tuple(flag for flag in head[5].split(",") if flag)
    more = tuple(line.strip() for line in lines[1:])
    return Block(lines[0], int(head[1]), head[2].rstrip(":"), peer, flags, head[6], more)


def pairs(words: str) -> dict[str, str]:
    """``mtu 1500 qdisc noqueue`` as a mapping."""
    split = words.split()
    return dict(zip(split[::2], split[1::2], strict=False))


def value_of(words: str, name: str) -> str:
    """The word behind ``name`` where flags without a value stand between; empty if there is none.

    >>> value_of("id 994 nolearning local 192.0.2.1 srcport 0 0 dstport 8472", "dstport")
    '8472'
    """
    split = words.split()
    return next((value for word, value in pairwise(split) if word == name), "")


def kind_of(block: Block) -> tuple[str, str]:
    """Kind and options from the driver's own line, which follows the address; both empty for a physical interface.

    It looks like ``vlan protocol 802.1Q id 101 <REORDER_HDR>``.
    """
    after = [line for line in block.more if not line.startswith("link/")]
    word, _, options = (after[0] if after else "").partition(" ")
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,30}", word) or word in NOT_A_KIND or word.endswith("_slave"):
        return "", ""
    return word, options.strip()


def counters_of(block: Block, direction: str) -> dict[str, int]:
    """The counters below the heading ``RX:`` or ``TX:``, by that heading's column names; empty without one."""
    for heading, row in pairwise(block.more):
        if not heading.startswith(direction):
            continue
        names, values = heading[len(direction) :].split(), row.split()
        if len(names) != len(values) or not all(v.isascii() and v.isdigit() and len(v) <= 20 for v in values):
            raise ParseError(f"counters of {block.name} do not fit their heading: {heading} / {row}"[:300])
        return dict(zip(names, map(int, values), strict=True))
    return {}

"""Huge pages of each NUMA node (Linux ``admin-guide/mm/hugetlbpage``), read from /sys.

>>> place("/sys/devices/system/node/node1/hugepages/hugepages-1048576kB/free_hugepages")
(1, 1048576, 'free')
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import NotApplicable, ParseError
from stackdoctor.facts.answers import integer
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = ["HUGEPAGES", "HugePages", "Pool", "place"]

POOLS = "/sys/devices/system/node/node*/hugepages/hugepages-*kB"
HUGEPAGES = Probe("hugepages", files=(f"{POOLS}/nr_hugepages", f"{POOLS}/free_hugepages"))

FILE = re.compile(r".*/node/node([0-9]{1,4})/hugepages/hugepages-([0-9]{1,10})kB/(nr|free)_hugepages")


@dataclass(frozen=True)
class Pool:
    """The pages of one size (KiB) on one NUMA node: all that are reserved, and how many of them are free."""

    node: int
    size: int
    total: int
    free: int
    evidence: Evidence

    def __str__(self) -> str:
        return f"{self.named} pages of NUMA node {self.node}"

    @property
    def named(self) -> str:
        """The size as an operator writes it: 2 MiB, 1 GiB."""
        return f"{self.size >> 20} GiB" if self.size >= 1 << 20 else f"{self.size >> 10} MiB"


@dataclass(frozen=True)
class HugePages:
    """The pools of a node; those of a size that nobody reserved have a total of 0."""

    pools: tuple[Pool, ...]
    probes: ClassVar[tuple[Probe, ...]] = (HUGEPAGES,)

    def __iter__(self) -> Iterator[Pool]:
        return iter(self.pools)

    @property
    def reserved(self) -> tuple[Pool, ...]:
        """The pools with pages."""
        return tuple(pool for pool in self.pools if pool.total)

    @classmethod
    def parse(cls, results: NodeResults) -> HugePages:
        """The pools; raises NotApplicable on a kernel without them, ParseError."""
        found: dict[tuple[int, int], dict[str, int]] = {}
        command = ""
        for result in results.usable(HUGEPAGES):
            at = place(result.subject or result.command)
            number = integer(result.text.strip())
            if at is None or number is None:
                raise ParseError(f"{result.command}: not a number of huge pages: {result.text[:80]}")
            found.setdefault(at[:2], {})[at[2]] = number
            command = result.command
        pools = []
        for (node, size), numbers in sorted(found.items()):
            if "nr" not in numbers or "free" not in numbers:
                raise ParseError(f"huge pages of {size} kB on NUMA node {node}: one of nr and free is missing")
            line = f"node{node} hugepages-{size}kB: nr_hugepages {numbers['nr']}, free_hugepages {numbers['free']}"
            shown = Evidence(results.node.name, command.rpartition("/node")[0] or command, line)
            pools.append(Pool(node, size, numbers["nr"], numbers["free"], shown))
        if not pools:
            raise NotApplicable("this kernel has no huge pages")
        return cls(tuple(pools))


def place(path: str) -> tuple[int, int, str] | None:
    """NUMA node, page size in KiB, and ``nr`` or ``free``, of a file; None for others."""
    found = FILE.fullmatch(path)
    return (int(found[1]), int(found[2]), found[3]) if found else None

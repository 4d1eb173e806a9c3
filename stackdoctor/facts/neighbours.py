"""The neighbour tables (ARP, NDP) of the host and of its namespaces (``ip neigh``, man ip-neighbour(8)).

>>> (row,) = parse_text_neighbours("10.10.0.189 dev qr-0cded1ee-8c lladdr fa:16:3e:1c:77:97 STALE", "")
>>> row.address, row.device, row.mac, row.state
('10.10.0.189', 'qr-0cded1ee-8c', 'fa:16:3e:1c:77:97', 'STALE')
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from stackdoctor.errors import ParseError
from stackdoctor.facts.answers import Row, integer, json_rows, number, output, text
from stackdoctor.facts.links_text import value_of
from stackdoctor.facts.namespaces import NETNS_LIST, answers, gaps_of, within
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = [
    "HOST_NEIGHBOURS",
    "NETNS_NEIGHBOURS",
    "Neighbour",
    "NeighbourTable",
    "Neighbours",
    "parse_json_neighbours",
    "parse_text_neighbours",
]

HOST_NEIGHBOURS = Probe("neighbours.host", ("ip", "-s", "-j", "neigh"), otherwise=(("ip", "-s", "neigh"),))
NETNS_NEIGHBOURS = within("neighbours.netns", "ip", "-s", "-j", "neigh", otherwise=("ip", "-s", "neigh"))

STATES = frozenset(("PERMANENT", "NOARP", "REACHABLE", "STALE", "NONE", "INCOMPLETE", "DELAY", "PROBE", "FAILED"))
NOWHERE = Evidence("", "", "")


@dataclass(frozen=True)
class Neighbour:
    """One entry: which station answers for ``address`` on ``device`` of ``namespace`` ("" is the host).

    ``state`` is PERMANENT, NOARP, REACHABLE, STALE, DELAY, PROBE, INCOMPLETE, FAILED, NONE, or empty for a
    proxy entry; ``mac`` is empty where nobody answered (FAILED, INCOMPLETE).  ``idle`` are the seconds since a packet
    last wanted it, None where that was not asked: a small table keeps its failures for ever.
    """

    address: str
    device: str
    namespace: str
    mac: str
    state: str
    router: bool = False
    proxy: bool = False
    idle: int | None = None
    evidence: Evidence = NOWHERE

    def __str__(self) -> str:
        return f"{self.address} on {self.device}"

    @property
    def line(self) -> str:
        """The entry in iproute2's own form; of one without an answer, when it was last wanted as well."""
        words = [self.address, "dev", self.device]
        words += ["lladdr", self.mac] if self.mac else []
        words += ["router"] * self.router + ["proxy"] * self.proxy
        words += [f"wanted {self.idle} s ago"] if self.idle is not None and not self.mac else []
        return " ".join([*words, self.state]).rstrip()


@dataclass(frozen=True)
class Neighbours:
    """All neighbour entries of a node; ``absent`` says why a namespace's are not known."""

    neighbours: tuple[Neighbour, ...]
    absent: Mapping[str, str] = field(default_factory=dict)
    probes: ClassVar[tuple[Probe, ...]] = (NETNS_LIST, HOST_NEIGHBOURS, NETNS_NEIGHBOURS)

    @classmethod
    def parse(cls, results: NodeResults) -> Neighbours:
        """The entries; raises NotApplicable without iproute2, CouldNotCheck or ParseError."""
        read = answers(results, NETNS_NEIGHBOURS, HOST_NEIGHBOURS)
        found: list[Neighbour] = []
        for namespace, result, printed in read.said:
            form = parse_json_neighbours if printed.lstrip().startswith("[") else parse_text_neighbours
            for row in form(printed, namespace):
                found.append(replace(row, evidence=results.evidence(result, row.line)))
        return cls(tuple(found), read.absent)

    @property
    def gaps(self) -> tuple[tuple[str, str], ...]:
        """The namespaces that could not be read."""
        return gaps_of(self.absent)

    def of(self, address: str, namespace: str | None = None) -> tuple[Neighbour, ...]:
        """The entries for ``address``, in one namespace or in all of them."""
        return tuple(n for n in self.neighbours if n.address == address and namespace in (None, n.namespace))


def _address(written: str) -> str:
    try:
        return str(ipaddress.ip_address(written))
    except ValueError as error:
        raise ParseError(f"not a neighbour's address: {written[:100]}") from error


def parse_json_neighbours(printed: str, namespace: str) -> tuple[Neighbour, ...]:
    """Rows of ``ip -j neigh``.  Raises ParseError."""
    return tuple(_json_neighbour(row, namespace) for row in json_rows(printed))


def _json_neighbour(row: Row, namespace: str) -> Neighbour:
    states = row.get("state", [])
    if not isinstance(states, list):
        raise ParseError(f"a neighbour's state is no list: {str(states)[:100]}")
    return Neighbour(
        _address(text(row, "dst")),
        text(row, "dev"),
        namespace,
        text(row, "lladdr"),
        str(states[0])[:20] if states else "",
        "router" in row,
        "proxy" in row,
        number(row, "used"),
    )


def parse_text_neighbours(printed: str, namespace: str) -> tuple[Neighbour, ...]:
    """Rows of ``ip neigh`` (with ``-s`` or without).  Raises ParseError."""
    return tuple(_text_neighbours(printed, namespace))


def _text_neighbours(printed: str, namespace: str) -> Iterator[Neighbour]:
    for line in printed.splitlines():
        words = line.split()
        if not words:
            continue
        device = value_of(line, "dev")
        if not device:
            raise ParseError(f"not a neighbour: {line[:200]}")
        yield Neighbour(
            _address(words[0]),
            device,
            namespace,
            value_of(line, "lladdr"),
            words[-1] if words[-1] in STATES else "",
            "router" in words[3:],
            "proxy" in words[3:],
            integer(value_of(line, "used").partition("/")[0]),
        )


@dataclass(frozen=True)
class NeighbourTable:
    """How full the kernel's IPv4 neighbour table is, which all namespaces of a node share (man arp(7)).

    ``entries`` is the first column of /proc/net/stat/arp_cache, a hexadecimal number; ``limit`` is gc_thresh3, above
    which the kernel makes no new entry.  Neither file is there inside a container's network namespace.
    """

    entries: int
    limit: int
    evidence: Evidence
    probes: ClassVar[tuple[Probe, ...]] = (
        Probe("neighbours.table", files=("/proc/net/stat/arp_cache",)),
        Probe("neighbours.limit", files=("/proc/sys/net/ipv4/neigh/default/gc_thresh3",)),
    )

    def __str__(self) -> str:
        return "neighbour table"

    @classmethod
    def parse(cls, results: NodeResults) -> NeighbourTable:
        """The table; raises NotApplicable where the kernel does not show it, CouldNotCheck or ParseError."""
        table, limit = (results.usable(probe)[0] for probe in cls.probes)
        lines = output(table).splitlines()
        if len(lines) < 2 or lines[0].split()[:1] != ["entries"]:
            raise ParseError(f"{table.command}: not the kernel's columns: {table.text[:100]!r}")
        first = (lines[1].split() or [""])[0]
        most = integer(output(limit).strip())
        if not re.fullmatch(r"[0-9a-fA-F]{1,8}", first) or not most:
            raise ParseError(f"not a number of neighbours: {first[:20]!r} of {limit.text[:20]!r}")
        entries = int(first, 16)
        return cls(entries, most, results.evidence(limit, f"{entries} entries, gc_thresh3 = {most}"))

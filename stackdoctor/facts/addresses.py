"""IP addresses of the host's interfaces and of those in its namespaces (``ip addr``, man ip-address(8)).

>>> rows = parse_text_addresses('''2: eth0@if5: <UP,LOWER_UP> mtu 1500 state UP
...     link/ether 12:4f:fd:f8:73:0b brd ff:ff:ff:ff:ff:ff
...     inet 192.168.199.10/24 brd 192.168.199.255 scope global secondary eth0
...        valid_lft forever preferred_lft forever
... ''', "")
>>> str(rows[0].interface), rows[0].device, rows[0].scope, sorted(rows[0].flags)
('192.168.199.10/24', 'eth0', 'global', ['secondary'])
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import ClassVar

from stackdoctor.errors import ParseError
from stackdoctor.facts.answers import json_rows, number, rows_in, text
from stackdoctor.facts.links_text import blocks, value_of
from stackdoctor.facts.namespaces import NETNS_LIST, answers, gaps_of, within
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = [
    "HOST_ADDRESSES",
    "NETNS_ADDRESSES",
    "Address",
    "Addresses",
    "Interface",
    "parse_json_addresses",
    "parse_text_addresses",
]

Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface

HOST_ADDRESSES = Probe("addresses.host", ("ip", "-j", "addr"), otherwise=(("ip", "addr"),))
NETNS_ADDRESSES = within("addresses.netns", "ip", "-j", "addr", otherwise=("ip", "addr"))

FLAGS = ("secondary", "temporary", "tentative", "dadfailed", "deprecated", "dynamic", "mngtmpaddr", "noprefixroute")
NOWHERE = Evidence("", "", "")


@dataclass(frozen=True)
class Address:
    """One address with its prefix length on ``device`` of ``namespace`` ("" is the host).

    ``scope`` is global, link, host or site.  ``flags`` are those that say something about use: ``dadfailed``
    (another station has this IPv6 address), ``tentative``, ``deprecated``, ``secondary`` ...
    ``peer`` is the other end's address of a point-to-point interface.
    """

    interface: Interface
    device: str
    namespace: str
    scope: str
    label: str
    flags: frozenset[str]
    peer: str = ""
    evidence: Evidence = NOWHERE

    def __str__(self) -> str:
        return f"{self.interface} on {self.device}"

    @cached_property
    def ip(self) -> str:
        """The address without its prefix length."""
        return str(self.interface.ip)


@dataclass(frozen=True)
class Addresses:
    """All addresses of a node; ``absent`` says why a namespace's are not known."""

    addresses: tuple[Address, ...]
    absent: Mapping[str, str] = field(default_factory=dict)
    probes: ClassVar[tuple[Probe, ...]] = (NETNS_LIST, HOST_ADDRESSES, NETNS_ADDRESSES)

    @classmethod
    def parse(cls, results: NodeResults) -> Addresses:
        """The addresses; raises NotApplicable without iproute2, CouldNotCheck or ParseError."""
        read = answers(results, NETNS_ADDRESSES, HOST_ADDRESSES)
        found: list[Address] = []
        for namespace, result, printed in read.said:
            form = parse_json_addresses if printed.lstrip().startswith("[") else parse_text_addresses
            for row in form(printed, namespace):
                family = "inet6" if row.interface.version == 6 else "inet"
                line = f"{family} {row.interface} scope {row.scope} {' '.join(sorted(row.flags))}".rstrip()
                found.append(replace(row, evidence=results.evidence(result, f"{line} dev {row.device}")))
        return cls(tuple(found), read.absent)

    @property
    def gaps(self) -> tuple[tuple[str, str], ...]:
        """The namespaces that could not be read."""
        return gaps_of(self.absent)

    def on(self, device: str, namespace: str = "") -> tuple[Address, ...]:
        """The addresses of one interface."""
        return tuple(a for a in self.addresses if a.device == device and a.namespace == namespace)

    def within(self, namespace: str = "") -> tuple[Address, ...]:
        """The addresses of one namespace, or of the host."""
        return tuple(a for a in self.addresses if a.namespace == namespace)

    def holding(self, ip: str) -> tuple[Address, ...]:
        """Where ``ip`` is configured on this node, in whatever namespace."""
        return tuple(a for a in self.addresses if a.ip == ip)


@lru_cache(4096)
def _interface(written: str) -> Interface:
    try:
        return ipaddress.ip_interface(written)
    except ValueError as error:
        raise ParseError(f"not an address: {written[:100]}") from error


def parse_json_addresses(printed: str, namespace: str) -> tuple[Address, ...]:
    """Rows of ``ip -j addr``.  Raises ParseError."""
    return tuple(_json_addresses(printed, namespace))


def _json_addresses(printed: str, namespace: str) -> Iterator[Address]:
    for link in json_rows(printed):
        for row in rows_in(link.get("addr_info", [])):
            local = text(row, "local") or text(row, "address")
            prefix = number(row, "prefixlen")
            if prefix is None:
                raise ParseError(f"an address without prefix length: {str(dict(row))[:200]}")
            yield Address(
                _interface(f"{local}/{prefix}"),
                text(link, "ifname"),
                namespace,
                text(row, "scope"),
                text(row, "label"),
                frozenset(flag for flag in FLAGS if row.get(flag) is True),
                text(row, "address") if "local" in row else "",
            )


def parse_text_addresses(printed: str, namespace: str) -> tuple[Address, ...]:
    """Rows of ``ip addr`` without ``-j``.  Raises ParseError."""
    return tuple(_text_addresses(printed, namespace))


def _text_addresses(printed: str, namespace: str) -> Iterator[Address]:
    for block in blocks(printed):
        for line in block.more:
            words = line.split()
            if len(words) < 2 or words[0] not in ("inet", "inet6"):
                continue
            peer = value_of(line, "peer")
            written = words[1] if not peer or "/" in words[1] else f"{words[1]}/{peer.partition('/')[2]}"
            last = words[-1]
            yield Address(
                _interface(written.rstrip("/")),
                block.name,
                namespace,
                value_of(line, "scope"),
                last if words[0] == "inet" and last.partition(":")[0] == block.name else "",
                frozenset(FLAGS).intersection(words),
                peer.partition("/")[0],
            )

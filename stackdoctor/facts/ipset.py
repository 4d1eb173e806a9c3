"""The address sets that iptables rules refer to, as ``ipset save`` prints them (ipset(8)).

    create NIPv4b67a1897-bd4b-47fa-8d8a- hash:net family inet hashsize 1024 maxelem 65536
    add NIPv4b67a1897-bd4b-47fa-8d8a- 10.10.0.167

Sets belong to a network namespace; these are the host's.  Asking makes the kernel load ip_set where sets
were never used.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from types import MappingProxyType
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck, ParseError
from stackdoctor.model import NodeResults, Probe, Status

__all__ = ["Address", "IpSet", "IpSets", "Value"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Value = Address | str | int | tuple[str, int] | None
"""A packet's value in one dimension: an address, a MAC or device name, a mark, (protocol, port); None: unknown."""

_KINDS = {"ip": "ip", "net": "ip", "port": "port", "mac": "mac", "iface": "iface", "mark": "mark"}
_DEPTH = 8


@dataclass(frozen=True)
class IpSet:
    """One set: ``type`` as ``hash:ip,port``, the words after it, and its members as printed."""

    name: str
    type: str
    options: Mapping[str, str]
    lines: tuple[str, ...]

    @property
    def dimensions(self) -> tuple[str, ...]:
        """What a member consists of: ``ip``, ``port``, ``mac``, ``iface``, ``mark``; empty for a list of sets."""
        if self.type == "list:set":
            return ()
        return tuple(_KINDS.get(kind, kind) for kind in self.type.partition(":")[2].split(","))

    @property
    def family(self) -> int:
        """4 or 6; 0 where the type has no addresses."""
        if "ip" not in self.dimensions:
            return 0
        return 6 if self.options.get("family") == "inet6" else 4

    @cached_property
    def members(self) -> tuple[str, ...]:
        """The members without their extensions (timeout, comment, counters)."""
        return tuple(line.split(" ", 1)[0] for line in self.lines)

    @cached_property
    def _mask(self) -> int | None:
        text = self.options.get("netmask") or self.options.get("bitmask")
        if text is None:
            return None
        bits = 128 if self.family == 6 else 32
        return _prefix_mask(int(text), bits) if text.isdigit() else int(ipaddress.ip_address(text))

    @cached_property
    def _nets(self) -> tuple[tuple[int, dict[int, bool]], ...]:
        """For sets of one address dimension: by mask, longest first, network -> is a member (not ``nomatch``)."""
        masks: dict[int, dict[int, bool]] = {}
        for line in self.lines:
            element, _, extensions = line.partition(" ")
            network, mask = _network(element, self.name)
            masks.setdefault(mask, {})[network] = "nomatch" not in extensions.split('"', 1)[0].split()
        return tuple(sorted(masks.items(), reverse=True))

    @cached_property
    def _elements(self) -> tuple[tuple[tuple[str, ...], bool], ...]:
        return tuple(
            (tuple(line.split(" ", 1)[0].split(",")), "nomatch" not in line.split('"', 1)[0].split())
            for line in self.lines
        )

    def test(self, value: Callable[[int, str], Value]) -> bool | None:
        """Whether a packet is in the set; ``value(i, kind)`` is its value in dimension ``i``.  None: cannot be said."""
        values = [value(i, kind) for i, kind in enumerate(self.dimensions)]
        if self.dimensions == ("ip",):
            return self._contains(values[0])
        if set(self.dimensions) - set(_KINDS.values()):
            return None
        best: tuple[int, ...] = ()
        answer: bool | None = False
        for element, member in self._elements:
            held, prefix = self._holds(element, values)
            if held is None:
                return None
            # The most specific member decides, as the kernel looks prefixes up from the longest one.
            if held and prefix >= best:
                best, answer = prefix, member
        return answer

    def _contains(self, address: Value) -> bool | None:
        if address is None:
            return None
        if not isinstance(address, ipaddress.IPv4Address | ipaddress.IPv6Address) or address.version != self.family:
            return False
        number = int(address) if self._mask is None else int(address) & self._mask
        for mask, networks in self._nets:
            member = networks.get(number & mask)
            if member is not None:
                return member
        return False

    def _holds(self, element: tuple[str, ...], values: list[Value]) -> tuple[bool | None, tuple[int, ...]]:
        answer: bool | None = True
        prefix: list[int] = []
        for i, kind in enumerate(self.dimensions):
            if i >= len(element):  # bitmap:ip,mac may hold an address with any MAC
                continue
            held: bool | None
            value = values[i]
            if value is None:
                held = None
            elif kind == "ip":
                network, mask = _network(element[i], self.name)
                prefix.append(mask)
                number = int(value) if isinstance(value, ipaddress.IPv4Address | ipaddress.IPv6Address) else -1
                same = isinstance(value, ipaddress.IPv4Address | ipaddress.IPv6Address) and value.version == self.family
                held = same and (number if self._mask is None else number & self._mask) & mask == network
            elif kind == "port":
                held = _port(element[i], value)
            elif kind == "iface":
                held = None if element[i].startswith("physdev:") else element[i] == value
            elif kind == "mark":
                held = int(element[i], 0) == value
            else:
                held = element[i].lower() == str(value).lower()
            if held is False:
                return False, ()
            if held is None:
                answer = None
        return answer, tuple(prefix)


@dataclass(frozen=True)
class IpSets:
    """The sets of the host's network namespace, by name."""

    sets: Mapping[str, IpSet]

    probes: ClassVar[tuple[Probe, ...]] = (
        Probe("ipset.save", ("ipset", "save"), root=True, timeout=30.0, cap=32 * 1024 * 1024),
    )

    @classmethod
    def parse(cls, results: NodeResults) -> IpSets:
        """The fact as read from ``results``; raises NotApplicable, CouldNotCheck or ParseError."""
        result = results.one(cls.probes[0])
        if result.status is Status.TRUNCATED:
            raise CouldNotCheck(f"{result.command}: cut after {len(result.stdout)} bytes")
        if result.exit != 0:
            said = result.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
            raise CouldNotCheck(f"{result.command}: {said or f'exit {result.exit}'}")
        return cls.of(result.text)

    @classmethod
    def of(cls, text: str) -> IpSets:
        """The sets from what ``ipset save`` printed; raises ParseError.

        >>> IpSets.of("create S hash:net family inet\\nadd S 10.0.0.0/8\\n").contains("S", "10.1.2.3")
        True
        """
        heads: dict[str, tuple[str, dict[str, str]]] = {}
        lines: dict[str, list[str]] = {}
        for line in text.split("\n"):
            if line.startswith("add "):
                words = line.split(" ", 2)
                if len(words) < 3 or words[1] not in lines:
                    raise ParseError(f"not a line of ipset save: {line[:200]!r}")
                lines[words[1]].append(words[2])
            elif line.startswith("create "):
                words = line.split()
                if len(words) < 3 or ":" not in words[2]:
                    raise ParseError(f"not a line of ipset save: {line[:200]!r}")
                heads[words[1]] = (words[2], dict(pairwise(words[3:])))
                lines[words[1]] = []
            elif line.strip():
                raise ParseError(f"not a line of ipset save: {line[:200]!r}")
        sets = {name: IpSet(name, type_, options, tuple(lines[name])) for name, (type_, options) in heads.items()}
        return cls(MappingProxyType(sets))

    def test(self, name: str, value: Callable[[int, str], Value], asked: int, _depth: int = 0) -> bool | None:
        """Whether a packet is in the set ``name`` (``value(i, kind)`` is its value in dimension ``i``).

        ``asked`` is in how many dimensions; in a set that has more there is no packet (ip_set_test() of
        net/netfilter/ipset/ip_set_core.c).  A list of sets is asked one by one.  None: the set is not here, or
        a value that matters is unknown.
        """
        found = self.sets.get(name)
        if found is None or _depth > _DEPTH:
            return None
        if len(found.dimensions) > asked:
            return False
        if found.type != "list:set":
            try:
                return found.test(value)
            except (ParseError, ValueError):  # a member in a form that is not known: nothing can be said of the set
                return None
        answers = [self.test(member, value, asked, _depth + 1) for member in found.members]
        return True if True in answers else None if None in answers else False

    def contains(self, name: str, address: Address | str) -> bool | None:
        """Whether ``address`` is in the set; None where the set is unknown or wants more than an address."""
        wanted = ipaddress.ip_address(address) if isinstance(address, str) else address
        return self.test(name, lambda i, kind: wanted if kind == "ip" and i == 0 else None, 3)


def _prefix_mask(length: int, bits: int) -> int:
    return ((1 << length) - 1) << (bits - length) if 0 <= length <= bits else (1 << bits) - 1


def _network(element: str, name: str) -> tuple[int, int]:
    try:
        net = ipaddress.ip_network(element, strict=False)
    except ValueError:
        raise ParseError(f"not a member of the set {name}: {element[:100]!r}") from None
    return int(net.network_address), int(net.netmask)


def _port(element: str, value: Value) -> bool | None:
    """A member's port as ``tcp:80``, or bare in bitmap:port, where TCP and UDP count alike."""
    if not isinstance(value, tuple):
        return False
    protocol, colon, port = element.rpartition(":")
    if not colon:
        return value[0] in ("tcp", "udp") and element == str(value[1])
    if protocol != value[0]:
        return False
    if protocol.startswith(("icmp", "ipv6-icmp")) or not port.isdigit():
        return None
    return int(port) == value[1]

"""Routes and policy rules of the host and of its namespaces (``ip route show table all``, ``ip rule``).

    >>> (row,) = parse_text_routes("default via 203.0.113.1 dev qg-4f884770-38 proto static", "qrouter-c501d0eb")
    >>> str(row.destination), row.gateway, row.device, row.table, row.kind
    ('0.0.0.0/0', '203.0.113.1', 'qg-4f884770-38', 'main', 'unicast')

From man ip-route(8), ip-rule(8) and iproute2 ``ip/iproute.c``, ``ip/iprule.c``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from stackdoctor.errors import ParseError
from stackdoctor.facts.answers import Row, integer, json_rows, nested, number, rows_in, text
from stackdoctor.facts.links_text import value_of
from stackdoctor.facts.namespaces import NETNS_LIST, answers, gaps_of, within
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = [
    "HOST_ROUTES",
    "NETNS_ROUTES",
    "Network",
    "Nexthop",
    "Route",
    "Routes",
    "parse_json_routes",
    "parse_text_routes",
]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

SHOW = ("route", "show", "table", "all")
HOST_ROUTES = Probe("routes.host", ("ip", "-j", *SHOW), otherwise=(("ip", *SHOW),))
NETNS_ROUTES = within("routes.netns", "ip", "-j", *SHOW, otherwise=("ip", *SHOW))

KINDS = frozenset(("unicast", "local", "broadcast", "multicast", "anycast", "throw", "unreachable", "prohibit"))
KINDS |= {"blackhole", "nat"}
NOWHERE = Evidence("", "", "")


@dataclass(frozen=True)
class Nexthop:
    """One way of a multipath route."""

    gateway: str
    device: str
    weight: int


@dataclass(frozen=True)
class Route:
    """One route of ``namespace`` ("" is the host): where packets to ``destination`` go.

    ``kind`` is unicast, local, broadcast, multicast, anycast, unreachable, prohibit, blackhole or throw.
    ``table`` is a name or a number as printed, main by default.  ``flags`` are linkdown, dead, onlink ...
    """

    destination: Network
    namespace: str
    kind: str
    gateway: str
    device: str
    table: str
    protocol: str
    scope: str
    source: str
    metric: int
    flags: frozenset[str]
    nexthops: tuple[Nexthop, ...] = ()
    evidence: Evidence = NOWHERE

    def __str__(self) -> str:
        return f"route to {'default' if self.default else self.destination}"

    @property
    def default(self) -> bool:
        """Whether it takes everything."""
        return self.destination.prefixlen == 0

    @property
    def line(self) -> str:
        """The route in iproute2's own form."""
        words = [] if self.kind == "unicast" else [self.kind]
        words.append("default" if self.default else str(self.destination))
        for name, value in (("via", self.gateway), ("dev", self.device), ("proto", self.protocol)):
            words += [name, value] if value else []
        words += [] if self.table == "main" else ["table", self.table]
        for name, value in (("scope", self.scope), ("src", self.source), ("metric", str(self.metric or ""))):
            words += [name, value] if value else []
        for hop in self.nexthops:
            words += ["nexthop", "via", hop.gateway, "dev", hop.device]
        return " ".join([*words, *sorted(self.flags)])


@dataclass(frozen=True)
class Routes:
    """All routes of a node, in every table; ``absent`` says why a namespace's are not known."""

    routes: tuple[Route, ...]
    absent: Mapping[str, str] = field(default_factory=dict)
    probes: ClassVar[tuple[Probe, ...]] = (NETNS_LIST, HOST_ROUTES, NETNS_ROUTES)

    @classmethod
    def parse(cls, results: NodeResults) -> Routes:
        """The routes; raises NotApplicable without iproute2, CouldNotCheck or ParseError."""
        read = answers(results, NETNS_ROUTES, HOST_ROUTES)
        found: list[Route] = []
        for namespace, result, printed in read.said:
            form = parse_json_routes if printed.lstrip().startswith("[") else parse_text_routes
            for row in form(printed, namespace):
                found.append(replace(row, evidence=results.evidence(result, row.line)))
        return cls(tuple(found), read.absent)

    @property
    def gaps(self) -> tuple[tuple[str, str], ...]:
        """The namespaces that could not be read."""
        return gaps_of(self.absent)

    def within(self, namespace: str = "", table: str = "main") -> tuple[Route, ...]:
        """The routes of one table in one namespace."""
        return tuple(r for r in self.routes if (r.namespace, r.table) == (namespace, table))

    def default(self, namespace: str = "", version: int = 4) -> Route | None:
        """The default route of the main table with the lowest metric."""
        found = [r for r in self.within(namespace) if r.default and r.destination.version == version]
        return min(found, key=lambda r: r.metric, default=None)

    def best(self, ip: str, namespace: str = "", table: str = "main") -> Route | None:
        """The route of one table that the kernel takes for ``ip``: longest prefix, then lowest metric; None for none.

        Raises ValueError if ``ip`` is not an address.
        """
        address = ipaddress.ip_address(ip)
        fitting = [r for r in self.within(namespace, table) if address in r.destination]
        return min(fitting, key=lambda r: (-r.destination.prefixlen, r.metric), default=None)


def _destination(written: str, version: int) -> Network:
    if written in ("default", "all"):
        return ipaddress.ip_network("0.0.0.0/0" if version == 4 else "::/0")
    try:
        return ipaddress.ip_network(written, strict=False)
    except ValueError as error:
        raise ParseError(f"not a route's destination: {written[:100]}") from error


def _version(gateways: list[str], device: str, scope: str, only_six: bool) -> int:
    """The family of a default route, which iproute2 does not print: IPv6 has no scope, and always a device."""
    if any(gateways):
        return 6 if any(":" in gateway for gateway in gateways) else 4
    return 6 if only_six and device and not scope else 4


def parse_json_routes(printed: str, namespace: str) -> tuple[Route, ...]:
    """Rows of ``ip -j route show table all``.  Raises ParseError."""
    return tuple(_json_route(row, namespace) for row in json_rows(printed))


def _json_route(row: Row, namespace: str) -> Route:
    hops = tuple(
        Nexthop(_json_gateway(hop), text(hop, "dev"), number(hop, "weight") or 1)
        for hop in rows_in(row.get("nexthops", []))
    )
    flags = row.get("flags", [])
    if not isinstance(flags, list):
        raise ParseError(f"a route's flags are no list: {str(flags)[:100]}")
    gateway, device, scope = text(row, "gateway"), text(row, "dev"), text(row, "scope")
    gateways = [gateway, *(hop.gateway for hop in hops)]
    return Route(
        _destination(text(row, "dst"), _version(gateways, device, scope, "pref" in row)),
        namespace,
        text(row, "type", "unicast"),
        gateway or _json_gateway(row),
        device,
        text(row, "table", "main"),
        text(row, "protocol"),
        scope,
        text(row, "prefsrc"),
        number(row, "metric") or 0,
        frozenset(str(flag) for flag in flags),
        hops,
    )


def _json_gateway(row: Row) -> str:
    return text(row, "gateway") or text(nested(row, "via"), "host")


def parse_text_routes(printed: str, namespace: str) -> tuple[Route, ...]:
    """Rows of ``ip route show table all`` without ``-j``; a multipath route's ways follow it, indented."""
    return tuple(_text_routes(printed, namespace))


def _text_routes(printed: str, namespace: str) -> Iterator[Route]:
    lines: list[str] = []
    for line in [*printed.splitlines(), ""]:
        if line[:1].isspace():
            lines.append(line)
            continue
        if lines:
            yield _text_route(lines, namespace)
        lines = [line] if line else []


def _text_route(lines: list[str], namespace: str) -> Route:
    words = lines[0].split()
    kind = words.pop(0) if words and words[0] in KINDS else "unicast"
    if not words:
        raise ParseError(f"not a route: {lines[0][:200]}")
    # multipath ways stand indented below, or in one line with -o and in iproute2 before 4.19 for IPv6
    first, *ways = " ".join([" ".join(words[1:]), *(line.strip() for line in lines[1:])]).split("nexthop ")
    hops = tuple(
        Nexthop(_text_gateway(way), value_of(way, "dev"), integer(value_of(way, "weight")) or 1) for way in ways
    )
    gateway, device, scope = _text_gateway(first), value_of(first, "dev"), value_of(first, "scope")
    gateways = [gateway, *(hop.gateway for hop in hops)]
    return Route(
        _destination(words[0], _version(gateways, device, scope, bool(value_of(first, "pref")))),
        namespace,
        kind,
        gateway,
        device,
        value_of(first, "table") or "main",
        value_of(first, "proto"),
        scope,
        value_of(first, "src"),
        integer(value_of(first, "metric")) or 0,
        frozenset(("linkdown", "dead", "onlink", "pervasive", "offload")).intersection(first.split()),
        hops,
    )


def _text_gateway(words: str) -> str:
    """``via 203.0.113.1``, or ``via inet6 fe80::1`` for an IPv4 route through an IPv6 station."""
    gateway = value_of(words, "via")
    return value_of(words, gateway) if gateway in ("inet", "inet6") else gateway

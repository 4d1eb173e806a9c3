"""Linux bridges: their ports, their forwarding database, and whether iptables sees what they forward.

    >>> parse_brctl('''bridge name\\tbridge id\\t\\tSTP enabled\\tinterfaces
    ... brq0b39e40c-e5\\t\\t8000.2ef9ea766d30\\tno\\t\\teth1
    ... \\t\\t\\t\\t\\t\\t\\ttap4f884770-38
    ... ''')
    (('brq0b39e40c-e5', ('eth1', 'tap4f884770-38')),)

From man bridge(8), brctl(8) and iproute2 ``bridge/link.c``, ``bridge/fdb.c``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import ClassVar

from stackdoctor.errors import NotApplicable, ParseError
from stackdoctor.facts.answers import Row, integer, json_rows, number, output, text
from stackdoctor.facts.links_text import blocks, pairs
from stackdoctor.model import Evidence, NodeResults, Probe, Result, Status

__all__ = [
    "BRIDGE_FDB",
    "BRIDGE_LINKS",
    "BRIDGE_SYSCTLS",
    "Bridge",
    "BridgeNetfilter",
    "BridgePort",
    "Bridges",
    "Fdb",
    "FdbEntry",
    "parse_brctl",
    "parse_fdb",
    "parse_ports",
]

BRIDGE_LINKS = Probe(
    "bridges.ports", ("bridge", "-j", "-d", "link"), otherwise=(("bridge", "-d", "link"), ("brctl", "show"))
)
BRIDGE_FDB = Probe("bridges.fdb", ("bridge", "-j", "fdb", "show"), otherwise=(("bridge", "fdb", "show"),))
BRIDGE_SYSCTLS = Probe("bridges.netfilter", files=("/proc/sys/net/bridge/bridge-nf-call-*",))

FLOOD = "00:00:00:00:00:00"
MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")


@dataclass(frozen=True)
class BridgePort:
    """``8: vxlan-994: <BROADCAST,UP,LOWER_UP> mtu 1450 master brq8af4f28b-a6 state forwarding priority 32 cost 2``.

    ``state`` is forwarding, disabled, blocking ...; empty where only brctl could be asked.
    """

    name: str
    bridge: str
    state: str
    evidence: Evidence

    def __str__(self) -> str:
        return f"{self.name} on {self.bridge}"


@dataclass(frozen=True)
class Bridge:
    """A bridge and its ports, by name.  Only brctl lists a bridge without ports; Links lists every one."""

    name: str
    ports: tuple[BridgePort, ...]
    evidence: Evidence

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Bridges:
    """The host's bridges that have ports (``bridge -d link``, else ``brctl show``)."""

    bridges: tuple[Bridge, ...]
    probes: ClassVar[tuple[Probe, ...]] = (BRIDGE_LINKS,)

    @classmethod
    def parse(cls, results: NodeResults) -> Bridges:
        """The bridges; raises NotApplicable without bridge and brctl, CouldNotCheck or ParseError."""
        result = results.one(BRIDGE_LINKS)
        printed = output(result)
        if printed.startswith("bridge name"):
            found = parse_brctl(printed)
            rows = [(name, port, "", f"{name} {port}") for name, ports in found for port in ports]
            names = [name for name, _ in found]
        else:
            rows = list(parse_ports(printed))
            names = list(dict.fromkeys(bridge for bridge, *_ in rows))
        return cls(tuple(_bridge(name, rows, results, result) for name in names))

    def named(self, name: str) -> Bridge | None:
        """The bridge called ``name``."""
        return next((b for b in self.bridges if b.name == name), None)

    def of_port(self, port: str) -> Bridge | None:
        """The bridge that interface ``port`` is on; None if it is on none."""
        return next((b for b in self.bridges if any(p.name == port for p in b.ports)), None)


def _bridge(name: str, rows: list[tuple[str, str, str, str]], results: NodeResults, result: Result) -> Bridge:
    ports = tuple(
        BridgePort(port, bridge, state, results.evidence(result, line))
        for bridge, port, state, line in rows
        if bridge == name
    )
    return Bridge(name, ports, results.evidence(result, f"{name}: {' '.join(p.name for p in ports)}".rstrip()))


def parse_ports(printed: str) -> tuple[tuple[str, str, str, str], ...]:
    """Bridge, port, state and line of each row of ``bridge -d link``, with ``-j`` or without.  Raises ParseError."""
    if printed.lstrip().startswith("["):
        return tuple(
            (text(row, "master"), text(row, "ifname"), text(row, "state"), _port_line(row))
            for row in json_rows(printed)
            if text(row, "master")
        )
    found: list[tuple[str, str, str, str]] = []
    for block in blocks(printed):
        values = pairs(block.tail)
        if "master" in values:
            found.append((values["master"], block.name, values.get("state", ""), block.line.rstrip()))
    return tuple(found)


def _port_line(row: Row) -> str:
    return (
        f"{number(row, 'ifindex')}: {text(row, 'ifname')}: mtu {number(row, 'mtu')} "
        f"master {text(row, 'master')} state {text(row, 'state')}"
    )


def parse_brctl(printed: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Bridges and their ports of ``brctl show``; the ports after a bridge's first one stand alone on their lines.

    A long name pushes the other columns to the right, so that the bridge id (``8000.2ef9ea766d30``) tells
    them apart and not their place.  Raises ParseError.
    """
    lines = printed.splitlines()
    if not lines or lines[0].split() != ["bridge", "name", "bridge", "id", "STP", "enabled", "interfaces"]:
        raise ParseError(f"not the columns of brctl show: {printed[:200]}")
    found: dict[str, list[str]] = {}
    ports: list[str] | None = None
    for line in lines[1:]:
        words = line.split()
        if not words:
            continue
        if line[0].isspace():
            if ports is None or len(words) != 1:
                raise ParseError(f"not a port of a bridge: {line[:200]}")
            ports.append(words[0])
            continue
        if words[1:4] == ["can't", "get", "info"]:  # it went away meanwhile
            ports = None
            continue
        if len(words) not in (3, 4) or not re.fullmatch(r"[0-9a-f]{4}\.[0-9a-f]{12}", words[1]):
            raise ParseError(f"not a bridge: {line[:200]}")
        ports = found.setdefault(words[0], [])
        ports += words[3:]
    return tuple((name, tuple(ports)) for name, ports in found.items())


@dataclass(frozen=True)
class FdbEntry:
    """``fa:16:3e:e6:a9:90 dev vxlan-994 dst 192.168.200.21 self permanent``.

    ``dst`` is the VXLAN tunnel end point behind which the station is; the all-zero station of a tunnel device
    lists where unknown and broadcast frames go.  ``master`` is the bridge whose table it is in; ``flags`` are
    self, master, router, offload, extern_learn, sticky, permanent, static, stale.
    """

    mac: str
    device: str
    dst: str
    vlan: int | None
    master: str
    flags: frozenset[str]
    evidence: Evidence

    def __str__(self) -> str:
        return f"{self.mac} on {self.device}"


@dataclass(frozen=True)
class Fdb:
    """The forwarding databases of the host's bridges and tunnel devices (``bridge fdb show``)."""

    entries: tuple[FdbEntry, ...]
    probes: ClassVar[tuple[Probe, ...]] = (BRIDGE_FDB,)

    @classmethod
    def parse(cls, results: NodeResults) -> Fdb:
        """The entries; raises NotApplicable without iproute2's bridge, CouldNotCheck or ParseError."""
        result = results.one(BRIDGE_FDB)
        return cls(parse_fdb(output(result), results, result))

    def flooded_to(self, device: str) -> tuple[str, ...]:
        """The tunnel end points that get a tunnel device's broadcasts."""
        return tuple(e.dst for e in self.entries if e.device == device and e.mac == FLOOD and e.dst)

    def of(self, mac: str) -> tuple[FdbEntry, ...]:
        """Where station ``mac`` is, in every table."""
        return tuple(e for e in self.entries if e.mac == mac.lower())


FDB_FLAGS = frozenset(("self", "master", "router", "offload", "extern_learn", "sticky", "added_by_user"))
FDB_STATES = frozenset(("permanent", "static", "stale", "local"))


def parse_fdb(printed: str, results: NodeResults, result: Result) -> tuple[FdbEntry, ...]:
    """Rows of ``bridge fdb show``, with ``-j`` or without.  Raises ParseError."""
    if printed.lstrip().startswith("["):
        return tuple(_json_entry(row, results, result) for row in json_rows(printed))
    return tuple(_text_entry(line, results, result) for line in printed.splitlines() if line.strip())


def _json_entry(row: Row, results: NodeResults, result: Result) -> FdbEntry:
    flags = row.get("flags", [])
    if not isinstance(flags, list):
        raise ParseError(f"the flags of a station are no list: {str(flags)[:100]}")
    mac, device = text(row, "mac"), text(row, "ifname") or text(row, "dev")
    dst, vlan, master = text(row, "dst"), number(row, "vlan"), text(row, "master")
    state = text(row, "state")
    words = [mac, "dev", device]
    words += ["dst", dst] if dst else []
    words += ["vlan", str(vlan)] if vlan is not None else []
    words += ["master", master] if master else []
    words += [str(flag) for flag in flags] + ([state] if state else [])
    every = frozenset([*map(str, flags), *([state] if state else [])])
    return _entry(mac, device, dst, vlan, master, every, results.evidence(result, " ".join(words)))


def _text_entry(line: str, results: NodeResults, result: Result) -> FdbEntry:
    words = line.split()
    values: dict[str, str] = {}
    flags: set[str] = set()
    rest = iter(enumerate(words[1:], 1))
    for at, word in rest:
        following = words[at + 1] if at + 1 < len(words) else ""
        alone = word == "master" and (not following or following in FDB_FLAGS | FDB_STATES)
        if word in FDB_STATES or (word in FDB_FLAGS and word != "master") or alone:
            flags.add(word)
        else:
            values[word] = following
            next(rest, None)
    vlan = integer(values.get("vlan", ""))
    evidence = results.evidence(result, line.rstrip())
    device, dst, master = values.get("dev", ""), values.get("dst", ""), values.get("master", "")
    return _entry(words[0], device, dst, vlan, master, frozenset(flags), evidence)


def _entry(
    mac: str, device: str, dst: str, vlan: int | None, master: str, flags: frozenset[str], evidence: Evidence
) -> FdbEntry:
    if not MAC.fullmatch(mac) or not device:
        raise ParseError(f"not a station of a bridge: {evidence.line[:200]}")
    return FdbEntry(mac, device, dst, vlan, master, flags, evidence)


@dataclass(frozen=True)
class BridgeNetfilter:
    """Whether frames that a bridge forwards pass iptables: ``/proc/sys/net/bridge/bridge-nf-call-iptables``.

    Without the br_netfilter module there are no such files, ``loaded`` is False, and security groups on a
    bridge filter nothing (kernel documentation, networking/ip-sysctl).  None where one file was not read.
    """

    loaded: bool
    iptables: bool | None = None
    ip6tables: bool | None = None
    arptables: bool | None = None
    evidence: Evidence = field(default=Evidence("", "", ""))
    probes: ClassVar[tuple[Probe, ...]] = (BRIDGE_SYSCTLS,)

    def __str__(self) -> str:
        return "br_netfilter"

    @classmethod
    def parse(cls, results: NodeResults) -> BridgeNetfilter:
        """The switches; raises CouldNotCheck where they exist and may not be read."""
        asked = results.every(BRIDGE_SYSCTLS)
        try:
            found = results.usable(BRIDGE_SYSCTLS)
        except NotApplicable:
            missing = next(r for r in asked if r.status is Status.MISSING)
            line = f"{BRIDGE_SYSCTLS.files[0]}: not there"
            return cls(False, evidence=Evidence(results.node.name, missing.command or BRIDGE_SYSCTLS.files[0], line))
        values: dict[str, bool] = {}
        shown = found[0]
        for result in found:
            name = (result.subject or result.command).rpartition("bridge-nf-call-")[2]
            content = result.text.strip()
            if content not in ("0", "1"):
                raise ParseError(f"{result.command}: not 0 or 1: {content[:80]}")
            values[name] = content == "1"
            shown = result if name == "iptables" else shown
        evidence = Evidence(results.node.name, shown.command, shown.text.strip())
        return cls(True, values.get("iptables"), values.get("ip6tables"), values.get("arptables"), evidence)

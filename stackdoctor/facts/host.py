"""What a host is and how it is: name, kernel, load, memory, open files, tracked connections, known hosts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import ParseError
from stackdoctor.facts.answers import decimal, output
from stackdoctor.facts.disks import Disk, Disks, Inodes, InodeUse
from stackdoctor.facts.table import excerpt, whole
from stackdoctor.model import Evidence, NodeResults, Probe, Result

__all__ = [
    "Conntrack",
    "Disk",
    "Disks",
    "FileHandles",
    "Host",
    "HostName",
    "HostsFile",
    "InodeUse",
    "Inodes",
    "Load",
    "Memory",
]


def _words(result: Result, least: int) -> list[str]:
    words = output(result).split()
    if len(words) < least:
        raise ParseError(f"{result.command}: {least} values expected: {excerpt(result.text)}")
    return words


def _decimal(word: str) -> float:
    value = decimal(word)
    if value is None:
        raise ParseError(f"not a number: {excerpt(word)!r}")
    return value


@dataclass(frozen=True)
class Host:
    """A host's kernel and age: ``uname -srm`` (``Linux 6.1.0-18-amd64 x86_64``) and the seconds since it was booted."""

    probes: ClassVar[tuple[Probe, ...]] = (
        Probe("host.uname", ("uname", "-snrm")),
        Probe("host.uptime", files=("/proc/uptime",)),
    )

    hostname: str
    kernel: str
    machine: str
    uptime: float
    evidence: Evidence

    def __str__(self) -> str:
        return self.hostname

    @classmethod
    def parse(cls, results: NodeResults) -> Host:
        """The host.  Raises CouldNotCheck, ParseError or NotApplicable."""
        uname, uptime = results.one(cls.probes[0]), results.usable(cls.probes[1])[0]
        words = _words(uname, 4)
        seconds = _decimal(_words(uptime, 1)[0])
        return cls(words[1], words[2], words[3], seconds, results.evidence(uname, " ".join(words)))


@dataclass(frozen=True)
class Load:
    """Processes that run or wait in state D, on average over 1, 5 and 15 minutes (proc(5)), and the CPUs for them.

    ``38.21 54.89 48.55 7/464 4257``
    """

    probes: ClassVar[tuple[Probe, ...]] = (
        Probe("host.loadavg", files=("/proc/loadavg",)),
        Probe("host.cpus", ("nproc",), otherwise=(("getconf", "_NPROCESSORS_ONLN"),)),
    )

    one: float
    five: float
    fifteen: float
    cpus: int
    evidence: Evidence

    @classmethod
    def parse(cls, results: NodeResults) -> Load:
        """The load.  Raises CouldNotCheck, ParseError or NotApplicable."""
        result = results.usable(cls.probes[0])[0]
        words = _words(result, 3)
        cpus = whole(_words(results.one(cls.probes[1]), 1)[0])
        one, five, fifteen = (_decimal(word) for word in words[:3])
        return cls(one, five, fifteen, cpus, results.evidence(result, " ".join(words)))


@dataclass(frozen=True)
class Memory:
    """Memory in bytes.  ``available`` is what new work can have without swapping (before Linux 3.14 estimated).

    ::

        MemTotal:       24684084 kB
        MemAvailable:   18420740 kB
    """

    probes: ClassVar[tuple[Probe, ...]] = (Probe("host.meminfo", files=("/proc/meminfo",)),)

    total: int
    available: int
    free: int
    swap_total: int
    swap_free: int
    huge_pages: int
    huge_pages_free: int
    evidence: Evidence

    @classmethod
    def parse(cls, results: NodeResults) -> Memory:
        """The memory.  Raises CouldNotCheck, ParseError or NotApplicable."""
        result = results.usable(cls.probes[0])[0]
        values: dict[str, int] = {}
        lines: dict[str, str] = {}
        for line in output(result).splitlines():
            key, colon, rest = line.partition(":")
            words = rest.split()
            if not colon or not words or len(words) > 2 or words[1:] not in ([], ["kB"]):
                raise ParseError(f"{result.command}: {excerpt(line)}")
            values[key] = whole(words[0]) * (1024 if words[1:] else 1)
            lines[key] = line
        if not {"MemTotal", "MemFree"} <= values.keys():
            raise ParseError(f"{result.command}: without MemTotal or MemFree")
        estimated = values["MemFree"] + values.get("Cached", 0) + values.get("Buffers", 0)
        shown = lines.get("MemAvailable", lines["MemFree"])
        return cls(
            values["MemTotal"],
            values.get("MemAvailable", estimated),
            values["MemFree"],
            values.get("SwapTotal", 0),
            values.get("SwapFree", 0),
            values.get("HugePages_Total", 0),
            values.get("HugePages_Free", 0),
            results.evidence(result, f"{lines['MemTotal']}, {shown}"),
        )


@dataclass(frozen=True)
class FileHandles:
    """Open files of the whole host and the most there may be, of proc(5)'s file-nr: ``3005 0 922337203685477``."""

    probes: ClassVar[tuple[Probe, ...]] = (Probe("host.file-nr", files=("/proc/sys/fs/file-nr",)),)

    used: int
    limit: int
    evidence: Evidence

    @classmethod
    def parse(cls, results: NodeResults) -> FileHandles:
        """The open files.  Raises CouldNotCheck, ParseError or NotApplicable."""
        result = results.usable(cls.probes[0])[0]
        allocated, unused, limit = _words(result, 3)[:3]
        # the kernel's own "no limit" has more digits than any real one
        most = 2**63 - 1 if limit == str(2**63 - 1) else whole(limit)
        return cls(whole(allocated) - whole(unused), most, results.evidence(result, result.text.strip()))


@dataclass(frozen=True)
class Conntrack:
    """Connections that netfilter tracks in the host's own network namespace, and the most there may be.

    Two files of one number each; without the module nf_conntrack they do not exist.
    """

    probes: ClassVar[tuple[Probe, ...]] = (
        Probe("host.conntrack-count", files=("/proc/sys/net/netfilter/nf_conntrack_count",)),
        Probe("host.conntrack-max", files=("/proc/sys/net/netfilter/nf_conntrack_max",)),
    )

    count: int
    limit: int
    evidence: Evidence

    @classmethod
    def parse(cls, results: NodeResults) -> Conntrack:
        """The tracked connections.  Raises NotApplicable where nothing is tracked, CouldNotCheck, ParseError."""
        count, limit = (results.usable(probe)[0] for probe in cls.probes)
        line = f"{count.text.strip()} of {limit.text.strip()}"
        return cls(whole(_words(count, 1)[0]), whole(_words(limit, 1)[0]), results.evidence(count, line))


@dataclass(frozen=True)
class HostName:
    """One line of /etc/hosts: an address and its names."""

    address: str
    names: tuple[str, ...]
    evidence: Evidence


@dataclass(frozen=True)
class HostsFile:
    """/etc/hosts (hosts(5)): ``192.168.199.100 api.lab api``; comments are left out."""

    probes: ClassVar[tuple[Probe, ...]] = (Probe("host.hosts", files=("/etc/hosts",)),)

    rows: tuple[HostName, ...]

    def __iter__(self) -> Iterator[HostName]:
        return iter(self.rows)

    @property
    def names(self) -> Mapping[str, tuple[str, ...]]:
        """The names by address, of all lines of it together."""
        by_address: dict[str, tuple[str, ...]] = {}
        for row in self.rows:
            by_address[row.address] = by_address.get(row.address, ()) + row.names
        return by_address

    def addresses(self, name: str) -> tuple[str, ...]:
        """The addresses of ``name``, in the order of the file: the resolver takes the first of each family."""
        wanted = name.lower()
        return tuple(row.address for row in self.rows if wanted in (known.lower() for known in row.names))

    @classmethod
    def parse(cls, results: NodeResults) -> HostsFile:
        """The lines.  Raises CouldNotCheck, ParseError or NotApplicable."""
        result = results.usable(cls.probes[0])[0]
        rows = []
        for line in output(result).splitlines():
            words = line.partition("#")[0].split()
            if len(words) > 1:
                rows.append(HostName(words[0], tuple(words[1:]), results.evidence(result, line)))
        return cls(tuple(rows))

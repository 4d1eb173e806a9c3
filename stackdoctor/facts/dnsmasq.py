"""What dnsmasq serves for each Neutron network on a DHCP node: its process, hosts, leases and options.

    >>> lease = parse_lease("1795366048 fa:16:3e:e6:a9:90 10.10.0.167 host-10-10-0-167 01:fa:16:3e:e6:a9:90", NOWHERE)
    >>> lease.mac, lease.address, lease.expired(1795366047.0), lease.expired(1795366049.0)
    ('fa:16:3e:e6:a9:90', '10.10.0.167', False, True)

From neutron ``agent/linux/dhcp.py``, man dnsmasq(8) and dnsmasq ``src/lease.c``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.answers import integer, output, said
from stackdoctor.facts.processes import Processes
from stackdoctor.model import Evidence, NodeResults, Probe, Result, Status

__all__ = [
    "DNSMASQ_FILES",
    "DhcpHost",
    "DhcpLease",
    "DhcpNetwork",
    "DhcpOption",
    "Dnsmasq",
    "DnsmasqProcess",
    "parse_host",
    "parse_lease",
    "parse_option",
    "parse_process",
]

STATE_DIRECTORIES = (
    "/var/lib/neutron/dhcp",
    "/var/lib/docker/volumes/neutron_metadata_socket/_data/dhcp",  # Kolla: state_path = /var/lib/neutron/kolla
    "/var/lib/containers/storage/volumes/neutron_metadata_socket/_data/dhcp",
    "/opt/stack/data/neutron/dhcp",
)
FILES = ("host", "leases", "opts", "pid", "interface")
DNSMASQ_FILES = Probe(
    "dnsmasq.files",
    files=tuple(f"{directory}/*/{file}" for directory in STATE_DIRECTORIES for file in FILES),
    root=True,
)
_EARLIER = Probe("dnsmasq.processes", ("ps", "-C", "dnsmasq", "-o", "pid=,stat=,args=", "-ww"))
"""What snapshots have that were taken before all processes were asked for once."""

MAC = re.compile(r"[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5,19}")
NOWHERE = Evidence("", "", "")


@dataclass(frozen=True)
class DhcpHost:
    """Who may have which address: ``fa:16:3e:1c:77:97,host-10-10-0-189.openstacklocal,10.10.0.189``.

    ``tags`` are the ``set:`` and ``tag:`` parts; an entry with tags only gives options and no address.
    """

    mac: str
    name: str
    addresses: tuple[str, ...]
    tags: tuple[str, ...]
    client_id: str
    evidence: Evidence

    def __str__(self) -> str:
        return f"{self.mac} {' '.join(self.addresses)}".rstrip()


@dataclass(frozen=True)
class DhcpLease:
    """A lease: ``1795366048 fa:16:3e:e6:a9:90 10.10.0.167 host-10-10-0-167 01:fa:16:3e:e6:a9:90``.

    ``expiry`` is seconds since the epoch, None for never.  ``mac`` of an IPv6 lease is its IAID.  Neutron writes
    lines with ``* *`` for name and client when it starts dnsmasq: ``seeded``, the guest has not asked since.
    """

    expiry: float | None
    mac: str
    address: str
    name: str
    client_id: str
    evidence: Evidence

    def __str__(self) -> str:
        return f"{self.mac} {self.address}"

    @property
    def seeded(self) -> bool:
        """Whether Neutron wrote it and no guest has renewed it."""
        return self.name == "*" and self.client_id == "*"

    def expired(self, now: float) -> bool:
        """Whether it is over at ``now``, seconds since the epoch on the node's clock."""
        return self.expiry is not None and self.expiry < now


@dataclass(frozen=True)
class DhcpOption:
    """``tag:subnet-f4246c89-8b19-4e28-8985-092fac8dd229,option:router,10.10.0.1``; without ``option:`` a number."""

    tag: str
    option: str
    values: tuple[str, ...]
    evidence: Evidence

    def __str__(self) -> str:
        return f"{self.option} {','.join(self.values)}"


@dataclass(frozen=True)
class DnsmasqProcess:
    """A running dnsmasq, as ``ps`` shows it; ``arguments`` are the words of its command line.

    ``dnsmasq --no-hosts --pid-file=/var/lib/neutron/dhcp/c29dcc29-.../pid --dhcp-lease-max=256 ...``
    """

    pid: int
    state: str
    arguments: tuple[str, ...]
    evidence: Evidence

    def __str__(self) -> str:
        return f"dnsmasq (pid {self.pid})"

    def option(self, name: str) -> tuple[str, ...]:
        """The values of ``--name=value``, in order."""
        return tuple(a.partition("=")[2] for a in self.arguments if a.startswith(f"--{name}="))

    @property
    def network_id(self) -> str:
        """The network it serves, from the directory of its pid file; empty if it is not Neutron's."""
        path = next(iter(self.option("pid-file")), "").split("/")
        return path[-2] if len(path) > 2 and path[-3] == "dhcp" else ""

    @property
    def mtu(self) -> int | None:
        """The MTU that it tells the guests."""
        told = (v.partition("option:mtu,")[2] for v in self.option("dhcp-option-force"))
        return next((n for n in map(integer, told) if n is not None), None)


@dataclass(frozen=True)
class DhcpNetwork:
    """What this node serves for one network.

    ``pid`` is what the pid file says; ``process`` is the running dnsmasq of this network, None if there is none.
    ``interface`` is the DHCP port's device in the qdhcp namespace.
    """

    network_id: str
    directory: str
    interface: str
    pid: int | None
    process: DnsmasqProcess | None
    hosts: tuple[DhcpHost, ...]
    leases: tuple[DhcpLease, ...]
    options: tuple[DhcpOption, ...]
    evidence: Evidence

    def __str__(self) -> str:
        return self.network_id

    def host(self, mac: str) -> DhcpHost | None:
        """The entry for a guest's port."""
        return next((h for h in self.hosts if h.mac == mac.lower() and h.addresses), None)

    def lease(self, address: str) -> DhcpLease | None:
        """The lease of ``address``."""
        return next((x for x in self.leases if x.address == address), None)


@dataclass(frozen=True)
class Dnsmasq:
    """All networks that this node serves DHCP for; ``now`` is the node's clock when it was looked at.

    ``processes`` are all of dnsmasq, Neutron's or not; None where they could not be listed, and then no
    network's ``process`` is known (``absent`` says why).
    """

    networks: tuple[DhcpNetwork, ...]
    processes: tuple[DnsmasqProcess, ...] | None
    now: float
    absent: str = ""
    probes: ClassVar[tuple[Probe, ...]] = (DNSMASQ_FILES, *Processes.probes)

    @classmethod
    def parse(cls, results: NodeResults) -> Dnsmasq:
        """The networks; raises NotApplicable where no network is served, CouldNotCheck or ParseError."""
        absent = ""
        processes: tuple[DnsmasqProcess, ...] | None
        try:
            processes = _processes(results)
        except (CouldNotCheck, NotApplicable, ParseError) as error:
            processes, absent = None, str(error)
        try:
            files = results.usable(DNSMASQ_FILES)
        except NotApplicable:
            if not any(process.network_id for process in processes or ()):
                raise
            files = ()
        by_directory: dict[str, dict[str, Result]] = {}
        for file in files:
            directory, _, name = (file.subject or file.command).rpartition("/")
            by_directory.setdefault(directory, {})[name] = file
        networks = [_network(d, found, processes or (), results) for d, found in sorted(by_directory.items())]
        now = results.clock.now if results.clock else max((f.started for f in files), default=0.0)
        return cls(tuple(networks), processes, now, absent)

    def network(self, network_id: str) -> DhcpNetwork | None:
        """The network with this id, or whose id begins so."""
        return next((n for n in self.networks if network_id and n.network_id.startswith(network_id)), None)


def _processes(results: NodeResults) -> tuple[DnsmasqProcess, ...]:
    if (_EARLIER.id, "") not in results.results:
        found = Processes.running("dnsmasq", results)
        return tuple(DnsmasqProcess(p.pid, p.stat, tuple(p.args.split()), p.evidence) for p in found)
    result = results.one(_EARLIER)
    if result.status is Status.RAN and result.exit == 1 and not said(result):
        return ()
    lines = [line for line in output(result).splitlines() if line.strip()]
    return tuple(parse_process(line, results.evidence(result, line.strip())) for line in lines)


def _network(
    directory: str, files: Mapping[str, Result], processes: tuple[DnsmasqProcess, ...], results: NodeResults
) -> DhcpNetwork:
    network_id = directory.rpartition("/")[2]

    def lines(name: str) -> Iterator[tuple[str, Evidence]]:
        if file := files.get(name):
            yield from ((x, results.evidence(file, x.strip())) for x in output(file).splitlines() if x.strip())

    pid = next((x for x, _ in lines("pid")), "")
    shown = files.get("pid") or next(iter(files.values()))
    return DhcpNetwork(
        network_id,
        directory,
        next((x.strip() for x, _ in lines("interface")), ""),
        integer(pid.strip()),
        next((p for p in processes if p.network_id == network_id), None),
        tuple(parse_host(x, e) for x, e in lines("host")),
        tuple(parse_lease(x, e) for x, e in lines("leases") if not x.startswith("duid ")),
        tuple(parse_option(x, e) for x, e in lines("opts")),
        results.evidence(shown, f"{network_id} pid {pid.strip()}".rstrip()),
    )


def _is_address(word: str) -> bool:
    try:
        ipaddress.ip_address(word.strip("[]"))
    except ValueError:
        return False
    return True


def parse_host(line: str, evidence: Evidence) -> DhcpHost:
    """One line of the ``host`` file.  Raises ParseError."""
    mac, *rest = line.strip().split(",")
    if not MAC.fullmatch(mac):
        raise ParseError(f"not an entry of a DHCP host file: {line[:200]}")
    tags = tuple(word for word in rest if word.startswith(("set:", "tag:")))
    client = next((word[3:] for word in rest if word.startswith("id:")), "")
    others = [word for word in rest if not word.startswith(("set:", "tag:", "id:"))]
    addresses = tuple(word.strip("[]") for word in others if _is_address(word))
    name = next((word for word in others if not _is_address(word)), "")
    return DhcpHost(mac.lower(), name, addresses, tags, client, evidence)


def parse_lease(line: str, evidence: Evidence) -> DhcpLease:
    """One line of the ``leases`` file that is not dnsmasq's own ``duid``.  Raises ParseError."""
    words = line.split()
    expiry = integer(words[0]) if len(words) == 5 else None
    if expiry is None or not _is_address(words[2]):
        raise ParseError(f"not a DHCP lease: {line[:200]}")
    return DhcpLease(float(expiry) or None, words[1].lower(), words[2].strip("[]"), words[3], words[4], evidence)


def parse_option(line: str, evidence: Evidence) -> DhcpOption:
    """One line of the ``opts`` file.  Raises ParseError."""
    words = line.strip().split(",")
    tag = words.pop(0).partition(":")[2] if words[0].startswith(("tag:", "net:")) else ""
    if not words or not words[0]:
        raise ParseError(f"not a DHCP option: {line[:200]}")
    return DhcpOption(tag, words[0].removeprefix("option:"), tuple(words[1:]), evidence)


def parse_process(line: str, evidence: Evidence) -> DnsmasqProcess:
    """One line of ``ps -o pid=,stat=,args=``.  Raises ParseError."""
    pid, state, *arguments = [*line.split(), "", ""]
    number = integer(pid)
    if number is None or not state:
        raise ParseError(f"not a process: {line[:200]}")
    return DnsmasqProcess(number, state, tuple(word for word in arguments if word), evidence)

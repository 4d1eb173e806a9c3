"""The guests of a hypervisor as libvirt has them, asked over its read-only connection (man virsh(1)).

>>> parse_list(" Id   Name                State\\n" + "-" * 35 + "\\n 3    instance-00000006   running\\n\\n")
(('instance-00000006', 'running'),)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.answers import output, said
from stackdoctor.facts.domain_xml import DomainDisk, DomainInterface, DomainXml, parse_domain
from stackdoctor.facts.links import Link, Links
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.qemu_command import QemuCard, QemuDisk, is_qemu, parse_command
from stackdoctor.model import Each, Evidence, NodeResults, Probe, Status

__all__ = ["DOMAIN_LIST", "DOMAIN_XML", "Domain", "Domains", "parse_list"]

# the system's daemon, also for a user who is not root: virsh would start a private one
READ_ONLY = ("virsh", "-r", "-c", "qemu:///system")
DOMAIN_LIST = Probe("libvirt.list", (*READ_ONLY, "list", "--all"), root=True, container="libvirt")
DOMAIN_XML = Probe(
    "libvirt.dumpxml",
    (*READ_ONLY, "dumpxml", "{each}"),
    each=Each((*READ_ONLY, "list", "--all", "--name"), r"^([^\s-]\S*)", limit=500),
    root=True,
    container="libvirt",
    cap=1024 * 1024,
)

STATES = ("running", "idle", "paused", "in shutdown", "shut off", "crashed", "dying", "pmsuspended", "no state")


@dataclass(frozen=True)
class Domain:
    """One guest: `` 3    instance-00000006   running`` and what its XML says.

    ``uuid`` is the server's id in Nova, ``nova_name`` its name there.  ``state`` is running, paused, shut off,
    crashed, in shutdown, idle, pmsuspended, dying or no state.
    """

    name: str
    state: str
    uuid: str
    nova_name: str
    interfaces: tuple[DomainInterface, ...]
    disks: tuple[DomainDisk, ...]
    evidence: Evidence

    def __str__(self) -> str:
        return f"{self.name} ({self.nova_name})" if self.nova_name else self.name

    @property
    def running(self) -> bool:
        """Whether its processors run."""
        return self.state == "running"

    def interface(self, device: str) -> DomainInterface | None:
        """The interface behind tap ``device``."""
        return next((i for i in self.interfaces if i.device == device), None)


@dataclass(frozen=True)
class Domains:
    """All guests that libvirt knows on this node.

    ``running`` is False where virsh is there and libvirtd does not answer (``failed to connect to the
    hypervisor``), also on nodes that were never meant to run guests.  ``absent`` says, by domain, why its XML
    is not known; such a domain is listed without uuid, interfaces and disks.

    Without virsh the guests that run are told by their QEMU's command lines: of those ``bridge`` is where the tap is,
    and empty where it is on none.
    """

    running: bool
    domains: tuple[Domain, ...]
    evidence: Evidence
    absent: Mapping[str, str] = field(default_factory=dict)
    probes: ClassVar[tuple[Probe, ...]] = (DOMAIN_LIST, DOMAIN_XML, *Processes.probes, *Links.probes)

    @classmethod
    def parse(cls, results: NodeResults) -> Domains:
        """The guests; raises NotApplicable without virsh and QEMU, CouldNotCheck or ParseError."""
        try:
            result = results.one(DOMAIN_LIST)
        except NotApplicable:
            return cls._by_processes(results)
        if result.status is Status.RAN and result.exit and "failed to connect" in said(result).lower():
            lines = result.stderr[:4096].decode("utf-8", "replace").split("\n")
            return cls(False, (), results.evidence(result, lines[1] if len(lines) > 1 and lines[1] else said(result)))
        listed = parse_list(output(result))
        domains: list[Domain] = []
        absent: dict[str, str] = {}
        for name, state in listed:
            xml = DomainXml("", name, "", (), ())
            try:
                xml = _described(results, name)
            except (CouldNotCheck, NotApplicable) as error:
                absent[name] = str(error)
            evidence = results.evidence(result, f"{name} {state}")
            domains.append(Domain(name, state, xml.uuid, xml.nova_name, xml.interfaces, xml.disks, evidence))
        return cls(True, tuple(domains), results.evidence(result, f"{len(domains)} domains"), absent)

    @classmethod
    def _by_processes(cls, results: NodeResults) -> Domains:
        try:
            found = [p for p in Processes.parse(results).rows if is_qemu(p.args) and not p.zombie]
        except CouldNotCheck as error:
            raise NotApplicable(f"virsh is not on this node, and {error}") from error
        if not found:
            raise NotApplicable("neither virsh nor a QEMU is on this node")
        try:
            host = Links.parse(results).within("")
        except (CouldNotCheck, NotApplicable):
            host = ()
        domains = []
        for process in found:
            guest = parse_command(process.args)
            head = Evidence(results.node.name, process.evidence.source, process.args[:200])
            cards = tuple(_card(card, host, results.node.name) for card in guest.cards)
            disks = tuple(_disk(disk, head) for disk in guest.disks)
            state = "paused" if process.stopped else "running"
            domains.append(Domain(guest.name, state, guest.uuid, "", cards, disks, head))
        return cls(True, tuple(domains), Evidence(results.node.name, "ps", f"{len(domains)} guests"))

    def of_server(self, server_id: str) -> Domain | None:
        """The guest of a Nova server."""
        return next((d for d in self.domains if server_id and d.uuid == server_id), None)


def _card(card: QemuCard, host: tuple[Link, ...], node: str) -> DomainInterface:
    """A card and its tap: the one that is named, or has the card's address with ``fe`` in front."""
    wanted = "fe" + card.mac[2:]
    named = (link for link in host if link.kind == "tun" and card.device in ("", link.name))
    tap = next((link for link in named if card.device or link.mac.lower() == wanted), None)
    device = tap.name if tap is not None else card.device
    bridge = tap.master if tap is not None else ""
    line = f"card {card.mac} tap {device or 'not known'}"
    kind = "bridge" if bridge else "tap"
    return DomainInterface(kind, card.mac, device, bridge, card.mtu, "", False, Evidence(node, "ps", line))


def _disk(disk: QemuDisk, evidence: Evidence) -> DomainDisk:
    kind = "network" if disk.protocol else "block" if disk.source.startswith("/dev/") else "file"
    hosts = (disk.host,) if disk.host else ()
    return DomainDisk("", "disk", kind, disk.source, disk.protocol, disk.iqn, disk.lun, hosts, disk.serial, evidence)


def _described(results: NodeResults, name: str) -> DomainXml:
    result = results.one(DOMAIN_XML, name)
    return parse_domain(output(result), lambda line: results.evidence(result, line))


def parse_list(printed: str) -> tuple[tuple[str, str], ...]:
    """Name and state of each row of ``virsh list --all``; columns widen with long names.  Raises ParseError."""
    lines = printed.splitlines()
    if not lines or lines[0].split() != ["Id", "Name", "State"]:
        raise ParseError(f"not the columns of virsh list: {printed[:200]}")
    found: list[tuple[str, str]] = []
    for line in lines[1:]:
        if not line.strip("- \t"):
            continue
        id_, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        state = next((state for state in STATES if rest.endswith(f" {state}")), "")
        if not state or not (id_ == "-" or id_.isdigit()):
            raise ParseError(f"not a row of virsh list: {line[:200]}")
        found.append((rest[: -len(state)].strip(), state))
    return tuple(found)

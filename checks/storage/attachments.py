"""Who uses which iSCSI target: the disks of running guests, whoever logs in for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stackdoctor.api import Cloud, Evidence
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.domain_xml import DomainDisk
from stackdoctor.facts.iscsi import DiskPath, DiskPaths
from stackdoctor.facts.iscsi_target import volume_id_of
from stackdoctor.facts.libvirt import Domain, Domains

__all__ = ["Attachment", "address_of", "attachments", "owners"]

ENDED = ("shut off", "crashed", "no state", "dying")


@dataclass(frozen=True)
class Attachment:
    """One disk of a guest that runs on ``node``.

    ``portals`` are address:port; ``kernel`` says that the host's own initiator logs in (iscsiadm) and not QEMU's;
    ``account`` is the CHAP account that it names, empty where it names none, None where that is not known.
    """

    node: str
    guest: Domain
    volume: str
    iqn: str
    portals: tuple[str, ...]
    kernel: bool
    evidence: Evidence
    account: str | None = None

    def __str__(self) -> str:
        return f"volume {self.volume}" if self.volume else self.iqn


def attachments(domains: Cloud[Domains] | None, paths: Cloud[DiskPaths] | None) -> Iterator[Attachment]:
    """Every iSCSI disk of every guest that is not shut off."""
    for node, found in domains or ():
        known = paths.facts[node].paths if paths is not None and node in paths.facts else ()
        for guest in found.domains:
            for disk in guest.disks if guest.state not in ENDED else ():
                if disk.protocol == "iscsi" and disk.iqn:
                    volume = volume_id_of(disk.iqn) or disk.serial
                    yield Attachment(node, guest, volume, disk.iqn, disk.hosts, False, disk.evidence, disk.user)
                elif path := _path_of(disk, known):
                    volume = path.volume_id or disk.serial
                    yield Attachment(node, guest, volume, path.iqn, (path.portal,), True, disk.evidence)


def _path_of(disk: DomainDisk, known: tuple[DiskPath, ...]) -> DiskPath | None:
    name = disk.source.rpartition("/")[2]
    return next((p for p in known if p.iqn and name and name in (p.name, p.device)), None)


def address_of(portal: str) -> str:
    """The address of ``address:port``, ``[address]:port`` or ``address:port,group``."""
    return portal.partition(",")[0].rpartition(":")[0].strip("[]")


def owners(addresses: Cloud[Addresses] | None) -> Mapping[str, str]:
    """The node that holds each address; an address that several hold is left out."""
    holders: dict[str, set[str]] = {}
    for node, found in addresses or ():
        for address in found.within():
            holders.setdefault(address.ip, set()).add(node)
    return {ip: next(iter(nodes)) for ip, nodes in holders.items() if len(nodes) == 1}

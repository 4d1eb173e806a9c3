"""The files that guests' disks are made of, and volumes that two guests have."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.domain_xml import DomainDisk
from stackdoctor.facts.instance_files import INSTANCES, InstanceFiles
from stackdoctor.facts.iscsi_target import volume_id_of
from stackdoctor.facts.libvirt import Domain, Domains

from .attachments import ENDED

BASE = re.compile(re.escape(INSTANCES) + r"/_base/([^/]{1,255})")
OWN = re.compile(re.escape(INSTANCES) + r"/([0-9a-f-]{36})/[^/]{1,255}")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@check("libvirt.disk.backing-missing", severity=Severity.ERROR)
def image_missing(domains: Domains, files: InstanceFiles) -> Iterator[Finding]:
    """A guest's disk, or the cached image below it (instances/_base), is deleted or empty.

    A guest that runs has it open and goes on; it cannot be started again, migrated or resized.
    """
    for guest in domains.domains:
        for disk in guest.disks:
            for path in (disk.source, *disk.backing):
                if lost := _lost(path, files):
                    yield Finding(
                        guest,
                        f"{path}, of the disk {disk.target} of {guest}, {lost}",
                        evidence=(disk.evidence, files.evidence),
                        host=files.evidence.node,
                        instance=guest.uuid or None,
                        path=path,
                        image="yes" if BASE.fullmatch(path) else "no",
                    )


def _lost(path: str, files: InstanceFiles) -> str:
    if image := BASE.fullmatch(path):
        if image[1] not in files.base:
            return "is not there"
        return "is empty" if files.base[image[1]] == 0 else ""
    if (own := OWN.fullmatch(path)) and own[1] not in files.folders:
        return "is not there: its folder is gone"
    return ""


@check("volume.attached.twice", severity=Severity.ERROR)
def volume_of_two_guests(domains: Cloud[Domains]) -> Iterator[Finding]:
    """Two different guests run with the same volume, which is not a shared one: they write over each other's data.

    One of them has it of an attach that Cinder believes to be over. A guest that is being migrated is one guest.
    """
    users: dict[str, list[tuple[str, Domain, DomainDisk]]] = {}
    for node, found in domains:
        for guest in found.domains:
            for disk in guest.disks if guest.state not in ENDED else ():
                serial = disk.serial if UUID.fullmatch(disk.serial) else ""
                volume = volume_id_of(disk.iqn) or volume_id_of(disk.source) or serial
                if volume and guest.uuid and not disk.shared:
                    users.setdefault(volume, []).append((node, guest, disk))
    for volume, found_users in sorted(users.items()):
        if len({guest.uuid for _, guest, _ in found_users}) < 2:
            continue
        guests = ", ".join(f"{guest} on {node}" for node, guest, _ in found_users)
        for node, guest, disk in found_users:
            yield Finding(
                f"volume {volume}",
                f"the volume {volume} is a disk of {guests}",
                node=node,
                evidence=(disk.evidence, *(d.evidence for _, g, d in found_users if g is not guest)),
                host=node,
                volume=volume,
                instance=guest.uuid,
            )

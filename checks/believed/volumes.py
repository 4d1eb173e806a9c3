"""Volumes and attachments as Cinder and Nova believe them, against each other and the disks that guests have."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.checks.rabbitmq.hosts import Hosts

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.host import HostsFile
from stackdoctor.facts.iscsi import IscsiSessions
from stackdoctor.facts.libvirt import Domains
from stackdoctor.facts.openstack_answers import chosen
from stackdoctor.facts.openstack_servers import Servers
from stackdoctor.facts.openstack_volumes import VolumeAttachments, Volumes
from stackdoctor.facts.reach import Reach

RECENT = 3600.0
SETTLED = 120.0
IN_PASSING = {
    **dict.fromkeys(("attaching", "detaching", "reserved", "maintenance", "retyping-attach"), 600.0),
    **dict.fromkeys(("deleting", "extending"), 1800.0),
    "creating": 3600.0,
}
"""States that end by themselves, and the seconds after which they do not.  Copies for backups take their time."""


@check("api.volume.stuck", severity=Severity.WARNING)
def volume_stuck(volumes: Cloud[Volumes]) -> Iterator[Finding]:
    """A volume has been attaching, detaching, creating or deleting for too long: whoever was at it has lost it."""
    for volume in chosen(volumes) or ():
        limit = IN_PASSING.get(volume.status)
        if limit is not None and volume.idle > limit:
            yield Finding(
                volume,
                f"{volume} has been {volume.status} for {volume.idle / 60:.0f} min",
                node=volume.evidence.node,
                volume=volume.id,
                status=volume.status,
                host=volume.host or None,
                backend=volume.backend or None,
                instance=min(volume.servers, default=None),
            )


@check("api.volume.error", severity=Severity.WARNING)
def volume_error(volumes: Cloud[Volumes]) -> Iterator[Finding]:
    """A volume is in error, error_deleting or the like.  Information where that is an hour ago."""
    for volume in chosen(volumes) or ():
        if volume.status.startswith("error"):
            yield Finding(
                volume,
                f"{volume} is in {volume.status}",
                severity=None if volume.idle < RECENT else Severity.INFO,
                node=volume.evidence.node,
                volume=volume.id,
                status=volume.status,
                host=volume.host or None,
                backend=volume.backend or None,
            )


@check("api.attachment.differs", severity=Severity.WARNING)
def attachment_differs(
    volumes: Cloud[Volumes],
    servers: Cloud[Servers],
    attachments: Cloud[VolumeAttachments] | None,
    domains: Cloud[Domains] | None,
) -> Iterator[Finding]:
    """Cinder and Nova disagree on whether a volume is attached to a server.

    ``by`` is who believes that it is.  A server that Nova does not know at all (any more) holds its volumes for ever.
    Information where the guest has the disk, as Cinder says: somebody attached it past Nova.
    """
    disks = {(disk.serial, g.uuid) for _, found in domains or () for g in found.domains for disk in g.disks}
    believed, known = chosen(volumes), chosen(servers)
    if believed is None or known is None:
        return
    cinders = {(volume.id, server): volume.evidence for volume in believed for server in volume.servers}
    for attachment in chosen(attachments) or ():
        if attachment.status == "attached" and attachment.server:
            cinders.setdefault((attachment.volume, attachment.server), attachment.evidence)
    for (volume_id, server_id), evidence in sorted(cinders.items()):
        server, volume = known.by_id.get(server_id), believed.by_id.get(volume_id)
        moving = volume is None or volume.idle < SETTLED or volume.status in IN_PASSING
        if moving or (server is not None and (server.task or server.idle < SETTLED)):
            continue
        gone = known.lacks(server_id)
        if gone or (server is not None and volume_id not in server.volumes):
            yield Finding(
                f"volume {volume_id}",
                f"Cinder has volume {volume_id} attached to server {server_id}, "
                + ("which Nova does not know" if gone else "Nova has not"),
                node=evidence.node,
                severity=Severity.INFO if (volume_id, server_id) in disks and not gone else None,
                evidence=evidence,
                volume=volume_id,
                instance=server_id,
                host=server.host if server is not None else None,
                by="cinder",
                gone="yes" if gone else "no",
            )
    for server in known:
        for volume_id in sorted(server.volumes):
            volume = believed.by_id.get(volume_id)
            if (volume_id, server.id) in cinders or server.task or server.idle < SETTLED:
                continue
            if (volume is None and not believed.complete) or (
                volume is not None and (volume.idle < SETTLED or volume.status in IN_PASSING)
            ):
                continue
            yield Finding(
                f"volume {volume_id}",
                f"Nova has volume {volume_id} attached to {server}, "
                + ("which Cinder does not know" if volume is None else f"for Cinder it is {volume.status}"),
                node=server.evidence.node,
                evidence=server.evidence,
                volume=volume_id,
                instance=server.id,
                host=server.host or None,
                by="nova",
                gone="yes" if volume is None else "no",
            )


@check("api.attachment.no-disk", severity=Severity.ERROR)
def attachment_without_disk(
    servers: Cloud[Servers], domains: Cloud[Domains], reach: Cloud[Reach], files: Cloud[HostsFile] | None
) -> Iterator[Finding]:
    """Nova has a volume attached to a running server, and the server's guest has no disk with that serial."""
    hosts = Hosts(reach, files, None, None, None)
    for server in chosen(servers) or ():
        node = hosts.node(server.host) if server.host else None
        guest = domains.facts[node].of_server(server.id) if node is not None and node in domains.facts else None
        if guest is None or not guest.running or not server.settled or server.idle < SETTLED:
            continue
        serials = {disk.serial for disk in guest.disks}
        for volume in sorted(server.volumes - serials):
            yield Finding(
                server,
                f"Nova has volume {volume} attached to {server}, and its guest on {server.host} has no such disk",
                node=node or "",
                evidence=(server.evidence, guest.evidence),
                volume=volume,
                instance=server.id,
                host=server.host,
            )


@check("api.disk.no-attachment", severity=Severity.WARNING)
def disk_without_attachment(
    servers: Cloud[Servers], volumes: Cloud[Volumes], domains: Cloud[Domains]
) -> Iterator[Finding]:
    """A running guest has the disk of a volume that neither Nova nor Cinder has attached: a half failed detach."""
    known, believed = chosen(servers), chosen(volumes)
    for node, found in domains:
        for guest in found.domains:
            server = known.by_id.get(guest.uuid) if known is not None else None
            if server is None or not server.settled or server.idle < SETTLED or not guest.running:
                continue
            for disk in guest.disks:
                volume = believed.by_id.get(disk.serial) if believed is not None else None
                attached = volume is None or server.id in volume.servers or volume.idle < SETTLED
                if not attached and disk.device == "disk" and disk.serial not in server.volumes:
                    yield Finding(
                        f"volume {disk.serial}",
                        f"{guest} on {node} has disk {disk.target} of volume {disk.serial},"
                        " which neither Nova nor Cinder has attached to it",
                        node=node,
                        evidence=(disk.evidence, server.evidence),
                        volume=disk.serial,
                        instance=server.id,
                        host=node,
                    )


@check("api.session.no-attachment", severity=Severity.INFO)
def session_without_attachment(
    volumes: Cloud[Volumes], sessions: Cloud[IscsiSessions], domains: Cloud[Domains] | None
) -> Iterator[Finding]:
    """A host's initiator is logged in to the target of a volume that Cinder has attached to nothing, or not at all.

    A detach that half failed leaves it: its disk fails once the volume is deleted.
    """
    believed = chosen(volumes)
    if believed is None or not believed.complete:
        return
    for node, found in sessions:
        for session in found.sessions:
            volume = believed.by_id.get(session.volume_id)
            if not session.volume_id or (volume is not None and (volume.servers or volume.idle < SETTLED)):
                continue
            if volume is not None and volume.status not in ("available", "error"):
                continue  # Cinder itself logs in to copy images
            yield Finding(
                session,
                f"{node} is logged in to the target of volume {session.volume_id}, which Cinder "
                + ("does not know" if volume is None else f"has as {volume.status}"),
                node=node,
                evidence=session.evidence,
                volume=session.volume_id,
                iqn=session.iqn,
                host=node,
            )

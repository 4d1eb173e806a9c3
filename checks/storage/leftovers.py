"""What is left on a host of volumes that nobody there uses any more, and disks that are not what they should be."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Cloud, Evidence, Finding, Severity, check
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.iscsi import DiskPaths, IscsiSession, IscsiSessions
from stackdoctor.facts.iscsi_sysfs import SysfsIscsi
from stackdoctor.facts.iscsi_target import Target
from stackdoctor.facts.libvirt import Domains
from stackdoctor.facts.multipath import Multipath
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.tgt import Targets

from .attachments import address_of, owners
from .backing import ROUNDED

GONE = ("offline", "transport-offline")
BORROWERS = ("cinder-volume", "cinder-backup", "glance-api", "ironic-conductor")
"""Services that attach volumes to their own host for a while: to copy an image, or for a backup."""


def _in_use(domains: Domains, multipath: Multipath | None) -> set[str]:
    """What the guests' disks are called: devices, links, serials, and the paths of a multipath device among them."""
    names = {
        name
        for guest in domains.domains
        for disk in guest.disks
        for name in (disk.source.rpartition("/")[2], disk.serial, disk.iqn)
        if name
    }
    for device in multipath.devices if multipath is not None else ():
        if names & {device.name, device.alias, device.wwid}:
            names |= {path.device for path in device.paths}
    return names


@check("iscsi.path.stale", severity=Severity.WARNING)
def path_without_session(
    paths: DiskPaths, sessions: IscsiSessions, domains: Domains | None, multipath: Multipath | None
) -> Iterator[Finding]:
    """A link in /dev/disk/by-path names an iSCSI disk of a target without a session, and no guest uses it.

    The next attach of that unit may take the old device for the new one: look whose data it holds before it is removed.
    """
    used = _in_use(domains, multipath) if domains is not None else set()
    logged_in = {session.iqn for session in sessions.sessions}
    told: set[str] = set()
    for path in paths.paths:
        if not path.iqn or path.iqn in logged_in or path.iqn in told or used & {path.name, path.device, path.volume_id}:
            continue
        told.add(path.iqn)
        yield Finding(
            path,
            f"{path.device} is left of {path.iqn}: there is no session to it",
            evidence=path.evidence,
            host=path.evidence.node,
            target_host=address_of(path.portal),
            portal=path.portal,
            device=path.device,
            volume=path.volume_id or None,
            iqn=path.iqn,
        )


@check("iscsi.device.stale", severity=Severity.WARNING)
def device_of_nothing(
    sessions: Cloud[IscsiSessions],
    domains: Cloud[Domains],
    targets: Cloud[Targets] | None,
    addresses: Cloud[Addresses] | None,
    multipaths: Cloud[Multipath] | None,
) -> Iterator[Finding]:
    """A host still has the session and the disks of a volume that no guest there uses and that is gone.

    Its target does not exist any more, or the kernel took the disk off line. Programs that scan disks wait for it, and
    a new volume that gets the same unit may be taken for it.
    """
    holders = owners(addresses)
    for node, found in sessions:
        guests = domains.facts.get(node)
        if guests is None or not guests.running or guests.absent:
            continue
        used = _in_use(guests, multipaths.facts.get(node) if multipaths is not None else None)
        for session in found.sessions:
            devices = {disk.device for disk in session.disks}
            if not session.volume_id or used & {session.volume_id, session.iqn, *devices}:
                continue
            dead = [disk for disk in session.disks if disk.state in GONE]
            owner = holders.get(address_of(session.portal), "")
            shown = _without_target(session, targets.facts.get(owner) if targets is not None else None)
            if dead or shown:
                why = f"{owner} does not export it" if shown else f"{dead[0].device} is {dead[0].state}"
                yield _left(session, node, f"the session to {session.iqn} is left and no guest uses it: {why}", shown)


def _without_target(session: IscsiSession, targets: Targets | None) -> tuple[Evidence, ...]:
    """Where it is seen that the target does not exist; nothing where it does, or may."""
    if targets is None or targets.absent or not all(server.running for server in targets.servers):
        return ()
    return () if any(t.iqn == session.iqn for t in targets.targets) else tuple(s.evidence for s in targets.servers)


def _left(session: IscsiSession, node: str, message: str, shown: tuple[Evidence, ...]) -> Finding:
    return Finding(
        session,
        message,
        node=node,
        evidence=(session.evidence, *shown),
        host=node,
        target_host=address_of(session.portal),
        portal=session.portal.partition(",")[0],
        device=session.disks[0].device if session.disks else None,
        volume=session.volume_id,
        iqn=session.iqn,
    )


@check("iscsi.session.unused", severity=Severity.WARNING)
def session_of_no_guest(
    targets: Cloud[Targets],
    domains: Cloud[Domains],
    addresses: Cloud[Addresses],
    processes: Cloud[Processes] | None,
) -> Iterator[Finding]:
    """A hypervisor is logged in to a volume that none of its guests has: an attach that is under way, or what is left
    of one that failed or of a detach.

    Hosts where Cinder or Glance attach volumes for themselves are left out.
    """
    holders = owners(addresses)
    for storage, found in targets:
        for target in found.targets:
            for nexus in target.nexuses if target.volume_id else ():
                host = next((holders[a] for a in nexus.addresses if a in holders), "")
                guests = domains.facts.get(host)
                own = processes.facts.get(host) if processes is not None else None
                borrows = own is not None and any(own.of(service) for service in BORROWERS)
                if host == storage or guests is None or not guests.running or guests.absent or borrows:
                    continue
                if not _in_use(guests, None) & {target.volume_id, target.iqn}:
                    yield Finding(
                        nexus,
                        f"{host} is logged in to {target.iqn} and none of its guests has that volume",
                        node=host,
                        evidence=(nexus.evidence, guests.evidence),
                        host=host,
                        target_host=storage,
                        volume=target.volume_id,
                        iqn=target.iqn,
                    )


@check("iscsi.device.size-differs", severity=Severity.WARNING)
def device_of_another_size(
    kernels: Cloud[SysfsIscsi], targets: Cloud[Targets], addresses: Cloud[Addresses]
) -> Iterator[Finding]:
    """A disk on the host is not as large as the unit that its target exports.

    Smaller: the volume was extended and the host did not look again. Larger (an error): the host has the size of
    another volume that had this unit before, and I/O past the end fails.
    """
    holders = owners(addresses)
    for node, kernel in kernels:
        for disk in kernel.disks:
            session = next((s for s in kernel.sessions if s.sid == disk.sid), None)
            found = targets.facts.get(holders.get(address_of(session.portal), "")) if session is not None else None
            target: Target | None = None
            if session is not None and found is not None:
                target = next((t for t in found.targets if t.iqn == session.iqn), None)
            lun = next((u for u in target.disks if u.number == disk.lun), None) if target is not None else None
            if session is None or lun is None or lun.size_mb is None or disk.size is None:
                continue
            more = disk.size / 10**6 - lun.size_mb
            if abs(more) > ROUNDED:
                yield Finding(
                    disk,
                    f"{disk.device} on {node} has {disk.size // 10**6} MB, {lun} of {session.iqn} {lun.size_mb} MB",
                    node=node,
                    severity=Severity.ERROR if more > 0 else None,
                    evidence=(disk.evidence, lun.evidence),
                    host=node,
                    target_host=address_of(session.portal),
                    portal=session.portal,
                    device=disk.device,
                    volume=session.volume_id or None,
                    iqn=session.iqn,
                )

"""Drives of Swift's storage nodes."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.swift import SwiftDrives, SwiftRecon

SERVERS = ("swift-object-server", "swift-container-server", "swift-account-server")
HOURS = 3600.0
STALE = 24 * HOURS
REPLICATORS = (("object", "swift-object-replicator"), ("container", "swift-container-replicator"))


def serves(processes: Processes) -> bool:
    """Whether a storage server of Swift runs on the node."""
    return any(not p.zombie for server in SERVERS for p in processes.of(server))


@check("swift.drive.unmounted", severity=Severity.WARNING)
def drive_unmounted(drives: SwiftDrives, processes: Processes) -> Iterator[Finding]:
    """A folder below /srv/node has no drive mounted on it: the storage server answers 507 for it.

    It is an error where /etc/fstab says that a drive belongs there; else it may be what is left of one that was
    taken out.  Nothing is said where mount_check is off: then plain folders are meant.
    """
    if not drives.mount_check or not serves(processes):
        return
    for drive in drives.rows:
        if not drive.mounted and not drive.failed:
            yield Finding(
                drive,
                f"/srv/node/{drive} is not mounted" + (", though /etc/fstab names it" if drive.expected else ""),
                severity=Severity.ERROR if drive.expected else None,
                evidence=drive.evidence,
                host=drive.evidence.node,
                device=drive.name,
            )


@check("swift.drive.failed", severity=Severity.ERROR)
def drive_failed(drives: SwiftDrives, processes: Processes) -> Iterator[Finding]:
    """A drive below /srv/node is mounted and answers with input/output errors: the disk or its file system is gone."""
    if not serves(processes):
        return
    for drive in drives.rows:
        if drive.failed:
            yield Finding(
                drive,
                f"/srv/node/{drive} cannot be read: input/output error",
                evidence=drive.evidence,
                host=drive.evidence.node,
                device=drive.name,
            )


@check("swift.replication.stale", severity=Severity.WARNING)
def replication_stale(recon: SwiftRecon, processes: Processes) -> Iterator[Finding]:
    """A replicator runs and has not ended a pass for more than a day: what is lost with a drive stays lost longer.

    A replicator that was started less than a day ago is left out.
    """
    for server, replicator in REPLICATORS:
        last = recon.replicated(server)
        ages = [p.age for p in processes.of(replicator) if not p.zombie and not p.stopped]
        if last is None or recon.now is None or not ages or max(ages) < STALE or recon.now - last < STALE:
            continue
        yield Finding(
            replicator,
            f"the last pass of {replicator} ended {(recon.now - last) / HOURS:.0f} hours ago",
            evidence=recon.evidence,
            service=replicator,
            host=recon.evidence.node,
        )

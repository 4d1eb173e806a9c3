"""File systems that are full."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.host import Disk, Disks, Inodes, InodeUse
from stackdoctor.facts.processes import Processes

FULL = 99
NEARLY = 90
LEAST_FREE = 64 * 1024 * 1024

HOLDINGS = (
    ("instances", "/var/lib/nova/instances", "nova-compute"),
    ("broker", "/var/lib/rabbitmq", "rabbitmq-server"),
    ("database", "/var/lib/mysql", "mysql"),
    ("images", "/var/lib/glance", "glance-api"),
)
"""What breaks first when a file system is full: what of the cloud lies on it, and whose it is."""


@check("host.disk.full", severity=Severity.ERROR)
def disk_full(disks: Disks, processes: Processes | None) -> Iterator[Finding]:
    """A file system that services write to has no space left (99 % used or more, and under 64 MiB free)."""
    for disk in disks:
        if disk.fills and (disk.percent or 0) >= FULL and (disk.available < LEAST_FREE or disk.percent == 100):
            holds = _holds(disks, disk, processes)
            if holds:
                yield _finding(disk, f"{disk.mount} is full: {disk.available // 1048576} MiB free", holds)


@check("host.disk.nearly-full", severity=Severity.WARNING)
def disk_nearly_full(disks: Disks, processes: Processes | None) -> Iterator[Finding]:
    """A file system that services write to is used to 90 % or more."""
    for disk in disks:
        if disk.fills and (disk.percent or 0) >= NEARLY and disk.available >= LEAST_FREE and disk.percent != 100:
            holds = _holds(disks, disk, processes)
            if holds:
                yield _finding(disk, f"{disk.mount} is used to {disk.percent} %", holds)


@check("host.inodes.full", severity=Severity.ERROR)
def inodes_full(inodes: Inodes, disks: Disks, processes: Processes | None) -> Iterator[Finding]:
    """A file system that services write to has no inode left: df shows free space, and no file can be made."""
    for use in inodes:
        disk = disks.of(use.mount)
        if use.fills and (use.percent or 0) >= FULL and disk is not None:
            holds = _holds(disks, disk, processes)
            if holds:
                yield _finding(use, f"{use.mount} has {use.free} inodes left", holds)


def _finding(place: Disk | InodeUse, message: str, holds: str) -> Finding:
    return Finding(place, message, mount=place.mount, host=place.evidence.node, holds=holds)


def _holds(disks: Disks, disk: Disk, processes: Processes | None) -> str:
    """What of the cloud lies on ``disk``; empty where a full one hurts nobody (a CD, a mount of the operator's)."""
    for holding, path, service in HOLDINGS:
        here = disks.of(path) == disk
        if here and (disk.mount == path or (processes is not None and processes.of(service))):
            return holding
    writes = any(disks.of(path) == disk for path in ("/", "/var", "/var/log", "/var/lib", "/tmp"))
    return "services" if writes else ""

"""Volume groups and thin pools that have no room left, and volumes that lost a disk."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.logs import LogHits
from stackdoctor.facts.lvm import LogicalVolume, LogicalVolumes, VolumeGroup, VolumeGroups

LEAST = 1024**3  # Cinder's volumes are whole GiB
FULL, NEARLY = 100.0, 90.0
RECENT = 180.0
"""Seconds: cinder-volume says every minute or sooner that its driver does not work."""


def _cinder_groups(groups: VolumeGroups, volumes: LogicalVolumes) -> Iterator[VolumeGroup]:
    """The groups that Cinder cuts thick volumes from: others, a system disk's among them, are full as a rule."""
    ours = {v.group for v in volumes.volumes if v.volume_id}
    pools = {v.group for v in volumes.volumes if v.thin_pool}
    for group in groups.groups:
        if group.name not in pools and (group.name in ours or group.name.startswith("cinder")):
            yield group


@check("lvm.group.full", severity=Severity.WARNING)
def group_full(groups: VolumeGroups, volumes: LogicalVolumes) -> Iterator[Finding]:
    """A volume group that Cinder cuts its volumes from has not 1 GiB left: no new volume or snapshot fits."""
    for group in _cinder_groups(groups, volumes):
        if group.free < LEAST:
            yield Finding(
                group,
                f"the volume group {group.name} has {group.free // 1048576} of {group.size // 1048576} MiB free",
                host=group.evidence.node,
                vg=group.name,
                free=group.free,
            )


@check("lvm.group.missing", severity=Severity.ERROR)
def group_missing(groups: VolumeGroups, hits: LogHits) -> Iterator[Finding]:
    """cinder-volume looks for a volume group that vgs does not list: its driver does not start.

    The group's disk is lost, its loop device was not set up after a boot, LVM filters it out, or it has another name.
    """
    there = {group.name for group in groups.groups}
    waits = {
        hit.log for id_ in ("cinder-driver-uninit", "cinder-no-heartbeat") for hit in hits.of(id_) if hit.age < RECENT
    }
    told: set[str] = set()
    for hit in hits.of("cinder-vg-missing"):
        name = next((hit.keys[key] for key in ("vg", "a", "b", "c", "d") if hit.keys.get(key)), "")
        if name and name not in there | told and (hit.age < RECENT or hit.log in waits):
            told.add(name)
            listed = ", ".join(sorted(there)) or "none"
            yield Finding(
                name,
                f"there is no volume group {name}, which cinder-volume uses (vgs lists: {listed})",
                evidence=(hit.evidence, *(group.evidence for group in groups.groups[:3])),
                host=hit.node,
                vg=name,
            )


@check("lvm.pool.full", severity=Severity.ERROR)
def pool_full(volumes: LogicalVolumes) -> Iterator[Finding]:
    """A thin pool has no room left, for data or for its metadata: all its volumes stop writing or fail."""
    for pool in volumes.volumes:
        if pool.thin_pool and (_most(pool) >= FULL or pool.attributes[8:9] in ("D", "M", "F")):
            yield _pool(pool, "is full")


@check("lvm.pool.nearly-full", severity=Severity.WARNING)
def pool_nearly_full(volumes: LogicalVolumes) -> Iterator[Finding]:
    """A thin pool is filled to 90 % or more, in data or in metadata."""
    for pool in volumes.volumes:
        if pool.thin_pool and NEARLY <= _most(pool) < FULL and pool.attributes[8:9] not in ("D", "M", "F"):
            yield _pool(pool, "is nearly full")


@check("lvm.snapshot.full", severity=Severity.WARNING)
def snapshot_full(volumes: LogicalVolumes) -> Iterator[Finding]:
    """A snapshot has no room for what changed since: it is invalid, and a backup made from it is worthless."""
    for volume in volumes.volumes:
        thick = volume.attributes[:1] in ("s", "S")
        if thick and (volume.attributes[:1] == "S" or _most(volume) >= FULL or volume.attributes[4:5] in ("I", "S")):
            yield Finding(
                volume,
                f"the snapshot {volume} is full and invalid",
                host=volume.evidence.node,
                vg=volume.group,
                volume=volume.volume_id or None,
            )


@check("lvm.volume.partial", severity=Severity.ERROR)
def volume_without_disk(volumes: LogicalVolumes) -> Iterator[Finding]:
    """A disk that this logical volume lies on is missing (the letter p in lvs(8)'s attributes)."""
    for volume in volumes.volumes:
        if volume.attributes[8:9] == "p":
            yield Finding(
                volume,
                f"a disk of the logical volume {volume} is missing",
                host=volume.evidence.node,
                vg=volume.group,
                volume=volume.volume_id or None,
            )


def _most(volume: LogicalVolume) -> float:
    return max(volume.data_percent or 0.0, volume.metadata_percent or 0.0)


def _pool(pool: LogicalVolume, what: str) -> Finding:
    data, metadata = pool.data_percent, pool.metadata_percent
    return Finding(
        pool,
        f"the thin pool {pool} {what}: data {data if data is not None else '?'} %,"
        f" metadata {metadata if metadata is not None else '?'} %",
        host=pool.evidence.node,
        vg=pool.group,
        pool=pool.name,
    )

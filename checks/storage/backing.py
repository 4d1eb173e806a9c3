"""What lies behind a target's unit on its storage node: a logical volume or a file."""

from __future__ import annotations

from dataclasses import dataclass

from stackdoctor.api import Cloud, Evidence
from stackdoctor.facts.backing_files import BackingFiles
from stackdoctor.facts.iscsi_target import Lun, volume_id_of
from stackdoctor.facts.lvm import LogicalVolumes

__all__ = ["ROUNDED", "Backing", "backing_of"]

ROUNDED = 2
"""tgtadm prints whole megabytes (10^6 bytes): two sizes that differ by no more may be the same."""


@dataclass(frozen=True)
class Backing:
    """``size`` in bytes, None where it is gone; ``why`` says what it is, or how it is missing, after "which"."""

    size: int | None
    active: bool
    why: str
    evidence: Evidence


def backing_of(
    lun: Lun, node: str, volumes: Cloud[LogicalVolumes] | None, files: Cloud[BackingFiles] | None
) -> Backing | None:
    """What is behind ``lun`` of ``node``; None where that is not known."""
    own = volumes.facts.get(node) if volumes is not None else None
    plain = files.facts.get(node) if files is not None else None
    if plain is not None and (file := plain.files.get(lun.path)) is not None:
        return Backing(file.size, True, "has no file" if file.size is None else "has a file", file.evidence)
    return _volume(lun, own) if own is not None else None


def _volume(lun: Lun, volumes: LogicalVolumes) -> Backing | None:
    """The logical volume that the device ``/dev/GROUP/VOLUME`` is."""
    parts = lun.path.split("/")
    if len(parts) != 4 or parts[1] != "dev" or not volume_id_of(parts[3]):
        return None
    if parts[2] not in {volume.group for volume in volumes.volumes}:
        return None
    found = next((v for v in volumes.volumes if (v.group, v.name) == (parts[2], parts[3])), None)
    if found is None:
        return Backing(None, False, "has no logical volume", lun.evidence)
    why = "has a logical volume" if found.active else "has a logical volume that is not active"
    return Backing(found.size, found.active, why, found.evidence)

"""The files of Nova's guests on their hypervisor: ``/var/lib/nova/instances/UUID/`` and the images in ``_base``.

Kolla has the same folder in a volume of docker's.  Only names and sizes are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.answers import said
from stackdoctor.facts.listing import Entry, listings
from stackdoctor.model import Evidence, NodeResults, Probe, Status

__all__ = ["INSTANCES", "INSTANCE_FILES", "KOLLA", "InstanceFiles"]

INSTANCES = "/var/lib/nova/instances"
KOLLA = "/var/lib/docker/volumes/nova_compute/_data/instances"
INSTANCE_FILES = Probe(
    "nova.instances", ("ls", "-l", INSTANCES, f"{INSTANCES}/_base", KOLLA, f"{KOLLA}/_base"), root=True, timeout=10.0
)


@dataclass(frozen=True)
class InstanceFiles:
    """``folders`` are the folders of guests (their UUIDs), ``base`` the cached images with their sizes in bytes."""

    folders: frozenset[str]
    base: Mapping[str, int | None]
    evidence: Evidence
    probes: ClassVar[tuple[Probe, ...]] = (INSTANCE_FILES,)

    @classmethod
    def parse(cls, results: NodeResults) -> InstanceFiles:
        """The listing; raises NotApplicable on a host without Nova's folder, CouldNotCheck."""
        result = results.one(INSTANCE_FILES)
        if result.status is not Status.RAN:
            raise CouldNotCheck(f"{result.command}: {result.reason or result.status.value}")
        denied = [line for line in result.stderr[:8192].decode("utf-8", "replace").splitlines() if "denied" in line]
        if denied:
            raise CouldNotCheck(denied[0][:400])
        found = listings(result.text)
        if INSTANCES not in found and KOLLA not in found:
            raise NotApplicable(said(result) or f"{INSTANCES} is not there")
        folders: tuple[Entry, ...] = (*found.get(INSTANCES, ()), *found.get(KOLLA, ()))
        images = (*found.get(f"{INSTANCES}/_base", ()), *found.get(f"{KOLLA}/_base", ()))
        return cls(
            frozenset(entry.name for entry in folders if entry.kind == "d"),
            {entry.name: entry.size for entry in images if entry.kind == "-"},
            results.evidence(result, f"{len(folders)} entries, {len(images)} images in _base"),
        )

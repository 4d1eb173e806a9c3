"""Volumes and their attachments as Cinder believes them.

{"id": "c85a9e21-...", "status": "in-use", "attachments": [{"server_id": "0505d6dc-...", "host_name": "compute1", ...}]}
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from stackdoctor.collect.api_reads import API_READS, API_SOURCE
from stackdoctor.facts.answers import number, text
from stackdoctor.facts.openstack_answers import NOWHERE, answer, instant, known, listed
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = ["BelievedAttachment", "Volume", "VolumeAttachments", "Volumes"]


@dataclass(frozen=True)
class Volume:
    """One volume.  ``servers`` are those that Cinder has it attached to; ``idle`` the seconds since it was changed.

    ``host`` and ``backend`` are of ``storage@lvm#pool``, empty before one was chosen.  ``size`` is in GiB.  ``copying``
    says that it is but the target of another one's migration.
    """

    id: str
    name: str
    status: str
    host: str
    backend: str
    servers: frozenset[str]
    idle: float
    project: str
    size: int
    copying: bool
    evidence: Evidence

    def __str__(self) -> str:
        return f"volume {self.name or self.id}"


@dataclass(frozen=True)
class Volumes:
    """All volumes of all projects (``openstack volume list --all-projects``)."""

    rows: tuple[Volume, ...]
    complete: bool
    nowhere: ClassVar[str] = NOWHERE
    probes: ClassVar[tuple[Probe, ...]] = (API_SOURCE, API_READS["api.volume.volumes"].probe)

    def __iter__(self) -> Iterator[Volume]:
        return iter(self.rows)

    @cached_property
    def by_id(self) -> dict[str, Volume]:
        """The volumes by their id."""
        return {volume.id: volume for volume in self.rows}

    @classmethod
    def parse(cls, results: NodeResults) -> Volumes:
        """Raises NotApplicable, CouldNotCheck or ParseError."""
        found = answer(results, cls.probes[1])
        rows = []
        for row in found.rows:
            host, _, backend = text(row, "os-vol-host-attr:host").partition("@")
            changed = instant(row, "updated_at") or instant(row, "created_at") or found.now
            rows.append(
                Volume(
                    id=known(row, "id"),
                    name=text(row, "name"),
                    status=known(row, "status"),
                    host=host,
                    backend=backend.partition("#")[0],
                    servers=frozenset(filter(None, (text(a, "server_id") for a in listed(row, "attachments")))),
                    idle=found.now - changed,
                    project=text(row, "os-vol-tenant-attr:tenant_id"),
                    size=number(row, "size") or 0,
                    copying=text(row, "migration_status").startswith("target:"),
                    evidence=found.evidence(
                        f"{known(row, 'id')} {text(row, 'name')} {text(row, 'status')} since {text(row, 'updated_at')}"
                    ),
                )
            )
        return cls(tuple(rows), found.complete)


@dataclass(frozen=True)
class BelievedAttachment:
    """One attachment: ``status`` is reserved, attaching, attached, detaching or one that begins with error."""

    id: str
    status: str
    server: str
    volume: str
    evidence: Evidence

    def __str__(self) -> str:
        return f"attachment {self.id}"


@dataclass(frozen=True)
class VolumeAttachments:
    """All attachments of all projects (``openstack volume attachment list``, Cinder's 3.27 and later)."""

    rows: tuple[BelievedAttachment, ...]
    complete: bool
    nowhere: ClassVar[str] = NOWHERE
    probes: ClassVar[tuple[Probe, ...]] = (API_SOURCE, API_READS["api.volume.attachments"].probe)

    def __iter__(self) -> Iterator[BelievedAttachment]:
        return iter(self.rows)

    @classmethod
    def parse(cls, results: NodeResults) -> VolumeAttachments:
        """Raises NotApplicable, CouldNotCheck or ParseError."""
        found = answer(results, cls.probes[1])
        rows = tuple(
            BelievedAttachment(
                known(row, "id"),
                text(row, "status"),
                text(row, "instance"),
                known(row, "volume_id"),
                found.evidence(f"{known(row, 'id')} {text(row, 'status')} {text(row, 'instance')}"),
            )
            for row in found.rows
        )
        return cls(rows, found.complete)

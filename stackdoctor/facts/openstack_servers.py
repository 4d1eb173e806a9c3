"""Servers and hypervisors as Nova believes them.

{"id": "0505d6dc-...", "status": "ACTIVE", "OS-EXT-STS:task_state": null, "OS-EXT-SRV-ATTR:host": "compute1", ...}
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from stackdoctor.collect.api_reads import API_READS, API_SOURCE
from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.answers import nested, number, text
from stackdoctor.facts.openstack_answers import NOWHERE, answer, instant, known, listed
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = ["Hypervisor", "Hypervisors", "Server", "Servers"]


@dataclass(frozen=True)
class Server:
    """One server.  ``task`` is empty while nothing is done to it; ``idle`` are the seconds since Nova last changed it.

    ``running`` is what Nova believes of its guest (power state 1), ``project`` whose it is.  ``volumes`` are the ids of
    those attached.
    """

    id: str
    name: str
    status: str
    task: str
    host: str
    running: bool
    idle: float
    fault: str
    volumes: frozenset[str]
    project: str
    evidence: Evidence

    def __str__(self) -> str:
        return f"server {self.name or self.id}"

    @property
    def settled(self) -> bool:
        """It runs on its host, and nothing is being done to it, since a minute at least."""
        return self.status == "ACTIVE" and self.running and not self.task and bool(self.host) and self.idle > 60


@dataclass(frozen=True)
class Servers:
    """All servers of all projects (``openstack server list --all-projects``).

    ``others`` are ids that the list does not show and that exist or lately did: servers made or deleted within the
    hour before, soft-deleted ones.  ``migrations`` are the ids of migrations that go on, None where they are not known.
    ``complete`` is False where there are more than were read.
    """

    rows: tuple[Server, ...]
    complete: bool
    others: frozenset[str] | None
    migrations: frozenset[str] | None
    now: float
    nowhere: ClassVar[str] = NOWHERE
    probes: ClassVar[tuple[Probe, ...]] = (
        API_SOURCE,
        API_READS["api.compute.servers"].probe,
        API_READS["api.compute.servers-recent"].probe,
        API_READS["api.compute.servers-soft-deleted"].probe,
        API_READS["api.compute.migrations"].probe,
    )

    def __iter__(self) -> Iterator[Server]:
        return iter(self.rows)

    @cached_property
    def by_id(self) -> dict[str, Server]:
        """The servers by their id."""
        return {server.id: server for server in self.rows}

    def lacks(self, id_: str) -> bool:
        """Whether there is certainly no server ``id_`` and was none in the last hour; False where it is not known."""
        return self.complete and self.others is not None and id_ not in self.by_id and id_ not in self.others

    @classmethod
    def parse(cls, results: NodeResults) -> Servers:
        """Raises NotApplicable, CouldNotCheck or ParseError."""
        found = answer(results, cls.probes[1])
        rows = tuple(
            Server(
                id=known(row, "id"),
                name=text(row, "name"),
                status=known(row, "status"),
                task=text(row, "OS-EXT-STS:task_state"),
                host=text(row, "OS-EXT-SRV-ATTR:host"),
                running=number(row, "OS-EXT-STS:power_state") == 1,
                idle=found.now - (instant(row, "updated") or found.now),
                fault=text(nested(row, "fault"), "message"),
                volumes=frozenset(known(v, "id") for v in listed(row, "os-extended-volumes:volumes_attached")),
                project=text(row, "tenant_id"),
                evidence=found.evidence(
                    f"{known(row, 'id')} {text(row, 'name')} {known(row, 'status')}"
                    f" task_state={text(row, 'OS-EXT-STS:task_state') or None} host={text(row, 'OS-EXT-SRV-ATTR:host')}"
                    f" updated={text(row, 'updated')}"
                ),
            )
            for row in found.rows
        )
        recent = _ids(results, cls.probes[2], "id")
        soft_deleted = _ids(results, cls.probes[3], "id")
        others = None if recent is None or soft_deleted is None else recent | soft_deleted
        return cls(rows, found.complete, others, _migrations(results, cls.probes[4]), found.now)


def _ids(results: NodeResults, probe: Probe, key: str) -> frozenset[str] | None:
    try:
        found = answer(results, probe)
    except (CouldNotCheck, NotApplicable):
        return None
    return frozenset(known(row, key) for row in found.rows) if found.complete else None


ENDED = ("completed", "confirmed", "reverted", "error", "failed", "cancelled", "done")


def _migrations(results: NodeResults, probe: Probe) -> frozenset[str] | None:
    try:
        found = answer(results, probe)
    except (CouldNotCheck, NotApplicable):
        return None
    if not found.complete or any("uuid" not in row for row in found.rows):
        return None
    return frozenset(text(row, "uuid") for row in found.rows if text(row, "status") not in ENDED)


@dataclass(frozen=True)
class Hypervisor:
    """One hypervisor: ``id`` is a UUID, which its resource provider shares, from 2.53 on; before it a number."""

    id: str
    name: str
    kind: str
    host: str
    up: bool
    enabled: bool
    evidence: Evidence

    def __str__(self) -> str:
        return f"hypervisor {self.name}"


@dataclass(frozen=True)
class Hypervisors:
    """All hypervisors that Nova knows in its cells (``openstack hypervisor list``)."""

    rows: tuple[Hypervisor, ...]
    complete: bool
    nowhere: ClassVar[str] = NOWHERE
    probes: ClassVar[tuple[Probe, ...]] = (API_SOURCE, API_READS["api.compute.hypervisors"].probe)

    def __iter__(self) -> Iterator[Hypervisor]:
        return iter(self.rows)

    @classmethod
    def parse(cls, results: NodeResults) -> Hypervisors:
        """Raises NotApplicable, CouldNotCheck or ParseError."""
        found = answer(results, cls.probes[1])
        rows = tuple(
            Hypervisor(
                id=str(row.get("id", "")),
                name=known(row, "hypervisor_hostname"),
                kind=text(row, "hypervisor_type"),
                host=text(nested(row, "service"), "host"),
                up=text(row, "state") == "up",
                enabled=text(row, "status") == "enabled",
                evidence=found.evidence(
                    f"{row.get('id')} {known(row, 'hypervisor_hostname')} {text(row, 'status')} {text(row, 'state')}"
                ),
            )
            for row in found.rows
        )
        return cls(rows, found.complete)

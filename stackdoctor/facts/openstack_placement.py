"""Resource providers as Placement believes them: what each has, and who holds what of it.

{"uuid": "be77bf4c-...", "name": "compute1"}
{"id": "VCPU", "total": 2, "reserved": 0, "allocation_ratio": 4.0, "of": "be77bf4c-..."}
{"id": "0505d6dc-...", "resources": {"VCPU": 1, "MEMORY_MB": 128}, "of": "be77bf4c-..."}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.collect.api_reads import API_READS, API_SOURCE
from stackdoctor.facts.answers import integer, nested, number, text
from stackdoctor.facts.openstack_answers import NOWHERE, answer, known
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = ["ResourceProvider", "ResourceProviders"]


@dataclass(frozen=True)
class ResourceProvider:
    """One provider: ``capacity`` by resource class, and what each consumer holds of it.

    Both are None where they were not read (too many providers, or it does not answer).
    """

    id: str
    name: str
    parent: str
    capacity: Mapping[str, float] | None
    allocations: Mapping[str, Mapping[str, int]] | None
    evidence: Evidence

    def __str__(self) -> str:
        return f"resource provider {self.name}"

    @property
    def computes(self) -> bool:
        """Whether it is a hypervisor's own: a root with memory, no shared pool and no child."""
        return not self.parent and self.capacity is not None and "MEMORY_MB" in self.capacity


@dataclass(frozen=True)
class ResourceProviders:
    """All providers (``openstack resource provider list``); ``whole`` where inventories and allocations of all are."""

    rows: tuple[ResourceProvider, ...]
    complete: bool
    whole: bool
    nowhere: ClassVar[str] = NOWHERE
    probes: ClassVar[tuple[Probe, ...]] = (
        API_SOURCE,
        API_READS["api.placement.providers"].probe,
        API_READS["api.placement.inventories"].probe,
        API_READS["api.placement.allocations"].probe,
    )

    def __iter__(self) -> Iterator[ResourceProvider]:
        return iter(self.rows)

    @classmethod
    def parse(cls, results: NodeResults) -> ResourceProviders:
        """Raises NotApplicable, CouldNotCheck or ParseError."""
        found, has, held = (answer(results, probe) for probe in cls.probes[1:])
        capacity: dict[str, dict[str, float]] = {id_: {} for id_ in has.asked}
        for row in has.rows:
            ratio = row.get("allocation_ratio", 1.0)
            total = (number(row, "total") or 0) - (number(row, "reserved") or 0)
            times = float(ratio) if isinstance(ratio, int | float) else 1.0
            capacity.setdefault(known(row, "of"), {})[known(row, "id")] = total * times
        allocations: dict[str, dict[str, Mapping[str, int]]] = {id_: {} for id_ in held.asked}
        for row in held.rows:
            resources = {name: integer(str(amount)) or 0 for name, amount in nested(row, "resources").items()}
            allocations.setdefault(known(row, "of"), {})[known(row, "id")] = resources
        rows = tuple(
            ResourceProvider(
                id=known(row, "uuid"),
                name=text(row, "name"),
                parent=text(row, "parent_provider_uuid"),
                capacity=capacity.get(known(row, "uuid")),
                allocations=allocations.get(known(row, "uuid")),
                evidence=found.evidence(f"{known(row, 'uuid')} {text(row, 'name')}"),
            )
            for row in found.rows
        )
        return cls(rows, found.complete, found.complete and has.complete and held.complete)

"""What each project may have and has, as Nova, Neutron and Cinder count it.

{"instances": {"limit": 10, "in_use": 2, "reserved": 0}, ..., "of": "24a7d394c4a44ca8ad7c383eda5c13da"}
{"port": {"limit": 500, "used": 4, "reserved": 0}, ..., "of": "24a7d394c4a44ca8ad7c383eda5c13da"}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.collect.api_reads import API_READS, API_SOURCE
from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.answers import Row, nested, number, text
from stackdoctor.facts.openstack_answers import NOWHERE, ApiAnswer, answer, known
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = ["Quota", "Quotas"]

SERVICES = ("nova", "neutron", "cinder")


@dataclass(frozen=True)
class Quota:
    """One limit of one project, in the service's own word for the resource; gigabytes and ram are GiB and MiB.

    ``used`` is what the service has on its books, ``reserved`` what requests on their way have claimed on top.
    """

    project: str
    name: str
    service: str
    resource: str
    limit: int
    used: int
    reserved: int
    evidence: Evidence

    def __str__(self) -> str:
        return f"quota of {self.resource} of project {self.name or self.project}"

    @property
    def full(self) -> bool:
        """Whether nothing more is granted; a project that may have none and has none is meant to be so."""
        return 0 <= self.limit <= self.used + self.reserved and self.used > 0


@dataclass(frozen=True)
class Quotas:
    """All limits of the enabled projects (``openstack quota show --usage PROJECT``).

    ``complete`` is False where there are more projects than were asked about; ``gaps`` names the services that did
    not say (Neutron does from Pike on).
    """

    rows: tuple[Quota, ...]
    complete: bool
    gaps: tuple[tuple[str, str], ...]
    nowhere: ClassVar[str] = NOWHERE
    probes: ClassVar[tuple[Probe, ...]] = (
        API_SOURCE,
        API_READS["api.identity.projects"].probe,
        API_READS["api.compute.quotas"].probe,
        API_READS["api.network.quotas"].probe,
        API_READS["api.volume.quotas"].probe,
    )

    def __iter__(self) -> Iterator[Quota]:
        return iter(self.rows)

    @classmethod
    def parse(cls, results: NodeResults) -> Quotas:
        """Raises NotApplicable, CouldNotCheck or ParseError; a service that does not answer is a gap."""
        projects = answer(results, cls.probes[1])
        names = {known(row, "id"): text(row, "name") for row in projects.rows}
        rows: list[Quota] = []
        gaps: list[tuple[str, str]] = []
        complete = projects.complete
        for service, probe in zip(SERVICES, cls.probes[2:], strict=True):
            try:
                found = answer(results, probe)
                rows += (quota for row in found.rows for quota in _quotas(service, row, names, found))
                complete = complete and found.complete
            except NotApplicable:  # no such service, or one of before it could tell
                continue
            except CouldNotCheck as error:
                gaps.append(("api.quota.*", f"{service}: {error}"))
        return cls(tuple(rows), complete, tuple(gaps))


def _quotas(service: str, row: Row, names: Mapping[str, str], found: ApiAnswer) -> Iterator[Quota]:
    project = known(row, "of")
    for resource in row:
        if resource == "of":
            continue
        told = nested(row, resource)
        limit, reserved = number(told, "limit"), number(told, "reserved") or 0
        used = number(told, "used" if service == "neutron" else "in_use")
        if limit is not None and used is not None:
            shown = f"project {project} {resource}: limit {limit}, in use {used}, reserved {reserved}"
            name = names.get(project, "")
            yield Quota(project, name, service, resource, limit, used, reserved, found.evidence(shown))

"""Services and agents as the control plane believes them: Nova's, Cinder's (os-services) and Neutron's (agents).

{"binary": "nova-compute", "host": "compute1", "status": "enabled", "state": "up", "updated_at": "..."}
{"binary": "neutron-l3-agent", "host": "controller", "alive": true, "heartbeat_timestamp": "..."}
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.collect.api_reads import API_READS, API_SOURCE
from stackdoctor.facts.answers import Row, text
from stackdoctor.facts.openstack_answers import NOWHERE, ApiAnswer, answer, instant, known
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = ["BelievedService", "ComputeServices", "NetworkAgents", "VolumeServices"]


@dataclass(frozen=True)
class BelievedService:
    """One service on one host, as an API lists it.

    ``binary`` is its program (nova-compute, neutron-l3-agent, cinder-volume), ``host`` as the service calls itself
    without the backend, which Cinder writes behind ``@``.  ``up`` is what the API believes; ``enabled`` what the
    administrator wants; ``silent`` the seconds since its last report, None where it never reported.
    """

    id: str
    binary: str
    kind: str
    host: str
    backend: str
    up: bool
    enabled: bool
    forced_down: bool
    reason: str
    silent: float | None
    evidence: Evidence

    def __str__(self) -> str:
        return f"{self.binary} on {self.host}" + (f" ({self.backend})" if self.backend else "")


def _nova_like(row: Row, found: ApiAnswer) -> BelievedService:
    host, _, backend = known(row, "host").partition("@")
    reported = instant(row, "updated_at")
    state, status = known(row, "state"), known(row, "status")
    shown = f"{text(row, 'binary')} {text(row, 'host')} {status} {state} {text(row, 'updated_at')}"
    return BelievedService(
        id=str(row.get("id", "")),
        binary=known(row, "binary"),
        kind="",
        host=host,
        backend=backend,
        up=state == "up",
        enabled=status == "enabled",
        forced_down=row.get("forced_down") is True,
        reason=text(row, "disabled_reason"),
        silent=None if reported is None else found.now - reported,
        evidence=found.evidence(shown),
    )


def _agent(row: Row, found: ApiAnswer) -> BelievedService:
    reported = instant(row, "heartbeat_timestamp")
    shown = (
        f"{text(row, 'agent_type')} {text(row, 'host')} alive={row.get('alive')}"
        f" admin_state_up={row.get('admin_state_up')} {text(row, 'heartbeat_timestamp')}"
    )
    return BelievedService(
        id=known(row, "id"),
        binary=known(row, "binary"),
        kind=text(row, "agent_type"),
        host=text(row, "host"),
        backend="",
        up=row.get("alive") is True,
        enabled=row.get("admin_state_up") is not False,
        forced_down=False,
        reason="",
        silent=None if reported is None else found.now - reported,
        evidence=found.evidence(shown),
    )


@dataclass(frozen=True)
class ComputeServices:
    """Nova's services (``openstack compute service list``)."""

    rows: tuple[BelievedService, ...]
    complete: bool
    nowhere: ClassVar[str] = NOWHERE
    probes: ClassVar[tuple[Probe, ...]] = (API_SOURCE, API_READS["api.compute.services"].probe)

    def __iter__(self) -> Iterator[BelievedService]:
        return iter(self.rows)

    @classmethod
    def parse(cls, results: NodeResults) -> ComputeServices:
        """Raises NotApplicable, CouldNotCheck or ParseError."""
        found = answer(results, cls.probes[1])
        return cls(tuple(_nova_like(row, found) for row in found.rows), found.complete)


@dataclass(frozen=True)
class VolumeServices:
    """Cinder's services (``openstack volume service list``)."""

    rows: tuple[BelievedService, ...]
    complete: bool
    nowhere: ClassVar[str] = NOWHERE
    probes: ClassVar[tuple[Probe, ...]] = (API_SOURCE, API_READS["api.volume.services"].probe)

    def __iter__(self) -> Iterator[BelievedService]:
        return iter(self.rows)

    @classmethod
    def parse(cls, results: NodeResults) -> VolumeServices:
        """Raises NotApplicable, CouldNotCheck or ParseError."""
        found = answer(results, cls.probes[1])
        return cls(tuple(_nova_like(row, found) for row in found.rows), found.complete)


@dataclass(frozen=True)
class NetworkAgents:
    """Neutron's agents (``openstack network agent list``)."""

    rows: tuple[BelievedService, ...]
    complete: bool
    nowhere: ClassVar[str] = NOWHERE
    probes: ClassVar[tuple[Probe, ...]] = (API_SOURCE, API_READS["api.network.agents"].probe)

    def __iter__(self) -> Iterator[BelievedService]:
        return iter(self.rows)

    @classmethod
    def parse(cls, results: NodeResults) -> NetworkAgents:
        """Raises NotApplicable, CouldNotCheck or ParseError."""
        found = answer(results, cls.probes[1])
        return cls(tuple(_agent(row, found) for row in found.rows), found.complete)

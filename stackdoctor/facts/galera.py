"""Galera's own files and counters: where a member stood when it went down, and whether the cluster is being throttled.

>>> saved = parse_grastate("# GALERA saved state\\nuuid:    9d6c-e6c0\\nseqno:   -1\\nsafe_to_bootstrap: 0\\n")
>>> saved.uuid, saved.seqno, saved.safe_to_bootstrap
('9d6c-e6c0', -1, False)

From galera/src/saved_state.cpp, and the Galera manual (wsrep_flow_control_*).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.answers import integer, output
from stackdoctor.facts.mysql import CLIENT, MYSQL_STATUS, parse_variables
from stackdoctor.model import Evidence, NodeResults, Probe, Status

__all__ = ["GALERA_FLOW", "GRASTATE", "GaleraFlow", "GaleraSaved", "Saved", "parse_grastate"]

GRASTATE = Probe(
    "galera.grastate",
    files=(
        "/var/lib/mysql/grastate.dat",
        "/var/lib/docker/volumes/mariadb/_data/grastate.dat",
        "/var/lib/containers/storage/volumes/mariadb/_data/grastate.dat",
    ),
    root=True,
)
GALERA_FLOW = Probe(
    "galera.flow",
    (
        *CLIENT,
        "SHOW GLOBAL STATUS WHERE Variable_name LIKE 'wsrep_flow_control%' OR Variable_name LIKE 'wsrep_local_recv_q%'",
    ),
    root=True,
    container="mariadb|mysql",
    timeout=10.0,
    again_after=3.0,
    after=MYSQL_STATUS.id,
)
UNDEFINED = -1


@dataclass(frozen=True)
class Saved:
    """What grastate.dat holds.

    ``seqno`` is the last transaction, -1 while the server runs and after a crash.  ``safe_to_bootstrap`` marks the
    member that went down last.
    """

    uuid: str
    seqno: int
    safe_to_bootstrap: bool


@dataclass(frozen=True)
class GaleraSaved:
    """A member of a Galera cluster, running or not, by its file grastate.dat."""

    saved: Saved
    evidence: Evidence
    probes: ClassVar[tuple[Probe, ...]] = (GRASTATE,)

    def __str__(self) -> str:
        return "grastate.dat"

    @classmethod
    def parse(cls, results: NodeResults) -> GaleraSaved:
        """The file.  Raises NotApplicable where there is none (no Galera), CouldNotCheck or ParseError."""
        result = results.usable(GRASTATE)[0]
        saved = parse_grastate(output(result))
        line = f"seqno: {saved.seqno}, safe_to_bootstrap: {int(saved.safe_to_bootstrap)}"
        return cls(saved, results.evidence(result, line))


@dataclass(frozen=True)
class GaleraFlow:
    """How this member throttles the cluster, or is throttled, in the seconds between two looks.

    ``paused`` is the part of that time in which writes had to wait (0 to 1), ``sent`` how often this member asked
    for it because it cannot keep up, ``requested`` whether it asks for it now (Galera 4), ``queue`` the transactions
    that it has yet to apply.
    """

    paused: float
    sent: int
    requested: bool
    queue: int
    seconds: float
    evidence: Evidence
    probes: ClassVar[tuple[Probe, ...]] = (MYSQL_STATUS, GALERA_FLOW)

    def __str__(self) -> str:
        return "flow control"

    @classmethod
    def parse(cls, results: NodeResults) -> GaleraFlow:
        """The difference of two looks.  Raises NotApplicable without Galera, CouldNotCheck or ParseError."""
        status = results.one(MYSQL_STATUS)
        if status.status is Status.RAN and status.exit:
            raise NotApplicable(f"{status.command}: exit status {status.exit}")  # told by what looks at the database
        first, second = (results.one(GALERA_FLOW, subject) for subject in ("", "#2"))
        if not output(first).strip():
            raise NotApplicable("the database is no member of a Galera cluster")
        before, after = (parse_variables(output(result)) for result in (first, second))
        seconds = second.started - first.started
        if seconds <= 0:
            raise CouldNotCheck(f"{second.command}: the two looks have no time between them")
        waited = _difference(before, after, "wsrep_flow_control_paused_ns") / 1e9
        sent = _difference(before, after, "wsrep_flow_control_sent")
        queue = integer(after.get("wsrep_local_recv_queue", "")) or 0
        line = f"in {seconds:.1f} s: wsrep_flow_control_paused_ns +{waited:.2f} s, _sent +{sent}, recv_queue {queue}"
        requested = after.get("wsrep_flow_control_requested", "").lower() in ("true", "on")
        paused = min(1.0, max(0.0, waited / seconds))
        return cls(paused, max(0, sent), requested, queue, seconds, results.evidence(second, line))


def _difference(before: dict[str, str], after: dict[str, str], name: str) -> int:
    values = [integer(found.get(name, "")) for found in (before, after)]
    if values[0] is None or values[1] is None:
        raise CouldNotCheck(f"the server does not tell {name}")
    return values[1] - values[0]


def parse_grastate(text: str) -> Saved:
    """What grastate.dat says; one of Galera before 3.19 has no safe_to_bootstrap.  Raises ParseError."""
    values = {
        name.strip(): value.strip() for name, colon, value in (x.partition(":") for x in text.splitlines()) if colon
    }
    seqno = integer(values.get("seqno", ""))
    if seqno is None or "uuid" not in values:
        raise ParseError(f"grastate.dat: without uuid or seqno: {text[:160]}")
    return Saved(values["uuid"], seqno, values.get("safe_to_bootstrap") == "1")

"""Log signatures as checks: what a node's log scan found becomes findings, of now or of the past."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from stackdoctor.diagnose.registry import Check, Need
from stackdoctor.facts.logs import LogHit, LogHits
from stackdoctor.facts.signature import Signature
from stackdoctor.model import Finding, Severity

__all__ = ["log_checks"]

PRESENT = 180.0
"""Seconds after which a line that did not come again is history: thrice the default rpc_response_timeout."""

MOST = Severity.WARNING
"""A log line alone is a symptom: what it tells of may be over, and only a state can prove that it is not."""

RHYTHM = 2.5
"""What came every so many seconds and is missing for longer than this many times that has ended."""

SHORTEST = 10.0
"""Seconds: a burst is no rhythm; services try again less often as time goes by."""


def log_checks(signatures: Sequence[Signature]) -> Iterator[Check]:
    """One check for each signature that is a finding by itself."""
    for signature in signatures:
        if signature.finding:
            yield Check(
                id=signature.finding_id,
                severity=min(signature.severity, MOST),
                doc=f"{signature.explain.strip()}\n\nMatches: {signature.regex}",
                needs=(Need("hits", LogHits, cloud=False, optional=False),),
                run=_run(signature),
                origin=signature.source,
            )


def _run(signature: Signature) -> Callable[[LogHits], Iterator[Finding]]:
    def run(hits: LogHits) -> Iterator[Finding]:
        for hit in hits.of(signature.id):
            over = hits.recovered(hit, signature) or has_stopped(hit)
            found = hit.finding(signature)
            yield Finding(
                found.subject,
                found.message,
                severity=Severity.INFO if over or hit.harmless(signature) else min(found.severity, MOST),
                evidence=found.evidence,
                first=found.first,
                last=found.last,
                count=found.count,
                **{**found.keys, "state": "past" if over else "now"},
            )

    return run


def has_stopped(hit: LogHit) -> bool:
    """Whether a line that came in a rhythm has been missing for longer than that, or any for too long."""
    lasted = hit.last - hit.first
    if hit.age > PRESENT or hit.count < 3 or lasted < SHORTEST:
        return hit.age > PRESENT
    return hit.age > RHYTHM * max(lasted / (hit.count - 1), SHORTEST)

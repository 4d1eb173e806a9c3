"""Log signatures as checks: what a node's log scan found becomes findings, of now or of the past."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from stackdoctor.diagnose.episodes import episodes_of
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

GROWTH = 3
"""Tries that come less and less often wait at most so many times as long as before, counted in whole minutes."""

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
            held = not has_rhythm(hit) and hits.recovers(hit, signature) is not None
            over = hits.recovered(hit, signature) or (has_stopped(hit) and not held)
            recoveries = hits.recoveries(hit, signature)
            found = hit.finding(signature)
            yield Finding(
                found.subject,
                found.message,
                severity=Severity.INFO if over or hit.harmless(signature) else min(found.severity, MOST),
                evidence=found.evidence,
                first=found.first,
                last=found.last,
                count=found.count,
                episodes=episodes_of(hit, recoveries, told=bool(signature.recovered_by)),
                **{**found.keys, "state": "past" if over else "now"},
            )

    return run


def has_rhythm(hit: LogHit) -> bool:
    """Whether the line comes again and again while it lasts, so that its absence says that it is over."""
    return hit.count >= 3 and hit.last - hit.first >= SHORTEST


def has_stopped(hit: LogHit) -> bool:
    """Whether a line that came in a rhythm has been missing for longer than that, or any for too long."""
    if due := next_try(hit):
        return hit.age > due
    if hit.age > PRESENT or not has_rhythm(hit):
        return hit.age > PRESENT
    return hit.age > RHYTHM * max((hit.last - hit.first) / (hit.count - 1), SHORTEST)


def next_try(hit: LogHit) -> float:
    """Seconds after which the next line is overdue where they come less and less often, as retries do; else 0.

    The gaps must grow step by step: an error that happens to come long after a burst is no retry.
    """
    minutes = sorted(hit.minutes)
    gaps = [later - earlier for earlier, later in pairwise(minutes)]
    if len(gaps) < 3 or gaps != sorted(gaps) or gaps[0] == gaps[-1] or gaps[-1] > GROWTH * gaps[-2]:
        return 0.0
    return RHYTHM * gaps[-1] * 60.0

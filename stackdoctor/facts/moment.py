"""The log scan as it would have been at a moment before it: what had been written by then, and what came after."""

from __future__ import annotations

from dataclasses import replace

from stackdoctor.errors import CouldNotCheck
from stackdoctor.facts.logs import LogHit, LogHits

__all__ = ["as_of"]

_MINUTE = 60


def as_of(hits: LogHits, moment: float) -> LogHits:
    """``hits`` as of ``moment``, seconds since the epoch on the node's clock; what follows it is in ``later``.

    Between its first line and its last a hit is known by the minute: the minute that ``moment`` is in counts as
    far as single lines of it are known.  Raises CouldNotCheck for a moment that the scan did not cover.
    """
    if not hits.since <= moment <= hits.until:
        raise CouldNotCheck(
            f"its logs were read from {hits.until - hits.since:.0f} s before the look to the look: "
            "that does not cover the moment asked about"
        )
    return replace(
        hits,
        hits=tuple(found for hit in hits.hits if (found := _before(hit, moment)) is not None),
        later=tuple(found for hit in hits.hits if (found := _after(hit, moment)) is not None),
        until=moment,
    )


def _before(hit: LogHit, moment: float) -> LogHit | None:
    if hit.last <= moment:
        return replace(hit, until=moment)
    if hit.first > moment:
        return None
    samples = tuple(sample for sample in hit.samples if sample.time <= moment)
    known = {int(time // _MINUTE) for time in (hit.first, *(sample.time for sample in samples))}
    minutes = {
        minute: number
        for minute, number in hit.minutes.items()
        if (minute + 1) * _MINUTE <= moment or (minute * _MINUTE <= moment and minute in known)
    }
    whole = [minute for minute in minutes if (minute + 1) * _MINUTE <= moment]
    times = [hit.first, *(sample.time for sample in samples), *((minute + 1) * _MINUTE - 1.0 for minute in whole)]
    return replace(
        hit, count=max(sum(minutes.values()), 1), last=max(times), minutes=minutes, samples=samples, until=moment
    )


def _after(hit: LogHit, moment: float) -> LogHit | None:
    if hit.first > moment:
        return hit
    if hit.last <= moment:
        return None
    minutes = {minute: number for minute, number in hit.minutes.items() if (minute + 1) * _MINUTE > moment}
    samples = tuple(sample for sample in hit.samples if sample.time > moment)
    times = [hit.last, *(sample.time for sample in samples)]
    times += [float(minute * _MINUTE) for minute in minutes if minute * _MINUTE > moment]
    return replace(hit, count=max(sum(minutes.values()), 1), first=min(times), minutes=minutes, samples=samples)

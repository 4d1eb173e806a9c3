"""When something held: a symptom's lines cut where it ended, and times of several put together."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from stackdoctor.facts.logs import LogHit

__all__ = ["OFTEN", "Episode", "ended", "episodes_of", "overlap", "together"]

Episode = tuple[float, float]
"""Begin and end, seconds since the epoch."""

OFTEN = 3
"""What came and went so many times in one window is flapping."""

QUIET = 5
"""Minutes without a line after which it has ended, in a log that does not say so."""

RHYTHM = 2.5
"""What comes every so many minutes has ended when it is missing for longer than this many times that."""


def episodes_of(hit: LogHit, recoveries: Iterable[LogHit], *, told: bool) -> tuple[Episode, ...]:
    """The times at which the symptom ``hit`` held, by its lines per minute.

    With ``told`` the log says when it is over (``recoveries``): it is cut there and nowhere else, and an episode
    ends with that line.  Without, it is cut where lines are missing for longer than their rhythm explains.
    """
    from statistics import median  # which loads decimals and fractions

    minutes = sorted(minute for minute, number in hit.minutes.items() if number)
    if not minutes:
        return ((hit.first, hit.last),)
    over = sorted({minute for other in recoveries for minute, number in other.minutes.items() if number})
    exact = sorted(time for other in recoveries for time in (other.first, other.last) if time > hit.last)
    runs: list[list[int]] = [[minutes[0]]]
    ends: list[float | None] = []
    longest = max(QUIET, RHYTHM * median([b - a for a, b in pairwise(minutes)] or [0]))
    place = 0
    for before, minute in pairwise(minutes):
        while place < len(over) and over[place] < before:
            place += 1
        said = place < len(over) and over[place] < minute
        if said or (not told and minute - before > longest):
            ends.append(over[place] * 60.0 + 59 if said else None)
            runs.append([])
        runs[-1].append(minute)
    ends.append(exact[0] if exact else None)
    found = []
    for run, end in zip(runs, ends, strict=True):
        begin = max(run[0] * 60.0, hit.first)
        last = min(run[-1] * 60.0 + 59, hit.last)
        found.append((begin, max(begin, last if end is None else end)))
    return tuple(found)


def together(episodes: Iterable[Episode]) -> tuple[Episode, ...]:
    """The times at which any of ``episodes`` held, in order; those less than a minute apart are one."""
    merged: list[Episode] = []
    for begin, end in sorted(episodes):
        if merged and begin <= merged[-1][1] + 60:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return tuple(merged)


def overlap(some: Iterable[Episode], others: Iterable[Episode], slack: float = 0.0) -> bool:
    """Whether one of ``some`` and one of ``others`` have a moment in common, ``slack`` seconds allowed between them."""
    others = tuple(others)
    return any(begin - slack <= end2 and begin2 - slack <= end for begin, end in some for begin2, end2 in others)


def ended(episodes: Iterable[Episode], *, present: bool) -> int:
    """How many of ``episodes`` are over; of something that holds now the last one is not."""
    return max(len(tuple(episodes)) - present, 0)

"""The log scan as of a moment before it."""

from __future__ import annotations

import pytest

from stackdoctor.errors import CouldNotCheck
from stackdoctor.facts.logs import LogHit, LogHits, Sample
from stackdoctor.facts.moment import as_of


def hits(*times: float, kept: tuple[float, ...]) -> LogHits:
    minutes: dict[int, int] = {}
    for time in times:
        minutes[int(time // 60)] = minutes.get(int(time // 60), 0) + 1
    samples = tuple(Sample(time, None, str(time)) for time in kept)
    hit = LogHit("x", "s", "/l", {}, len(times), times[0], times[-1], minutes, samples, "n", 3600.0)
    return LogHits((hit,), (), 0.0, 3600.0)


def test_lines_after_the_moment_are_later_and_counted_no_more() -> None:
    then = as_of(hits(60, 130, 200, 900, kept=(60, 130, 900)), 300)
    (before,), (after,) = then.hits, then.later
    assert (before.count, before.first, before.last, before.age) == (3, 60, 239, 61)
    assert [sample.time for sample in before.samples] == [60, 130]
    assert (after.count, after.first, after.last) == (1, 900, 900)


def test_a_line_of_the_very_minute_counts_only_if_it_is_known_to_have_come_before() -> None:
    assert as_of(hits(60, 310, 330, kept=(60, 310, 330)), 320).hits[0].last == 310
    assert as_of(hits(60, 310, 330, kept=(60, 330)), 320).hits[0].last == 119


def test_what_began_later_is_not_there_yet() -> None:
    assert as_of(hits(600, kept=(600,)), 300).hits == ()


def test_a_moment_outside_of_the_window_could_not_be_looked_at() -> None:
    for moment in (-1, 3601):
        with pytest.raises(CouldNotCheck, match="does not cover"):
            as_of(hits(600, kept=(600,)), moment)

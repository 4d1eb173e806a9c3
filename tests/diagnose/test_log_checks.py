"""Whether what a log says is of now: rhythms, retries that come less and less often, and single lines."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from stackdoctor.diagnose.log_checks import has_stopped, next_try
from stackdoctor.facts.logs import LogHit

BEGAN = 1795380000.0


def hit(*after: float, age: float) -> LogHit:
    """Lines so many seconds after ``BEGAN``, the last of them ``age`` seconds before the scan."""
    times = [BEGAN + seconds for seconds in after]
    minutes: dict[int, int] = {}
    for time in times:
        minutes[int(time // 60)] = minutes.get(int(time // 60), 0) + 1
    return LogHit(
        "x",
        "s",
        "/var/log/s.log",
        {},
        len(times),
        times[0],
        times[-1],
        MappingProxyType(minutes),
        (),
        "n",
        times[-1] + age,
    )


RETRIES = (0, 1, 3, 7, 15, 31, 63, 127, 255, 511)
"""What doubles its wait, as neutron's ebtables does: half of the lines are in the first minute."""


@pytest.mark.parametrize(("age", "over"), [(60, False), (500, False), (700, True)])
def test_a_retry_that_waits_longer_and_longer_is_over_only_when_its_next_one_is_overdue(age: float, over: bool) -> None:
    assert has_stopped(hit(*RETRIES, age=age)) is over


def test_a_line_long_after_a_burst_is_no_retry() -> None:
    assert next_try(hit(0, 1, 2, 61, 122, 1900, age=10)) == 0
    assert has_stopped(hit(0, 1, 2, 61, 122, 1900, age=400))


def test_a_steady_rhythm_is_over_when_it_is_missing_for_longer_than_that() -> None:
    every_ten = tuple(range(0, 600, 10))

    assert next_try(hit(*every_ten, age=5)) == 0
    assert not has_stopped(hit(*every_ten, age=20))
    assert has_stopped(hit(*every_ten, age=60))


def test_a_single_line_is_of_now_for_three_minutes() -> None:
    assert not has_stopped(hit(0, age=170))
    assert has_stopped(hit(0, age=190))

"""Times in reports."""

from __future__ import annotations

import pytest

from stackdoctor.report.times import clock_time, iso


def test_a_time_of_another_day_carries_its_date():
    assert clock_time(1795369832.0, near=1795369832.0 + 86400) == "2026-11-22 17:50:32Z"


@pytest.mark.parametrize("epoch", [None, 1e20, -1e20, float("nan"), float("inf")])
def test_a_time_that_no_calendar_has_is_no_time(epoch):
    assert iso(epoch) is None
    assert clock_time(epoch) == ""

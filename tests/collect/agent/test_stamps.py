"""The time at the start of a log line, in every format that a cloud's logs have."""

from __future__ import annotations

import calendar
import os
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackdoctor.collect.agent.stamps import Stamps


@pytest.fixture(autouse=True)
def zone() -> Iterator[None]:
    """This node is two hours east of UTC."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "XXX-2"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


def at(text: str) -> float:
    """Seconds since the epoch of a time in UTC."""
    return float(calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M:%S")))


@pytest.mark.parametrize(
    ("line", "when", "rest"),
    [
        ("2026-11-22 16:50:57.207 879 ERROR nova", at("2026-11-22 14:50:57") + 0.207, " 879 ERROR nova"),
        ("2017-08-26 13:13:42,123 INFO x", at("2017-08-26 11:13:42") + 0.123, " INFO x"),
        (
            "2026-11-22 16:51:36.229814+00:00 [error] <0.1.0> x",
            at("2026-11-22 16:51:36") + 0.229814,
            " [error] <0.1.0> x",
        ),
        ("2019-01-01 10:11:12.131 [info] <0.1.0> x", at("2019-01-01 08:11:12") + 0.131, " [info] <0.1.0> x"),
        ("=ERROR REPORT==== 26-Aug-2017::13:13:42 ===", at("2017-08-26 11:13:42"), " ==="),
        ("=WARNING REPORT==== 6-Aug-2017::03:13:42 ===", at("2017-08-06 01:13:42"), " ==="),
        ("Nov 22 16:51:36 host prog[7]: x", at("2026-11-22 14:51:36"), " host prog[7]: x"),
        ("Nov  2 06:51:36 host kernel: x", at("2026-11-02 04:51:36"), " host kernel: x"),
        ("Nov 22 2025 16:51:36 host kernel: x", at("2025-11-22 14:51:36"), " host kernel: x"),
        ("Nov 22 16:51:36.123 [9] host corosync: x", at("2026-11-22 14:51:36"), " [9] host corosync: x"),
        ("2026-11-22T16:51:36.229814+02:00 host prog: x", at("2026-11-22 14:51:36") + 0.229814, " host prog: x"),
        ("2019-01-01T10:11:12.131Z|00123|bridge|WARN|x", at("2019-01-01 10:11:12") + 0.131, "|00123|bridge|WARN|x"),
        ("2019-01-01 10:11:12.131+0000: 7: error : x", at("2019-01-01 10:11:12") + 0.131, ": 7: error : x"),
        ("2019-01-01 10:11:12 -0330 x", at("2019-01-01 13:41:12"), " x"),
        ("[2019-01-01 10:11:12] x", at("2019-01-01 08:11:12"), "] x"),
        ("[Sat Aug 26 13:13:42.123456 2017] [wsgi:error] x", at("2017-08-26 11:13:42"), " [wsgi:error] x"),
        ("[Sat Aug 26 13:13:42 2017] [error] x", at("2017-08-26 11:13:42"), " [error] x"),
        ('192.0.2.1 - - [26/Aug/2017:13:13:42 -0100] "GET /', at("2017-08-26 14:13:42"), ' "GET /'),
        ("2019-01-01T10:11:12.131415Z 7 [Note] x", at("2019-01-01 10:11:12") + 0.131415, " 7 [Note] x"),
        ("2019-01-01  3:11:12 0 [Note] x", at("2019-01-01 01:11:12"), " 0 [Note] x"),
        ("170826 13:13:42 [Warning] x", at("2017-08-26 11:13:42"), " [Warning] x"),
        ("170826  3:13:42 [Warning] x", at("2017-08-26 01:13:42"), " [Warning] x"),
    ],
)
def test_every_format_is_read_and_ends_where_its_text_begins(line: str, when: float, rest: str) -> None:
    stamps = Stamps(at("2026-11-22 18:00:00"))
    for _ in range(2):
        found = stamps.read(line.encode())
        assert found is not None
        assert found[0] == pytest.approx(when, abs=1e-6)
        assert line[found[1] :] == rest


@pytest.mark.parametrize(
    ("line", "written", "when"),
    [
        ("Dec 31 23:59:58 h x", "2027-01-01 10:00:00", "2026-12-31 21:59:58"),
        ("Jan  1 00:00:02 h x", "2027-01-01 10:00:00", "2026-12-31 22:00:02"),
        ("Jan  1 00:00:02 h x", "2026-12-31 21:59:59", "2026-12-31 22:00:02"),
        ("Jan 20 00:00:00 h x", "2026-12-31 10:00:00", "2026-01-19 22:00:00"),
        ("Feb 29 12:00:00 h x", "2025-01-31 10:00:00", "2024-02-29 10:00:00"),
        ("Nov 23 02:00:00 h x", "2026-11-22 23:00:00", "2026-11-23 00:00:00"),
    ],
)
def test_a_stamp_without_a_year_is_of_the_year_before_its_file_was_last_written(
    line: str, written: str, when: str
) -> None:
    found = Stamps(at(written)).read(line.encode())
    assert found is not None
    assert found[0] == at(when)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Traceback (most recent call last):",
        "    at 2026-11-22 16:50:57",
        "2026-13-22 16:50:57 x",
        "2026-11-22 26:50:57 x",
        "2026-11-22 26:50:57Z x",
        "2026-00-00T16:50:57Z x",
        "0000-01-01T00:00:00Z x",
        "Foo 22 16:50:57 host x",
        "Nov 99 16:50:57 host x",
        "=ERROR REPORT==== 26-Foo-2017::13:13:42 ===",
        "[Sat Foo 26 13:13:42 2017] x",
        "991399 13:13:42 x",
        "2026-11-22",
        "\N{ARABIC-INDIC DIGIT TWO}026-11-22 16:50:57",
    ],
)
def test_what_is_no_time_is_none(line: str) -> None:
    assert Stamps(at("2026-11-22 18:00:00")).read(line.encode()) is None


@given(st.binary(max_size=60))
def test_garbage_is_never_an_error(line: bytes) -> None:
    stamps = Stamps(0.0)
    for text in (line, b"2026-11-22 16:50:57" + line, b"Nov 22 16:50:57 " + line, b"9999-12-31 23:59:59" + line):
        stamps.read(text)

from __future__ import annotations

import pytest

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.clock import ClockSync
from stackdoctor.model import Node, NodeResults, Result, Status

CHRONY, NTP, SYSTEMD = (probe.id for probe in ClockSync.probes)

TRACKING = (
    "C0A8C701,192.168.199.1,3,1795372628.123,-0.000012,0.000034,0.000051,-11.2,0.003,0.09,0.001,0.0004,64.2,Normal\n"
)
UNSYNCHRONISED = "00000000,,0,0.000000000,0.000000000,0.0,0.0,0.0,0.0,0.0,1.0,1.0,0.0,Not synchronised\n"
NTPQ = """     remote           refid      st t when poll reach   delay   offset  jitter
==============================================================================
+192.0.2.77      .PPS.            1 u   12   64  377    0.901   +1.004   0.101
*192.0.2.123     .GPS.            1 u   33   64  377    0.411   -0.212   0.051
"""


def answered(**texts: str) -> NodeResults:
    results = {}
    for name, id in (("chrony", CHRONY), ("ntp", NTP), ("systemd", SYSTEMD)):
        status = Status.RAN if name in texts else Status.MISSING
        results[id, ""] = Result(id, name, stdout=texts.get(name, "").encode(), status=status)
    return NodeResults(Node("n"), results)


def test_chrony_says_how_far_the_clock_is_off() -> None:
    clock = ClockSync.parse(answered(chrony=TRACKING, systemd="NTPSynchronized=no\n"))
    assert (clock.synchronized, clock.keeper, clock.source, clock.offset) == (
        True,
        "chrony",
        "192.168.199.1",
        -0.000012,
    )


def test_chrony_without_a_source_is_not_synchronized() -> None:
    clock = ClockSync.parse(answered(chrony=UNSYNCHRONISED))
    assert (clock.synchronized, clock.source, clock.offset) == (False, "", None)


def test_ntpq_marks_the_source_that_is_followed() -> None:
    clock = ClockSync.parse(answered(ntp=NTPQ))
    assert (clock.synchronized, clock.source, clock.offset) == (True, "192.0.2.123", pytest.approx(-0.000212))
    assert not ClockSync.parse(answered(ntp=NTPQ.replace("*", "+"))).synchronized


@pytest.mark.parametrize(
    ("text", "synchronized"),
    [
        ("Timezone=Etc/UTC\nNTP=no\nNTPSynchronized=no\n", False),
        ("               Local time: Sun\nSystem clock synchronized: yes\n          NTP service: active\n", True),
        ("     NTP enabled: yes\nNTP synchronized: yes\n RTC in local TZ: no\n", True),
    ],
)
def test_systemd_knows_whether_the_clock_is_kept(text: str, synchronized: bool) -> None:
    assert ClockSync.parse(answered(systemd=text)).synchronized is synchronized


def test_without_a_keeper_there_is_nothing_to_say() -> None:
    with pytest.raises(NotApplicable):
        ClockSync.parse(answered())


def test_a_keeper_that_does_not_answer_is_said_and_the_next_one_asked() -> None:
    results = dict(answered(systemd="NTPSynchronized=yes\n").results)
    results[CHRONY, ""] = Result(CHRONY, "chronyc", exit=1, stdout=b"506 Cannot talk to daemon\n")
    assert ClockSync.parse(NodeResults(Node("n"), results)).keeper == "systemd"
    results[SYSTEMD, ""] = Result(SYSTEMD, "timedatectl", status=Status.MISSING)
    with pytest.raises(CouldNotCheck, match="506"):
        ClockSync.parse(NodeResults(Node("n"), results))


@pytest.mark.parametrize("texts", [{"chrony": "a,b"}, {"ntp": "remote\n"}, {"systemd": "nothing\n"}])
def test_another_format_is_refused(texts: dict[str, str]) -> None:
    with pytest.raises(ParseError):
        ClockSync.parse(answered(**texts))

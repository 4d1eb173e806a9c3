"""chronyd 4.3 as it printed it; ntpd in the form of ntpq(8) of ntp 4.2.8 (ntpq/ntpq-subs.c)."""

from __future__ import annotations

import pytest

from stackdoctor.errors import NotApplicable, ParseError
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.time_sync import CHRONY_SOURCES, CHRONY_TRACKING, NTP_PEERS, TIMESYNCD, TimeSync
from stackdoctor.model import Status

PS = "PID PPID USER STAT STARTED ELAPSED %CPU %MEM RSS NLWP WCHAN COMMAND\n"
FOLLOWS = "C000020C,192.0.2.12,4,1795384800.772984905,0.000008361,-0.000001873,0.000001873,-1.216,-0.000,203.326,"
FOLLOWS += "0.000073684,0.000908598,2.1,Normal\n"
LOST = "00000000,,0,0.000000000,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000,1.000000000,1.000000000,0.0,"
LOST += "Not synchronised\n"
HEARD = "^,*,192.0.2.12,3,6,17,3,0.000024194,0.000022336,0.000086284\n"
UNHEARD = "^,?,192.0.2.99,0,6,0,4294967295,0.000000000,0.000000000,0.000000000\n"
PEERS = "     remote           refid      st t when poll reach   delay   offset  jitter\n" + "=" * 78 + "\n"
POOL = " 0.debian.pool.n .POOL.          16 p    -   64    0    0.000    0.000   0.000\n"
FOLLOWED = "*192.0.2.1       .GPS.            1 u   33   64  377    0.412   -0.213   0.051\n"
SILENT = " 192.0.2.2       .INIT.          16 u    -   64    0    0.000    0.000   0.000\n"


def node(answer, answered_node, tracking="", sources="", peers="", synced=False):
    absent = {"status": Status.MISSING}
    return answered_node(
        answer(CHRONY_TRACKING, tracking) if tracking else answer(CHRONY_TRACKING, **absent),
        answer(CHRONY_SOURCES, sources) if sources else answer(CHRONY_SOURCES, **absent),
        answer(NTP_PEERS, peers) if peers else answer(NTP_PEERS, **absent),
        answer(TIMESYNCD, subject=TIMESYNCD.files[0]) if synced else answer(TIMESYNCD, **absent),
    )


def test_a_chronyd_that_follows_a_server_is_synchronised(answer, answered_node) -> None:
    found = TimeSync.parse(node(answer, answered_node, FOLLOWS, HEARD))
    assert (found.program, found.synchronised, found.offset, found.unheard) == ("chronyd", True, 0.000008361, False)


def test_one_that_never_heard_its_server_is_not(answer, answered_node) -> None:
    found = TimeSync.parse(node(answer, answered_node, LOST, UNHEARD))
    assert (found.synchronised, found.unheard) == (False, True)


def test_a_server_without_servers_of_its_own_is_not_unheard(answer, answered_node) -> None:
    local = "7F7F0101,,3,1795384793.329009837,0.0,0.0,0.0,0.000,0.000,0.000,0.0,0.0,0.0,Normal\n"
    found = TimeSync.parse(node(answer, answered_node, local))
    assert (found.synchronised, found.unheard) == (True, False)


def test_a_chronyd_that_does_not_run_leaves_the_others_to_be_asked(answer, answered_node) -> None:
    down = answer(CHRONY_TRACKING, "506 Cannot talk to daemon\n", exit=1)
    absent = [answer(CHRONY_SOURCES, status=Status.MISSING), answer(NTP_PEERS, status=Status.MISSING)]
    synced = answer(TIMESYNCD, subject=TIMESYNCD.files[0])
    nobody = answer(Processes.probes[0], PS)
    assert TimeSync.parse(answered_node(down, *absent, synced)).program == "systemd-timesyncd"
    with pytest.raises(NotApplicable):
        TimeSync.parse(answered_node(down, *absent, nobody, answer(TIMESYNCD, status=Status.MISSING)))


@pytest.mark.parametrize(("last", "synchronised"), [(FOLLOWED, True), (SILENT, False)])
def test_an_ntpd_is_synchronised_with_the_server_that_has_the_star(answer, answered_node, last, synchronised) -> None:
    found = TimeSync.parse(node(answer, answered_node, peers=PEERS + POOL + last))
    assert (found.program, found.synchronised, len(found.sources)) == ("ntpd", synchronised, 1)


@pytest.mark.parametrize("printed", ["1,2,3\n", "a,b\n" * 3, LOST.replace("0.000000000,", "x,", 2)])
def test_another_form_is_refused(answer, answered_node, printed) -> None:
    with pytest.raises(ParseError):
        TimeSync.parse(node(answer, answered_node, printed, HEARD))

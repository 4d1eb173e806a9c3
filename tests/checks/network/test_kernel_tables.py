"""Kernel tables that are full, nearly full, and far from it."""

from __future__ import annotations

from typing import Any

import pytest
from stackdoctor.checks.network.broker_path import unanswered_connection
from stackdoctor.checks.network.kernel_tables import full_connection_table, full_neighbour_table

from stackdoctor.diagnose.correlate import correlate
from stackdoctor.diagnose.playbook import load_playbooks
from stackdoctor.model import Severity

STAT = "entries  allocs   destroys hash_grows lookups  hits     res_failed\n"
ROW = "{:08x} 00000182 00000142 00000001   00001861 00000aea 0000004f\n"  # Linux 6.1, /proc/net/stat/arp_cache


def connections(cloud: Any, used: int, limit: int) -> None:
    cloud.say("compute1", "host.conntrack-count", f"{used}\n")
    cloud.say("compute1", "host.conntrack-max", f"{limit}\n")


def neighbours(cloud: Any, used: int, limit: int) -> None:
    cloud.say("controller", "neighbours.table", STAT + 4 * ROW.format(used))
    cloud.say("controller", "neighbours.limit", f"{limit}\n")


CASES = {"conntrack": (connections, full_connection_table), "neighbours": (neighbours, full_neighbour_table)}
CAUSES = {"conntrack": ("conntrack-exhausted", "compute1"), "neighbours": ("arp-cache-overflow", "controller")}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("used", "severity"), [(1024, Severity.ERROR), (1030, Severity.ERROR), (900, Severity.WARNING)]
)
def test_a_full_table_is_found(cloud: Any, case: str, used: int, severity: Severity) -> None:
    fill, check = CASES[case]
    fill(cloud, used, 1024)
    assert cloud.one(check).severity is severity


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("used", "limit"), [(800, 1024), (0, 1024), (5000, 0)])
def test_a_table_with_room_is_healthy(cloud: Any, case: str, used: int, limit: int) -> None:
    fill, check = CASES[case]
    fill(cloud, used, limit)
    assert not cloud.find(check)


@pytest.mark.parametrize("case", CASES)
def test_a_full_table_is_the_cause(cloud: Any, case: str) -> None:
    fill, check = CASES[case]
    fill(cloud, 1024, 1024)
    (diagnosis,) = correlate(load_playbooks(), cloud.examine(check)).diagnoses
    assert (diagnosis.cause, diagnosis.where["node"]) == CAUSES[case]


@pytest.mark.parametrize("case", CASES)
def test_a_nearly_full_table_is_no_cause_yet(cloud: Any, case: str) -> None:
    fill, check = CASES[case]
    fill(cloud, 900, 1024)
    assert not correlate(load_playbooks(), cloud.examine(check)).diagnoses


def test_connections_that_a_full_table_drops_are_explained(cloud: Any) -> None:
    connections(cloud, 1024, 1024)
    header = "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n"
    syn = 'SYN-SENT 0 1 192.0.2.21:40022 192.0.2.10:5672 users:(("nova-compute",pid=7,fd=9))\n'
    cloud.say("compute1", "sockets.tcp", header + syn)
    cloud.say("compute1", "sockets.listening", "Netid " + header)
    correlation = correlate(load_playbooks(), cloud.examine(full_connection_table, unanswered_connection))
    assert [d.cause for d in correlation.diagnoses] == ["conntrack-exhausted"]
    assert not correlation.unexplained

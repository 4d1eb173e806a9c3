"""DPDK and huge pages.  The rows of dpdk ports follow ovs-vswitchd.conf.db(5) and lib/netdev-dpdk.c."""

from __future__ import annotations

from typing import Any

from stackdoctor.checks.ovs.dpdk import dpdk_not_started, dpdk_port, no_huge_page_free, no_huge_pages

from stackdoctor.model import Severity

INTERFACES, SWITCH = 2, 3
WANTED = ["map", [["dpdk-init", "true"], ["dpdk-socket-mem", "1024,1024"]]]
ERROR = "Error attaching device '0000:05:00.0' to DPDK"
POOL = "/sys/devices/system/node/node{}/hugepages/hugepages-1048576kB/{}_hugepages"


def with_card(cloud: Any, **columns: Any) -> None:
    given = {"type": "dpdk", "status": ["map", [["numa_id", "1"]]], **columns}
    cloud.set("compute1", INTERFACES, "eth1", **given)


def pages(cloud: Any, node: int, total: int, free: int) -> None:
    for name, number in (("nr", total), ("free", free)):
        path = POOL.format(node, name)
        cloud.say("compute1", "hugepages", f"{number}\n", path)


def test_dpdk_that_did_not_start_is_found_where_a_port_needs_it(cloud: Any) -> None:
    cloud.set("compute1", SWITCH, "", other_config=WANTED)
    with_card(cloud)
    found = cloud.one(dpdk_not_started)
    assert (found.severity, found.keys["host"]) == (Severity.ERROR, "compute1")
    assert "dpdk_initialized false" in found.evidence[0].line


def test_it_is_a_warning_where_none_does_and_nothing_where_it_started(cloud: Any) -> None:
    cloud.set("compute1", SWITCH, "", other_config=WANTED)
    assert cloud.one(dpdk_not_started).severity is Severity.WARNING
    cloud.set("compute1", SWITCH, "", dpdk_initialized=True)
    assert cloud.find(dpdk_not_started) == []


def test_a_card_that_dpdk_could_not_take_is_found(cloud: Any) -> None:
    with_card(cloud, ofport=-1, error=ERROR)
    found = cloud.one(dpdk_port)
    assert ERROR in found.message
    with_card(cloud, ofport=2, error=["set", []])
    assert cloud.find(dpdk_port) == []


def test_dpdk_without_huge_pages_is_found(cloud: Any) -> None:
    cloud.set("compute1", SWITCH, "", other_config=WANTED)
    assert cloud.one(no_huge_pages).keys["numa"] == "all"
    pages(cloud, 0, 8, 4)
    assert cloud.find(no_huge_pages) == []


def test_a_card_on_a_numa_node_without_huge_pages_is_found(cloud: Any) -> None:
    cloud.set("compute1", SWITCH, "", other_config=WANTED, dpdk_initialized=True)
    with_card(cloud)
    pages(cloud, 0, 8, 4)
    pages(cloud, 1, 0, 0)
    found = cloud.one(no_huge_pages)
    assert (found.keys["numa"], found.keys["device"], found.severity) == ("1", "eth1", Severity.WARNING)
    pages(cloud, 1, 8, 8)
    assert cloud.find(no_huge_pages) == []


def test_pages_that_are_all_in_use_are_no_fault_by_themselves(cloud: Any) -> None:
    pages(cloud, 0, 8, 0)
    found = cloud.one(no_huge_page_free)
    assert (found.severity, found.keys["numa"]) == (Severity.INFO, "0")
    assert cloud.diagnoses() == ()
    pages(cloud, 0, 8, 1)
    assert cloud.find(no_huge_page_free) == []

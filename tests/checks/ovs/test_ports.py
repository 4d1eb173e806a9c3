"""Ports of Open vSwitch that are not wired, from the database of a real one."""

from __future__ import annotations

from typing import Any

import pytest
from stackdoctor.checks.ovs.ports import lost_flows, unopened_port, unwired_port

from stackdoctor.model import Severity

BRIDGES, PORTS, INTERFACES, SWITCH = range(4)
UNSET = ["set", []]
TAP, VM1 = "tap30d5603c-42", "instance-00000006"
DHCP, QVO = "tapa76e7b2a-1a", "qvo584e904e-a1"


def test_a_healthy_cloud_has_nothing(cloud: Any) -> None:
    assert cloud.find() == []


@pytest.mark.parametrize(("node", "port", "owner"), [("compute1", TAP, "instance"), ("controller", DHCP, "dhcp")])
def test_a_port_without_tag_is_found(cloud: Any, node: str, port: str, owner: str) -> None:
    cloud.set(node, PORTS, port, tag=UNSET)
    found = cloud.one(unwired_port)
    assert (found.severity, found.keys["how"], found.keys["owner"]) == (Severity.ERROR, "untagged", owner)
    assert (found.keys["host"], found.keys["device"]) == (node, port)
    assert "tag []" in found.evidence[0].line


def test_a_port_that_gets_its_tag_while_one_looks_is_not(cloud: Any) -> None:
    def untag(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        next(row for row in rows if row["name"] == TAP)["tag"] = UNSET
        return rows

    cloud.table_once("compute1", PORTS, untag, "")
    assert cloud.find(unwired_port) == []


def test_the_dead_vlan_is_an_error_where_others_still_send_to_the_port(cloud: Any) -> None:
    cloud.set("compute1", PORTS, TAP, tag=4095)
    found = cloud.one(unwired_port)
    assert (found.severity, found.keys["how"], found.keys["active"]) == (Severity.ERROR, "dead", "yes")


def test_the_dead_vlan_of_a_port_that_nobody_sends_to_is_a_warning(cloud: Any) -> None:
    cloud.set("compute1", PORTS, TAP, tag=4095)
    for node in ("controller", "compute2"):
        cloud.lose_flows(node, "br-tun", "fa:16:3e:1c:77:97")
    assert cloud.one(unwired_port).severity is Severity.WARNING


def test_a_device_that_could_not_be_opened_is_found_with_the_words_of_vswitchd(cloud: Any) -> None:
    cloud.break_interface("compute1", TAP)
    found = cloud.one(unwired_port)
    assert "could not open network device tap30d5603c-42 (No such device)" in found.message
    assert (found.severity, found.keys["how"]) == (Severity.ERROR, "error")


def test_what_a_guest_that_is_off_leaves_behind_is_nothing(cloud: Any) -> None:
    cloud.break_interface("compute1", TAP)
    cloud.stop_guest("compute1", VM1)
    assert cloud.find(unwired_port) == []


def test_a_port_of_ovn_has_no_tag_and_that_is_right(cloud: Any) -> None:
    cloud.set("compute1", PORTS, TAP, tag=UNSET)
    cloud.set("compute1", SWITCH, "", external_ids=["map", [["ovn-remote", "tcp:192.0.2.10:6642"]]])
    assert cloud.find(unwired_port) == []


def test_a_bridge_without_flows_is_found(cloud: Any) -> None:
    cloud.say("compute2", "ovs.flows", "NXST_FLOW reply (xid=0x4):\n", "br-int")
    assert (cloud.one(lost_flows).keys["bridge"], cloud.one(lost_flows).keys["host"]) == ("br-int", "compute2")


def test_a_bridge_that_forwards_by_itself_needs_no_flows(cloud: Any) -> None:
    cloud.say("compute2", "ovs.flows", "NXST_FLOW reply (xid=0x4):\n", "br-int")
    cloud.set("compute2", BRIDGES, "br-int", fail_mode="standalone")
    assert cloud.find(lost_flows) == []


def test_a_physical_interface_that_is_gone_is_found(cloud: Any) -> None:
    cloud.break_interface("compute2", "eth1")
    found = cloud.one(unopened_port)
    assert (found.keys["device"], found.keys["bridge"], found.severity) == ("eth1", "br-ex", Severity.ERROR)


def test_a_bridge_that_is_not_neutrons_is_left_alone(cloud: Any) -> None:
    cloud.break_interface("compute2", "eth1")
    for port in ("int-br-ex", "phy-br-ex"):
        cloud.drop_port("compute2", port)
    assert cloud.find(unopened_port) == []


def test_a_node_without_open_vswitch_is_nothing_to_look_at(cloud: Any) -> None:
    from stackdoctor.model import Status

    for probe in ("ovs.db", "ovs.bonds"):
        cloud.say("compute1", probe, "", status=Status.MISSING, exit=None)
    for bridge in ("br-int", "br-tun", "br-ex"):
        cloud.say("compute1", "ovs.flows", "", bridge, status=Status.NOT_RUN, exit=None)
    cloud.nodes["compute1"].results.pop(("ovs.db", "#2"))
    missed = [m for m in cloud.examine().not_checked if m.node == "compute1" and m.check.startswith(("ovs", "dpdk"))]
    assert missed == []

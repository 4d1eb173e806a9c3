"""Taps on their bridges: guests', DHCP servers' and routers'; and what only looks like one that is not."""

from __future__ import annotations

import json

from stackdoctor.checks.network.bridge_filter import bridged_frames_pass_by
from stackdoctor.checks.network.bridging import (
    down_bridge,
    down_tap,
    missing_bridge,
    missing_tap,
    unbridged_tap,
    unplugged_node,
)

from stackdoctor.model import Severity

NETWORK = "8af4f28b-a650-4777-9df9-e50d1c68e83d"
ROUTER = "c501d0eb-77af-42bd-970d-11e38055b813"
DOMAIN = "instance-00000006"
CHECKS = (unbridged_tap, missing_bridge, missing_tap, down_tap, down_bridge, bridged_frames_pass_by)


def test_a_healthy_cloud_has_no_finding(cloud) -> None:
    assert cloud.find(*CHECKS) == []


def test_a_guests_tap_off_its_bridge_is_found_by_what_libvirt_was_told(cloud) -> None:
    cloud.link("compute1", "tap30d5603c-42", master=None)
    found = cloud.one(*CHECKS)
    assert (found.id, found.severity, found.node) == ("bridge.tap.unbridged", Severity.ERROR, "compute1")
    assert found.keys["owner"] == "instance"
    assert found.keys["port"] == "30d5603c-42"
    assert found.keys["instance"] == "fdcce5e0-9950-47f5-9e85-1d94c8730485"
    assert found.keys["bridge"] == "brq8af4f28b-a6"


def test_a_dhcp_servers_tap_off_its_bridge_is_found_by_its_namespace(cloud) -> None:
    cloud.link("controller", "tapaf0c69a5-3e", master=None)
    found = cloud.one(*CHECKS)
    assert (found.keys["owner"], found.keys["network"]) == ("dhcp", NETWORK)
    assert found.keys["worked"] == "yes"


def test_a_routers_taps_off_their_bridges_are_found(cloud) -> None:
    cloud.link("controller", "tap0cded1ee-8c", master=None)
    cloud.link("controller", "tap4f884770-38", master=None)
    inner, gateway = cloud.find(*CHECKS)
    assert (inner.keys["router"], inner.keys["network"]) == (ROUTER, NETWORK)  # by the host file's entry for 10.10.0.1
    assert (gateway.keys["port"], "network" in gateway.keys) == ("4f884770-38", False)


def test_a_tap_on_the_bridge_of_another_network_is_found(cloud) -> None:
    cloud.link("controller", "tapaf0c69a5-3e", master="brq0b39e40c-e5")
    cloud.link("compute1", "tap30d5603c-42", master="brq0b39e40c-e5")
    assert [(f.keys["owner"], f.keys["how"]) for f in cloud.find(*CHECKS)] == [
        ("dhcp", "other-bridge"),
        ("instance", "other-bridge"),
    ]


def test_a_bridge_that_the_operator_named_is_no_other_bridge(cloud) -> None:
    cloud.link("controller", "tapaf0c69a5-3e", master="br-provider")  # bridge_mappings
    assert cloud.find(*CHECKS) == []


def test_a_tap_of_a_guest_that_is_shut_off_is_nobodys(cloud) -> None:
    cloud.link("compute1", "tap30d5603c-42", master=None)
    cloud.swap("compute1", "libvirt.list", "running", "shut off")
    assert cloud.find(*CHECKS) == []


def test_taps_of_open_vswitch_show_no_bridge_of_the_kernels(cloud) -> None:
    cloud.add_link("controller", ifname="ovs-system")
    cloud.add_link("compute1", ifname="br-int", linkinfo={"info_kind": "openvswitch"})
    cloud.link("controller", "tapaf0c69a5-3e", master="ovs-system")
    cloud.link("compute1", "tap30d5603c-42", master="ovs-system")
    port = (
        "<virtualport type='openvswitch'><parameters interfaceid='30d5603c-42cb-431c-9e7f-867f7dfcee24'/></virtualport>"
    )
    cloud.swap(
        "compute1", "libvirt.dumpxml", "<source bridge='brq8af4f28b-a6'/>", f"<source bridge='br-int'/>{port}", DOMAIN
    )
    assert cloud.find(*CHECKS) == []


def test_a_tap_on_its_hybrid_bridge_is_well_and_off_it_is_found(cloud) -> None:
    cloud.add_link("compute1", ifname="ovs-system")
    cloud.add_link("compute1", ifname="qbr30d5603c-42", linkinfo={"info_kind": "bridge", "info_data": {}})
    cloud.swap("compute1", "libvirt.dumpxml", "brq8af4f28b-a6", "qbr30d5603c-42", DOMAIN)
    cloud.link("compute1", "tap30d5603c-42", master="qbr30d5603c-42")
    assert cloud.find(*CHECKS) == []
    cloud.link("compute1", "tap30d5603c-42", master=None)
    assert cloud.one(*CHECKS).keys["bridge"] == "qbr30d5603c-42"


def test_a_bridge_that_is_gone_is_one_finding_and_not_one_for_each_tap(cloud) -> None:
    cloud.remove("controller", "brq8af4f28b-a6")
    for tap in ("tapaf0c69a5-3e", "tap0cded1ee-8c", "vxlan-994"):
        cloud.link("controller", tap, master=None)
    found = cloud.one(*CHECKS)
    assert (found.id, found.keys["bridge"]) == ("bridge.missing", "brq8af4f28b-a6")


def test_a_running_guests_tap_that_is_gone_is_a_warning(cloud) -> None:
    cloud.remove("compute1", "tap30d5603c-42")
    found = cloud.one(*CHECKS)
    assert (found.id, found.severity) == ("bridge.tap.missing", Severity.WARNING)


def test_a_guests_tap_that_is_down_is_an_error_while_other_nodes_send_to_it(cloud) -> None:
    cloud.down("compute1", "tap30d5603c-42")
    found = cloud.one(*CHECKS)
    assert (found.id, found.severity, found.keys["active"]) == ("bridge.tap.down", Severity.ERROR, "yes")


def test_a_guests_tap_whose_port_was_set_down_is_no_error(cloud) -> None:
    cloud.down("compute1", "tap30d5603c-42")
    for node in ("controller", "compute2"):
        rows = [r for r in json.loads(cloud.text(node, "bridges.fdb")) if r["mac"] != "fa:16:3e:1c:77:97"]
        cloud.say(node, "bridges.fdb", json.dumps(rows))
    assert cloud.one(*CHECKS).severity is Severity.WARNING


def test_a_dhcp_servers_tap_that_is_down_is_an_error(cloud) -> None:
    cloud.down("controller", "tapaf0c69a5-3e")
    found = cloud.one(*CHECKS)
    assert (found.severity, found.keys["owner"], found.keys["network"]) == (Severity.ERROR, "dhcp", NETWORK)


def test_a_bridge_that_is_set_down_is_found(cloud) -> None:
    cloud.down("compute1", "brq8af4f28b-a6")
    assert cloud.one(*CHECKS).id == "bridge.down"


def test_security_groups_that_bridged_frames_pass_by_are_found(cloud) -> None:
    cloud.say("compute1", "bridges.netfilter", "0\n", "/proc/sys/net/bridge/bridge-nf-call-iptables")
    found = cloud.one(*CHECKS)
    assert (found.id, found.node) == ("bridge.nf-call.off", "compute1")


def test_a_node_without_security_groups_may_let_bridged_frames_pass_by(cloud) -> None:
    cloud.say("compute1", "bridges.netfilter", "0\n", "/proc/sys/net/bridge/bridge-nf-call-iptables")
    cloud.say("compute1", "iptables.save", "*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n")
    assert cloud.find(*CHECKS) == []


def test_a_bridge_that_calls_iptables_by_itself_is_enough(cloud) -> None:
    cloud.say("compute1", "bridges.netfilter", "0\n", "/proc/sys/net/bridge/bridge-nf-call-iptables")
    info = {"info_kind": "bridge", "info_data": {"nf_call_iptables": 1}}
    cloud.link("compute1", "brq8af4f28b-a6", linkinfo=info)
    assert cloud.find(*CHECKS) == []


def test_a_node_none_of_whose_taps_is_on_a_bridge_is_told_once_more_as_one(cloud) -> None:
    rows = json.loads(cloud.text("controller", "links.host"))
    taps = [row["ifname"] for row in rows if row["ifname"].startswith("tap") and row.get("master")]
    assert len(taps) > 1
    for name in taps[1:]:
        cloud.link("controller", name, master=None)
    assert cloud.find(unplugged_node) == []  # one is: the agent works
    cloud.link("controller", taps[0], master=None)
    found = cloud.one(unplugged_node)
    assert (found.id, found.keys["host"], found.count) == ("bridge.node.unplugged", "controller", len(taps))

"""The way out of the node: missing, off its bridge, in the wrong VLAN; and networks that need none or have several."""

from __future__ import annotations

import json

import pytest
from stackdoctor.checks.network.uplinks import missing_uplink, wrong_uplink_id

NETWORK = "8af4f28b-a650-4777-9df9-e50d1c68e83d"
CHECKS = (missing_uplink, wrong_uplink_id)


def vlan(cloud, node: str, number: int, name: str = "", master: str | None = "brq8af4f28b-a6") -> None:
    """The tenant network over a VLAN of eth2 instead of its tunnel."""
    link = name or f"eth2.{number}"
    info = {"info_kind": "vlan", "info_data": {"protocol": "802.1Q", "id": number}}
    cloud.link(node, "vxlan-994", ifname=link, linkinfo=info, link="eth2", master=master)


@pytest.fixture
def vlans(cloud):
    """The cloud with the tenant network in VLAN 101 everywhere."""
    for node in cloud.nodes:
        vlan(cloud, node, 101)
    return cloud


def test_a_healthy_cloud_has_no_finding(cloud) -> None:
    assert cloud.find(*CHECKS) == []


def test_a_healthy_vlan_cloud_has_no_finding(vlans) -> None:
    assert vlans.find(*CHECKS) == []


def test_a_tunnel_device_that_is_gone_is_missing(cloud) -> None:
    cloud.remove("compute1", "vxlan-994")
    found = cloud.one(*CHECKS)
    assert (found.id, found.node, found.keys["kind"], found.keys["how"]) == (
        "bridge.vlan.missing",
        "compute1",
        "vxlan",
        "absent",
    )


def test_a_tunnel_device_off_its_bridge_is_there_and_useless(cloud) -> None:
    cloud.link("compute1", "vxlan-994", master=None)
    found = cloud.one(*CHECKS)
    assert (found.keys["device"], found.keys["how"]) == ("vxlan-994", "off-bridge")


def test_a_vlan_device_that_is_gone_is_missing(vlans) -> None:
    vlans.remove("compute2", "eth2.101")
    found = vlans.one(*CHECKS)
    assert (found.node, found.keys["kind"], found.keys["vlan"]) == ("compute2", "vlan", "101")


def test_a_vlan_device_on_another_bridge_is_elsewhere(vlans) -> None:
    vlans.link("controller", "eth2.101", master="brq0b39e40c-e5")
    found = vlans.find(missing_uplink)
    assert [(f.keys["network"], f.keys["how"]) for f in found] == [("8af4f28b-a6", "other-bridge")]


def test_a_network_without_a_way_out_anywhere_is_local(cloud) -> None:
    for node in cloud.nodes:
        cloud.remove(node, "vxlan-994")
    assert cloud.find(*CHECKS) == []


def test_a_guest_that_waits_for_its_network_is_not_cut_off_yet(cloud) -> None:
    cloud.remove("compute1", "vxlan-994")
    cloud.swap("compute1", "libvirt.list", "running", "paused")
    assert cloud.find(*CHECKS) == []


def test_a_bridge_that_nobody_uses_needs_no_way_out(cloud) -> None:
    cloud.remove("compute1", "vxlan-994")
    cloud.remove("compute1", "tap30d5603c-42")
    assert cloud.find(*CHECKS) == []


def test_one_node_in_another_vlan_is_odd(vlans) -> None:
    vlan_of_compute1 = {"info_kind": "vlan", "info_data": {"protocol": "802.1Q", "id": 102}}
    vlans.link("compute1", "eth2.101", ifname="eth2.102", linkinfo=vlan_of_compute1)
    found = vlans.one(*CHECKS)
    assert (found.id, found.node, found.keys["vlan"]) == ("bridge.vlan.wrong-id", "compute1", "102")


def test_a_vlan_device_that_is_not_what_its_name_says_is_wrong(vlans) -> None:
    for node in ("compute1", "compute2"):
        vlans.remove(node, "eth2.101")
    info = {"info_kind": "vlan", "info_data": {"protocol": "802.1Q", "id": 1010}}
    vlans.link("controller", "eth2.101", linkinfo=info)
    assert vlans.find(wrong_uplink_id)[0].node == "controller"


def test_a_tunnel_in_another_vni_is_wrong(cloud) -> None:
    rows = json.loads(cloud.text("compute2", "links.host"))
    info = next(row["linkinfo"] for row in rows if row["ifname"] == "vxlan-994")
    info["info_data"]["id"] = 995
    cloud.link("compute2", "vxlan-994", ifname="vxlan-995", linkinfo=info)
    found = cloud.one(*CHECKS)
    assert (found.node, found.keys["vni"]) == ("compute2", "995")


def test_segments_of_a_routed_network_may_have_their_own_vlans(vlans) -> None:
    for node, number in (("compute1", 102), ("compute2", 103)):
        info = {"info_kind": "vlan", "info_data": {"protocol": "802.1Q", "id": number}}
        vlans.link(node, "eth2.101", ifname=f"eth2.{number}", linkinfo=info)
    assert vlans.find(*CHECKS) == []


def test_a_relayed_subnet_tells_a_routed_network(vlans) -> None:
    more = "--dhcp-range=set:subnet-1,198.51.100.0,static,255.255.255.0,120s --dhcp-option-force"
    vlans.swap("controller", "dnsmasq.processes", "--dhcp-option-force", more)
    info = {"info_kind": "vlan", "info_data": {"protocol": "802.1Q", "id": 102}}
    vlans.link("compute1", "eth2.101", ifname="eth2.102", linkinfo=info)
    assert vlans.find(*CHECKS) == []


def test_parents_may_be_called_otherwise_on_every_node(vlans) -> None:
    vlans.link("compute1", "eth2.101", ifname="enp1s0.101", link="enp1s0")
    assert vlans.find(*CHECKS) == []


def test_an_external_network_without_any_way_out_is_found(cloud) -> None:
    cloud.link("controller", "eth1", master=None)
    found = cloud.one(*CHECKS)
    assert (found.keys["kind"], found.keys["bridge"]) == ("external", "brq0b39e40c-e5")


def test_an_external_network_that_the_host_itself_routes_is_well(cloud) -> None:
    cloud.link("controller", "eth1", master=None)
    rows = json.loads(cloud.text("controller", "addresses.host"))
    held = {"family": "inet", "local": "203.0.113.1", "prefixlen": 24, "scope": "global"}
    next(row for row in rows if row.get("ifname") == "brq0b39e40c-e5")["addr_info"].append(held)
    cloud.say("controller", "addresses.host", json.dumps(rows))
    assert cloud.find(*CHECKS) == []

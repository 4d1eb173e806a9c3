"""Tunnels: set down, over a dead underlay, from a lost address, without a peer; and those without a list of peers."""

from __future__ import annotations

import json
from typing import Any

from stackdoctor.checks.network.overlay import (
    cut_off_node,
    down_tunnel,
    down_underlay,
    missing_peer,
    missing_tunnel_address,
    wrong_peer,
)

CHECKS = (down_tunnel, down_underlay, missing_tunnel_address, missing_peer, wrong_peer)
FLOOD = "00:00:00:00:00:00"


def without(cloud, node: str, **values: str) -> None:
    """The forwarding table without the entries that have ``values``."""

    def fits(row: dict[str, Any]) -> bool:
        return all(row.get(key) == value for key, value in values.items())

    rows = json.loads(cloud.text(node, "bridges.fdb"))
    assert any(fits(row) for row in rows)
    cloud.say(node, "bridges.fdb", json.dumps([row for row in rows if not fits(row)]))


def tunnel(cloud, node: str, **values: Any) -> None:
    """Other values of the tunnel device's own."""
    rows = json.loads(cloud.text(node, "links.host"))
    info = next(row["linkinfo"] for row in rows if row["ifname"] == "vxlan-994")
    info["info_data"] = {k: v for k, v in {**info["info_data"], **values}.items() if v is not None}
    cloud.link(node, "vxlan-994", linkinfo=info)


def test_a_healthy_cloud_has_no_finding(cloud) -> None:
    assert cloud.find(*CHECKS) == []


def test_a_tunnel_that_is_set_down_is_found(cloud) -> None:
    cloud.down("compute1", "vxlan-994")
    found = cloud.one(*CHECKS)
    assert (found.id, found.node, found.keys["network"], found.keys["vni"]) == (
        "overlay.vxlan.down",
        "compute1",
        "8af4f28b-a6",
        "994",
    )


def test_a_tunnel_that_no_guest_needs_may_be_down(cloud) -> None:
    cloud.down("compute1", "vxlan-994")
    cloud.remove("compute1", "tap30d5603c-42")
    assert cloud.find(*CHECKS) == []


def test_a_physical_interface_that_is_set_down_on_its_bridge_is_found(cloud) -> None:
    cloud.down("controller", "eth1")
    assert cloud.one(*CHECKS).keys["device"] == "eth1"


def test_an_underlay_that_is_set_down_is_found_once(cloud) -> None:
    cloud.down("compute1", "eth2")
    found = cloud.one(*CHECKS)
    assert (found.id, found.keys["device"], found.keys["how"]) == ("overlay.underlay.down", "eth2", "down")


def test_an_underlay_without_carrier_is_found(cloud) -> None:
    cloud.link("compute1", "eth2", flags=["NO-CARRIER", "BROADCAST", "MULTICAST", "UP"], operstate="DOWN")
    assert cloud.one(*CHECKS).keys["how"] == "no-carrier"


def test_an_interface_that_carries_no_network_may_be_down(cloud) -> None:
    cloud.down("compute1", "eth1")
    assert cloud.find(*CHECKS) == []


def test_a_tunnel_address_that_no_interface_has_is_found(cloud) -> None:
    cloud.swap("compute1", "addresses.host", '"local":"192.168.200.20"', '"local":"192.168.200.120"')
    found = cloud.one(*CHECKS)
    assert (found.id, found.keys["ip"]) == ("overlay.address.missing", "192.168.200.20")


def test_a_peer_that_gets_no_broadcasts_from_one_node_is_that_nodes_fault(cloud) -> None:
    without(cloud, "compute1", mac=FLOOD, dst="192.168.200.10")
    found = cloud.one(*CHECKS)
    assert (found.id, found.node, found.keys["peer"], found.keys["ip"]) == (
        "overlay.vxlan.fdb-missing",
        "compute1",
        "controller",
        "192.168.200.10",
    )


def test_a_table_that_was_flushed_is_one_finding(cloud) -> None:
    without(cloud, "compute1", ifname="vxlan-994", mac=FLOOD)
    found = cloud.one(*CHECKS)
    assert (found.node, found.count) == ("compute1", 2)


def test_a_peer_that_nobody_knows_was_not_announced(cloud) -> None:
    for node in ("controller", "compute1"):
        without(cloud, node, mac=FLOOD, dst="192.168.200.21")
    found = cloud.one(*CHECKS)
    assert (found.node, found.keys["kind"]) == ("compute2", "unannounced")


def test_a_peer_without_a_running_guest_need_not_be_known(cloud) -> None:
    for node in ("controller", "compute1"):
        without(cloud, node, mac=FLOOD, dst="192.168.200.21")
    cloud.swap("compute2", "libvirt.list", "running", "shut off")
    assert cloud.find(*CHECKS) == []


def test_multicast_needs_no_list_of_peers(cloud) -> None:
    for node in cloud.nodes:
        without(cloud, node, ifname="vxlan-994", mac=FLOOD)
        tunnel(cloud, node, group="239.1.1.1", local=None)
    assert cloud.find(*CHECKS) == []


def test_a_guest_that_is_sent_to_the_wrong_node_is_found(cloud) -> None:
    rows = json.loads(cloud.text("controller", "bridges.fdb"))
    entry = next(row for row in rows if row["mac"] == "fa:16:3e:1c:77:97" and row.get("dst"))
    entry["dst"] = "192.168.200.21"
    cloud.say("controller", "bridges.fdb", json.dumps(rows))
    found = cloud.one(*CHECKS)
    assert (found.id, found.node, found.keys["peer"]) == ("overlay.vxlan.fdb-wrong", "controller", "compute1")


def test_a_guest_on_the_move_is_on_two_nodes_and_no_fault(cloud) -> None:
    rows = json.loads(cloud.text("controller", "bridges.fdb"))
    entry = next(row for row in rows if row["mac"] == "fa:16:3e:1c:77:97" and row.get("dst"))
    entry["dst"] = "192.168.200.21"
    cloud.say("controller", "bridges.fdb", json.dumps(rows))
    cloud.swap("compute2", "libvirt.dumpxml", "fa:16:3e:e6:a9:90", "fa:16:3e:1c:77:97", "instance-00000007")
    assert cloud.find(wrong_peer) == []


def test_tunnels_of_open_vswitch_are_its_own(cloud) -> None:
    for node in cloud.nodes:
        tunnel(cloud, node, external=True, local=None)
        without(cloud, node, ifname="vxlan-994", mac=FLOOD)
    assert cloud.find(*CHECKS) == []


def test_a_node_that_no_network_leaves_is_told_as_one(cloud) -> None:
    rows = json.loads(cloud.text("compute1", "links.host"))
    bridge = next(row for row in rows if row["ifname"].startswith("brq"))
    tap = next(row for row in rows if row["ifname"].startswith("tap") and row.get("master") == bridge["ifname"])
    tunnel_row = next(row for row in rows if row["ifname"] == "vxlan-994")
    info = json.loads(json.dumps(tunnel_row["linkinfo"]))
    info["info_data"]["id"] = 995
    more = [
        {**bridge, "ifname": "brq01234567-89", "ifindex": 101},
        {**tap, "ifname": "tap01234567-89", "ifindex": 102, "master": "brq01234567-89"},
        {**tunnel_row, "ifname": "vxlan-995", "ifindex": 103, "master": "brq01234567-89", "linkinfo": info},
    ]
    cloud.say("compute1", "links.host", json.dumps(rows + more))
    assert cloud.find(cut_off_node) == []
    cloud.down("compute1", "vxlan-994")
    assert cloud.find(cut_off_node) == []  # one of two is that tunnel's own matter
    cloud.down("compute1", "vxlan-995")
    found = cloud.one(cut_off_node)
    assert (found.id, found.keys["host"], found.keys["how"]) == ("overlay.node.cut", "compute1", "down")

"""Patches and tunnels of Open vSwitch that are missing."""

from __future__ import annotations

from typing import Any

from stackdoctor.checks.ovs.wiring import missing_patch, missing_peer

PORTS, INTERFACES = 1, 2


def test_a_patch_with_one_end_is_found(cloud: Any) -> None:
    cloud.drop_port("compute1", "patch-int")
    found = cloud.one(missing_patch)
    assert (found.keys["device"], found.keys["host"]) == ("patch-tun", "compute1")


def test_a_tunnel_bridge_that_nothing_joins_is_found(cloud: Any) -> None:
    for port in ("patch-int", "patch-tun"):
        cloud.drop_port("compute1", port)
    assert cloud.one(missing_patch).keys["device"] == "br-tun"


def test_a_patch_of_somebody_elses_bridges_is_left_alone(cloud: Any) -> None:
    def foreign(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        row = next(row for row in rows if row["name"] == "eth1")
        row.update(name="lab-uplink", **({"type": "patch"} if "type" in row else {}))
        if "options" in row:
            row["options"] = ["map", [["peer", "nowhere"]]]
        return rows

    for number in (PORTS, INTERFACES):
        cloud.table("compute1", number, foreign)
    assert cloud.find(missing_patch) == []


def test_a_tunnel_port_that_the_other_node_needs_is_missed(cloud: Any) -> None:
    cloud.drop_port("compute1", "vxlan-c0000216")
    found = cloud.one(missing_peer)
    assert (found.node, found.keys["peer"], found.keys["ip"], found.keys["how"]) == (
        "compute1",
        "compute2",
        "192.0.2.22",
        "port",
    )


def test_no_tunnel_is_needed_to_a_node_without_a_port_in_the_network(cloud: Any) -> None:
    cloud.drop_port("compute1", "vxlan-c0000216")
    cloud.set("compute2", PORTS, "qvo584e904e-a1", other_config=["map", [["net_uuid", "x"], ["network_type", "vxlan"]]])
    assert cloud.find(missing_peer) == []


def test_a_peer_that_is_not_flooded_to_is_found(cloud: Any) -> None:
    cloud.swap("compute1", "ovs.flows", "output:2,output:3", "output:2", "br-tun")
    found = cloud.one(missing_peer)
    assert (found.keys["peer"], found.keys["how"]) == ("compute2", "flow")


def test_flows_that_were_cut_off_prove_nothing(cloud: Any) -> None:
    from stackdoctor.model import Status

    cloud.swap("compute1", "ovs.flows", "output:2,output:3", "output:2", "br-tun")
    cloud.say(
        "compute1",
        "ovs.flows",
        cloud.nodes["compute1"].results["ovs.flows", "br-tun"].text,
        "br-tun",
        status=Status.TRUNCATED,
    )
    assert cloud.find(missing_peer) == []

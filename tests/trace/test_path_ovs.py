"""Paths over Open vSwitch, on a recorded cloud: tunnels, provider bridges, ports plugged directly and by a bridge.

The database, the flows, the links and dnsmasq are those of real ones (Open vSwitch 3.1, userspace datapath), as
neutron-openvswitch-agent builds them; the guests' XML follows libvirt.org/formatdomain.html.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

import pytest

from stackdoctor.model import NodeResults
from stackdoctor.trace.endpoints import find
from stackdoctor.trace.path import Path, paths
from stackdoctor.trace.wiring import Wiring

Nodes = dict[str, NodeResults]
BRIDGES, PORTS, INTERFACES, SWITCH = range(4)
UNSET = ["set", []]


@pytest.fixture
def nodes(recording: Callable[..., Nodes]) -> Nodes:
    return recording(FilePath(__file__).parent / "samples" / "openvswitch.json")


def put(nodes: Nodes, node: str, key: tuple[str, str], text: str) -> None:
    results = dict(nodes[node].results)
    results[key] = replace(results[key], stdout=text.encode())
    nodes[node] = replace(nodes[node], results=results)


def row(nodes: Nodes, node: str, number: int, name: str, **columns: Any) -> None:
    """Other columns of a row of the database; None for all of them takes it away."""
    lines = nodes[node].results["ovs.db", ""].text.splitlines()
    table = json.loads(lines[number])
    at = table["headings"].index("name") if name else 0
    for cells in list(table["data"]):
        if name and cells[at] != name:
            continue
        if not columns:
            table["data"].remove(cells)
        for column, value in columns.items():
            cells[table["headings"].index(column)] = value
    lines[number] = json.dumps(table)
    put(nodes, node, ("ovs.db", ""), "\n".join(lines) + "\n")


def lose_flows(nodes: Nodes, node: str, bridge: str, of: str) -> None:
    lines = nodes[node].results["ovs.flows", bridge].text.splitlines()
    kept = [line for line in lines if of not in line]
    assert len(kept) < len(lines)
    put(nodes, node, ("ovs.flows", bridge), "\n".join(kept) + "\n")


def path(nodes: Nodes, what: str, to: str = "dhcp") -> Path:
    wiring = Wiring.of(nodes.values())
    (found,) = paths(wiring, find(wiring, what), to)
    return found


def names(found: Path) -> list[tuple[str, str]]:
    return [(hop.node, hop.name) for hop in found.hops]


def test_a_tunnelled_network_is_followed_from_a_linux_bridge_to_the_dhcp_server(nodes: Nodes) -> None:
    found = path(nodes, "vm2")
    assert found.status == "ok"
    assert names(found) == [
        ("compute2", "vm2"),
        ("compute2", "tap584e904e-a1"),
        ("compute2", "security group"),
        ("compute2", "qbr584e904e-a1"),
        ("compute2", "qvb584e904e-a1"),
        ("compute2", "qvo584e904e-a1"),
        ("compute2", "patch-tun"),
        ("compute2", "br-tun"),
        ("compute2", "vxlan-c000020a"),
        ("compute2", "eth0"),
        ("controller", "eth0"),
        ("controller", "vxlan-c0000216"),
        ("controller", "br-tun"),
        ("controller", "patch-tun"),
        ("controller", "tapa76e7b2a-1a"),
        ("controller", "tapa76e7b2a-1a"),
        ("controller", "dnsmasq"),
        ("compute2", "security group"),
    ]
    assert found.tenant == 1450


def test_rules_that_are_flows_are_unknown_and_all_else_is_ok(nodes: Nodes) -> None:
    found = path(nodes, "vm1")
    assert {hop.name for hop in found.hops if hop.status != "ok"} == {"security group"}
    assert found.status == "unknown"


def test_a_provider_network_is_followed_over_its_bridge_and_its_vlan(nodes: Nodes) -> None:
    found = path(nodes, "vm3", "vm4")
    told = {(hop.node, hop.name): [p.text for p in hop.proofs] for hop in found.hops}
    assert told["compute1", "br-ex"] == ["VLAN 2 to 101"]
    assert told["compute2", "br-ex"] == ["VLAN 101 to VLAN 2"]
    assert not [hop for hop in found.hops if hop.status == "broken"]


def test_the_gateway_and_the_router_are_devices_of_open_vswitch_in_a_namespace(nodes: Nodes) -> None:
    found = path(nodes, "vm2", "gateway")
    assert found.status == "ok"
    assert found.hops[-2].name == "qr-0cded1ee-8c"


@pytest.mark.parametrize(
    ("name", "columns", "fault"),
    [
        (PORTS, {"tag": UNSET}, "it has no tag on br-int: the agent has not wired it"),
        (PORTS, {"tag": 4095}, "tag 4095, the dead VLAN: not bound, or set down in Neutron"),
        (PORTS, {"tag": 2}, ""),
        (
            INTERFACES,
            {"ofport": -1, "error": "could not open network device tap30d5603c-42 (No such device)"},
            "could not open network device tap30d5603c-42 (No such device)",
        ),
    ],
)
def test_a_port_that_is_not_wired_ends_the_path_there(
    nodes: Nodes, name: int, columns: dict[str, Any], fault: str
) -> None:
    row(nodes, "compute1", name, "tap30d5603c-42", **columns)
    found = path(nodes, "vm1")
    assert found.status == "broken"
    assert found.end is not None
    assert found.hops[found.end].node == "compute1"
    if fault:
        assert found.hops[found.end].fault == fault
        assert [hop for hop in found.hops[found.end + 1 :] if hop.node == "controller"]  # the walk goes on


def test_a_flow_that_drops_all_that_a_port_sends_is_found(nodes: Nodes) -> None:
    text = nodes["compute1"].results["ovs.flows", "br-int"].text
    drop = (
        " cookie=0x0, duration=1.0s, table=0, n_packets=0, n_bytes=0, idle_age=1, priority=2,in_port=3 actions=drop\n"
    )
    put(nodes, "compute1", ("ovs.flows", "br-int"), text + drop)
    assert path(nodes, "vm1").verdict.startswith("ends at tap30d5603c-42 on compute1: a flow drops all that it sends")


def test_a_tunnel_port_that_is_missing_ends_the_path(nodes: Nodes) -> None:
    row(nodes, "compute2", INTERFACES, "vxlan-c000020a")
    row(nodes, "compute2", PORTS, "vxlan-c000020a")
    assert "br-tun has no tunnel port to 192.0.2.10 (controller)" in path(nodes, "vm2").verdict


def test_a_node_that_is_not_flooded_to_is_found_in_the_flows(nodes: Nodes) -> None:
    text = nodes["compute2"].results["ovs.flows", "br-tun"].text
    put(nodes, "compute2", ("ovs.flows", "br-tun"), text.replace("output:2,output:3", "output:3"))
    found = path(nodes, "vm2")
    assert "br-tun on compute2: it floods to vxlan-c0000215, not to vxlan-c000020a" in found.verdict


@pytest.mark.parametrize(
    ("node", "bridge", "of", "fault"),
    [
        ("compute2", "br-tun", "table=22,", "no flow sends VLAN 1 into a tunnel"),
        ("controller", "br-tun", "tun_id=0x3e2", "no flow of br-tun takes VNI 994 in"),
        ("controller", "br-tun", "in_port=3 ", "no flow takes what comes from vxlan-c0000216"),
    ],
)
def test_a_flow_of_the_tunnels_that_is_missing_is_found(
    nodes: Nodes, node: str, bridge: str, of: str, fault: str
) -> None:
    lose_flows(nodes, node, bridge, of)
    found = path(nodes, "vm2")
    assert found.status == "broken"
    assert f"{bridge} on {node}: {fault}" in found.verdict


@pytest.mark.parametrize(
    ("node", "bridge", "of", "fault"),
    [
        ("compute1", "br-ex", "dl_vlan=2 ", "no flow takes VLAN 2 out"),
        ("compute2", "br-int", "dl_vlan=101 ", "no flow of br-int takes VLAN 101 in"),
    ],
)
def test_a_flow_of_a_provider_network_that_is_missing_is_found(
    nodes: Nodes, node: str, bridge: str, of: str, fault: str
) -> None:
    lose_flows(nodes, node, bridge, of)
    assert fault in path(nodes, "vm3", "vm4").verdict


def test_flows_that_were_not_read_are_unknown(nodes: Nodes) -> None:
    kept = {key: result for key, result in nodes["compute2"].results.items() if key != ("ovs.flows", "br-tun")}
    nodes["compute2"] = replace(nodes["compute2"], results=kept)
    found = path(nodes, "vm2")
    assert found.status == "unknown"
    assert "br-tun on compute2: flows not known" in found.verdict


def test_a_patch_with_one_end_ends_the_path(nodes: Nodes) -> None:
    row(nodes, "compute2", INTERFACES, "patch-int")
    row(nodes, "compute2", PORTS, "patch-int")
    assert "no patch leads from br-int to br-tun" in path(nodes, "vm2").verdict


def test_a_pair_whose_end_open_vswitch_does_not_have_is_broken_there(nodes: Nodes) -> None:
    row(nodes, "compute2", INTERFACES, "qvo584e904e-a1")
    row(nodes, "compute2", PORTS, "qvo584e904e-a1")
    assert "qvo584e904e-a1 on compute2: Open vSwitch has no port of that name" in path(nodes, "vm2", "vm1").verdict


def test_what_ovn_does_is_unknown(nodes: Nodes) -> None:
    row(nodes, "compute2", SWITCH, "", external_ids=["map", [["ovn-remote", "tcp:192.0.2.10:6642"]]])
    found = path(nodes, "vm2")
    assert found.status == "unknown"
    assert "OVN makes its flows, which are not evaluated" in found.verdict


def test_two_ports_on_one_node_need_one_vlan(nodes: Nodes) -> None:
    wiring = Wiring.of(nodes.values())
    (found,) = paths(wiring, find(wiring, "tapa76e7b2a-1a"), "qr-0cded1ee-8c")
    assert found.status == "ok"
    row(nodes, "controller", PORTS, "qr-0cded1ee-8c", tag=2)
    wiring = Wiring.of(nodes.values())
    (found,) = paths(wiring, find(wiring, "tapa76e7b2a-1a"), "qr-0cded1ee-8c")
    assert found.status == "broken"

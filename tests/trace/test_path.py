"""The way of packets through a recorded cloud, healthy and with each of its faults."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stackdoctor.errors import UsageError
from stackdoctor.model import NodeResults
from stackdoctor.trace.endpoints import find
from stackdoctor.trace.hops import Hop
from stackdoctor.trace.path import Path, paths
from stackdoctor.trace.path_text import lines, path_value, size_of
from stackdoctor.trace.wiring import Wiring

Nodes = dict[str, NodeResults]
Row = dict[str, Any]
Load = Callable[..., Nodes]
Said = Callable[..., None]
NETWORK = "8af4f28b-a650-4777-9df9-e50d1c68e83d"
QDHCP = f"qdhcp-{NETWORK}"
QROUTER = "qrouter-c501d0eb-77af-42bd-970d-11e38055b813"
MAC1, MAC2 = "fa:16:3e:1c:77:97", "fa:16:3e:e6:a9:90"
BRIDGE = "brq8af4f28b-a6"


def path_of(nodes: Nodes, start: str = "vm1", to: str = "dhcp") -> Path:
    wiring = Wiring.of(nodes.values())
    (path,) = paths(wiring, find(wiring, start), to)
    return path


def row_of(rows: list[Row], name: str) -> Row:
    return next(row for row in rows if row.get("ifname") == name)


def hop_of(path: Path, node: str, name: str) -> Hop:
    return next(hop for hop in path.hops if (hop.node, hop.name) == (node, name))


def test_a_healthy_path_to_dhcp_is_whole_and_names_every_hop_in_order(cloud: Load) -> None:
    path = path_of(cloud())
    assert [(hop.node, hop.name) for hop in path.hops] == [
        ("compute1", "vm1"),
        ("compute1", "tap30d5603c-42"),
        ("compute1", "security group"),
        ("compute1", BRIDGE),
        ("compute1", "vxlan-994"),
        ("compute1", "eth2"),
        ("controller", "eth2"),
        ("controller", "vxlan-994"),
        ("controller", BRIDGE),
        ("controller", "tapaf0c69a5-3e"),
        ("controller", "ns-af0c69a5-3e"),
        ("controller", "dnsmasq"),
        ("compute1", "security group"),
    ]
    assert {hop.status for hop in path.hops} == {"ok"}
    assert (path.status, path.end) == ("ok", None)
    assert path.verdict.startswith("whole")


def test_each_hop_shows_its_proofs_with_the_lines_they_were_read_from(cloud: Load) -> None:
    path = path_of(cloud())
    assert [p.text for p in hop_of(path, "compute1", "tap30d5603c-42").proofs] == [
        "up",
        f"in {BRIDGE}",
        "MTU 1450",
        "MAC learned",
    ]
    tunnel = hop_of(path, "compute1", "vxlan-994")
    assert [p.text for p in tunnel.proofs][:1] + [p.text for p in tunnel.proofs][-1:] == [
        "VNI 994",
        "to 192.168.200.10",
    ]
    assert "00:00:00:00:00:00 dev vxlan-994 dst 192.168.200.10 self permanent" in [e.line for e in tunnel.evidence]
    (rule,) = path.hops[2].evidence
    assert rule.line.startswith("[") and "-A neutron-linuxbri-o30d5603c-4 -s 0.0.0.0/32" in rule.line  # noqa: PT018
    assert all(hop.evidence for hop in path.hops)


def test_the_way_to_the_gateway_ends_at_the_routers_interface_with_that_address(cloud: Load) -> None:
    path = path_of(cloud(), to="gateway")
    assert path.status == "ok"
    assert "10.10.0.1" in path.goal
    assert "10.10.0.1" in [p.text for p in hop_of(path, "controller", "qr-0cded1ee-8c").proofs]


def test_the_way_to_metadata_goes_on_by_the_redirection_to_the_proxy(cloud: Load) -> None:
    path = path_of(cloud(), to="metadata")
    assert path.status == "ok"
    assert hop_of(path, "controller", "nat PREROUTING").proofs[0].text == "169.254.169.254:80 redirected to 9697"
    assert hop_of(path, "controller", "metadata proxy").proofs[0].text == "listens on tcp 9697"


def test_the_way_to_another_port_meets_the_security_groups_of_both(cloud: Load) -> None:
    path = path_of(cloud(), to="vm2")
    assert path.status == "ok"
    groups = [(h.node, h.proofs[0].text.partition(",")[0]) for h in path.hops if h.what == "security group"]
    assert groups == [
        ("compute1", "ping passes"),
        ("compute2", "ping passes"),
        ("compute2", "reply to a ping passes"),
        ("compute1", "reply to a ping passes"),
    ]


def test_on_the_dhcp_servers_own_node_only_the_bridge_is_between(cloud: Load) -> None:
    path = path_of(cloud(), start="qr-0cded1ee-8c")
    assert [hop.name for hop in path.hops] == [
        "qr-0cded1ee-8c",
        "tap0cded1ee-8c",
        BRIDGE,
        "tapaf0c69a5-3e",
        "ns-af0c69a5-3e",
        "dnsmasq",
    ]
    assert path.verdict == "whole"


@pytest.mark.parametrize(
    ("fault", "to", "node", "hop", "said"),
    [
        ("vm-tap-off-bridge", "dhcp", "compute1", "tap30d5603c-42", "it is in no bridge"),
        ("dhcp-tap-off-bridge", "dhcp", "controller", "tapaf0c69a5-3e", "it is in no bridge"),
        ("vxlan-down-on-compute", "gateway", "compute1", "vxlan-994", "it is down"),
        ("dnsmasq-killed", "dhcp", "controller", "dnsmasq", "it does not run for this network"),
        ("sg-dhcp-reply-dropped", "dhcp", "compute1", "security group", "DHCP reply is dropped, i30d5603c-4 rule 1"),
        ("metadata-proxy-down", "metadata", "controller", "metadata proxy", "nothing listens on tcp 9697"),
    ],
)
def test_a_path_ends_where_the_fault_is_and_nowhere_else(
    cloud: Load, fault: str, to: str, node: str, hop: str, said: str
) -> None:
    path = path_of(cloud(fault), to=to)
    assert path.status == "broken"
    (broken,) = [h for h in path.hops if h.status != "ok"]
    assert (broken.node, broken.name) == (node, hop)
    assert path.end is not None
    assert path.hops[path.end] == broken
    assert path.verdict.startswith(f"ends at {hop} on {node}: {said}")


@pytest.mark.parametrize(
    ("fault", "to"),
    [("dhcp-tap-off-bridge", "gateway"), ("dnsmasq-killed", "gateway"), ("metadata-proxy-down", "gateway")],
)
def test_a_fault_elsewhere_does_not_break_a_path_that_does_not_go_there(cloud: Load, fault: str, to: str) -> None:
    assert path_of(cloud(fault), to=to).status == "ok"


def test_the_neighbour_of_a_broken_guest_is_whole(cloud: Load) -> None:
    for fault in ("vm-tap-off-bridge", "sg-dhcp-reply-dropped", "vxlan-down-on-compute"):
        assert path_of(cloud(fault), start="vm2").status == "ok"


def test_the_walk_goes_on_behind_the_break_and_finds_the_second_fault(cloud: Load, said: Said) -> None:
    nodes = cloud("vm-tap-off-bridge")
    said(nodes, "controller", "links.host", lambda rows: row_of(rows, "vxlan-994")["flags"].remove("UP"))
    path = path_of(nodes)
    assert "ends at tap30d5603c-42 on compute1" in path.verdict
    assert "beyond it, also broken: vxlan-994 on controller: it is down" in path.verdict
    assert [line.name for line in lines(path) if line.beyond] == ["security group"]
    assert path_value(path)["hops"][-1]["beyond"] is True


def test_a_small_underlay_lets_small_packets_pass_and_says_the_largest(cloud: Load) -> None:
    path = path_of(cloud("mtu-mismatch"))
    assert (path.status, path.end) == ("broken", None)
    assert path.verdict == (
        "packets over 1350 bytes end at eth2 on compute1: MTU 1400 is too small for 1450 + 50; smaller ones pass"
    )
    assert size_of(path) == "Guests send up to 1450 bytes, eth2 on compute1 takes 1350: it does not fit."
    assert path_value(path)["mtu"] == {"tenant": 1450, "room": 1350, "narrowest": "eth2 on compute1", "fits": False}


def test_a_node_that_was_not_looked_at_leaves_the_rest_unknown_and_not_whole(cloud: Load) -> None:
    nodes = cloud()
    nodes["controller"] = NodeResults(nodes["controller"].node, failure="no answer from controller")
    path = path_of(nodes)
    assert path.status == "unknown"
    assert "controller was not looked at (no answer from controller)" in path.verdict
    assert hop_of(path, "compute1", "vxlan-994").status == "ok"


def test_a_guest_on_a_node_that_was_not_looked_at_gives_the_far_half(cloud: Load) -> None:
    nodes = cloud()
    del nodes["compute1"]
    path = path_of(nodes, start="10.10.0.189")
    assert path.status == "unknown"
    assert path.hops[0].fault == "no node that was looked at has it"
    assert hop_of(path, "controller", "dnsmasq").status == "ok"


def test_a_namespace_that_vanished_makes_its_hop_unknown(cloud: Load) -> None:
    nodes = cloud()
    results = dict(nodes["controller"].results)
    error = b"Cannot open network namespace: No such file or directory\n"
    for probe in ("links.netns", "addresses.netns", "netns.listen"):
        results[probe, QDHCP] = replace(results[probe, QDHCP], exit=1, stdout=b"", stderr=error)
    nodes["controller"] = replace(nodes["controller"], results=results)
    path = path_of(nodes)
    hop = hop_of(path, "controller", "ns-af0c69a5-3e")
    assert hop.status == "unknown"
    assert "No such file or directory" in hop.fault
    assert hop_of(path, "controller", "tapaf0c69a5-3e").status == "ok"
    assert path.status == "unknown"


def test_rules_that_were_not_read_are_unknown_and_never_passing(cloud: Load, without: Callable[..., None]) -> None:
    nodes = cloud()
    without(nodes, "compute1", "iptables.save")
    path = path_of(nodes)
    assert path.hops[2].status == "unknown"
    assert "rules not known" in path.hops[2].fault
    assert path.status == "unknown"


def test_a_tunnel_that_floods_elsewhere_is_broken(cloud: Load, said: Said) -> None:
    nodes = cloud()
    said(
        nodes,
        "compute1",
        "bridges.fdb",
        lambda rows: rows.remove(
            next(r for r in rows if r["mac"] == "00:00:00:00:00:00" and r.get("dst") == "192.168.200.10")
        ),
    )
    path = path_of(nodes)
    assert path.verdict.startswith("ends at vxlan-994 on compute1: it floods to 192.168.200.21, not to 192.168.200.10")
    assert path_of(nodes, to="gateway").status == "ok"


def test_a_station_sought_behind_another_node_is_broken(cloud: Load, said: Said) -> None:
    nodes = cloud()

    def moved(rows: list[Row]) -> None:
        row = next(r for r in rows if r["mac"] == MAC1 and r.get("dst") == "192.168.200.20")
        row["dst"] = "192.168.200.21"

    said(nodes, "controller", "bridges.fdb", moved)
    hop = hop_of(path_of(nodes), "controller", "vxlan-994")
    assert hop.fault == f"it seeks {MAC1} behind 192.168.200.21 (compute2)"


def test_different_identifiers_and_ports_of_one_network_on_two_nodes_are_broken(cloud: Load, said: Said) -> None:
    nodes = cloud()
    said(
        nodes,
        "controller",
        "links.host",
        lambda rows: row_of(rows, "vxlan-994")["linkinfo"]["info_data"].update(id=995, port=4789),
    )
    path = path_of(nodes)
    fault = hop_of(path, "compute1", "vxlan-994").fault
    assert "VNI 994 here, VNI 995 on controller" in fault
    assert "UDP port 8472 here, 4789 on controller" in fault


def test_an_underlay_neighbour_that_does_not_answer_is_broken(cloud: Load, said: Said) -> None:
    nodes = cloud()
    said(
        nodes,
        "compute1",
        "neighbours.host",
        lambda rows: rows.append({"dst": "192.168.200.10", "dev": "eth2", "state": ["FAILED"]}),
    )
    path = path_of(nodes)
    assert "192.168.200.10 does not answer ARP" in hop_of(path, "compute1", "eth2").fault


def test_a_guest_whose_address_is_not_reserved_gets_no_answer(cloud: Load) -> None:
    nodes = cloud()
    key = ("dnsmasq.files", f"/var/lib/neutron/dhcp/{NETWORK}/host")
    results = dict(nodes["controller"].results)
    kept = b"".join(x for x in results[key].stdout.splitlines(True) if MAC1.encode() not in x)
    results[key] = replace(results[key], stdout=kept)
    nodes["controller"] = replace(nodes["controller"], results=results)
    path = path_of(nodes)
    assert hop_of(path, "controller", "dnsmasq").fault == f"it has no address for {MAC1} and does not answer"


def test_a_guest_that_does_not_run_is_where_its_path_ends(cloud: Load) -> None:
    nodes = cloud()
    key = ("libvirt.list", "")
    results = dict(nodes["compute1"].results)
    results[key] = replace(results[key], stdout=results[key].stdout.replace(b"running", b"paused"))
    nodes["compute1"] = replace(nodes["compute1"], results=results)
    assert path_of(nodes).verdict.startswith("ends at vm1 on compute1: the guest is paused")


def as_vlan(vlan: int) -> Callable[[list[Row]], None]:
    def change(rows: list[Row]) -> None:
        row = row_of(rows, "vxlan-994")
        row.update(ifname=f"eth1.{vlan}", link="eth1")
        row["linkinfo"].update(info_kind="vlan", info_data={"protocol": "802.1Q", "id": vlan})

    return change


def test_a_vlan_network_goes_by_the_vlan_and_the_interface_below_it(cloud: Load, said: Said) -> None:
    nodes = cloud()
    for node in ("controller", "compute1"):
        said(nodes, node, "links.host", as_vlan(101))
        said(nodes, node, "bridges.fdb", lambda rows: rows.clear())
    path = path_of(nodes)
    assert path.status == "ok"
    assert [hop.name for hop in path.hops if hop.what in ("vlan", "physical")] == [
        "eth1.101",
        "eth1",
        "eth1",
        "eth1.101",
    ]
    assert hop_of(path, "compute1", "eth1.101").proofs[0].text == "VLAN 101"


def test_two_vlans_of_one_network_do_not_meet(cloud: Load, said: Said) -> None:
    nodes = cloud()
    said(nodes, "controller", "links.host", as_vlan(102))
    said(nodes, "compute1", "links.host", as_vlan(101))
    path = path_of(nodes)
    assert path.verdict.startswith("ends at eth1.101 on compute1: VLAN 101 here, VLAN 102 on controller")


def test_a_flat_network_goes_by_the_physical_interface(cloud: Load, said: Said) -> None:
    nodes = cloud()

    def flat(rows: list[Row]) -> None:
        rows.remove(row_of(rows, "vxlan-994"))
        row_of(rows, "eth1")["master"] = BRIDGE

    for node in ("controller", "compute1"):
        said(nodes, node, "links.host", flat)
        said(nodes, node, "bridges.fdb", lambda rows: rows.clear())
    path = path_of(nodes)
    assert path.status == "ok"
    assert [hop.name for hop in path.hops if hop.what == "physical"] == ["eth1", "eth1"]


def test_an_uplink_out_of_its_bridge_is_found_by_the_identifier_on_the_other_node(cloud: Load, said: Said) -> None:
    nodes = cloud()
    said(nodes, "compute1", "links.host", lambda rows: row_of(rows, "vxlan-994").pop("master"))
    path = path_of(nodes)
    assert path.verdict.startswith(f"ends at vxlan-994 on compute1: it is in no bridge (should be in {BRIDGE})")


def test_a_bridge_without_any_way_out_says_so(cloud: Load, said: Said) -> None:
    nodes = cloud()
    said(nodes, "compute1", "links.host", lambda rows: rows.remove(row_of(rows, "vxlan-994")))
    assert f"ends at uplink on compute1: {BRIDGE} has no way out" in path_of(nodes).verdict


def test_open_vswitch_is_said_not_to_be_known_where_its_database_was_not_read(cloud: Load, said: Said) -> None:
    nodes = cloud()
    said(nodes, "compute1", "links.host", lambda rows: row_of(rows, "tap30d5603c-42").update(master="ovs-system"))
    path = path_of(nodes)
    assert path.status == "unknown"
    assert "Open vSwitch on compute1: its bridges and flows are not known: " in path.verdict
    assert hop_of(path, "controller", "dnsmasq").status == "ok"


def hybrid(nodes: Nodes, said: Said) -> None:
    """The compute node as Open vSwitch with iptables makes it: tap and qvb on a qbr, qvo in Open vSwitch."""

    def change(rows: list[Row]) -> None:
        row_of(rows, BRIDGE)["ifname"] = "qbr30d5603c-42"
        tap, qvb = row_of(rows, "tap30d5603c-42"), row_of(rows, "vxlan-994")
        tap["master"] = qvb["master"] = "qbr30d5603c-42"
        qvb.update(ifname="qvb30d5603c-42", link="qvo30d5603c-42")
        qvb["linkinfo"].update(info_kind="veth", info_data={})
        qvo = copy.deepcopy(qvb)
        qvo.update(ifname="qvo30d5603c-42", ifindex=900, master="ovs-system", link="qvb30d5603c-42")
        qvo["linkinfo"].update(info_slave_kind="openvswitch", info_slave_data={})
        rows.append(qvo)

    said(nodes, "compute1", "links.host", change)
    said(nodes, "compute1", "bridges.fdb", lambda rows: rows.clear())
    results = {}
    for key, result in nodes["compute1"].results.items():
        out = result.stdout
        if key[0] == "libvirt.dumpxml":
            out = out.replace(BRIDGE.encode(), b"qbr30d5603c-42")
        if key[0] == "iptables.save":
            out = out.replace(b"neutron-linuxbri-", b"neutron-openvswi-").replace(BRIDGE.encode(), b"qvb30d5603c-42")
        results[key] = replace(result, stdout=out)
    nodes["compute1"] = replace(nodes["compute1"], results=results)


def test_hybrid_plugging_is_followed_to_open_vswitch_with_its_security_group(cloud: Load, said: Said) -> None:
    nodes = cloud()
    hybrid(nodes, said)
    path = path_of(nodes)
    assert [(hop.name, hop.status) for hop in path.hops if hop.node == "compute1"] == [
        ("vm1", "ok"),
        ("tap30d5603c-42", "ok"),
        ("security group", "ok"),
        ("qbr30d5603c-42", "ok"),
        ("qvb30d5603c-42", "ok"),
        ("qvo30d5603c-42", "ok"),
        ("Open vSwitch", "unknown"),
        ("security group", "ok"),
    ]


def test_a_hybrid_veth_out_of_open_vswitch_is_broken(cloud: Load, said: Said) -> None:
    nodes = cloud()
    hybrid(nodes, said)
    said(nodes, "compute1", "links.host", lambda rows: row_of(rows, "qvo30d5603c-42").pop("master"))
    assert path_of(nodes).verdict.startswith("ends at qvo30d5603c-42 on compute1: it is in no bridge")


def second_network(nodes: Nodes, said: Said) -> None:
    """vm2 on a network of its own, behind the same router."""
    names = {BRIDGE: "brq99999999-99", "vxlan-994": "vxlan-995", "tap0cded1ee-8c": "tap99999999-01"}

    def renamed(row: Row) -> Row:
        row = copy.deepcopy(row)
        row.update(ifname=names.get(row["ifname"], row["ifname"]))
        if row.get("master") in names:
            row["master"] = names[row["master"]]
        if row["ifname"] == "vxlan-995":
            row["linkinfo"]["info_data"]["id"] = 995
        return row

    def on_compute(rows: list[Row]) -> None:
        rows[:] = [renamed(row) for row in rows]

    def on_controller(rows: list[Row]) -> None:
        for name in names:
            row = renamed(row_of(rows, name))
            row["ifindex"] += 100
            if "link_index" in row:
                row["link_index"] += 100
            rows.append(row)

    def in_router(rows: list[Row]) -> None:
        row = copy.deepcopy(row_of(rows, "qr-0cded1ee-8c"))
        row.update(ifname="qr-99999999-01", ifindex=row["ifindex"] + 100, address="fa:16:3e:99:99:01")
        if "link_index" in row:
            row["link_index"] += 100
        row.get("addr_info", []) and row["addr_info"][0].update(local="10.20.0.1")
        rows.append(row)

    said(nodes, "compute2", "links.host", on_compute)
    said(nodes, "compute2", "bridges.fdb", lambda rows: rows.clear())
    said(nodes, "controller", "links.host", on_controller)
    said(nodes, "controller", "links.netns", in_router, QROUTER)
    said(nodes, "controller", "addresses.netns", in_router, QROUTER)
    for node, key in (("compute2", ("libvirt.dumpxml", "instance-00000007")),):
        result = nodes[node].results[key]
        changed = replace(result, stdout=result.stdout.replace(BRIDGE.encode(), b"brq99999999-99"))
        nodes[node] = replace(nodes[node], results={**nodes[node].results, key: changed})


def test_a_port_of_another_network_is_reached_over_the_router_that_joins_them(cloud: Load, said: Said) -> None:
    nodes = cloud()
    second_network(nodes, said)
    path = path_of(nodes, to="vm2")
    assert QROUTER in path.goal
    names = [hop.name for hop in path.hops]
    assert names.index("vxlan-994") < names.index("qr-0cded1ee-8c") < names.index("qr-99999999-01")
    assert names.index("qr-99999999-01") < names.index("vxlan-995") < names.index("tap2a890d5f-e4")


def test_networks_that_no_router_joins_are_not_said_to_be_joined(cloud: Load, said: Said) -> None:
    nodes = cloud()
    second_network(nodes, said)
    said(
        nodes,
        "controller",
        "links.netns",
        lambda rows: rows.remove(row_of(rows, "qr-99999999-01")),
        QROUTER,
    )
    path = path_of(nodes, to="vm2")
    assert path.status == "unknown"
    assert "none of the nodes looked at joins its network with that of vm2" in path.verdict


def test_the_same_port_at_both_ends_is_refused(cloud: Load) -> None:
    nodes = cloud()
    with pytest.raises(UsageError, match="is where the path starts"):
        path_of(nodes, to="10.10.0.189")
    with pytest.raises(UsageError, match="is a DHCP server itself"):
        path_of(nodes, start="ns-af0c69a5-3e")


def test_a_tap_without_carrier_is_broken(cloud: Load, said: Said) -> None:
    nodes = cloud()
    said(nodes, "compute1", "links.host", lambda rows: row_of(rows, "tap30d5603c-42")["flags"].remove("LOWER_UP"))
    assert path_of(nodes).verdict.startswith("ends at tap30d5603c-42 on compute1: it has no carrier")


def test_a_station_seen_on_another_port_makes_its_tap_unknown(cloud: Load, said: Said) -> None:
    nodes = cloud()

    def moved(rows: list[Row]) -> None:
        next(r for r in rows if r["mac"] == MAC1 and r.get("master") == BRIDGE)["ifname"] = "vxlan-994"

    said(nodes, "compute1", "bridges.fdb", moved)
    assert hop_of(path_of(nodes), "compute1", "tap30d5603c-42").fault == f"{MAC1} was last seen on vxlan-994"


def test_a_stopped_dnsmasq_is_no_server(cloud: Load) -> None:
    nodes = cloud()
    key = ("dnsmasq.processes", "")
    results = dict(nodes["controller"].results)
    results[key] = replace(results[key], stdout=results[key].stdout.replace(b" S dnsmasq", b" T dnsmasq"))
    nodes["controller"] = replace(nodes["controller"], results=results)
    assert hop_of(path_of(nodes), "controller", "dnsmasq").fault == "pid 3364 is stopped"


def test_of_two_routers_the_one_with_the_gateways_address_is_meant(cloud: Load, said: Said) -> None:
    nodes = cloud()

    def another(rows: list[Row]) -> None:
        row = copy.deepcopy(row_of(rows, "qr-0cded1ee-8c"))
        row.update(ifname="qr-00000000-01", address="fa:16:3e:99:99:01")
        row.get("addr_info", []) and row["addr_info"][0].update(local="10.10.0.254")
        rows.insert(0, row)

    def its_tap(rows: list[Row]) -> None:
        row = copy.deepcopy(row_of(rows, "tap0cded1ee-8c"))
        row.update(ifname="tap00000000-01")
        rows.append(row)

    said(nodes, "controller", "links.netns", another, QROUTER)
    said(nodes, "controller", "addresses.netns", another, QROUTER)
    said(nodes, "controller", "links.host", its_tap)
    assert "qr-0cded1ee-8c" in path_of(nodes, to="gateway").goal

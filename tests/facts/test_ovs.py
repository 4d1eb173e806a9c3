"""Facts of Open vSwitch from the output of a real one (3.1), with hand-made values where it has none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.ovs_daemons import OVS_BONDS, OvsDaemons, parse_bonds
from stackdoctor.facts.ovs_db import OVS_DB, OpenvSwitch
from stackdoctor.facts.ovs_flows import OVS_FLOWS, OvsFlows, parse_flow
from stackdoctor.facts.ovs_rows import mapping, members, table, whole
from stackdoctor.model import Node, NodeResults, Result, Status

SAMPLE = Path(__file__).parents[1] / "trace" / "samples" / "openvswitch.json"
ROWS = {recorded["node"]: recorded["results"] for recorded in json.loads(SAMPLE.read_text())}


def node(name: str = "compute1") -> NodeResults:
    results = {
        (row["probe"], row.get("subject", "")): Result(
            row["probe"], row["command"], row.get("subject", ""), stdout=row.get("stdout", "").encode()
        )
        for row in ROWS[name]
        if row.get("status", "ran") == "ran"
    }
    return NodeResults(Node(name), results)


def test_bridges_ports_and_what_neutron_noted_of_them_are_read() -> None:
    switch = OpenvSwitch.parse(node())
    inner = switch.integration
    assert inner is not None
    assert (inner.name, inner.fail_mode, inner.datapath) == ("br-int", "secure", "netdev")
    port = inner.port("tap30d5603c-42")
    assert port is not None
    assert (port.tag, port.wired, port.segment, port.mac) == (1, True, "vxlan 994", "fa:16:3e:1c:77:97")
    assert port.network == "8af4f28b-a650-4777-9df9-e50d1c68e83d"
    assert switch.of_neutron("30d5603c-42b1-4c7e-8a0d-5e9b1f6a7c83") is port
    assert (switch.dpdk, switch.ovn) == (False, False)


def test_patches_lead_to_the_other_bridges() -> None:
    switch = OpenvSwitch.parse(node())
    assert {(near.name, far.bridge if far else "") for near, far in switch.outward()} == {
        ("patch-tun", "br-tun"),
        ("int-br-ex", "br-ex"),
    }
    assert switch.tunnels is switch.bridge("br-tun")


def test_ports_that_are_the_same_in_the_second_look_are_settled() -> None:
    seen = node()
    switch = OpenvSwitch.parse(seen)
    assert switch.settled == {port.name for port in switch.ports}
    kept = {key: result for key, result in seen.results.items() if key != ("ovs.db", "#2")}
    assert OpenvSwitch.parse(NodeResults(Node("n"), kept)).settled is None


def test_a_database_that_does_not_answer_is_not_an_empty_one() -> None:
    failed = Result(OVS_DB.id, "ovs-vsctl", exit=1, stderr=b"ovs-vsctl: unix:db.sock: database connection failed\n")
    with pytest.raises(CouldNotCheck, match="database connection failed"):
        OpenvSwitch.parse(NodeResults(Node("n"), {(OVS_DB.id, ""): failed}))


def test_a_table_of_another_shape_is_refused() -> None:
    with pytest.raises(ParseError):
        table('{"headings": ["name"], "data": [["a", "b"]]}')
    with pytest.raises(ParseError):
        table('{"headings": ["name"], "data": [[["set", "b"]]]}')
    (row,) = table('{"headings": ["tag"], "data": [["x"]]}')
    with pytest.raises(ParseError):
        whole(row, "tag")


def test_sets_of_one_of_several_and_of_none_are_told_apart() -> None:
    one, several, none = table(
        '{"headings": ["p"], "data": [[["uuid", "a"]], [["set", [["uuid", "a"], ["uuid", "b"]]]], [["set", []]]]}'
    )
    assert (members(one, "p"), members(several, "p"), members(none, "p")) == (("a",), ("a", "b"), ())
    (pairs,) = table('{"headings": ["o"], "data": [[["map", [["peer", "patch-int"]]]]]}')
    assert mapping(pairs, "o") == {"peer": "patch-int"}


def test_flows_of_wiring_are_read_and_those_of_security_groups_are_left_out() -> None:
    flows = OvsFlows.parse(node())
    inner, tunnels = flows.of("br-int"), flows.of("br-tun")
    assert inner is not None
    assert tunnels is not None
    assert {flow.table for flow in inner.flows} == {0, 23, 60, 71}
    (flood,) = tunnels.of(22, dl_vlan=1)
    assert (flood.key, flood.outputs) == (994, (2, 3))
    (enters,) = tunnels.of(4, tun_id="0x3e2")
    assert enters.vlan == 1
    (learn,) = tunnels.of(10) or (None,)
    assert learn is None  # nothing is read off the flow that learns


@pytest.mark.parametrize(
    ("actions", "vlan", "key"),
    [
        ("mod_vlan_vid:101,NORMAL", 101, None),
        ("push_vlan:0x8100,set_field:4197->vlan_vid,goto_table:60", 101, None),
        ("strip_vlan,set_tunnel:0x3e2,output:2", None, 994),
        ("pop_vlan,set_field:0x3e2->tun_id,output:2", None, 994),
    ],
)
def test_old_and_new_forms_of_actions_say_the_same(actions: str, vlan: int | None, key: int | None) -> None:
    flow = parse_flow(
        f" cookie=0x0, duration=1.2s, table=0, n_packets=0, n_bytes=0, priority=3,in_port=2 actions={actions}"
    )
    assert (flow.vlan, flow.key, flow.match) == (vlan, key, {"in_port": "2"})


def test_a_learned_flow_is_known_to_go_by_itself() -> None:
    line = " cookie=0x0, duration=1.2s, table=20, n_packets=0, hard_timeout=300, priority=1,dl_vlan=1 actions=drop"
    assert parse_flow(line).temporary
    assert not parse_flow(line.replace(" hard_timeout=300,", "")).temporary


def test_output_that_was_cut_is_read_up_to_its_last_line_and_known_not_to_be_whole() -> None:
    text = next(r["stdout"] for r in ROWS["compute1"] if r["probe"] == "ovs.flows" and r["subject"] == "br-tun")
    seen = node()
    results = {
        **seen.results,
        ("ovs.flows", "br-tun"): Result("ovs.flows", "x", "br-tun", Status.TRUNCATED, stdout=text[:-30].encode()),
    }
    flows = OvsFlows.parse(NodeResults(Node("n"), results)).of("br-tun")
    assert flows is not None
    assert not flows.whole
    assert flows.flows


def test_without_open_vswitch_there_is_nothing_to_look_at() -> None:
    missing = {(p.id, ""): Result(p.id, "x", status=Status.MISSING, exit=None) for p in (OVS_DB, OVS_BONDS)}
    refused = {(OVS_FLOWS.id, ""): Result(OVS_FLOWS.id, "x", status=Status.NOT_RUN, exit=None)}
    for fact in (OpenvSwitch, OvsFlows, OvsDaemons):
        with pytest.raises(NotApplicable):
            fact.parse(NodeResults(Node("n"), {**missing, **refused}))


def test_without_the_answer_of_one_daemon_nothing_is_said_of_either() -> None:
    results = {(p.id, s): Result(p.id, "asked", s) for p, s in ((OVS_DB, "#2"), (OVS_BONDS, ""))}
    with pytest.raises(CouldNotCheck, match="no answer about the node"):
        OvsDaemons.parse(NodeResults(Node("n"), results))


def test_members_of_a_bond_are_read_by_their_old_and_new_name() -> None:
    seen, result = node(), Result("ovs.bonds", "ovs-appctl bond/show")
    for word in ("slave", "member"):
        head = "---- b ----\nbond_mode: balance-tcp\nlacp_status: negotiated\n\n"
        text = f"{head}{word} e0: enabled\n  may_enable: true\n{word} e1: disabled\n"
        (bond,) = parse_bonds(text, seen, result)
        assert (bond.lacp, [(m.name, m.enabled) for m in bond.members]) == ("negotiated", [("e0", True), ("e1", False)])
    with pytest.raises(ParseError):
        parse_bonds("no bond here\n", seen, result)


@given(st.text(max_size=300))
def test_any_text_is_a_value_or_a_reason(text: str) -> None:
    names = ((OVS_DB.id, ""), (OVS_DB.id, "#2"), (OVS_FLOWS.id, "br-int"), (OVS_BONDS.id, ""))
    seen = NodeResults(
        Node("n"), {key: Result(key[0], "x", key[1], stdout=text.encode("utf-8", "replace")) for key in names}
    )
    for fact in (OpenvSwitch, OvsFlows, OvsDaemons):
        try:
            fact.parse(seen)
        except (CouldNotCheck, NotApplicable):
            continue

"""Security groups of a recorded cloud, in which one rule, chain or switch is changed at a time."""

from __future__ import annotations

import re
from typing import Any

import pytest
from stackdoctor.checks.network.security_group_dhcp import dropped_dhcp_reply, dropped_dhcp_request
from stackdoctor.checks.network.security_group_members import differing_sets
from stackdoctor.checks.network.security_groups import (
    antispoof_of_another,
    foreign_forward_drop,
    missing_chain,
    shadowed_rules,
    unused_chain,
)

from stackdoctor.diagnose.correlate import correlate
from stackdoctor.diagnose.playbook import load_playbooks
from stackdoctor.model import Diagnosis, Severity

ALL = (
    antispoof_of_another,
    differing_sets,
    dropped_dhcp_reply,
    dropped_dhcp_request,
    foreign_forward_drop,
    missing_chain,
    shadowed_rules,
    unused_chain,
)
RULES = "iptables.save"
VM1 = "neutron-linuxbri-{}30d5603c-4"
INTO = VM1.format("i")
OUT_OF = VM1.format("o")
SPOOF = VM1.format("s")
SG_CHAIN = "neutron-linuxbri-sg-chain"
SETS = "create NIPv4b67a1897-bd4b-47fa-8d8a- hash:net family inet\n"
SWITCH = "/proc/sys/net/bridge/bridge-nf-call-iptables"


def insert(cloud: Any, chain: str, rule: str, packets: int = 5, node: str = "compute1", last: bool = False) -> None:
    """``iptables -I`` (or -A) in the filter table."""
    lines = cloud.text(node, RULES).split("\n")
    start = lines.index("*filter")
    rules = [i for i, line in enumerate(lines) if i > start and f" -A {chain} " in line]
    at = (rules[-1] + 1 if last else rules[0]) if rules else lines.index("COMMIT", start)
    lines.insert(at, f"[{packets}:{packets * 300}] -A {chain} {rule}")
    cloud.say(node, RULES, "\n".join(lines))


def delete(cloud: Any, pattern: str, node: str = "compute1") -> None:
    """All rules that match are gone."""
    lines = cloud.text(node, RULES).split("\n")
    kept = [line for line in lines if not re.search(pattern, line)]
    assert len(kept) < len(lines)
    cloud.say(node, RULES, "\n".join(kept))


def diagnoses(cloud: Any) -> list[Diagnosis]:
    return list(correlate(load_playbooks(), cloud.examine(*ALL)).diagnoses)


def cause(cloud: Any) -> str:
    (found,) = diagnoses(cloud)
    assert found.where["node"] == "compute1"
    return found.cause


def test_a_healthy_cloud_has_no_finding(cloud: Any) -> None:
    cloud.say("compute1", "ipset.save", SETS + "add NIPv4b67a1897-bd4b-47fa-8d8a- 10.10.0.167\n")
    cloud.say("compute2", "ipset.save", SETS + "add NIPv4b67a1897-bd4b-47fa-8d8a- 10.10.0.167\n")
    examination = cloud.examine(*ALL)
    assert not examination.findings
    assert {node for check, node in examination.checked if check == "secgroup.chain.unjumped"} == set(cloud.nodes)
    assert not [missed for missed in examination.not_checked if missed.check.startswith("secgroup.dhcp")]


@pytest.mark.parametrize(("chain", "direction"), [(INTO, "ingress"), (OUT_OF, "egress")])
def test_a_chain_that_nothing_jumps_to_is_not_enforced(cloud: Any, chain: str, direction: str) -> None:
    delete(cloud, f"-A {SG_CHAIN} .*-j {chain}$")
    found = cloud.one(*ALL)
    assert (found.id, found.severity, found.keys["direction"]) == (
        "secgroup.chain.unjumped",
        Severity.ERROR,
        direction,
    )
    assert (found.keys["port"], found.keys["device"]) == ("30d5603c-42", "tap30d5603c-42")
    assert found.evidence[1].line.endswith(f"-A {SG_CHAIN} -j ACCEPT")
    (diagnosis,) = diagnoses(cloud)
    assert diagnosis.cause == "secgroup-not-enforced"
    assert diagnosis.where == {"node": "compute1", "port": "30d5603c-42", "device": "tap30d5603c-42"}


def test_a_lost_jump_into_the_security_group_chain_leaves_the_policy_to_accept(cloud: Any) -> None:
    delete(cloud, f"--physdev-out tap30d5603c-42 .*-j {SG_CHAIN}$")
    assert cloud.one(*ALL).evidence[1].line.startswith(":FORWARD ACCEPT [")


def test_a_rule_that_accepts_everything_before_neutrons_is_a_hole_in_both_directions(cloud: Any) -> None:
    insert(cloud, "FORWARD", "-i brq8af4f28b-a6 -j ACCEPT")
    found = cloud.find(*ALL)
    assert {(f.id, f.keys["direction"]) for f in found} == {
        ("secgroup.chain.unjumped", "ingress"),
        ("secgroup.chain.unjumped", "egress"),
    }
    assert cause(cloud) == "secgroup-not-enforced"


def test_a_rule_that_accepts_one_port_before_neutrons_is_none(cloud: Any) -> None:
    insert(cloud, "FORWARD", "-p tcp -m tcp --dport 22 -j ACCEPT")
    insert(cloud, "FORWARD", "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
    assert not cloud.find(*ALL)


def test_flushed_rules_leave_every_port_open(cloud: Any) -> None:
    delete(cloud, r"^\[.*-A ")
    assert {f.keys["direction"] for f in cloud.find(*ALL)} == {"ingress", "egress"}
    assert cause(cloud) == "secgroup-not-enforced"


def test_a_running_guest_without_chains_is_open(cloud: Any) -> None:
    delete(cloud, "30d5603c-4")
    found = cloud.find(*ALL)
    assert {(f.id, f.severity, f.keys["chain"]) for f in found} == {
        ("secgroup.chain.missing", Severity.ERROR, INTO),
        ("secgroup.chain.missing", Severity.ERROR, OUT_OF),
    }
    assert cause(cloud) == "secgroup-not-enforced"


def test_a_port_without_port_security_has_no_chains_and_no_finding(cloud: Any) -> None:
    delete(cloud, "30d5603c-4")
    for physdev in ("in", "out"):
        insert(
            cloud,
            "neutron-linuxbri-FORWARD",
            f"-m physdev --physdev-{physdev} tap30d5603c-42 --physdev-is-bridged"
            ' -m comment --comment "Accept all packets when port security is disabled." -j ACCEPT',
        )
    assert not cloud.find(*ALL)


def test_where_no_node_filters_with_iptables_no_chain_is_missing(cloud: Any) -> None:
    for node in cloud.nodes:
        delete(cloud, "neutron-linuxbri-(sg-|[ios])", node)
    assert not cloud.find(*ALL)


def test_a_guest_that_nova_still_keeps_paused_may_wait_for_its_chains(cloud: Any) -> None:
    delete(cloud, "30d5603c-4")
    cloud.swap("compute1", "libvirt.list", "running", "paused")
    assert not cloud.find(missing_chain)


def test_another_mac_in_the_antispoof_chain_is_named_with_its_rule(cloud: Any) -> None:
    cloud.swap("compute1", RULES, "--mac-source fa:16:3e:1c:77:97", "--mac-source fa:16:3e:de:ad:01")
    found = cloud.one(*ALL)
    assert (found.id, found.severity) == ("secgroup.antispoof.mismatch", Severity.ERROR)
    assert (found.keys["mac"], found.keys["allowed"], found.keys["kind"]) == (
        "fa:16:3e:1c:77:97",
        "fa:16:3e:de:ad:01",
        "mac",
    )
    assert "Drop traffic without an IP/MAC allow rule" in found.evidence[1].line
    assert cause(cloud) == "antispoof-drop"


def test_a_lost_pair_in_the_antispoof_chain_is_a_mismatch_too(cloud: Any) -> None:
    delete(cloud, f"-A {SPOOF} -s ")
    assert cause(cloud) == "antispoof-drop"


def test_another_address_than_dhcp_gives_is_dropped_by_the_antispoof_chain(cloud: Any) -> None:
    cloud.swap("compute1", RULES, f"-A {SPOOF} -s 10.10.0.189/32", f"-A {SPOOF} -s 10.10.0.99/32")
    found = cloud.one(*ALL)
    assert (found.id, found.keys["kind"], found.keys["ip"]) == ("secgroup.antispoof.mismatch", "address", "10.10.0.189")


def test_an_allowed_pair_beside_anothers_is_enough(cloud: Any) -> None:
    insert(cloud, SPOOF, "-s 10.10.0.200/32 -m mac --mac-source fa:16:3e:00:00:01 -j RETURN")
    assert not cloud.find(*ALL)


@pytest.mark.parametrize(
    "rule",
    [
        "-p udp -m udp --sport 67 --dport 68 -j DROP",
        "-s 10.10.0.2/32 -j DROP",
        "-d 10.10.0.189/32 -p udp -j REJECT --reject-with icmp-port-unreachable",
        "-p udp -m multiport --sports 53,67 -j DROP",
        "-j DROP",
    ],
)
def test_a_rule_that_drops_dhcp_replies_before_they_are_let_in_is_named(cloud: Any, rule: str) -> None:
    insert(cloud, INTO, rule)
    reply, shadow = sorted(cloud.find(*ALL), key=lambda f: f.id)
    assert (reply.id, reply.severity, reply.keys["chain"]) == ("secgroup.dhcp.reply-dropped", Severity.ERROR, INTO)
    assert reply.evidence[1].line.endswith(rule)
    assert (shadow.id, shadow.severity) == ("secgroup.rule.shadowed", Severity.WARNING)
    (diagnosis,) = diagnoses(cloud)
    assert diagnosis.cause == "dhcp-reply-lost-ingress"
    assert diagnosis.where == {"node": "compute1", "port": "30d5603c-42", "device": "tap30d5603c-42"}
    assert {f.id for f in diagnosis.explains} == {reply.id, shadow.id}


def test_without_the_rule_that_lets_dhcp_in_the_fallback_drops_its_replies(cloud: Any) -> None:
    delete(cloud, f"-A {INTO} .*--sport 67")
    assert not cloud.find(*ALL), "without the sets it cannot be said that the server is in no group that is let in"
    cloud.say("compute1", "ipset.save", SETS + "add NIPv4b67a1897-bd4b-47fa-8d8a- 10.10.0.167\n")
    assert cloud.one(*ALL).keys["chain"] == "neutron-linuxbri-sg-fallback"
    assert cause(cloud) == "dhcp-reply-lost-ingress"


def test_a_network_without_a_dhcp_server_needs_no_such_rule(cloud: Any) -> None:
    delete(cloud, f"-A {INTO} .*(--sport 67|--match-set)")
    assert cloud.find(dropped_dhcp_reply)
    cloud.forget("controller", "dnsmasq.files")
    assert not cloud.find(dropped_dhcp_reply)


def test_a_rule_for_another_servers_replies_drops_none_of_ours(cloud: Any) -> None:
    insert(cloud, INTO, "-s 10.10.0.77/32 -p udp -m udp --sport 67 --dport 68 -j DROP", packets=0)
    assert not cloud.find(*ALL)


def test_a_rule_of_which_it_cannot_be_said_whether_it_matches_is_no_error(cloud: Any) -> None:
    insert(cloud, INTO, "-m string --string offer --algo bm --to 65535 -j DROP", packets=0)
    insert(cloud, INTO, "-m limit --limit 5/sec -j DROP", packets=0)
    assert not cloud.find(*ALL)


def test_a_drop_in_another_table_counts_as_well(cloud: Any) -> None:
    rule = "[3:9] -A PREROUTING -p udp -m udp --sport 67 -j DROP"
    cloud.say("compute1", RULES, cloud.text("compute1", RULES).replace("COMMIT\n", f"{rule}\nCOMMIT\n", 1))
    found = cloud.one(dropped_dhcp_reply)
    assert (found.keys["chain"], found.evidence[0].line) == ("PREROUTING", rule)


def test_dropped_dhcp_requests_are_their_own_cause(cloud: Any) -> None:
    insert(cloud, OUT_OF, "-p udp -m udp --sport 68 --dport 67 -j DROP")
    assert {f.id for f in cloud.find(*ALL)} == {"secgroup.dhcp.request-dropped", "secgroup.rule.shadowed"}
    assert cause(cloud) == "dhcp-request-lost-compute"


def test_where_bridged_frames_do_not_meet_iptables_no_rule_drops_anything(cloud: Any) -> None:
    insert(cloud, INTO, "-p udp -m udp --sport 67 --dport 68 -j DROP")
    cloud.say("compute1", "bridges.netfilter", "0\n", SWITCH)
    assert not cloud.find(*ALL)


def test_where_that_is_not_known_it_is_a_warning_and_no_diagnosis(cloud: Any) -> None:
    insert(cloud, INTO, "-p udp -m udp --sport 67 --dport 68 -j DROP", packets=0)
    cloud.forget("compute1", "bridges.netfilter")
    assert cloud.one(*ALL).severity is Severity.WARNING
    assert not diagnoses(cloud)


def test_a_foreign_rule_in_a_guests_chain_is_a_warning(cloud: Any) -> None:
    insert(cloud, INTO, "-p tcp -m tcp --dport 80 -j DROP")
    assert (cloud.one(*ALL).severity, cause(cloud)) == (Severity.WARNING, "secgroup-foreign-rule")


def test_neutrons_own_drops_are_not_foreign_even_without_comments(cloud: Any) -> None:
    text = re.sub(r' -m comment --comment "[^"]*"', "", cloud.text("compute1", RULES))
    cloud.say("compute1", RULES, re.sub(r"\[0:0\] (-A .* -j DROP)", r"[7:700] \1", text))
    assert not cloud.find(*ALL)


@pytest.mark.parametrize("change", ["policy", "rule"])
def test_a_foreign_firewall_that_drops_what_is_forwarded_is_one_cause_for_all_ports(cloud: Any, change: str) -> None:
    if change == "policy":
        cloud.swap("compute1", RULES, ":FORWARD ACCEPT", ":FORWARD DROP")
        delete(cloud, "-A FORWARD -j neutron")
    else:
        insert(cloud, "FORWARD", "-j REJECT --reject-with icmp-host-prohibited")
    assert "firewall.forward-drop" in {f.id for f in cloud.find(*ALL)}
    (diagnosis,) = diagnoses(cloud)
    assert (diagnosis.cause, diagnosis.where) == (
        "forward-drop-foreign-firewall",
        {"node": "compute1", "chain": "FORWARD"},
    )


def test_a_drop_policy_after_neutrons_rules_hits_no_port(cloud: Any) -> None:
    for node in cloud.nodes:
        cloud.swap(node, RULES, ":FORWARD ACCEPT", ":FORWARD DROP")
    assert not cloud.find(*ALL)


def test_a_drop_policy_hits_the_dhcp_server_that_no_rule_accepts(cloud: Any) -> None:
    cloud.swap("controller", RULES, ":FORWARD ACCEPT", ":FORWARD DROP")
    delete(cloud, "tapaf0c69a5-3e", "controller")
    found = cloud.one(*ALL)
    assert (found.id, found.keys["host"], found.keys["device"]) == (
        "firewall.forward-drop",
        "controller",
        "tapaf0c69a5-3e",
    )


def test_chains_of_open_vswitchs_hybrid_plugging_are_read_alike(cloud: Any) -> None:
    text = cloud.text("compute1", RULES).replace("neutron-linuxbri-", "neutron-openvswi-")
    cloud.say("compute1", RULES, text)
    assert not cloud.find(*ALL)
    delete(cloud, "-A neutron-openvswi-sg-chain .*-j neutron-openvswi-i30d5603c-4$")
    assert cloud.one(*ALL).keys["chain"] == "neutron-openvswi-i30d5603c-4"


def test_rules_that_could_not_be_read_are_not_healthy(cloud: Any) -> None:
    cloud.forget("compute1", RULES)
    missed = {m.check for m in cloud.examine(*ALL).not_checked if m.node == "compute1"}
    assert {"secgroup.chain.unjumped", "secgroup.antispoof.mismatch", "secgroup.dhcp.reply-dropped"} <= missed


def test_flushed_rules_on_a_node_that_has_the_sets_are_an_error(cloud: Any) -> None:
    cloud.say("compute1", RULES, "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n")
    assert {found.severity for found in cloud.find(missing_chain)} == {Severity.WARNING}
    cloud.say("compute1", "ipset.save", SETS)
    assert {found.severity for found in cloud.find(missing_chain)} == {Severity.ERROR}
    assert cause(cloud) == "secgroup-not-enforced"

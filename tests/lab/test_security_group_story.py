"""The security group of a real guest broken on its node, and the cause that the tool names first."""

from __future__ import annotations

import json

import pytest
from lab.captures import run as tool
from lab.cloud import Cloud
from lab.tenant_faults import assert_first, changed, run, undone
from lab.tenant_instances import GUEST, lease, write_security_group
from lab.tenant_ports import INSTANCES

from stackdoctor.facts.neutron_names import chain, tap

pytestmark = pytest.mark.lab

PORT = INSTANCES[GUEST]
DEVICE = tap(PORT.id)
INTO, OUT_OF, SPOOF = (chain(PORT.id, letter) for letter in "ios")
REPLIES = "-p udp -m udp --sport 67 --dport 68"
REQUESTS = "-p udp -m udp --sport 68 --dport 67"


def test_dhcp_replies_that_a_rule_before_the_groups_drops_are_named(network: Cloud) -> None:
    rule = f"{INTO} {REPLIES} -j DROP"
    with changed(network, GUEST, f"iptables -I {rule}", f"iptables -D {rule}"):
        assert lease(network, GUEST) == ""
        assert_first(network, "dhcp-reply-lost-ingress", node=GUEST, device=DEVICE)
        asked = ("trace", "dhcp", PORT.mac, "-i", str(network.inventory), "--since", "3m", "-q", "--format", "json")
        traced = tool(network, *asked)
    assert traced.returncode == 1, traced.stderr
    steps = {step["name"]: step for step in json.loads(traced.stdout)["steps"]}
    assert steps["it gets to the DHCP server"]["state"] == steps["server sends OFFER"]["state"] == "proven", steps
    assert steps["guest sends REQUEST"]["state"] == "missing"
    last = steps["the answer gets to the guest"]
    assert (last["state"], last["node"]) == ("failed", GUEST), last
    assert INTO.removeprefix("neutron-linuxbri-") in last["text"], "the chain that drops it"


def test_dhcp_requests_that_a_rule_before_the_groups_drops_are_named(network: Cloud) -> None:
    rule = f"{OUT_OF} {REQUESTS} -j DROP"
    with changed(network, GUEST, f"iptables -I {rule}", f"iptables -D {rule}"):
        assert lease(network, GUEST) == ""
        assert_first(network, "dhcp-request-lost-compute", node=GUEST, device=DEVICE)


def test_a_foreign_firewall_that_drops_what_is_forwarded_is_named(network: Cloud) -> None:
    with changed(network, GUEST, "iptables -I FORWARD -j DROP", "iptables -D FORWARD -j DROP"):
        assert lease(network, GUEST) == ""
        assert_first(network, "forward-drop-foreign-firewall", node=GUEST, chain="FORWARD")


def test_an_antispoofing_chain_for_another_mac_is_named(network: Cloud) -> None:
    rules = run(network, GUEST, "iptables", "-S", SPOOF).splitlines()
    (pair,) = (rule for rule in rules if PORT.mac.upper() in rule.upper())
    at = rules.index(pair)
    wrong = pair.replace(pair[pair.upper().index(PORT.mac.upper()) :][: len(PORT.mac)], "fa:16:3e:00:00:01")
    do, undo = (f"iptables -R {SPOOF} {at} {rule.removeprefix(f'-A {SPOOF} ')}" for rule in (wrong, pair))
    with changed(network, GUEST, do, undo):
        assert_first(network, "antispoof-drop", node=GUEST, device=DEVICE)


def test_a_chain_that_nothing_jumps_to_is_named(network: Cloud) -> None:
    listed = run(network, GUEST, "iptables", "-S", "neutron-linuxbri-sg-chain").splitlines()
    jump = next(rule for rule in listed if rule.endswith(f"-j {INTO}"))
    undo = f"iptables -I {jump.removeprefix('-A ')}"
    with changed(network, GUEST, jump.replace("-A ", "iptables -D ", 1), undo):
        assert_first(network, "secgroup-not-enforced", node=GUEST, device=DEVICE)


def test_flushed_rules_leave_the_guest_open(network: Cloud) -> None:
    run(network, GUEST, "sh", "-ec", "iptables -F; iptables -X; iptables -t raw -F")

    def undo() -> None:
        write_security_group(network.hosts[GUEST], PORT)

    with undone(network, undo):
        assert lease(network, GUEST) == PORT.address
        assert_first(network, "secgroup-not-enforced", node=GUEST)


def test_frames_that_do_not_go_through_iptables_leave_the_guest_open(network: Cloud) -> None:
    sysctl = "/proc/sys/net/bridge/bridge-nf-call-iptables"
    with changed(network, GUEST, f"echo 0 >{sysctl}", f"echo 1 >{sysctl}"):
        assert_first(network, "secgroup-not-enforced", node=GUEST)


def test_a_set_that_lost_a_member_is_found_on_the_node_that_lost_it(network: Cloud) -> None:
    listed = run(network, GUEST, "ipset", "save").splitlines()
    member = next(line for line in listed if line.startswith("add NIPv4") and PORT.address in line)
    with changed(network, GUEST, f"ipset {member.replace('add', 'del', 1)}", f"ipset {member}"):
        assert_first(network, "secgroup-members-stale", node=GUEST, ip=PORT.address)


def test_a_set_that_kept_a_deleted_member_is_found_on_the_node_that_kept_it(network: Cloud) -> None:
    name = next(n for n in run(network, GUEST, "ipset", "list", "-n").split() if n.startswith("NIPv4"))
    with changed(network, GUEST, f"ipset add {name} 10.10.0.77", f"ipset del {name} 10.10.0.77"):
        assert_first(network, "secgroup-members-stale", node=GUEST, ip="10.10.0.77")

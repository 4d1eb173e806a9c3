"""Address translation: what the agent's rules must be, and routers that do not translate on purpose."""

from __future__ import annotations

import json

import pytest
from stackdoctor.checks.network.translation import (
    floating_without_snat,
    missing_dnat,
    missing_snat,
    translated_without_address,
)

ROUTER = "c501d0eb-77af-42bd-970d-11e38055b813"
NAMESPACE = f"qrouter-{ROUTER}"
CHECKS = (missing_snat, missing_dnat, translated_without_address, floating_without_snat)


def without_rules(cloud, *words: str) -> None:
    """The rules without those that have all ``words``."""
    lines = cloud.text("controller", "iptables.netns", NAMESPACE).splitlines()
    kept = [line for line in lines if not (line.startswith("[") and all(word in line for word in words))]
    assert len(kept) < len(lines)
    cloud.say("controller", "iptables.netns", "\n".join(kept) + "\n", NAMESPACE)


def without_address(cloud, ip: str) -> None:
    rows = json.loads(cloud.text("controller", "addresses.netns", NAMESPACE))
    for row in rows:
        if row:
            row["addr_info"] = [a for a in row["addr_info"] if a.get("local") != ip]
    cloud.say("controller", "addresses.netns", json.dumps(rows), NAMESPACE)


def test_a_healthy_cloud_has_no_finding(cloud) -> None:
    assert cloud.find(*CHECKS) == []


def test_a_flushed_chain_is_found(cloud) -> None:
    without_rules(cloud, "-A neutron-l3-agent-snat ")
    found = cloud.one(missing_snat)
    assert (found.node, found.keys["router"], found.keys["ip"]) == ("controller", ROUTER, "203.0.113.146")


def test_the_rule_alone_is_missed_too(cloud) -> None:
    without_rules(cloud, "-A neutron-l3-agent-snat -o qg-")
    found = cloud.one(*CHECKS)
    assert found.id == "router.snat.missing"
    assert "CONNMARK" in found.evidence[0].line


def test_a_chain_that_nothing_jumps_to_translates_nothing(cloud) -> None:
    without_rules(cloud, "-A neutron-postrouting-bottom", "neutron-l3-agent-snat")
    assert "nothing jumps" in cloud.one(*CHECKS).message


def test_a_table_that_was_flushed_is_found(cloud) -> None:
    lines = cloud.text("controller", "iptables.netns", NAMESPACE).splitlines()
    start = lines.index("*nat")
    kept = [*lines[:start], *(line for line in lines[start:] if not line.startswith("["))]
    cloud.say("controller", "iptables.netns", "\n".join(kept) + "\n", NAMESPACE)
    assert {f.id for f in cloud.find(*CHECKS)} == {"router.snat.missing", "router.dnat.missing"}


def test_a_router_that_does_not_translate_on_purpose_is_well(cloud) -> None:
    without_rules(cloud, "-A neutron-l3-agent-snat -o qg-")
    without_rules(cloud, "-A neutron-l3-agent-POSTROUTING -o qg-", "CONNMARK")
    assert cloud.find(*CHECKS) == []


def test_a_router_of_before_address_scopes_is_told_by_its_postrouting_rule(cloud) -> None:
    lines = cloud.text("controller", "iptables.netns", NAMESPACE).splitlines()
    old = "\n".join(lines[lines.index("*nat") :]) + "\n"
    old = old.replace("! -o qg-4f884770-38 -m conntrack", "! -i qg-4f884770-38 ! -o qg-4f884770-38 -m conntrack")
    filtered = "*filter\n:INPUT ACCEPT [0:0]\n:neutron-l3-agent-INPUT - [0:0]\nCOMMIT\n"
    cloud.say("controller", "iptables.netns", filtered + old, NAMESPACE)
    assert cloud.find(*CHECKS) == []
    without_rules(cloud, "-A neutron-l3-agent-snat -o qg-")
    assert cloud.one(*CHECKS).id == "router.snat.missing"
    without_rules(cloud, "-A neutron-l3-agent-POSTROUTING")
    assert cloud.find(*CHECKS) == []


def test_rules_in_tables_that_are_not_seen_are_not_missed(cloud) -> None:
    cloud.say("controller", "iptables.netns", "", NAMESPACE)
    assert cloud.find(*CHECKS) == []


def test_a_floating_address_without_its_rule_is_found(cloud) -> None:
    without_rules(cloud, "203.0.113.134")
    found = cloud.one(*CHECKS)
    assert (found.id, found.keys["ip"]) == ("router.dnat.missing", "203.0.113.134")


def test_a_floating_address_with_port_forwardings_only_is_well(cloud) -> None:
    without_rules(cloud, "203.0.113.134")
    lines = cloud.text("controller", "iptables.netns", NAMESPACE)
    nat = lines.index("*nat")
    chain = ":neutron-l3-agent-pf-1 - [0:0]\n:neutron-l3-agent-snat - [0:0]"
    rule = (
        "-A neutron-l3-agent-pf-1 -d 203.0.113.134/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.10.0.189:80"
    )
    changed = lines[nat:].replace(":neutron-l3-agent-snat - [0:0]", chain).replace("COMMIT", f"[0:0] {rule}\nCOMMIT", 1)
    cloud.say("controller", "iptables.netns", lines[:nat] + changed, NAMESPACE)
    assert cloud.find(*CHECKS) == []


def test_a_floating_address_that_is_on_no_interface_is_found(cloud) -> None:
    without_address(cloud, "203.0.113.134")
    found = cloud.one(*CHECKS)
    assert (found.id, found.keys["ip"]) == ("router.floating.no-address", "203.0.113.134")


def test_the_standby_of_a_highly_available_router_has_rules_and_no_addresses(cloud) -> None:
    for ip in ("203.0.113.134", "203.0.113.146", "10.10.0.1"):
        without_address(cloud, ip)
    assert cloud.find(*CHECKS) == []


def test_a_floating_address_that_answers_do_not_leave_with_is_found(cloud) -> None:
    without_rules(cloud, "-A neutron-l3-agent-float-snat -s 10.10.0.189/32")
    found = cloud.one(*CHECKS)
    assert (found.id, found.keys["fixed"]) == ("router.floating.snat-missing", "10.10.0.189")


@pytest.mark.parametrize("prefix", ["neutron-vpn-agen", "neutron-l3-agent"])
def test_the_agents_program_names_the_chains(cloud, prefix: str) -> None:
    cloud.swap("controller", "iptables.netns", "neutron-l3-agent", prefix, NAMESPACE)
    assert cloud.find(*CHECKS) == []
    without_rules(cloud, f"-A {prefix}-snat -o qg-")
    assert cloud.one(*CHECKS).id == "router.snat.missing"

"""Neutron's own rule sets, as recorded: what becomes of a guest's packets, and by which rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackdoctor.errors import UsageError
from stackdoctor.facts.ipset import IpSets
from stackdoctor.facts.iptables import Ip6tables, Iptables
from stackdoctor.firewall.packet import Packet, parse_packet
from stackdoctor.firewall.traverse import traverse
from stackdoctor.firewall.verdict import Verdict, describe
from stackdoctor.firewall.walk import Firewall, evaluate, nat

SAMPLES = Path(__file__).parents[1] / "facts" / "samples"
SETS = IpSets.of((SAMPLES / "ipset-save.txt").read_text())
TO_VM1 = "in vxlan-994 out tap30d5603c-42 bridge brq8af4f28b-a6"
FROM_VM1 = "in tap30d5603c-42 out vxlan-994 bridge brq8af4f28b-a6 mac fa:16:3e:1c:77:97"
DHCP_REPLIES = [f"udp 10.10.0.2:67 > {to}:68 {TO_VM1}" for to in ("10.10.0.189", "255.255.255.255")]


def rules_of(name: str) -> Iptables:
    return Iptables.of((SAMPLES / f"iptables-save.{name}.txt").read_text())


def through(name: str, text: str, way: str = "forward") -> Verdict:
    return traverse(Firewall(rules_of(name), SETS), parse_packet(text), way)


def chains(verdict: Verdict) -> list[str]:
    return [step.chain for step in verdict.path]


@pytest.mark.parametrize("reply", DHCP_REPLIES)
def test_dhcp_replies_to_a_healthy_guest_are_accepted(reply: str) -> None:
    verdict = through("healthy", reply)
    assert (verdict.outcome, verdict.certain) == ("accept", True)
    assert "neutron-linuxbri-i30d5603c-4" in chains(verdict)


@pytest.mark.parametrize("reply", DHCP_REPLIES)
def test_an_inserted_rule_drops_dhcp_replies_and_is_named(reply: str) -> None:
    verdict = evaluate(rules_of("sg-dhcp-reply-dropped"), SETS, parse_packet(reply))
    assert verdict.rule is not None
    assert (verdict.outcome, verdict.certain) == ("drop", True)
    assert (verdict.rule.chain, verdict.rule.number, verdict.rule.packets) == ("neutron-linuxbri-i30d5603c-4", 1, 15)
    assert "--sport 67 --dport 68 -j DROP" in verdict.rule.line
    assert any("--sport 67 (sport 67)" in line for line in describe(verdict))


def test_a_guest_with_another_mac_than_its_port_is_dropped_by_the_antispoof_chain() -> None:
    ping = f"icmp 10.10.0.189 > 10.10.0.1 type 8 code 0 {FROM_VM1}"
    assert through("healthy", ping).outcome == "accept"
    verdict = through("antispoof-mac-mismatch", ping)
    assert verdict.outcome == "drop"
    assert verdict.rule is not None
    assert verdict.rule.comment == "Drop traffic without an IP/MAC allow rule."


def test_without_the_jump_a_guest_is_open_to_everybody() -> None:
    packet = f"tcp 192.0.2.7:4000 > 10.10.0.189:3306 {TO_VM1}"
    shut = through("healthy", packet)
    assert (shut.outcome, shut.rule and shut.rule.chain) == ("drop", "neutron-linuxbri-sg-fallback")
    open_ = through("security-group-chain-missing", packet)
    assert (open_.outcome, open_.rule and open_.rule.chain) == ("accept", "neutron-linuxbri-sg-chain")
    assert "neutron-linuxbri-i30d5603c-4" not in chains(open_)


def test_members_of_the_remote_group_are_let_in_and_without_the_sets_it_cannot_be_said() -> None:
    packet = parse_packet(f"tcp 10.10.0.167:4000 > 10.10.0.189:3306 {TO_VM1}")
    assert evaluate(rules_of("healthy"), SETS, packet).outcome == "accept"
    unread = evaluate(rules_of("healthy"), None, packet)
    assert unread.possible == {"accept", "drop"}
    assert any("NIPv4b67a1897" in reason for reason in unread.reasons)


def test_without_a_mac_the_antispoof_rule_cannot_be_decided() -> None:
    assert not through("healthy", f"icmp 10.10.0.189 > 10.10.0.1 type 8 {FROM_VM1.split(' mac')[0]}").certain


def test_the_zone_of_a_guests_connections_is_told() -> None:
    assert any("--zone 4097" in reason for reason in through("healthy", DHCP_REPLIES[0]).reasons)


def test_a_guests_neighbour_solicitation_passes_and_its_router_advertisement_does_not() -> None:
    firewall = Firewall(Ip6tables.of((SAMPLES / "ip6tables-save.healthy.txt").read_text()), SETS)
    outcomes = [
        traverse(firewall, parse_packet(f"icmpv6 {src} > ff02::1 type {kind} {FROM_VM1}")).outcome
        for src, kind in (("::", 135), ("fe80::1", 135), ("fe80::1", 134))
    ]
    assert outcomes == ["accept", "accept", "drop"]


def test_a_floating_address_is_translated_before_the_scope_marks_are_asked() -> None:
    verdict = through("qrouter", "tcp 198.51.100.7:4000 > 203.0.113.134:80 in qg-4f884770-38 out qr-0cded1ee-8c routed")
    assert (verdict.outcome, verdict.certain) == ("accept", True)
    assert str(verdict.endings[-1].packet.dst) == "10.10.0.189"
    alone = evaluate(
        rules_of("qrouter"), None, parse_packet("udp 198.51.100.7 > 10.10.0.189 out qr-0cded1ee-8c routed")
    )
    assert alone.possible == {"accept", "drop"}, "the mark is mangle's to set: FORWARD alone cannot tell"


def test_metadata_is_redirected_and_accepted_by_its_mark() -> None:
    verdict = through("qrouter", "tcp 10.10.0.189:4000 > 169.254.169.254:80 in qr-0cded1ee-8c routed", "input")
    assert (verdict.outcome, verdict.rule and verdict.rule.chain) == ("accept", "neutron-l3-agent-INPUT")
    assert any("REDIRECT" in reason for reason in verdict.reasons)
    direct = through("qrouter", "tcp 10.10.0.189:4000 > 10.10.0.1:9697 in qr-0cded1ee-8c routed", "input")
    assert direct.outcome == "drop"


def test_the_nat_rules_of_floating_and_shared_addresses_are_found() -> None:
    out = "out qg-4f884770-38 routed nat none"

    def source(address: str) -> str:
        packet = parse_packet(f"tcp {address}:4000 > 198.51.100.7:80 in qr-0cded1ee-8c {out}")
        rule = nat(rules_of("qrouter"), None, packet, "POSTROUTING").rule
        return rule.target_args[1] if rule else ""

    assert (source("10.10.0.189"), source("10.10.0.167")) == ("203.0.113.134", "203.0.113.146")


def test_a_way_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="forward, input, output"):
        traverse(Firewall(rules_of("healthy"), SETS), Packet(), "sideways")

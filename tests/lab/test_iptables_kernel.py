"""What the evaluator says of a packet is what the kernel does with it: Neutron's own chains, and each table's part.

Rules are loaded with iptables-restore, read back with iptables-save, and asked about both ways.  Needs root.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from lab.filter_namespaces import (
    EVERYONE,
    FAR,
    LOCAL,
    MACS,
    NEAR,
    Lab,
    assert_same,
    bridged,
    sets_of,
)

from stackdoctor.firewall.packet import Packet, parse_packet
from stackdoctor.firewall.traverse import traverse
from stackdoctor.firewall.walk import Firewall, decide

pytestmark = pytest.mark.lab

SAMPLES = Path(__file__).parents[1] / "facts" / "samples"


def flows() -> list[Packet]:
    """What goes to and from vm1: leases, pings, sessions, and what it must not send; none answers another."""
    vm = f"in {FAR} out {NEAR} bridged mac {MACS['far']}"
    to_vm = f"in {NEAR} out {FAR} bridged"
    return [
        bridged(text)
        for text in (
            f"udp 10.10.0.1:67 > 10.10.0.189:68 {to_vm}",
            f"udp 10.10.0.1:67 > 10.10.0.188:68 {to_vm}",
            f"udp 10.10.0.1:67 > 255.255.255.255:68 {to_vm} to {EVERYONE}",
            f"icmp 10.10.0.3 > 10.10.0.189 type 8 code 0 {to_vm}",
            f"icmp 10.10.0.3 > 10.10.0.189 type 0 code 0 state INVALID {to_vm}",
            f"tcp 192.0.2.7:4000 > 10.10.0.189:22 {to_vm}",
            f"tcp 192.0.2.7:4000 > 10.10.0.189:80 {to_vm}",
            f"tcp 192.0.2.7:4000 > 10.10.0.189:443 {to_vm}",
            f"tcp 10.10.0.167:4000 > 10.10.0.189:443 {to_vm}",
            f"tcp 192.0.2.7:4000 > 10.10.0.189:22 flags SYN,ACK state INVALID {to_vm}",
            f"udp 0.0.0.0:68 > 255.255.255.255:67 {vm} to {EVERYONE}",
            f"udp 10.10.0.189:68 > 10.10.0.2:67 {vm}",
            f"udp 10.10.0.189:67 > 10.10.0.5:68 {vm}",
            f"icmp 10.10.0.189 > 10.10.0.254 type 8 code 0 {vm}",
            f"icmp 10.10.0.190 > 10.10.0.254 type 8 code 0 {vm}",
            f"tcp 10.10.0.189:5000 > 198.51.100.4:80 {vm.replace(MACS['far'], 'fa:16:3e:00:00:99')}",
            f"tcp 10.10.0.189:5001 > 198.51.100.4:80 {vm}",
        )
    ]


@pytest.mark.parametrize(
    "name", ["healthy", "sg-dhcp-reply-dropped", "antispoof-mac-mismatch", "security-group-chain-missing"]
)
def test_neutrons_own_chains_do_what_the_evaluator_says(lab: Lab, name: str) -> None:
    tables = lab.load((SAMPLES / f"iptables-save.{name}.txt").read_text())
    # The listing carries counters along; what counts here is what is added to them.
    before = lab.counted()
    firewall = Firewall(tables, sets_of(lab))
    verdicts = [traverse(firewall, packet) for packet in flows()]
    assert all(verdict.certain for verdict in verdicts)
    arrived = lab.send(flows())
    counted = lab.counted()
    counted.subtract(before)
    # Broadcasts go up into the filtering namespace as well, so that INPUT is left out.
    assert_same(counted, verdicts, tables, only=("raw", "filter"))
    assert [verdict.passes for verdict in verdicts] == arrived


CLEAN = "*raw\nCOMMIT\n*mangle\nCOMMIT\n*nat\nCOMMIT\n*filter\nCOMMIT\n"


def test_a_session_that_is_answered_is_established_in_both_directions(lab: Lab) -> None:
    lab.load("*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -m conntrack --ctstate NEW\nCOMMIT\n")
    there = bridged("udp 10.9.0.50:5000 > 10.9.1.50:53")
    back = bridged(f"udp 10.9.1.50:53 > 10.9.0.50:5000 in {FAR} out {NEAR} bridged")
    assert lab.send([there, back]) == [True, True]
    tables = lab.load(
        "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
        "-A FORWARD -m state --state NEW -j REJECT\nCOMMIT\n"
    )
    other = replace(there, sport=5001)
    batch = [replace(there, ctstate="ESTABLISHED"), replace(back, ctstate="ESTABLISHED"), other]
    verdicts = [decide(Firewall(tables), packet) for packet in batch]
    assert [verdict.outcome for verdict in verdicts] == ["accept", "accept", "reject"]
    assert lab.send(batch) == [True, True, False]
    assert_same(lab.counted(), verdicts, tables)


def test_marks_and_tracking_go_from_table_to_table(lab: Lab) -> None:
    tables = lab.load(
        "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p udp -m udp --dport 1 -j CT --notrack\n"
        "-A PREROUTING -p udp -m udp --dport 2 -j CT --zone 7\n-A PREROUTING -p udp -m udp --dport 2 -j CT --notrack\n"
        "-A PREROUTING -m conntrack --ctstate NEW\n-A PREROUTING -m conntrack --ctstate INVALID\n"
        "-A PREROUTING -m conntrack --ctstate UNTRACKED\n"
        f"-A PREROUTING -m physdev --physdev-in {NEAR} --physdev-is-bridged -j DROP\n"
        f"-A PREROUTING -m physdev ! --physdev-out {FAR}\n-A PREROUTING -m physdev --physdev-is-in\nCOMMIT\n"
        "*mangle\n:PREROUTING ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n"
        "-A PREROUTING -p udp -m udp --dport 3 -j MARK --set-xmark 0x4000000/0xffff0000\n"
        "-A PREROUTING -p udp -m udp --dport 3:4 -j MARK --or-mark 0x2\n"
        "-A PREROUTING -m mark --mark 0x2/0xffff -j CONNMARK --save-mark --nfmask 0xffff --ctmask 0xffff\n"
        "-A PREROUTING -m mark --mark 0x2/0xffff -j MARK --set-xmark 0x0\n"
        "-A FORWARD -m connmark --mark 0x2/0xffff -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff\n"
        "-A FORWARD -m connmark ! --mark 0x2/0xffff -j ACCEPT\n"
        f"-A POSTROUTING -m physdev --physdev-out {FAR}\nCOMMIT\n"
        "*nat\n:PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n"
        "-A PREROUTING -p udp -m udp --dport 5 -j DNAT --to-destination 10.9.1.60:6\nCOMMIT\n"
        "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -m conntrack --ctstate UNTRACKED\n"
        "-A FORWARD -m mark --mark 0x2 -j DROP\n"
        "-A FORWARD -m conntrack --ctstate DNAT\n-A FORWARD -p udp -m udp --dport 6 -j DROP\n"
        "-A FORWARD -m state --state NEW -j ACCEPT\nCOMMIT\n"
    )
    batch = [bridged(f"udp 10.9.0.60:4000 > 10.9.1.60:{port}", ctnat=None) for port in (1, 2, 3, 4, 6, 7)]
    try:
        verdicts = [traverse(Firewall(tables), packet) for packet in batch]
        assert [v.outcome for v in verdicts] == ["accept", "accept", "drop", "drop", "drop", "accept"]
        arrived = lab.send(batch)
        counted = lab.counted()
    finally:
        lab.load(CLEAN)
    assert_same(counted, verdicts, tables, only=("raw", "mangle", "filter"))
    assert [verdict.passes for verdict in verdicts] == arrived


def test_a_routed_packet_is_translated_before_it_is_filtered(lab: Lab) -> None:
    tables = lab.load(
        "*nat\n:PREROUTING ACCEPT [0:0]\n"
        "-A PREROUTING -d 203.0.113.134/32 -i leg+ -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.8.2.1:8080\n"
        "COMMIT\n*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n"
        "-A FORWARD -m physdev ! --physdev-is-bridged ! --physdev-in tap+\n"
        "-A FORWARD -m physdev --physdev-is-in -j DROP\n"
        "-A FORWARD -d 10.8.2.1/32 -i leg1 -o leg2 -p tcp -m tcp --dport 8080 -m conntrack --ctstate DNAT -j ACCEPT\n"
        "-A FORWARD -d 10.8.2.1/32 ! -i leg2 -p icmp -m addrtype ! --src-type LOCAL -j ACCEPT\n"
        "-A FORWARD -p udp -j REJECT --reject-with icmp-admin-prohibited\nCOMMIT\n"
    )
    legs = f"in leg1 out leg2 routed mac 02:00:00:00:01:01 to {MACS['router']}"
    batch = [
        replace(parse_packet(f"{text} {legs}"), local=LOCAL)
        for text in (
            "tcp 10.8.1.1:4000 > 203.0.113.134:80",
            "tcp 10.8.1.1:4000 > 10.8.2.1:8080",
            "icmp 10.8.1.1 > 10.8.2.1 type 8 code 0",
            "udp 10.8.1.1:4000 > 10.8.2.1:53",
        )
    ]
    try:
        verdicts = [traverse(Firewall(tables), packet) for packet in batch]
        assert [v.outcome for v in verdicts] == ["accept", "drop", "accept", "reject"]
        arrived = lab.send(batch)
        counted = lab.counted()
    finally:
        lab.load(CLEAN)
    # nft may leave out the counter of a built-in chain that has no rule.
    assert_same(counted, verdicts, tables, only=("nat", "filter"), without=("INPUT", "OUTPUT", "POSTROUTING"))
    assert [verdict.passes for verdict in verdicts] == arrived


def test_packets_for_the_node_itself_and_from_it_meet_input_and_output(lab: Lab) -> None:
    tables = lab.load(
        "*filter\n:INPUT DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -i leg1 -p icmp -m icmp --icmp-type 3/4 -j ACCEPT\n"
        "-A INPUT -i leg1 -p udp -m udp --dport 53 -j ACCEPT\n-A INPUT -m addrtype --dst-type LOCAL -j DROP\n"
        "-A OUTPUT -o lo -p udp -m udp --dport 9 -j DROP\n-A OUTPUT -o leg+ -j ACCEPT\nCOMMIT\n"
    )
    to_node = f"in leg1 out - routed mac 02:00:00:00:01:01 to {MACS['router']}"
    batch = [
        replace(parse_packet(f"{text} {to_node}"), local=LOCAL)
        for text in (
            "udp 10.8.1.1:53 > 10.8.1.254:54",
            "icmp 10.8.1.1 > 10.8.1.254 type 8 code 0",
            "icmp 10.8.1.1 > 10.8.1.254 type 3 code 4 state INVALID",
        )
    ]
    verdicts = [traverse(Firewall(tables), packet, "input") for packet in batch]
    assert [v.outcome for v in verdicts] == ["drop", "drop", "accept"]
    lab.send(batch)
    said = "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
    said += "for port in (9, 9):\n    try: s.sendto(b'x', ('127.0.0.1', port))\n    except PermissionError: pass\n"
    lab.inside("python3", "-c", said)
    own = parse_packet("udp 127.0.0.1:4000 > 127.0.0.1:9 out lo routed")
    verdicts += [traverse(Firewall(tables), own, "output")] * 2
    assert verdicts[-1].outcome == "drop"
    assert_same(lab.counted(), verdicts, tables, without=("FORWARD",))


def test_ipv6_goes_by_its_own_rules(lab: Lab) -> None:
    tables = lab.load(
        "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -p ipv6-icmp -m icmp6 --icmpv6-type 135 -j ACCEPT\n"
        "-A FORWARD -s 2001:db8::/64 -p udp -m udp --sport 547 --dport 546 -j ACCEPT\n"
        "-A FORWARD -s fe80::/10 -m physdev --physdev-out tap+ --physdev-is-bridged -j REJECT\nCOMMIT\n",
        family=6,
    )
    batch = [
        bridged(text)
        for text in (
            "udp [2001:db8::1]:547 > [2001:db8::2]:546",
            "udp [2001:db9::1]:547 > [2001:db8::2]:546",
            "udp [fe80::1]:547 > [fe80::2]:546",
        )
    ]
    verdicts = [decide(Firewall(tables), packet) for packet in batch]
    assert [verdict.outcome for verdict in verdicts] == ["accept", "drop", "reject"]
    assert lab.send(batch) == [True, False, False]
    assert_same(lab.counted(6), verdicts, tables)

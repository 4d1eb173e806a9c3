"""Each condition: it holds, it does not, or it cannot be said; never the wrong one of these."""

from __future__ import annotations

import pytest

from stackdoctor.facts.ipset import IpSets
from stackdoctor.facts.iptables import Rule
from stackdoctor.firewall.match import compile_rule, holds
from stackdoctor.firewall.packet import Packet, parse_packet

UDP = "udp 10.0.0.1:67 > 10.0.0.9:68 in eth0 out eth1 routed mac fa:16:3e:00:00:01 mark 0x12"
BRIDGED = "icmp 10.0.0.1 > 10.0.0.9 type 3 code 4 in tapA out tapB bridge br1 to ff:ff:ff:ff:ff:ff"
TCP = "tcp 10.0.0.1:4000 > 10.0.0.9:22 flags SYN,ACK state ESTABLISHED nat dnat local 10.0.0.9/24"
BARE = "? ? > ? state ?"
SETS = IpSets.of(
    "create S hash:net family inet\nadd S 10.0.0.0/30\ncreate P hash:ip,port family inet\nadd P 10.0.0.9,tcp:22\n"
)


def answer(text: str, packet: Packet, family: int = 4, sets: IpSets | None = SETS) -> bool | None:
    return holds(compile_rule(Rule("X", 1, f"-A X {text} -j DROP"), sets, family), packet)


@pytest.mark.parametrize(
    ("packet", "text", "expected"),
    [
        (UDP, "", True),
        (UDP, "-s 10.0.0.0/24", True),
        (UDP, "! -s 10.0.0.0/24", False),
        (UDP, "-s ! 10.0.0.2", True),
        (UDP, "-d 10.0.0.9/255.0.0.255", True),
        (UDP, "-d 10.0.0.0/99", None),
        (UDP, "-i eth+ -o eth1", True),
        (UDP, "! -i eth+", False),
        (UDP, "-p udp", True),
        (UDP, "-p 17", True),
        (UDP, "! -p tcp", True),
        (UDP, "-p rsvp", False),
        (UDP, "-p udp -m udp --sport 60:67 --dport 68", True),
        (UDP, "-p udp -m udp ! --dport 68", False),
        (UDP, "-p udp -m multiport --ports 1,66:68", True),
        (UDP, "-p udp -m multiport ! --dports 1,2", True),
        (UDP, "-f", False),
        (UDP, "! -f", True),
        (UDP, "-m mac --mac-source FA:16:3E:00:00:01", True),
        (UDP, "-m mark --mark 0x2/0xf", True),
        (UDP, "-m mark ! --mark 0x2/0xf", False),
        (UDP, "-m set --match-set S src", True),
        (UDP, "-m set ! --match-set S src", False),
        (UDP, "-m set --match-set P dst,dst", False),
        (UDP, "-m set --match-set P dst", False),
        (UDP, "-m set --match-set GONE src", None),
        (UDP, "-m set --match-set S src --return-nomatch", None),
        (UDP, "-m iprange --src-range 10.0.0.0-10.0.0.3", True),
        (UDP, "-m physdev --physdev-in eth0", False),
        (UDP, "-m physdev ! --physdev-in eth0 ! --physdev-is-bridged", True),
        (UDP, "-m conntrack --ctstate NEW", True),
        (UDP, "-m conntrack --ctstate DNAT", None),
        (UDP, "-m conntrack --ctstate NEW,DNAT", True),
        (UDP, "-m conntrack --ctstate NEW --ctdir ORIGINAL", None),
        (UDP, "-m state --state INVALID --ctdir ORIGINAL", False),
        (UDP, "-m limit --limit 5/min", None),
        (UDP, "-m hashlimit --hashlimit-upto 5/min --hashlimit-name x", None),
        (UDP, "-m statistic --mode random --probability 0.5", None),
        (UDP, "-m u32 --u32 0x0=0x0 -p tcp", False),
        (UDP, "-m socket", None),
        (UDP, "-m comment --comment x", True),
        (UDP, "-m addrtype --dst-type LOCAL", None),
        (BRIDGED, "-m physdev --physdev-in tapA --physdev-out tap+ --physdev-is-bridged", True),
        (BRIDGED, "-m physdev ! --physdev-out tapB", False),
        (BRIDGED, "-m physdev --physdev-is-in --physdev-is-out", True),
        (BRIDGED, "-i br1 -o br1", True),
        (BRIDGED, "-p icmp -m icmp --icmp-type fragmentation-needed", True),
        (BRIDGED, "-p icmp -m icmp --icmp-type 3", True),
        (BRIDGED, "-p icmp -m icmp --icmp-type 3/1", False),
        (BRIDGED, "-p icmp -m icmp --icmp-type any", True),
        (BRIDGED, "-p icmp -m icmp --icmp-type odd-name", None),
        (BRIDGED, "-m pkttype --pkt-type broadcast", True),
        (BRIDGED, "-m pkttype ! --pkt-type broadcast", False),
        (TCP, "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN", False),
        (TCP, "-p tcp -m tcp ! --syn", True),
        (TCP, "-p tcp -m tcp --tcp-flags ALL SYN,ACK", True),
        (TCP, "-p tcp -m tcp --tcp-option 5", None),
        (TCP, "-m state --state RELATED,ESTABLISHED", True),
        (TCP, "-m conntrack ! --ctstate DNAT", False),
        (TCP, "-m set --match-set P dst,dst", True),
        (TCP, "-m addrtype --dst-type LOCAL", True),
        (TCP, "-m addrtype --src-type UNICAST,BROADCAST", True),
        (TCP, "-m addrtype --src-type LOCAL --limit-iface-in", False),
        (TCP, "-m connmark --mark 0x0", None),
        (BARE, "-s 10.0.0.0/24", None),
        (BARE, "-p tcp -m tcp --dport 22", None),
        (BARE, "-i eth0", None),
        (BARE, "-m physdev --physdev-in tapA", None),
        (BARE, "-m physdev ! --physdev-is-bridged", None),
        (BARE, "-m state --state NEW", None),
        (BARE, "-m mac ! --mac-source fa:16:3e:00:00:01", None),
        (BARE, "-m mark --mark 0x1", None),
        (BARE, "-m pkttype --pkt-type unicast", None),
    ],
)
def test_a_condition_holds_or_not_or_it_cannot_be_said(packet: str, text: str, expected: bool | None) -> None:
    assert answer(text, parse_packet(packet)) is expected


def test_without_the_sets_membership_cannot_be_said() -> None:
    assert answer("-m set --match-set S src", parse_packet(UDP), sets=None) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-s fe80::/64", True),
        ("-d ff02::/16 -p ipv6-icmp -m icmp6 --icmpv6-type 135", True),
        ("-p icmpv6 -m icmp6 --icmpv6-type neighbour-solicitation", True),
        ("-p ipv6-icmp -m icmp6 --icmpv6-type 134", False),
        ("-m addrtype --dst-type MULTICAST", True),
    ],
)
def test_ipv6_conditions_are_read_alike(text: str, expected: bool) -> None:
    assert answer(text, parse_packet("icmpv6 fe80::1 > ff02::1 type 135"), 6) is expected


def test_a_port_to_the_node_itself_is_never_bridged() -> None:
    packet = parse_packet("udp 10.0.0.1 > 10.0.0.9 in br1 out - physdev-in tapA physdev-out - bridged")
    assert answer("-m physdev --physdev-in tapA", packet) is True
    assert answer("-m physdev --physdev-in tapA --physdev-is-bridged", packet) is False
    assert answer("-m physdev ! --physdev-out tapB", packet) is False

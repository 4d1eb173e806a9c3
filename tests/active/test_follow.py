"""Packets over hops: the same one is known again, what changed is told, and where the last of a kind was seen."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, GRE, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.utils import PcapWriter

from stackdoctor.active.follow import TRANSIT, flows, follow
from stackdoctor.active.pcap import Capture, read_capture
from stackdoctor.errors import UsageError

GUEST, SERVER = "fa:16:3e:2e:02:e7", "fa:16:3e:00:00:01"
NOW = 1795380000.0


def pcap(frames: Sequence[Any], begin: float = NOW) -> bytes:
    stream = io.BytesIO()
    stream.close = lambda: None  # type: ignore[method-assign]
    writer = PcapWriter(stream, linktype=1)
    for place, frame in enumerate(frames):
        frame.time = begin + place / 10
        writer.write(frame)
    writer.flush()
    return stream.getvalue() or struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)


def capture(name: str, *frames: Any, offset: float = 0.0) -> Capture:
    return read_capture(name, pcap(frames, NOW + offset), offset)


def discover(xid: int = 7) -> Any:
    chaddr = bytes.fromhex(GUEST.replace(":", ""))
    return (
        Ether(src=GUEST, dst="ff:ff:ff:ff:ff:ff")
        / IP(src="0.0.0.0", dst="255.255.255.255")
        / UDP(sport=68, dport=67)
        / BOOTP(chaddr=chaddr, xid=xid)
        / DHCP(options=[("message-type", "discover"), "end"])
    )


def offer(xid: int = 7) -> Any:
    chaddr = bytes.fromhex(GUEST.replace(":", ""))
    return (
        Ether(src=SERVER, dst=GUEST)
        / IP(src="10.10.0.2", dst="10.10.0.28")
        / UDP(sport=67, dport=68)
        / BOOTP(op=2, chaddr=chaddr, xid=xid, yiaddr="10.10.0.28")
        / DHCP(options=[("message-type", "offer"), "end"])
    )


def wrapped(frame: Any, vni: int = 822) -> Any:
    outer = Ether() / IP(src="192.0.2.20", dst="192.0.2.10") / UDP(sport=40000, dport=8472)
    return outer / VXLAN(vni=vni, flags="Instance") / frame


def test_a_discover_is_the_same_one_inside_a_tunnel() -> None:
    journeys = follow([capture("tap", discover()), capture("eth2", wrapped(discover())), capture("ns", discover())])

    assert [(j.what, j.arrived, [place for place, _ in j.seen]) for j in journeys] == [
        (f"DHCP Discover of {GUEST}", True, [0, 1, 2])
    ]
    assert journeys[0].changes[0] == "in vxlan 822 from 192.0.2.20 to 192.0.2.10 at 1"
    assert journeys[0].changes[1] == "taken out of vxlan at 2"


def test_where_no_discover_goes_on_is_where_it_is_lost() -> None:
    captures = [capture("tap", discover(1), discover(2)), capture("eth2", discover(1)), capture("ns")]
    (found,) = flows(follow(captures), 3)

    assert found.counts == (2, 1, 0)
    assert found.lost_after == 1
    assert len(found.lost) == 2


def test_an_offer_goes_back_and_is_lost_before_the_guest() -> None:
    captures = [capture("tap", discover()), capture("brq", discover(), offer()), capture("ns", discover(), offer())]
    by_kind = {flow.kind: flow for flow in flows(follow(captures), 3)}

    assert by_kind["DHCP Discover"].lost_after is None
    assert (by_kind["DHCP Offer"].forward, by_kind["DHCP Offer"].lost_after) == (False, 1)


def test_a_few_lost_of_many_is_not_a_way_that_is_closed() -> None:
    captures = [capture("a", discover(1), discover(2)), capture("b", discover(2))]
    (found,) = flows(follow(captures), 2)

    assert found.lost_after is None
    assert [journey.last for journey in found.lost] == [0]


def test_translation_and_routing_are_told_and_do_not_hide_that_it_is_the_same() -> None:
    inside = Ether() / IP(src="10.10.0.28", dst="198.51.100.9", ttl=64) / ICMP(id=5, seq=1) / b"payload"
    outside = Ether() / IP(src="203.0.113.108", dst="198.51.100.9", ttl=63) / ICMP(id=5, seq=1) / b"payload"
    (journey,) = follow([capture("qr", inside), capture("qg", outside)])

    assert journey.changes == ("source 10.10.0.28 → 203.0.113.108 at 1", "TTL 64 → 63 at 1")


def test_vlan_tags_and_gre_are_told() -> None:
    plain = Ether(src=GUEST) / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=40000, dport=80, seq=9)
    tagged = Ether(src=GUEST) / Dot1Q(vlan=101) / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=40000, dport=80, seq=9)
    in_gre = Ether() / IP(src="192.0.2.1", dst="192.0.2.2") / GRE(key_present=1, key=5) / plain
    (journey,) = follow([capture("tap", plain), capture("eth1", tagged), capture("gre", in_gre)])

    assert journey.changes[0] == "VLAN none → 101 at 1"
    assert "in gre 5 from 192.0.2.1 to 192.0.2.2 at 2" in journey.changes


def test_arp_is_followed_both_ways() -> None:
    asks = Ether(src=GUEST) / ARP(op=1, hwsrc=GUEST, psrc="10.10.0.28", pdst="10.10.0.1")
    answers = Ether(src=SERVER) / ARP(op=2, hwsrc=SERVER, psrc="10.10.0.1", hwdst=GUEST, pdst="10.10.0.28")
    found = {f.kind: f.forward for f in flows(follow([capture("a", asks, answers), capture("b", asks, answers)]), 2)}

    assert found == {"ARP request": True, "ARP reply": False}


def test_the_clock_of_a_node_that_is_ahead_is_taken_off() -> None:
    one, other = capture("a", discover()), capture("b", discover(), offset=3600.0)

    assert other.frames[0].time == pytest.approx(one.frames[0].time)


def test_what_is_no_capture_or_of_another_kind_of_link_is_said() -> None:
    with pytest.raises(UsageError, match="neither pcap nor pcapng"):
        read_capture("x", b"<html>" * 10)
    foreign = pcap([discover()])[:20] + struct.pack("<I", 127) + pcap([discover()])[24:]
    with pytest.raises(UsageError, match="link type 127"):
        read_capture("x", foreign)


def test_a_capture_that_breaks_off_gives_what_is_whole_and_says_so() -> None:
    found = read_capture("x", pcap([discover(1), discover(2)])[:-20])

    assert len(found.frames) == 1
    assert found.cut


@pytest.mark.parametrize("length", [0, 10, 14, 20, 40, 60])
def test_frames_that_end_too_early_are_not_the_end(length: int) -> None:
    data = pcap([discover(1)])
    short = data[:24] + struct.pack("<IIII", int(NOW), 0, length, 400) + data[40 : 40 + length]
    found = read_capture("x", short + data[24:])

    assert len(found.frames) + found.strange == 2


def test_a_hop_that_could_not_be_captured_loses_nothing() -> None:
    captures = [capture("tap", discover()), capture("eth2", discover()), Capture("ns", (), unread="no tcpdump")]
    (found,) = flows(follow(captures), 3)

    assert found.lost_after is None
    assert found.lost == ()


def test_what_is_only_seen_in_between_is_not_lost() -> None:
    foreign = Ether(src=SERVER) / IP(src="192.0.2.20", dst="192.0.2.10") / UDP(sport=40000, dport=53) / b"x"
    captures = [capture("tap", discover()), capture("eth2", discover(), foreign), capture("ns", discover())]

    assert [flow.lost_after for flow in flows(follow(captures), 3)] == [None, None]


def test_a_large_packet_of_which_a_tunnel_leaves_less_is_the_same_one() -> None:
    ping = Ether(src=GUEST) / IP(src="10.10.0.28", dst="10.10.0.1") / ICMP(id=5, seq=1) / (bytes(range(250)) * 5)
    whole = [ping, wrapped(ping)]
    cut = [capture(str(i), Ether(bytes(frame)[:400])) for i, frame in enumerate(whole)]

    assert [journey.arrived for journey in follow(cut)] == [True]


def test_what_comes_back_from_behind_a_hop_without_a_capture_is_not_lost_there() -> None:
    strangers = Ether() / IP(src="192.0.2.9", dst="192.0.2.20") / ICMP(id=9, seq=1) / b"another guest's"
    unread = Capture("ns", (), unread="tcpdump is not there (package tcpdump)")
    captures = [capture("tap", discover()), capture("eth2", wrapped(discover()), strangers), unread]

    assert all(flow.lost_after is None for flow in flows(follow(captures), 3))


@pytest.mark.parametrize(
    ("since", "until", "lost"),
    [(-5.0, 5.0, True), (0.1, 5.0, False), (-5.0, TRANSIT / 2, False)],
    ids=["listened", "began-later", "ended-before"],
)
def test_a_hop_loses_what_came_while_it_listened_and_nothing_else(since: float, until: float, lost: bool) -> None:
    """The captures of several nodes do not begin and end at once."""
    silent = Capture("ns", (), since=NOW + since, until=NOW + until)
    (flow,) = flows(follow([capture("tap", discover()), silent]), 2)
    assert (flow.lost_after == 0) is lost


def test_a_hop_listened_from_its_first_packet_on_however_late_it_is_said_to_have_begun() -> None:
    late = replace(capture("ns", offer(3), offset=0.0), since=NOW + 5, until=NOW + 9)
    early = capture("tap", offer(3), discover())
    by_kind = {flow.kind: flow for flow in flows(follow([early, late]), 2)}
    assert by_kind["DHCP Discover"].lost_after == 0

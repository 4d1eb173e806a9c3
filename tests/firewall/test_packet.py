"""The text form of a packet."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackdoctor.errors import UsageError
from stackdoctor.firewall.packet import PROTOCOLS, WITH_PORTS, Packet, parse_packet


def test_a_dhcp_reply_is_read() -> None:
    packet = parse_packet("udp 172.16.0.100:67 > 172.16.0.105:68")
    assert (packet.proto, str(packet.src), packet.sport, packet.dport, packet.ctstate) == (
        "udp",
        "172.16.0.100",
        67,
        68,
        "NEW",
    )


def test_an_echo_request_is_read() -> None:
    packet = parse_packet("icmp 10.0.0.1 > 10.0.0.2 type 8")
    assert (packet.icmp_type, packet.icmp_code, packet.is_bridged) == (8, None, None)
    assert parse_packet("icmp 2001:db8::1 > 2001:db8::2 type 128").proto == "ipv6-icmp"


def test_a_guests_devices_are_ports_of_a_bridge() -> None:
    packet = parse_packet("tcp 10.0.0.1:1 > 10.0.0.2:22 state ESTABLISHED in tapX out tapY mac FA:16:3E:00:00:01")
    assert (packet.physdev_in, packet.physdev_out, packet.is_bridged, packet.in_iface) == ("tapX", "tapY", True, None)
    assert (packet.ctstate, packet.src_mac, packet.tcp_flags) == ("ESTABLISHED", "fa:16:3e:00:00:01", None)
    named = parse_packet("udp 10.0.0.1 > 10.0.0.2 in vxlan-1 out eth1 bridge brq1")
    assert (named.in_iface, named.physdev_in, named.physdev_out) == ("brq1", "vxlan-1", "eth1")


def test_routed_devices_are_no_ports() -> None:
    packet = parse_packet("udp 10.0.0.1 > 10.0.0.2 in tap1 out eth0 routed")
    assert (packet.in_iface, packet.out_iface, packet.is_bridged, packet.physdev_in) == ("tap1", "eth0", False, "")


def test_a_new_tcp_connection_starts_with_syn() -> None:
    assert parse_packet("tcp 10.0.0.1:1 > 10.0.0.2:2").tcp_flags == {"SYN"}
    assert parse_packet("tcp 10.0.0.1:1 > 10.0.0.2:2 flags -").tcp_flags == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tcp",
        "tcp 10.0.0.1 10.0.0.2 > x",
        "tcp 10.0.0.1:x > 10.0.0.2:22",
        "tcp 10.0.0.1:99999 > 10.0.0.2:22",
        "tcp 10.0.0.1 > 2001:db8::1",
        "icmp 10.0.0.1:5 > 10.0.0.2",
        "icmp 10.0.0.1 > 10.0.0.2 type 300",
        "icmp 10.0.0.1 > 10.0.0.2 type",
        "udp 10.0.0.1 > 10.0.0.2 mac 1:2:3",
        "udp 10.0.0.1 > 10.0.0.2 state OLD",
        "udp 10.0.0.1 > 10.0.0.2 in a in b",
        "udp 10.0.0.1 > 10.0.0.2 colour red",
        "udpx 10.0.0.1 > 10.0.0.2",
        "tcp 10.0.0.1 > 10.0.0.2 flags SIN",
    ],
)
def test_what_is_no_packet_is_refused_with_what_is_expected(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected|IPv4 and IPv6|one of"):
        parse_packet(text)


names = st.none() | st.sampled_from(["", "eth0", "tap1", "brq8af4f28b-a6"])
macs = st.none() | st.sampled_from(["fa:16:3e:1c:77:97", "ff:ff:ff:ff:ff:ff"])
numbers = st.none() | st.integers(0, 2**32 - 1)


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    proto = draw(st.none() | st.sampled_from([p for p in PROTOCOLS if p != "icmp"]))
    addresses = st.none() | draw(st.sampled_from([st.ip_addresses(v=4), st.ip_addresses(v=6)]))
    port = st.none() | st.integers(0, 65535) if proto in WITH_PORTS else st.none()
    listed = st.frozensets(st.sampled_from(["FIN", "SYN", "RST", "PSH", "ACK", "URG"]))
    return Packet(
        proto,
        draw(addresses),
        draw(addresses),
        draw(port),
        draw(port),
        draw(st.none() | st.integers(0, 255)),
        draw(st.none() | st.integers(0, 255)),
        draw(st.none() | listed),
        draw(names),
        draw(names),
        draw(st.none() | st.booleans()),
        draw(names),
        draw(names),
        draw(macs),
        draw(macs),
        draw(st.none() | st.sampled_from(["NEW", "ESTABLISHED", "INVALID"])),
        draw(st.none() | st.frozensets(st.sampled_from(["DNAT", "SNAT"]))),
        draw(numbers),
        draw(numbers),
        draw(st.none() | st.sampled_from(["unicast", "broadcast"])),
        draw(st.none() | st.just(frozenset({ipaddress.ip_interface("192.0.2.1/24")}))),
    )


@given(packets())
def test_every_packet_reads_back_from_its_own_text(packet: Packet) -> None:
    assert parse_packet(str(packet)) == packet

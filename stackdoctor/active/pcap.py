"""Captures read by scapy: each frame with what tells it from others wherever it is seen again."""

from __future__ import annotations

import hashlib
import io
import logging
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from stackdoctor.errors import UsageError

__all__ = ["Capture", "Frame", "Tunnel", "read_capture"]

VXLAN_PORTS = (4789, 8472, 4790)
"""IANA's, that of the Linux kernel before IANA's, and VXLAN-GPE's."""

_MAGIC = (b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1")
_MAGIC_NG = b"\x0a\x0d\x0d\x0a"
LINK_TYPES = (1, 101, 12, 113, 276, 0, 108, 228, 229)
"""Ethernet, raw IP (three numbers), Linux cooked 1 and 2, BSD loopback (two), by tcpdump.org/linktypes.html."""

_DHCP = {1: "Discover", 2: "Offer", 3: "Request", 4: "Decline", 5: "Ack", 6: "Nak", 7: "Release", 8: "Inform"}
_FORWARD_DHCP = (1, 3, 4, 7, 8)
_ARP = {1: "request", 2: "reply"}
_MOST_LAYERS = 12
_TOLD = 64
"""Bytes that tell packets apart: of one in a tunnel a capture keeps less than of the same one outside."""


@dataclass(frozen=True)
class Tunnel:
    """What a frame is wrapped in: vxlan or gre, between which addresses, with which VNI or key."""

    kind: str
    src: str
    dst: str
    key: int


@dataclass(frozen=True)
class Frame:
    """One frame, seen from the inside of its tunnels.

    ``identity`` stays the same over bridges, VLANs, tunnels, routers and address translation.  ``what`` says it in
    words, ``kind`` shorter, without numbers that tell one of a kind from another.  ``asks`` is True for what a client
    sends, False for its answer, None where that cannot be told.  ``time`` is seconds since the epoch on our clock.
    """

    time: float
    kind: str
    what: str
    identity: tuple[object, ...]
    asks: bool | None
    src_mac: str
    dst_mac: str
    src: str
    dst: str
    ttl: int | None
    vlan: int | None
    size: int
    tunnel: Tunnel | None = None


@dataclass(frozen=True)
class Capture:
    """The frames of one capture in order; ``cut``: its end is missing; ``strange`` counts frames not understood.

    It is known to have listened from ``since`` to ``until``, and from its first frame to its last.
    """

    name: str
    frames: tuple[Frame, ...]
    cut: bool = False
    strange: int = 0
    link_type: int = 1
    unread: str = field(default="")
    since: float = float("-inf")
    until: float = float("inf")

    def listened(self, begin: float, end: float) -> bool:
        """Whether it was being captured all the time from ``begin`` to ``end``."""
        first = min([self.since, *(frame.time for frame in self.frames[:1])])
        last = max([self.until, *(frame.time for frame in self.frames[-1:])])
        return first <= begin and end <= last


def read_capture(name: str, data: bytes, offset: float = 0.0) -> Capture:
    """The frames in ``data`` (pcap or pcapng).  ``offset`` is how far the capturing node's clock is ahead, in seconds.

    Raises UsageError where it is no capture, or one of a link type that is not read here.
    """
    if len(data) < 24 or (data[:4] not in _MAGIC and data[:4] != _MAGIC_NG):
        raise UsageError(f"{name} is no capture: neither pcap nor pcapng (is it compressed, or empty?)")
    link_type = _link_type(data)
    if link_type not in LINK_TYPES:
        raise UsageError(
            f"{name} has frames of link type {link_type} (tcpdump.org/linktypes.html), which are not read here:"
            " capture on an Ethernet interface, a tap, a bridge, or any"
        )
    frames, strange, cut = [], 0, False
    from scapy.error import Scapy_Exception
    from scapy.utils import PcapReader

    _load_layers()
    reader: Any = PcapReader(io.BytesIO(data))  # type: ignore[arg-type]
    while True:
        try:
            packet = reader.read_packet()
        except EOFError:
            break
        except (Scapy_Exception, struct.error, ValueError, IndexError):
            cut = True
            break
        try:
            frames.append(_frame(packet, float(packet.time) - offset))
        except (AttributeError, ValueError, IndexError, TypeError, struct.error):
            strange += 1
    if _is_cut(data) and frames and not cut:
        frames.pop()  # scapy hands out what there is of it
        cut = True
    return Capture(name, tuple(frames), cut, strange, link_type)


def _load_layers() -> None:
    # it writes its warnings to the terminal by a handler of its own
    logging.getLogger("scapy.runtime").setLevel(logging.CRITICAL)
    # the modules bind their protocols to ports when imported; scapy.all would load two hundred of them
    import scapy.layers.dhcp
    import scapy.layers.inet
    import scapy.layers.inet6
    import scapy.layers.l2
    import scapy.layers.vxlan  # noqa: F401


def _link_type(data: bytes) -> int:
    if data[:4] == _MAGIC_NG:
        return 1  # scapy reads each interface's own
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    return int(struct.unpack(order + "I", data[20:24])[0]) & 0x0FFFFFFF


def _is_cut(data: bytes) -> bool:
    """Whether the last record of a pcap file says more bytes than there are."""
    if data[:4] == _MAGIC_NG:
        return False
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    place = 24
    while place + 16 <= len(data):
        place += 16 + int(struct.unpack(order + "I", data[place + 8 : place + 12])[0])
    return place != len(data)


def _frame(packet: Any, time: float) -> Frame:
    size, vlan, tunnel = len(packet), None, None
    src_mac = dst_mac = ""
    inner = packet
    for layer in _layers(packet):
        name = layer.name
        if name == "Ethernet":
            src_mac, dst_mac, inner = layer.src, layer.dst, layer
        elif name == "802.1Q":
            vlan = layer.vlan
        elif name == "VXLAN" or name == "GRE":
            outer = inner.getlayer("IP") or inner.getlayer("IPv6")
            key = layer.vni if name == "VXLAN" else getattr(layer, "key", 0) or 0
            tunnel = Tunnel(name.lower(), outer.src if outer else "", outer.dst if outer else "", int(key))
            vlan, inner = None, layer.payload
    ip = inner.getlayer("IP") or inner.getlayer("IPv6")
    src, dst = (ip.src, ip.dst) if ip is not None else ("", "")
    ttl = None if ip is None else int(ip.ttl if ip.name == "IP" else ip.hlim)
    kind, what, identity, asks = _described(inner, ip)
    return Frame(time, kind, what, identity, asks, src_mac, dst_mac, src, dst, ttl, vlan, size, tunnel)


def _layers(packet: Any) -> Iterator[Any]:
    for _ in range(_MOST_LAYERS):
        if packet is None or packet.name == "NoPayload":
            return
        yield packet
        packet = packet.payload


Described = tuple[str, str, tuple[object, ...], bool | None]


def _described(inner: Any, ip: Any) -> Described:
    if (arp := inner.getlayer("ARP")) is not None:
        word = _ARP.get(arp.op, str(arp.op))
        what = f"ARP {word}: {arp.psrc} {'asks for' if arp.op == 1 else 'is ' + arp.hwsrc + ', to'} {arp.pdst}"
        return f"ARP {word}", what, ("arp", arp.op, arp.hwsrc, arp.psrc, arp.pdst), arp.op == 1
    if (dhcp := _dhcp(inner)) is not None:
        return dhcp
    if (icmp := inner.getlayer("ICMP")) is not None and icmp.type in (0, 8):
        word = "request" if icmp.type == 8 else "reply"
        length = int(getattr(ip, "len", 0) or 0)
        echo = ("icmp", icmp.type, icmp.id, icmp.seq, length, _digest(bytes(icmp.payload)))
        return f"ping {word}", f"ping {word} {ip.src} to {ip.dst} seq {icmp.seq}, {length} bytes", echo, icmp.type == 8
    if (tcp := inner.getlayer("TCP")) is not None:
        what = f"TCP {ip.src}:{tcp.sport} to {ip.dst}:{tcp.dport} [{tcp.flags}]"
        segment = ("tcp", tcp.seq, tcp.ack, str(tcp.flags), _digest(bytes(tcp.payload)))
        return f"TCP to port {min(tcp.sport, tcp.dport)}", what, segment, tcp.dport < tcp.sport
    if (udp := inner.getlayer("UDP")) is not None and ip is not None:
        what = f"UDP {ip.src}:{udp.sport} to {ip.dst}:{udp.dport}"
        datagram = ("udp", getattr(ip, "id", 0), udp.len, _digest(bytes(udp.payload)))
        return f"UDP to port {min(udp.sport, udp.dport)}", what, datagram, udp.dport < udp.sport
    if ip is not None:
        number = int(getattr(ip, "proto", getattr(ip, "nh", 0)))
        return (
            f"IP protocol {number}",
            f"IP protocol {number} {ip.src} to {ip.dst}",
            ("ip", number, _digest(bytes(ip.payload))),
            None,
        )
    number = int(getattr(inner, "type", 0) or 0)
    return (
        f"ethertype {number:#06x}",
        f"ethertype {number:#06x}",
        ("other", number, _digest(bytes(inner.payload))),
        None,
    )


def _dhcp(inner: Any) -> Described | None:
    bootp, options = inner.getlayer("BOOTP"), inner.getlayer("DHCP options")
    if bootp is None or options is None:
        return None
    kind = next((int(o[1]) for o in options.options if isinstance(o, tuple) and o[0] == "message-type"), 0)
    mac = ":".join(f"{byte:02x}" for byte in bytes(bootp.chaddr)[:6])
    word = _DHCP.get(kind, str(kind))
    offered = f", {bootp.yiaddr}" if bootp.yiaddr not in ("0.0.0.0", None) else ""
    return f"DHCP {word}", f"DHCP {word} of {mac}{offered}", ("dhcp", bootp.xid, kind, mac), kind in _FORWARD_DHCP


def _digest(data: bytes) -> str:
    # padding of short Ethernet frames comes and goes with tunnels: what counts is what the protocol carries
    return hashlib.sha256(data[:_TOLD].rstrip(b"\0")).hexdigest()[:16]

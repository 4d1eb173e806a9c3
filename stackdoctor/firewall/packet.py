"""A packet as a packet filter sees it, and its text form.

udp 192.0.2.1:67 > 192.0.2.9:68 in vxlan-994 out tap30d5603c-42 bridge brq8af4f28b-a6
icmp 10.0.0.1 > 10.0.0.2 type 8
tcp 10.0.0.1:40000 > 10.0.0.2:22 state ESTABLISHED in tap30d5603c-42 mac fa:16:3e:1c:77:97
tcp [2001:db8::1]:40000 > [2001:db8::2]:22
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass

from stackdoctor.errors import UsageError

__all__ = ["PROTOCOLS", "WITH_PORTS", "Address", "Interface", "Packet", "parse_packet"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface

PROTOCOLS = {
    "icmp": 1,
    "igmp": 2,
    "ipencap": 4,
    "tcp": 6,
    "udp": 17,
    "dccp": 33,
    "ipv6": 41,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "ipv6-icmp": 58,
    "ospf": 89,
    "pim": 103,
    "vrrp": 112,
    "l2tp": 115,
    "sctp": 132,
    "udplite": 136,
}
"""Protocol names of /etc/protocols that iptables prints, with IANA's numbers."""

_BY_NUMBER = {number: name for name, number in PROTOCOLS.items()}
_STATES = ("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED")
_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")
_PACKET_TYPES = ("unicast", "broadcast", "multicast")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
WITH_PORTS = frozenset({"tcp", "udp", "sctp", "dccp", "udplite"})
# Devices that Neutron and libvirt only ever make as ports of a bridge.
_PORT_NAMES = ("tap", "qvb", "qvo", "vnet")
_FORM = (
    "expected PROTOCOL SOURCE[:PORT] > DESTINATION[:PORT], then any of: type N, code N, flags SYN,ACK, state NEW, "
    "nat none|dnat|snat, in DEVICE, out DEVICE, bridge DEVICE, bridged, routed, physdev-in DEVICE, physdev-out DEVICE, "
    "mac SOURCE-MAC, to DESTINATION-MAC, mark N, connmark N, pkttype unicast|broadcast|multicast, local ADDRESS/LEN,..."
)


@dataclass(frozen=True)
class Packet:
    """What is known of one packet at one place.  None is always "not known", and never guessed.

    A device that is the empty string is none at all (a packet that is received has no ``out_iface``).  For a
    bridged frame, ``in_iface`` and ``out_iface`` are the bridge, and ``physdev_in`` and ``physdev_out`` its
    ports; ``is_bridged`` is then true.  ``ctstate`` is conntrack's view, ``ctnat`` which translations the
    connection has (``DNAT``, ``SNAT``).  ``pkttype`` is that of the frame's destination (unicast, broadcast,
    multicast).  ``local`` are the addresses of the namespace with their prefix lengths.  MAC addresses and
    protocols are lower case; TCP flags and states upper case.
    """

    proto: str | None = None
    src: Address | None = None
    dst: Address | None = None
    sport: int | None = None
    dport: int | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None
    tcp_flags: frozenset[str] | None = None
    in_iface: str | None = None
    out_iface: str | None = None
    is_bridged: bool | None = None
    physdev_in: str | None = None
    physdev_out: str | None = None
    src_mac: str | None = None
    dst_mac: str | None = None
    ctstate: str | None = "NEW"
    ctnat: frozenset[str] | None = None
    mark: int | None = None
    connmark: int | None = None
    pkttype: str | None = None
    local: frozenset[Interface] | None = None

    @property
    def version(self) -> int | None:
        """4 or 6, where an address says so."""
        known = self.src or self.dst
        return known.version if known else None

    def __str__(self) -> str:
        words = [self.proto or "?", _end(self.src, self.sport), ">", _end(self.dst, self.dport)]
        exact = self.is_bridged is not None or self.physdev_in is not None or self.physdev_out is not None
        exact = exact or any((name or "").startswith(_PORT_NAMES) for name in (self.in_iface, self.out_iface))
        for word, value, default in (
            ("type", self.icmp_type, None),
            ("code", self.icmp_code, None),
            ("flags", _listed(self.tcp_flags), "SYN" if self.proto == "tcp" and self.ctstate == "NEW" else None),
            ("state", self.ctstate or "?", "NEW"),
            ("nat", _listed(self.ctnat, str.lower), None),
            ("in", _device(self.in_iface), None),
            ("out", _device(self.out_iface), None),
            ("physdev-in", _device(self.physdev_in) or ("?" if exact else None), None),
            ("physdev-out", _device(self.physdev_out), None),
            ("mac", self.src_mac, None),
            ("to", self.dst_mac, None),
            ("mark", None if self.mark is None else hex(self.mark), None),
            ("connmark", None if self.connmark is None else hex(self.connmark), None),
            ("pkttype", self.pkttype, None),
            ("local", _listed(None if self.local is None else {str(i) for i in self.local}), None),
        ):
            if value != default:
                words += [word, "?" if value is None else str(value)]
        if self.is_bridged is not None:
            words.append("bridged" if self.is_bridged else "routed")
        return " ".join(words)


def parse_packet(text: str) -> Packet:
    """The packet that ``text`` describes.  Raises UsageError that says what is expected.

    ``in`` and ``out`` are the devices as ``-i`` and ``-o`` see them.  With ``bridge NAME`` or ``bridged``
    they are the bridge's ports instead, and so they are for devices called tap, qvb, qvo or vnet, unless
    ``routed`` or a ``physdev-`` word says otherwise.  A new TCP connection is taken to start with SYN.
    ``?`` stands for what is not known, ``-`` for no device and for no flag.

    >>> parse_packet("udp 192.0.2.1:67 > 192.0.2.9:68").dport
    68
    """
    words = text.split()
    if len(words) < 4 or words[2] != ">":
        raise UsageError(f"not a packet: {text[:200]!r}; {_FORM}")
    proto = _protocol(words[0])
    src, sport = _parse_end(words[1], text)
    dst, dport = _parse_end(words[3], text)
    if src and dst and src.version != dst.version:
        raise UsageError(f"{text[:200]!r} mixes IPv4 and IPv6")
    if (sport, dport) != (None, None) and proto not in WITH_PORTS:
        raise UsageError(f"{words[0]} has no ports; {_FORM}")
    if proto == "icmp" and (src or dst) and (src or dst).version == 6:  # type: ignore[union-attr]
        proto = "ipv6-icmp"
    said: dict[str, str] = {}
    at = 4
    while at < len(words):
        word = words[at].lower()
        takes = 0 if word in ("bridged", "routed") else 1
        if word in said or word not in (*_VALUES, *_DEVICES, "bridged", "routed") or at + takes >= len(words):
            raise UsageError(f"{words[at]!r} in {text[:200]!r}: {_FORM}")
        said[word] = words[at + 1] if takes else ""
        at += 1 + takes
    values: dict[str, object] = {}
    for word, value in said.items():
        if word in _VALUES:
            field, parse = _VALUES[word]
            try:
                values[field] = None if value == "?" else parse(value)
            except ValueError:
                raise UsageError(f"{word} {value!r} in {text[:200]!r}: {_FORM}") from None
    if proto == "tcp" and values.get("ctstate", "NEW") == "NEW":
        values.setdefault("tcp_flags", frozenset({"SYN"}))
    return Packet(proto, src, dst, sport, dport, **values, **_devices(said))  # type: ignore[arg-type]


def _devices(said: dict[str, str]) -> dict[str, object]:
    names = {
        word: None if said[word] == "?" else "" if said[word] == "-" else said[word] for word in _DEVICES & set(said)
    }
    ins, outs = names.get("in"), names.get("out")
    exact = "physdev-in" in said or "physdev-out" in said
    ports = "bridge" in said or "bridged" in said or any((n or "").startswith(_PORT_NAMES) for n in (ins, outs))
    if exact or "routed" in said or not ports:
        bridged = True if "bridged" in said else False if "routed" in said else None
        no_port = "" if "routed" in said and not exact else None
        physdevs = {"physdev_in": names.get("physdev-in", no_port), "physdev_out": names.get("physdev-out", no_port)}
        return {"in_iface": ins, "out_iface": outs, "is_bridged": bridged, **physdevs}
    bridge = names.get("bridge")
    return {"in_iface": bridge, "out_iface": bridge, "is_bridged": True, "physdev_in": ins, "physdev_out": outs}


_DEVICES = frozenset({"in", "out", "bridge", "physdev-in", "physdev-out"})


def _protocol(text: str) -> str | None:
    name = text.lower()
    if name == "?":
        return None
    if name.isdigit():
        return _BY_NUMBER.get(int(name[:4]), name)
    name = {"icmpv6": "ipv6-icmp", "icmp6": "ipv6-icmp"}.get(name, name)
    if name not in PROTOCOLS:
        raise UsageError(f"{text[:40]!r} is no protocol known here: give its number, or one of {', '.join(PROTOCOLS)}")
    return name


def _parse_end(text: str, whole: str) -> tuple[Address | None, int | None]:
    host, port = text, ""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest[1:] if rest.startswith(":") else "" if not rest else "no"
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    try:
        address = None if host == "?" else ipaddress.ip_address(host)
        number = None if port in ("", "?") else _number(0xFFFF)(port)
    except ValueError:
        raise UsageError(f"{text[:100]!r} in {whole[:200]!r} is not ADDRESS or ADDRESS:PORT; {_FORM}") from None
    return address, number


def _number(highest: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = int(text[:20], 0)
        if not 0 <= number <= highest:
            raise ValueError(text)
        return number

    return parse


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        for word in allowed:
            if word.lower() == text.lower():
                return word
        raise ValueError(text)

    return parse


def _some_of(*allowed: str) -> Callable[[str], frozenset[str]]:
    one = _one_of(*allowed)
    return lambda text: frozenset() if text.lower() in ("-", "none") else frozenset(map(one, text.split(",")))


def _mac(text: str) -> str:
    if not _MAC.fullmatch(text.lower()):
        raise ValueError(text)
    return text.lower()


def _local(text: str) -> frozenset[Interface]:
    return frozenset() if text == "-" else frozenset(map(ipaddress.ip_interface, text.split(",")))


_VALUES: dict[str, tuple[str, Callable[[str], object]]] = {
    "type": ("icmp_type", _number(255)),
    "code": ("icmp_code", _number(255)),
    "flags": ("tcp_flags", _some_of(*_FLAGS)),
    "state": ("ctstate", _one_of(*_STATES)),
    "nat": ("ctnat", _some_of("DNAT", "SNAT")),
    "mac": ("src_mac", _mac),
    "to": ("dst_mac", _mac),
    "mark": ("mark", _number(0xFFFFFFFF)),
    "connmark": ("connmark", _number(0xFFFFFFFF)),
    "pkttype": ("pkttype", _one_of(*_PACKET_TYPES)),
    "local": ("local", _local),
}


def _end(address: Address | None, port: int | None) -> str:
    host = "?" if address is None else str(address)
    if port is None:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _device(name: str | None) -> str | None:
    return "-" if name == "" else name


def _listed(values: frozenset[str] | set[str] | None, shown: Callable[[str], str] = str) -> str | None:
    return None if values is None else ",".join(sorted(map(shown, values))) or "-"

"""Conditions on a packet's own header: addresses, devices, protocol, ports, TCP flags, ICMP types.

As iptables(8) and iptables-extensions(8) write them: no module, tcp, udp, udplite, sctp, dccp, multiport,
iprange, icmp and icmp6.
"""

from __future__ import annotations

import ipaddress

from stackdoctor.facts.ipset import IpSets
from stackdoctor.facts.iptables import Match
from stackdoctor.firewall.condition import Condition, Test, condition, unknown_option
from stackdoctor.firewall.packet import PROTOCOLS, Address, Packet

__all__ = ["base", "device_test", "icmp", "iprange", "multiport", "with_ports"]

_ICMP = {
    4: {
        "any": (255, None),
        "echo-reply": (0, None),
        "pong": (0, None),
        "destination-unreachable": (3, None),
        "network-unreachable": (3, 0),
        "host-unreachable": (3, 1),
        "protocol-unreachable": (3, 2),
        "port-unreachable": (3, 3),
        "fragmentation-needed": (3, 4),
        "source-route-failed": (3, 5),
        "communication-prohibited": (3, 13),
        "source-quench": (4, None),
        "redirect": (5, None),
        "echo-request": (8, None),
        "ping": (8, None),
        "router-advertisement": (9, None),
        "router-solicitation": (10, None),
        "time-exceeded": (11, None),
        "ttl-exceeded": (11, None),
        "parameter-problem": (12, None),
        "timestamp-request": (13, None),
        "timestamp-reply": (14, None),
    },
    6: {
        "destination-unreachable": (1, None),
        "no-route": (1, 0),
        "communication-prohibited": (1, 1),
        "address-unreachable": (1, 3),
        "port-unreachable": (1, 4),
        "packet-too-big": (2, None),
        "time-exceeded": (3, None),
        "ttl-exceeded": (3, None),
        "parameter-problem": (4, None),
        "echo-request": (128, None),
        "ping": (128, None),
        "echo-reply": (129, None),
        "pong": (129, None),
        "router-solicitation": (133, None),
        "router-advertisement": (134, None),
        "neighbour-solicitation": (135, None),
        "neighbor-solicitation": (135, None),
        "neighbour-advertisement": (136, None),
        "neighbor-advertisement": (136, None),
        "redirect": (137, None),
    },
}
_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")


def base(match: Match, sets: IpSets | None, family: int) -> list[Condition]:
    """Conditions without a module: -s, -d, -i, -o, -p and -f."""
    made = []
    for option in match.options:
        name, value = option.name, option.values[0] if option.values else ""
        if name in ("-s", "-d"):
            field = "src" if name == "-s" else "dst"
            made.append(condition(option, (field,), _in_network(field, value, family)))
        elif name in ("-i", "-o"):
            field = "in_iface" if name == "-i" else "out_iface"
            made.append(condition(option, (field,), device_test(field, value)))
        elif name == "-p":
            made.append(condition(option, ("proto",), _protocol(value)))
        elif name == "-f":
            # A packet is looked at as a whole here, so that it never is a second fragment.
            made.append(condition(option, (), lambda packet: False))
        else:
            made.append(unknown_option(match, option))
    return made


def _in_network(field: str, text: str, family: int) -> Test:
    host, slash, mask_text = text.partition("/")
    bits = 32 if family == 4 else 128
    if not slash:
        mask = (1 << bits) - 1
    elif mask_text.isdigit():
        mask = ((1 << int(mask_text[:3])) - 1) << (bits - int(mask_text[:3]))
    else:
        mask = int(ipaddress.ip_address(mask_text))
    network = int(ipaddress.ip_address(host)) & mask

    def test(packet: Packet) -> bool | None:
        address: Address | None = getattr(packet, field)
        return None if address is None else int(address) & mask == network

    return test


def device_test(field: str, name: str) -> Test:
    """Whether the device in ``field`` is ``name``, or begins with it where it ends in ``+``."""
    if name == "+":
        return lambda packet: True
    if name.endswith("+"):
        prefix = name[:-1]

        def starts(packet: Packet) -> bool | None:
            device: str | None = getattr(packet, field)
            return None if device is None else device.startswith(prefix)

        return starts

    def same(packet: Packet) -> bool | None:
        device: str | None = getattr(packet, field)
        return None if device is None else device == name

    return same


_ALIASES = {"icmpv6": "ipv6-icmp", "icmp6": "ipv6-icmp"}
_NUMBERS = {str(number): name for name, number in PROTOCOLS.items()}


def _protocol(text: str) -> Test:
    wanted = _NUMBERS.get(text, _ALIASES.get(text, text))
    if wanted in ("all", "0"):
        return lambda packet: True
    if wanted not in PROTOCOLS and not wanted.isdigit():
        # A name of the node's own /etc/protocols: it is none of those that are known here.
        return lambda packet: False if packet.proto in PROTOCOLS else None
    return lambda packet: None if packet.proto is None else packet.proto == wanted


def _ports(field: str, text: str) -> Test:
    ranges = [_range(part) for part in text.split(",")]
    if len(ranges) == 1:
        low, high = ranges[0]

        def one(packet: Packet) -> bool | None:
            port: int | None = getattr(packet, field)
            return None if port is None else low <= port <= high

        return one

    def some(packet: Packet) -> bool | None:
        port: int | None = getattr(packet, field)
        return None if port is None else any(low <= port <= high for low, high in ranges)

    return some


def _range(text: str) -> tuple[int, int]:
    low, colon, high = text.partition(":")
    return int(low[:6] or 0), (int(high[:6] or 65535) if colon else int(low[:6]))


def with_ports(match: Match, sets: IpSets | None, family: int) -> list[Condition]:
    """The modules tcp, udp, udplite, sctp and dccp."""
    made = []
    for option in match.options:
        if option.name in ("--sport", "--source-port", "--dport", "--destination-port"):
            field = "sport" if option.name.startswith("--s") else "dport"
            made.append(condition(option, (field,), _ports(field, option.values[0])))
        elif option.name == "--tcp-flags":
            made.append(condition(option, ("tcp_flags",), _tcp_flags(*option.values[:2])))
        elif option.name == "--syn":
            made.append(condition(option, ("tcp_flags",), _tcp_flags("FIN,SYN,RST,ACK", "SYN")))
        else:
            made.append(unknown_option(match, option))
    return made


def _tcp_flags(mask_text: str, wanted_text: str) -> Test:
    mask, wanted = _flags(mask_text), _flags(wanted_text)
    return lambda packet: None if packet.tcp_flags is None else packet.tcp_flags & mask == wanted


def _flags(text: str) -> frozenset[str]:
    if text == "NONE":
        return frozenset()
    flags = frozenset(_FLAGS if text == "ALL" else text.split(","))
    if not flags <= set(_FLAGS):
        raise ValueError(text)
    return flags


def multiport(match: Match, sets: IpSets | None, family: int) -> list[Condition]:
    """Lists of ports and ranges."""
    made = []
    for option in match.options:
        if option.name in ("--sports", "--source-ports"):
            made.append(condition(option, ("sport",), _ports("sport", option.values[0])))
        elif option.name in ("--dports", "--destination-ports"):
            made.append(condition(option, ("dport",), _ports("dport", option.values[0])))
        elif option.name in ("--ports", "--port"):
            made.append(condition(option, ("sport", "dport"), _either_port(option.values[0])))
        else:
            made.append(unknown_option(match, option))
    return made


def _either_port(text: str) -> Test:
    source, destination = _ports("sport", text), _ports("dport", text)

    def test(packet: Packet) -> bool | None:
        answers = (source(packet), destination(packet))
        return True if True in answers else None if None in answers else False

    return test


def iprange(match: Match, sets: IpSets | None, family: int) -> list[Condition]:
    """Ranges of addresses."""
    made = []
    for option in match.options:
        if option.name in ("--src-range", "--dst-range"):
            field = "src" if option.name == "--src-range" else "dst"
            low, high = (int(ipaddress.ip_address(end)) for end in option.values[0].split("-"))
            made.append(condition(option, (field,), _between(field, low, high)))
        else:
            made.append(unknown_option(match, option))
    return made


def _between(field: str, low: int, high: int) -> Test:
    def test(packet: Packet) -> bool | None:
        address: Address | None = getattr(packet, field)
        return None if address is None else low <= int(address) <= high

    return test


def icmp(match: Match, sets: IpSets | None, family: int) -> list[Condition]:
    """Types and codes of ICMP and ICMPv6, by number or by name."""
    made = []
    for option in match.options:
        if option.name in ("--icmp-type", "--icmpv6-type"):
            of = 6 if option.name == "--icmpv6-type" else 4
            made.append(condition(option, ("icmp_type", "icmp_code"), _icmp_type(option.values[0], of)))
        else:
            made.append(unknown_option(match, option))
    return made


def _icmp_type(text: str, family: int) -> Test:
    named = _ICMP[family].get(text)
    if named is None:
        kind, slash, number = text.partition("/")
        type_, code = int(kind[:4]), int(number[:4]) if slash else None
    else:
        type_, code = named
    if type_ == 255 and family == 4:  # "any" of net/ipv4/netfilter/ip_tables.c
        return lambda packet: True

    def test(packet: Packet) -> bool | None:
        if packet.icmp_type is None:
            return None
        if packet.icmp_type != type_ or code is None:
            return packet.icmp_type == type_
        return None if packet.icmp_code is None else packet.icmp_code == code

    return test

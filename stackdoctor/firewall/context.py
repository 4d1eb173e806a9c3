"""Conditions on what the kernel knows of a packet beyond its header.

Its connection (state, conntrack, connmark), the bridge's ports (physdev), the frame (mac, pkttype), sets,
marks and the types of its addresses.  What the kernel does in the corners is that of net/netfilter/xt_*.c.
"""

from __future__ import annotations

from stackdoctor.facts.ipset import IpSets, Value
from stackdoctor.facts.iptables import Match
from stackdoctor.firewall.condition import Condition, Test, answered, condition, parse_mark, unknown_option
from stackdoctor.firewall.header import device_test
from stackdoctor.firewall.packet import WITH_PORTS, Address, Packet

__all__ = ["addrtype", "mac", "mark", "match_set", "physdev", "pkttype", "state"]


def state(match: Match, sets: IpSets | None, family: int) -> list[Condition]:
    """The modules state and conntrack; DNAT and SNAT are states of their own (xt_conntrack.c)."""
    made = []
    for option in match.options:
        if option.name in ("--state", "--ctstate"):
            wanted = frozenset(option.values[0].split(","))
            fields = ("ctstate", "ctnat") if wanted & {"DNAT", "SNAT"} else ("ctstate",)
            made.append(condition(option, fields, _ctstate(wanted)))
        else:
            made.append(unknown_option(match, option))
    return made


def _ctstate(wanted: frozenset[str]) -> Test:
    translations = wanted & {"DNAT", "SNAT"}

    def test(packet: Packet) -> bool | None:
        if packet.ctstate in wanted:
            return True
        # Neither an untracked nor an invalid packet belongs to a connection that could be translated.
        translated: bool | None = False
        if translations and packet.ctstate not in ("INVALID", "UNTRACKED"):
            translated = None if packet.ctnat is None else bool(packet.ctnat & translations)
        if translated:
            return True
        return None if packet.ctstate is None or translated is None else False

    return test


def physdev(match: Match, sets: IpSets | None, family: int) -> list[Condition]:
    """As physdev_mt() of net/netfilter/xt_physdev.c decides, with its asymmetries.

    Without bridge information only negated options hold.  With it, --physdev-is-bridged asks for an output
    port; --physdev-out without an output port fails even when negated; --physdev-in without an input port holds.
    """
    made = []
    for option in match.options:
        if option.name in ("--physdev-in", "--physdev-out"):
            field = "physdev_in" if option.name == "--physdev-in" else "physdev_out"
            test = _port_of_bridge(field, device_test(field, option.values[0]), option.negated)
            made.append(Condition(str(option), (field,), test))
        elif option.name in ("--physdev-is-in", "--physdev-is-out", "--physdev-is-bridged"):
            field = "physdev_in" if option.name == "--physdev-is-in" else "physdev_out"
            made.append(condition(option, (field,), _has_port(field)))
        else:
            made.append(unknown_option(match, option))
    return made


def _bridge_info(packet: Packet) -> bool | None:
    """Whether the kernel keeps bridge information of the packet: it came in, or goes out, by a bridge's port."""
    if packet.is_bridged or packet.physdev_in or packet.physdev_out:
        return True
    return False if packet.physdev_in == "" else None


def _port(packet: Packet, field: str) -> str | None:
    port: str | None = getattr(packet, field)
    return "" if port is None and field == "physdev_out" and packet.is_bridged is False else port


def _port_of_bridge(field: str, same: Test, negated: bool) -> Test:
    def test(packet: Packet) -> bool | None:
        info = _bridge_info(packet)
        if not info:
            return None if info is None else negated
        if _port(packet, field) == "":
            return field == "physdev_in"
        return answered(same(packet), negated)

    return test


def _has_port(field: str) -> Test:
    def test(packet: Packet) -> bool | None:
        info = _bridge_info(packet)
        if not info:
            return info
        port = _port(packet, field)
        return (packet.is_bridged or None) if port is None else port != ""

    return test


def mac(match: Match, sets: IpSets | None, family: int) -> list[Condition]:
    """The source address of the frame."""
    made = []
    for option in match.options:
        if option.name == "--mac-source":
            wanted = option.values[0].lower()
            made.append(condition(option, ("src_mac",), _same_mac(wanted)))
        else:
            made.append(unknown_option(match, option))
    return made


def _same_mac(wanted: str) -> Test:
    return lambda packet: None if packet.src_mac is None else packet.src_mac == wanted


def match_set(match: Match, sets: IpSets | None, family: int) -> list[Condition]:
    """Membership in sets, by source or destination in each dimension."""
    made = []
    for option in match.options:
        if option.name in ("--match-set", "--set"):
            name, directions = option.values[0], tuple(option.values[1].split(","))
            made.append(condition(option, _set_fields(sets, name, directions), _in_set(sets, name, directions)))
        elif option.name not in ("--update-counters", "--update-subcounters"):
            # --return-nomatch and the comparisons of a member's counters are not in what ipset save tells.
            made.append(unknown_option(match, option))
    return made


_SET_FIELDS = {
    ("ip", "src"): "src",
    ("ip", "dst"): "dst",
    ("port", "src"): "sport",
    ("port", "dst"): "dport",
    ("mac", "src"): "src_mac",
    ("mac", "dst"): "dst_mac",
    ("iface", "src"): "in_iface",
    ("iface", "dst"): "out_iface",
    ("mark", "src"): "mark",
    ("mark", "dst"): "mark",
}


def _set_fields(sets: IpSets | None, name: str, directions: tuple[str, ...]) -> tuple[str, ...]:
    found = sets.sets.get(name) if sets else None
    kinds = found.dimensions if found else ("ip",) * len(directions)
    return tuple(_SET_FIELDS[at] for at in zip(kinds, directions, strict=False) if at in _SET_FIELDS)


def _in_set(sets: IpSets | None, name: str, directions: tuple[str, ...]) -> Test:
    def test(packet: Packet) -> bool | None:
        if sets is None:
            return None

        def value(i: int, kind: str) -> Value:
            field = _SET_FIELDS.get((kind, directions[i] if i < len(directions) else ""))
            found: Address | str | int | None = None if field is None else getattr(packet, field)
            if kind == "port":
                if packet.proto in WITH_PORTS:
                    return (packet.proto, found) if isinstance(found, int) else None
                return None if packet.proto is None else (packet.proto, 0)
            return found

        return sets.test(name, value, len(directions))

    return test


def pkttype(match: Match, sets: IpSets | None, family: int) -> list[Condition]:
    """Whom the frame is for; read off its destination where it is not given."""
    made = []
    for option in match.options:
        wanted = {"host": "unicast", "bcast": "broadcast", "mcast": "multicast"}.get(option.values[0], option.values[0])
        if option.name == "--pkt-type" and wanted in ("unicast", "broadcast", "multicast"):
            made.append(condition(option, ("pkttype", "dst_mac"), _packet_type(wanted)))
        else:
            made.append(unknown_option(match, option))
    return made


def _packet_type(wanted: str) -> Test:
    def test(packet: Packet) -> bool | None:
        if packet.pkttype is not None:
            return packet.pkttype == wanted
        if packet.dst_mac is None:
            return None
        if packet.dst_mac == "ff:ff:ff:ff:ff:ff":
            return wanted == "broadcast"
        return wanted == ("multicast" if int(packet.dst_mac[:2], 16) & 1 else "unicast")

    return test


def addrtype(match: Match, sets: IpSets | None, family: int) -> list[Condition]:
    """What an address is to the node."""
    made = []
    for option in match.options:
        if option.name in ("--src-type", "--dst-type"):
            field = "src" if option.name == "--src-type" else "dst"
            made.append(condition(option, (field, "local"), _address_type(field, option.values[0].split(","), family)))
        else:
            made.append(unknown_option(match, option))
    return made


def _address_type(field: str, wanted: list[str], family: int) -> Test:
    def test(packet: Packet) -> bool | None:
        address: Address | None = getattr(packet, field)
        kind = None if address is None else _type_of(address, packet)
        # IPv6 looks the types up in another way (addrtype_mt6): only one plain type at a time is taken on.
        if kind is None or (family == 6 and (len(wanted) > 1 or wanted[0] not in ("LOCAL", "MULTICAST"))):
            return None
        return kind in wanted

    return test


def _type_of(address: Address, packet: Packet) -> str | None:
    """As __inet_dev_addr_type() of net/ipv4/fib_frontend.c, which looks into the local routing table only."""
    if address.is_multicast:
        return "MULTICAST"
    if address.version == 4 and (int(address) >> 24 == 0 or int(address) == 0xFFFFFFFF):
        return "BROADCAST"
    if packet.local is None:
        return None
    if any(address == interface.ip for interface in packet.local) or (address.version == 4 and address.is_loopback):
        return "LOCAL"
    for interface in packet.local:
        network = interface.network
        if interface.version == address.version == 4 and network.prefixlen < 31:
            if address == network.broadcast_address:
                return "BROADCAST"
            if address == network.network_address:
                return None  # a broadcast address before Linux 5.14, a unicast one since
    return "UNICAST"


def mark(match: Match, sets: IpSets | None, family: int) -> list[Condition]:
    """The modules mark and connmark."""
    field = "connmark" if match.module == "connmark" else "mark"
    made = []
    for option in match.options:
        if option.name == "--mark":
            value, mask = parse_mark(option.values[0])
            test = _masked(field, value, mask)
            if field == "connmark":
                test = _of_connection(test, option.negated)
                made.append(Condition(str(option), (field,), test))
            else:
                made.append(condition(option, (field,), test))
        else:
            made.append(unknown_option(match, option))
    return made


def _masked(field: str, value: int, mask: int) -> Test:
    def test(packet: Packet) -> bool | None:
        mark: int | None = getattr(packet, field)
        return None if mark is None else mark & mask == value

    return test


def _of_connection(test: Test, negated: bool) -> Test:
    """A packet without a connection has no mark to compare: no, even when negated (xt_connmark.c)."""
    return lambda packet: False if packet.ctstate in ("INVALID", "UNTRACKED") else answered(test(packet), negated)

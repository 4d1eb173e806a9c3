"""Network interfaces of the host and of its namespaces, with their counters (``ip -d -s link``, man ip-link(8)).

The JSON form is iproute2's own since 4.13 (2017); the text form is read for older ones.  Both say the same:

    >>> (row,) = parse_text_links(SAMPLE, "")
    >>> row.name, row.kind, row.master, row.mtu, row.vxlan.vni, row.vxlan.local, row.tx.dropped
    ('vxlan-994', 'vxlan', 'brq8af4f28b-a6', 1450, 994, '192.168.200.10', 20)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.answers import Row, json_rows, nested, number, text
from stackdoctor.facts.links_text import Block, blocks, counters_of, kind_of, pairs, value_of
from stackdoctor.facts.namespaces import NETNS_LIST, answers, gaps_of, parse_namespaces, within
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = ["HOST_LINKS", "NETNS_LINKS", "Counters", "Link", "Links", "Vxlan", "parse_json_links", "parse_text_links"]

HOST_LINKS = Probe("links.host", ("ip", "-j", "-d", "-s", "link"), otherwise=(("ip", "-d", "-s", "link"),))
NETNS_LINKS = within("links.netns", "ip", "-j", "-d", "-s", "link", otherwise=("ip", "-d", "-s", "link"))

SAMPLE = """\
8: vxlan-994: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue master brq8af4f28b-a6 state UNKNOWN mode DEFAULT
    link/ether a6:24:96:d3:8d:62 brd ff:ff:ff:ff:ff:ff promiscuity 1
    vxlan id 994 local 192.168.200.10 dev eth2 srcport 0 0 dstport 8472 ttl auto ageing 300
    bridge_slave state forwarding priority 32 cost 2
    RX:  bytes packets errors dropped  missed   mcast
         31050     369      0       0       0       0
    TX:  bytes packets errors dropped carrier collsns
         28426     309      0      20       0       0
"""
"""One interface as iproute2 6.1 prints it."""

NOWHERE = Evidence("", "", "")


@dataclass(frozen=True)
class Counters:
    """Traffic of one direction since the interface was made; ``dropped`` are packets the kernel threw away."""

    bytes: int
    packets: int
    errors: int
    dropped: int


@dataclass(frozen=True)
class Vxlan:
    """A tunnel device: its identifier, underlay device and address, multicast group or one remote, UDP port."""

    vni: int
    device: str = ""
    local: str = ""
    group: str = ""
    remote: str = ""
    port: int | None = None
    external: bool = False  # the identifier comes with each packet, as Open vSwitch does it


@dataclass(frozen=True)
class Link:
    """One interface of ``namespace`` ("" is the host's own).

    ``up`` is what the administrator set, ``lower_up`` what the layer below says.  ``parent`` is the device
    below a VLAN or the other end of a veth pair in the same namespace; a veth whose other end is elsewhere has
    ``peer_index`` (the index there, ``@if2``) and ``peer_netnsid``.  ``peer_namespace`` is its name where it
    has one.  ``port_state`` is that of a bridge port (forwarding, disabled ...).  Counters are None where iproute2
    did not print them.
    """

    name: str
    index: int
    namespace: str
    mac: str
    mtu: int
    flags: frozenset[str]
    operstate: str
    master: str
    kind: str
    parent: str
    peer_index: int | None
    peer_netnsid: int | None
    peer_namespace: str
    vlan: int | None
    vxlan: Vxlan | None
    port_state: str
    nf_call_iptables: bool | None  # of a bridge: on for it alone, whatever the sysctl says
    rx: Counters | None
    tx: Counters | None
    evidence: Evidence = NOWHERE

    def __str__(self) -> str:
        return f"{self.name} in {self.namespace}" if self.namespace else self.name

    @property
    def up(self) -> bool:
        """Whether it is administratively up (IFF_UP)."""
        return "UP" in self.flags

    @property
    def lower_up(self) -> bool:
        """Whether the layer below is up (IFF_LOWER_UP): the cable, a veth's other end, the guest behind a tap."""
        return "LOWER_UP" in self.flags

    @property
    def line(self) -> str:
        """A short form in iproute2's manner."""
        peer = f"@if{self.peer_index}" if self.peer_index is not None else f"@{self.parent}" if self.parent else ""
        words = [f"{self.index}: {self.name}{peer}: <{','.join(sorted(self.flags))}> mtu {self.mtu}"]
        words += [f"master {self.master}"] if self.master else []
        words += [f"state {self.operstate}", self.kind, self.mac]
        return " ".join(word for word in words if word)


@dataclass(frozen=True)
class Links:
    """All interfaces of the host and of its namespaces; ``absent`` says why a namespace's are not known."""

    links: tuple[Link, ...]
    absent: Mapping[str, str] = field(default_factory=dict)
    probes: ClassVar[tuple[Probe, ...]] = (NETNS_LIST, HOST_LINKS, NETNS_LINKS)

    @classmethod
    def parse(cls, results: NodeResults) -> Links:
        """The interfaces; raises NotApplicable without iproute2, CouldNotCheck or ParseError."""
        read = answers(results, NETNS_LINKS, HOST_LINKS)
        ids = _namespace_names(results)
        found: list[Link] = []
        for namespace, result, printed in read.said:
            form = parse_json_links if printed.lstrip().startswith("[") else parse_text_links
            rows = form(printed, namespace)
            if not any(row.name == "lo" for row in rows):
                raise ParseError(f"{result.command}: no loopback interface in what it printed")
            for row in rows:
                peer = row.peer_namespace or (ids.get(row.peer_netnsid, "") if not namespace else "")
                found.append(replace(row, peer_namespace=peer, evidence=results.evidence(result, row.line)))
        return cls(tuple(found), read.absent)

    @property
    def gaps(self) -> tuple[tuple[str, str], ...]:
        """The namespaces that could not be read."""
        return gaps_of(self.absent)

    def named(self, name: str, namespace: str = "") -> Link | None:
        """The interface called ``name`` in ``namespace``."""
        return next((link for link in self.links if link.name == name and link.namespace == namespace), None)

    def within(self, namespace: str = "") -> tuple[Link, ...]:
        """The interfaces of one namespace, or of the host."""
        return tuple(link for link in self.links if link.namespace == namespace)

    def ports(self, bridge: str, namespace: str = "") -> tuple[Link, ...]:
        """The interfaces enslaved to ``bridge``."""
        return tuple(link for link in self.within(namespace) if link.master == bridge)

    def peer(self, link: Link) -> Link | None:
        """The other end of a veth pair, where it was read: each is the other's ``@if`` index.

        The kernel names a namespace by a number that may not be known yet when the names are listed, so that
        the indexes alone decide where exactly one interface fits.
        """
        if link.kind != "veth":
            return None
        if link.peer_index is None:
            return self.named(link.parent, link.namespace)
        fitting = [
            other
            for other in self.links
            if (other.kind, other.index, other.peer_index) == ("veth", link.peer_index, link.index)
            and other.namespace != link.namespace
            and _agree(link, other)
            and _agree(other, link)
        ]
        return fitting[0] if len(fitting) == 1 else None


def _agree(link: Link, other: Link) -> bool:
    return link.peer_namespace in ("", other.namespace)


def _namespace_names(results: NodeResults) -> dict[int | None, str]:
    try:
        listing = results.one(NETNS_LIST).text
        return {id_: name for name, id_ in parse_namespaces(listing) if id_ is not None}
    except (CouldNotCheck, NotApplicable):
        return {}


def parse_json_links(printed: str, namespace: str) -> tuple[Link, ...]:
    """Rows of ``ip -j -d -s link``.  Raises ParseError."""
    return tuple(_json_link(row, namespace) for row in json_rows(printed))


def _json_link(row: Row, namespace: str) -> Link:
    info = nested(row, "linkinfo")
    data = nested(info, "info_data")
    kind = text(info, "info_kind")
    flags = row.get("flags")
    index, mtu = number(row, "ifindex"), number(row, "mtu")
    if index is None or mtu is None or not isinstance(flags, list):
        raise ParseError(f"an interface without index, mtu or flags: {str(dict(row))[:200]}")
    nf_call = number(data, "nf_call_iptables") if kind == "bridge" else None
    stats = nested(row, "stats64") or nested(row, "stats")
    return Link(
        name=text(row, "ifname"),
        index=index,
        namespace=namespace,
        mac=text(row, "address") if text(row, "link_type") == "ether" else "",
        mtu=mtu,
        flags=frozenset(str(flag) for flag in flags),
        operstate=text(row, "operstate"),
        master=text(row, "master"),
        kind=kind,
        parent=text(row, "link"),
        peer_index=number(row, "link_index"),
        peer_netnsid=number(row, "link_netnsid"),
        peer_namespace="",
        vlan=number(data, "id") if kind == "vlan" else None,
        vxlan=_json_vxlan(data) if kind == "vxlan" else None,
        port_state=text(nested(info, "info_slave_data"), "state") if info.get("info_slave_kind") == "bridge" else "",
        nf_call_iptables=None if nf_call is None else nf_call == 1,
        rx=_json_counters(nested(stats, "rx")),
        tx=_json_counters(nested(stats, "tx")),
    )


def _json_vxlan(data: Row) -> Vxlan:
    return Vxlan(
        vni=number(data, "id") or 0,
        device=text(data, "link"),
        local=text(data, "local") or text(data, "local6"),
        group=text(data, "group") or text(data, "group6"),
        remote=text(data, "remote") or text(data, "remote6"),
        port=number(data, "port"),
        external=data.get("external") is True,
    )


def _json_counters(row: Row) -> Counters | None:
    return _counters(lambda key: number(row, key)) if row else None


def _counters(get: Callable[[str], int | None]) -> Counters:
    return Counters(get("bytes") or 0, get("packets") or 0, get("errors") or 0, get("dropped") or 0)


def parse_text_links(printed: str, namespace: str) -> tuple[Link, ...]:
    """Rows of ``ip -d -s link`` without ``-j``.  Raises ParseError."""
    return tuple(_text_links(printed, namespace))


def _text_links(printed: str, namespace: str) -> Iterator[Link]:
    for block in blocks(printed):
        values = pairs(block.tail)
        mtu = values.get("mtu", "")
        if not mtu.isdigit() or len(mtu) > 9:
            raise ParseError(f"an interface without mtu: {block.line[:200]}")
        kind, options = kind_of(block)
        address = next((line for line in block.more if line.startswith("link/")), "")
        port = next((line for line in block.more if line.startswith("bridge_slave ")), "")
        elsewhere = re.fullmatch(r"if([0-9]{1,9})", block.peer)
        yield Link(
            name=block.name,
            index=block.index,
            namespace=namespace,
            mac=value_of(address, "link/ether"),
            mtu=int(mtu),
            flags=frozenset(block.flags),
            operstate=values.get("state", ""),
            master=values.get("master", ""),
            kind=kind,
            parent="" if elsewhere or block.peer == "NONE" else block.peer,
            peer_index=int(elsewhere[1]) if elsewhere else None,
            peer_netnsid=_whole(value_of(address, "link-netnsid")),
            peer_namespace=value_of(address, "link-netns"),
            vlan=_whole(value_of(options, "id")) if kind == "vlan" else None,
            vxlan=_text_vxlan(options) if kind == "vxlan" else None,
            port_state=pairs(port.partition(" ")[2]).get("state", ""),
            nf_call_iptables={"0": False, "1": True}.get(value_of(options, "nf_call_iptables")),
            rx=_text_counters(block, "RX:"),
            tx=_text_counters(block, "TX:"),
        )


def _whole(word: str) -> int | None:
    return int(word) if word.isascii() and word.isdigit() and len(word) <= 9 else None


def _text_vxlan(options: str) -> Vxlan:
    return Vxlan(
        vni=_whole(value_of(options, "id")) or 0,
        device=value_of(options, "dev"),
        local=value_of(options, "local"),
        group=value_of(options, "group"),
        remote=value_of(options, "remote"),
        port=_whole(value_of(options, "dstport")),
        external="external" in options.split(),
    )


def _text_counters(block: Block, direction: str) -> Counters | None:
    columns = counters_of(block, direction)
    return _counters(columns.get) if columns else None

"""SR-IOV: physical functions, and the virtual ones of each (``ip -d link``, /sys/class/net/*/device).

>>> parse_text_vf("vf 1     link/ether fa:16:3e:2a:5c:02 brd ff:ff:ff:ff:ff:ff, vlan 101, spoof checking on, "
...               "link-state disable, trust off")
(1, 'fa:16:3e:2a:5c:02', 101, 'disable', True, False)

From iproute2 ``ip/ipaddress.c`` (``print_vfinfo``) and Linux ``PCI/pci-iov-howto``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import NotApplicable, ParseError
from stackdoctor.facts.answers import Row, integer, json_rows, number, output, rows_in, text
from stackdoctor.facts.links import HOST_LINKS
from stackdoctor.facts.links_text import blocks
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = ["SRIOV", "PhysicalFunction", "Sriov", "VirtualFunction", "parse_text_vf"]

SRIOV = Probe(
    "sriov.functions", files=("/sys/class/net/*/device/sriov_numvfs", "/sys/class/net/*/device/sriov_totalvfs")
)
FILE = re.compile(r".*/net/([^/]{1,64})/device/sriov_(numvfs|totalvfs)")
VF_MAC = re.compile(r"(?:link/ether|MAC) ([0-9a-f]{2}(?::[0-9a-f]{2}){5})")


@dataclass(frozen=True)
class VirtualFunction:
    """``vf 1 link/ether fa:16:3e:2a:5c:02, vlan 101, link-state auto, spoof checking on, trust off``.

    ``link`` is auto, enable or disable, empty where the driver does not say; None likewise for the switches.
    """

    device: str
    number: int
    mac: str
    vlan: int | None
    link: str
    spoof_check: bool | None
    trust: bool | None
    evidence: Evidence

    def __str__(self) -> str:
        return f"VF {self.number} of {self.device}"


@dataclass(frozen=True)
class PhysicalFunction:
    """A network card that can be split: ``total`` functions at most, ``made`` now.  ``carrier`` None: not known."""

    name: str
    total: int
    made: int
    up: bool | None
    carrier: bool | None
    functions: tuple[VirtualFunction, ...]
    evidence: Evidence

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Sriov:
    """The cards of a node that can do SR-IOV."""

    cards: tuple[PhysicalFunction, ...]
    probes: ClassVar[tuple[Probe, ...]] = (HOST_LINKS, SRIOV)

    @classmethod
    def parse(cls, results: NodeResults) -> Sriov:
        """The cards; raises NotApplicable where there is none, CouldNotCheck or ParseError."""
        counts: dict[str, dict[str, int]] = {}
        for result in results.usable(SRIOV):
            found, count = FILE.fullmatch(result.subject or result.command), integer(result.text.strip())
            if found is None or count is None:
                raise ParseError(f"{result.command}: not a number of functions: {result.text[:80]}")
            counts.setdefault(found[1], {})[found[2]] = count
        links = results.one(HOST_LINKS)
        printed = output(links)
        read = _json if printed.lstrip().startswith("[") else _text
        ends = read(printed)
        cards = []
        for name, numbers in sorted(counts.items()):
            total, made = numbers.get("totalvfs", 0), numbers.get("numvfs", 0)
            flags, rows = ends.get(name, (None, ()))
            functions = tuple(
                VirtualFunction(name, *row, results.evidence(links, f"{name}: {_line(row)}")) for row in rows
            )
            evidence = Evidence(
                results.node.name, f"/sys/class/net/{name}/device", f"sriov_numvfs {made}, sriov_totalvfs {total}"
            )
            up = None if flags is None else "UP" in flags
            carrier = None if flags is None else "LOWER_UP" in flags
            cards.append(PhysicalFunction(name, total, made, up, carrier, functions, evidence))
        if not any(card.total for card in cards):
            raise NotApplicable("no network card of this node can do SR-IOV")
        return cls(tuple(card for card in cards if card.total))

    def of_mac(self, mac: str) -> tuple[tuple[PhysicalFunction, VirtualFunction], ...]:
        """The functions with a MAC, and their cards."""
        return tuple((card, vf) for card in self.cards for vf in card.functions if vf.mac == mac.lower())


Function = tuple[int, str, int | None, str, bool | None, bool | None]
Ends = dict[str, tuple[frozenset[str], tuple[Function, ...]]]


def _line(row: Function) -> str:
    index, mac, vlan, link, spoof, trust = row
    words = [f"vf {index} link/ether {mac}"]
    words += [f"vlan {vlan}"] if vlan else []
    words += [f"spoof checking {'on' if spoof else 'off'}"] if spoof is not None else []
    words += [f"link-state {link}"] if link else []
    words += [f"trust {'on' if trust else 'off'}"] if trust is not None else []
    return ", ".join(words)


def _json(printed: str) -> Ends:
    ends: Ends = {}
    for row in json_rows(printed):
        flags = row.get("flags")
        rows = row.get("vfinfo_list")
        functions = tuple(_json_vf(vf) for vf in rows_in(rows)) if rows is not None else ()
        ends[text(row, "ifname")] = frozenset(map(str, flags)) if isinstance(flags, list) else frozenset(), functions
    return ends


def _json_vf(row: Row) -> Function:
    index = number(row, "vf")
    if index is None:
        raise ParseError(f"a virtual function without number: {str(dict(row))[:200]}")
    vlans = row.get("vlan_list")
    first = rows_in(vlans)[:1] if vlans is not None else ()
    vlan = number(first[0], "vlan") if first else number(row, "vlan")
    mac = text(row, "address") or text(row, "mac")
    return index, mac.lower(), vlan or None, text(row, "link_state"), _switch(row, "spoofchk"), _switch(row, "trust")


def _switch(row: Row, key: str) -> bool | None:
    value = row.get(key)
    return value if isinstance(value, bool) else {"on": True, "off": False}.get(str(value))


def _text(printed: str) -> Ends:
    ends: Ends = {}
    for block in blocks(printed):
        rows = tuple(parse_text_vf(line) for line in block.more if line.startswith("vf "))
        ends[block.name] = frozenset(block.flags), rows
    return ends


def parse_text_vf(line: str) -> Function:
    """Number, MAC, VLAN, link state, spoof check and trust of a ``vf`` line.  Raises ParseError."""
    words = line.split()
    index = integer(words[1]) if len(words) > 1 else None
    if index is None:
        raise ParseError(f"not a virtual function: {line[:200]}")
    mac = VF_MAC.search(line)
    values: dict[str, str] = {}
    for part in line.split(","):
        name, _, value = part.strip().rpartition(" ")
        values[name] = value
    vlan = next((integer(part.split()[1]) for part in line.split(", ") if part.startswith("vlan ")), None)
    on = {"on": True, "off": False}
    return (
        index,
        mac[1] if mac else "",
        vlan or None,
        values.get("link-state", ""),
        on.get(values.get("spoof checking", "")),
        on.get(values.get("trust", "")),
    )

"""The OpenFlow tables that Neutron's agent writes, as far as they show where a port's frames go (ovs-ofctl(8)).

>>> parse_flow(" cookie=0x7d, duration=25.5s, table=22, n_packets=4, n_bytes=9, priority=1,dl_vlan=1"
...            " actions=strip_vlan,load:0x3e2->NXM_NX_TUN_ID[],output:2,output:3")
Flow(table=22, priority=1, match={'dl_vlan': '1'}, actions='strip_vlan,load:0x3e2->NXM_NX_TUN_ID[],output:2,output:3')

Tables (neutron ``plugins/ml2/drivers/openvswitch/agent/common/constants.py``): br-int 0 (VLANs of physical networks to
local ones), 23 (canary), 60 (transient), 71 and following (security groups); br-tun 0, 2 (from br-int), 3, 4 and 6
(tunnel keys to local VLANs), 20 (known stations), 22 (flooding).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.answers import integer, said
from stackdoctor.facts.ovs_db import OVS_CONTAINER, OVS_DB, VSCTL
from stackdoctor.model import Each, Evidence, NodeResults, Probe, Status

__all__ = ["OVS_FLOWS", "BridgeFlows", "Flow", "OvsFlows", "parse_flow"]

OVS_FLOWS = Probe(
    "ovs.flows",
    ("ovs-ofctl", "--timeout=10", "dump-flows", "{each}"),
    each=Each((*VSCTL, "list-br"), r"^((?!tbr-)\S+)", limit=12),  # tbr-: one for each trunk port, of no interest here
    root=True,
    container=OVS_CONTAINER,
    timeout=15.0,
    cap=8 * 1024 * 1024,
    costly=True,
    after=OVS_DB.id,
)

KEPT = frozenset((0, 1, 2, 3, 4, 6, 20, 21, 22, 23, 60, 61, 62, 71))
"""Those of security groups (72 to 94) grow with groups times ports, and say nothing about wiring."""

TABLE = re.compile(r" table=([0-9]{1,3}),")
COUNTERS = (
    "cookie",
    "duration",
    "table",
    "n_packets",
    "n_bytes",
    "idle_age",
    "hard_age",
    "idle_timeout",
    "hard_timeout",
)
KEY = re.compile(
    r"(?:load:|set_field:)(0x[0-9a-f]{1,16}|[0-9]{1,18})->(?:NXM_NX_TUN_ID\[\]|tun_id)|set_tunnel:(0x[0-9a-f]{1,16})"
)
VLAN = re.compile(
    r"mod_vlan_vid:([0-9]{1,4})|set_field:([0-9]{1,5})->vlan_vid|load:(0x[0-9a-f]{1,4})->OXM_OF_VLAN_VID\[\]"
)
OUTPUT = re.compile(r"output:([0-9]{1,10})")


@dataclass(frozen=True)
class Flow:
    """One flow: ``match`` by field, ``actions`` as printed (``drop``, ``NORMAL``, ``mod_vlan_vid:2,resubmit(,60)``)."""

    table: int
    priority: int
    match: Mapping[str, str]
    actions: str
    temporary: bool = field(default=False, repr=False)  # learned: it goes by itself
    line: str = field(default="", repr=False, compare=False)

    def has(self, **match: object) -> bool:
        """Whether it asks for exactly these values, and maybe others."""
        return all(self.match.get(name) == str(value) for name, value in match.items())

    @property
    def drops(self) -> bool:
        """Whether what it matches ends here."""
        return self.actions == "drop"

    @property
    def outputs(self) -> tuple[int, ...]:
        """The OpenFlow ports that it sends to."""
        return tuple(int(number) for number in OUTPUT.findall(self.actions))

    @property
    def key(self) -> int | None:
        """The tunnel key (VNI) that it sets."""
        found = KEY.search(self.actions)
        return int(found[1] or found[2], 0) if found else None

    @property
    def vlan(self) -> int | None:
        """The VLAN that it sets."""
        found = VLAN.search(self.actions)
        if found is None:
            return None
        number = int(found[1] or found[2] or found[3], 0)
        return number & 0xFFF


@dataclass(frozen=True)
class BridgeFlows:
    """The flows of one bridge in the tables of wiring.  ``whole`` is False where its output was cut."""

    bridge: str
    flows: tuple[Flow, ...]
    whole: bool
    command: str
    evidence: Evidence

    def of(self, table: int, **match: object) -> tuple[Flow, ...]:
        """The flows of a table that ask for these values."""
        return tuple(flow for flow in self.flows if flow.table == table and flow.has(**match))

    def told(self, flow: Flow) -> Evidence:
        """A flow as evidence."""
        return Evidence(self.evidence.node, self.command, flow.line)


@dataclass(frozen=True)
class OvsFlows:
    """The flows of the node's bridges, by name; ``absent`` says why those of a bridge are not known."""

    bridges: Mapping[str, BridgeFlows]
    absent: Mapping[str, str] = field(default_factory=dict)
    probes: ClassVar[tuple[Probe, ...]] = (OVS_DB, OVS_FLOWS)

    @classmethod
    def parse(cls, results: NodeResults) -> OvsFlows:
        """The flows; raises NotApplicable without Open vSwitch, CouldNotCheck where none are known, ParseError."""
        bridges: dict[str, BridgeFlows] = {}
        absent: dict[str, str] = {}
        results.usable(OVS_DB)  # where it is missing, these were not asked
        for result in results.every(OVS_FLOWS):
            if result.status is Status.MISSING:
                raise NotApplicable(result.reason or f"{result.command} is not on this node")
            if result.status not in (Status.RAN, Status.TRUNCATED) or result.exit:
                absent[result.subject] = said(result) or result.reason or f"{result.command}: {result.status.value}"
                continue
            cut = result.status is Status.TRUNCATED
            lines = result.text.splitlines()
            lines = lines[:-1] if cut else lines
            flows = tuple(parse_flow(line) for line in lines if _kept(line))
            shown = results.evidence(result, f"{len(lines)} lines")
            bridges[result.subject] = BridgeFlows(result.subject, flows, not cut, result.command, shown)
        if not bridges:
            raise CouldNotCheck(f"no flows were read: {next(iter(absent.values()), 'no bridge was listed')}")
        return cls(bridges, absent)

    def of(self, bridge: str) -> BridgeFlows | None:
        """The flows of a bridge."""
        return self.bridges.get(bridge)


def _kept(line: str) -> bool:
    found = TABLE.search(line[:120])
    if found is None:
        if not line.strip() or line.startswith(("NXST_FLOW", "OFPST_FLOW")):
            return False
        raise ParseError(f"not a flow: {line[:200]}")
    return int(found[1]) in KEPT


def parse_flow(line: str) -> Flow:
    """A line of ``ovs-ofctl dump-flows``.  Raises ParseError."""
    head, found, actions = line.strip().partition(" actions=")
    if not found:
        raise ParseError(f"not a flow: {line[:200]}")
    table, priority, temporary = 0, 32768, False
    match: dict[str, str] = {}
    for word in head.replace(", ", ",").split(","):
        name, equals, value = word.partition("=")
        if name == "table":
            table = integer(value) or 0
        elif name == "priority":
            priority = integer(value) or 0
        elif name in COUNTERS:
            temporary = temporary or name in ("idle_timeout", "hard_timeout")
        elif name not in ("reset_counts", "send_flow_rem", "importance"):
            match[name.strip()] = value if equals else ""
    return Flow(table, priority, match, actions, temporary, line.strip())

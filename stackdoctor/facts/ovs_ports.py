"""The bridges, ports and interfaces of Open vSwitch (man ovs-vswitchd.conf.db(5)), with what Neutron notes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stackdoctor.model import Evidence

__all__ = ["DEAD_VLAN", "OvsBridge", "OvsInterface", "OvsPort"]

DEAD_VLAN = 4095
"""The tag of a port that the agent has not bound, or whose admin state is down (neutron ``ovs_constants``)."""


@dataclass(frozen=True)
class OvsInterface:
    """A row of Interface.  ``ofport`` is its OpenFlow number, -1 where it could not be opened, None if not tried.

    ``kind`` is empty for a device of the system, or internal, patch, vxlan, geneve, dpdk, dpdkvhostuserclient ...;
    ``error`` is ovs-vswitchd's own words.
    """

    name: str
    kind: str
    ofport: int | None
    error: str
    link_state: str
    mac: str
    mtu: int | None
    external_ids: Mapping[str, str]
    options: Mapping[str, str]
    status: Mapping[str, str]
    evidence: Evidence

    def __str__(self) -> str:
        return self.name

    @property
    def port_id(self) -> str:
        """The Neutron port's id; empty for what belongs to none."""
        return self.external_ids.get("iface-id", "")

    @property
    def failed(self) -> bool:
        """Whether ovs-vswitchd could not open it."""
        return bool(self.error) or self.ofport == -1


@dataclass(frozen=True)
class OvsPort:
    """A row of Port with its interfaces (several are a bond).  ``tag`` is the local VLAN of its network, or None.

    ``network``, ``network_type``, ``physical_network`` and ``segment`` are what Neutron's agent noted of the network.
    """

    name: str
    bridge: str
    tag: int | None
    mode: str
    interfaces: tuple[OvsInterface, ...]
    other_config: Mapping[str, str]
    evidence: Evidence

    def __str__(self) -> str:
        return self.name

    @property
    def interface(self) -> OvsInterface | None:
        """Its interface; of a bond the first."""
        return self.interfaces[0] if self.interfaces else None

    @property
    def kind(self) -> str:
        """Its interface's type."""
        return self.interfaces[0].kind if self.interfaces else ""

    @property
    def ofport(self) -> int | None:
        """Its interface's OpenFlow number."""
        return self.interfaces[0].ofport if self.interfaces else None

    @property
    def port_id(self) -> str:
        """The Neutron port's id; empty for what belongs to none."""
        return next((i.port_id for i in self.interfaces if i.port_id), "")

    @property
    def mac(self) -> str:
        """The Neutron port's MAC."""
        return next((m.lower() for i in self.interfaces if (m := i.external_ids.get("attached-mac"))), "")

    @property
    def wired(self) -> bool:
        """Whether it has a local VLAN: not none, and not the dead one."""
        return self.tag is not None and self.tag != DEAD_VLAN

    @property
    def network(self) -> str:
        """The id of its Neutron network; empty where the agent has not noted it."""
        return self.other_config.get("net_uuid", "")

    @property
    def segment(self) -> str:
        """The network's kind and number outside of this node: ``vxlan 994``, ``vlan 101``; empty if not noted."""
        kind, number = self.other_config.get("network_type", ""), self.other_config.get("segmentation_id", "")
        return f"{kind} {number}".strip()


@dataclass(frozen=True)
class OvsBridge:
    """A row of Bridge.  ``fail_mode`` secure: without flows nothing passes; ``datapath`` netdev is in userspace."""

    name: str
    datapath: str
    fail_mode: str
    ports: tuple[OvsPort, ...]
    evidence: Evidence

    def __str__(self) -> str:
        return self.name

    def port(self, name: str) -> OvsPort | None:
        """Its port called ``name``."""
        return next((p for p in self.ports if p.name == name), None)

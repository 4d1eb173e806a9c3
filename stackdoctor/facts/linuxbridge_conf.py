"""What the Linux bridge agent's configuration says of the node's interfaces.

>>> parse_mappings("physnet1:eth1, external:bond0.20")
(('physnet1', 'eth1'), ('external', 'bond0.20'))

From neutron ``conf/plugins/ml2/drivers/linuxbridge.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from stackdoctor.errors import NotApplicable, ParseError
from stackdoctor.facts.oslo_config import read_options
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = ["LINUXBRIDGE_CONF", "LinuxBridgeConf", "Mapping", "parse_mappings"]

NAME = "linuxbridge_agent.ini"
LINUXBRIDGE_CONF = Probe(
    "linuxbridge.conf",
    files=(
        f"/etc/neutron/plugins/linuxbridge/{NAME}",  # of old: it may have been left there
        f"/etc/neutron/plugins/ml2/{NAME}",
        f"/etc/kolla/neutron-linuxbridge-agent/{NAME}",
    ),
    root=True,
    settings=True,
)
MAPPINGS = ("physical_interface_mappings", "bridge_mappings")


@dataclass(frozen=True)
class Mapping:
    """One of ``physical_interface_mappings`` or ``bridge_mappings``: the device behind a physical network."""

    physical_network: str
    device: str
    option: str
    evidence: Evidence

    def __str__(self) -> str:
        return f"{self.physical_network}:{self.device}"


@dataclass(frozen=True)
class LinuxBridgeConf:
    """The mappings and the tunnel address of the agent's own file (``[linux_bridge]``, ``[vxlan]``).

    ``local_ip`` is empty where the file does not say it (it may stand in another one).
    """

    mappings: tuple[Mapping, ...]
    local_ip: str
    evidence: Evidence
    probes: ClassVar[tuple[Probe, ...]] = (LINUXBRIDGE_CONF,)

    def __str__(self) -> str:
        return self.evidence.source

    @classmethod
    def parse(cls, results: NodeResults) -> LinuxBridgeConf:
        """The settings; raises NotApplicable without the file, CouldNotCheck or ParseError."""
        options = read_options(results, LINUXBRIDGE_CONF)
        if not options.rows:
            raise NotApplicable(f"{NAME} sets nothing")
        set_ = (options.option("linux_bridge", name) for name in MAPPINGS)
        mappings = tuple(
            Mapping(network, device, option.name, option.evidence or options.evidence)
            for option in set_
            if option is not None
            for network, device in parse_mappings(option.value)
        )
        shown = replace(options.evidence, line=options.evidence.source)
        return cls(mappings, options.get("vxlan", "local_ip"), shown)


def parse_mappings(value: str) -> tuple[tuple[str, str], ...]:
    """Physical networks and devices (neutron-lib ``helpers.parse_mappings``).  Raises ParseError."""
    found: list[tuple[str, str]] = []
    for word in value.split(","):
        network, colon, device = (part.strip() for part in word.strip().partition(":"))
        if not word.strip():
            continue
        if not colon or not network or not device:
            raise ParseError(f"not PHYSICAL_NETWORK:DEVICE: {word[:100]!r}")
        found.append((network, device))
    return tuple(found)

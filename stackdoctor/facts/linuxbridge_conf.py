"""What the Linux bridge agent's configuration says of the node's interfaces.

>>> parse_mappings("physnet1:eth1, external:bond0.20")
(('physnet1', 'eth1'), ('external', 'bond0.20'))

From neutron ``conf/plugins/ml2/drivers/linuxbridge.py``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import NotApplicable, ParseError
from stackdoctor.facts.answers import output
from stackdoctor.model import Evidence, NodeResults, Probe, Result

__all__ = ["LINUXBRIDGE_CONF", "LinuxBridgeConf", "Mapping", "parse_mappings"]

NAME = "linuxbridge_agent.ini"
LINUXBRIDGE_CONF = Probe(
    "linuxbridge.conf",
    files=(
        f"/etc/neutron/plugins/ml2/{NAME}",
        f"/etc/kolla/neutron-linuxbridge-agent/{NAME}",
        f"/etc/neutron/plugins/linuxbridge/{NAME}",
    ),
    root=True,
    settings=True,
)
SECTION = re.compile(r"\[([\w-]{1,80})\]")


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
        result = results.usable(LINUXBRIDGE_CONF)[0]
        mappings: list[Mapping] = []
        local = ""
        for section, option, value, line in _settings(output(result)):
            if section == "linux_bridge" and option in ("physical_interface_mappings", "bridge_mappings"):
                evidence = results.evidence(result, line)
                mappings = [m for m in mappings if m.option != option]  # the last one counts (oslo.config)
                mappings += [Mapping(network, device, option, evidence) for network, device in parse_mappings(value)]
            elif section == "vxlan" and option == "local_ip":
                local = value
        return cls(tuple(mappings), local, _shown(results, result))


def _shown(results: NodeResults, result: Result) -> Evidence:
    return results.evidence(result, result.command or result.subject)


def _settings(text: str) -> list[tuple[str, str, str, str]]:
    """Section, option, value and line of each setting; raises NotApplicable for a file without any."""
    found: list[tuple[str, str, str, str]] = []
    section = ""
    for line in text.splitlines():
        bare = line.strip()
        if not bare or bare[0] in "#;":
            continue
        if header := SECTION.fullmatch(bare):
            section = header[1]
            continue
        option, equals, value = bare.partition("=")
        if equals and not line[0].isspace():
            found.append((section, option.strip(), value.strip(), bare))
        elif found and line[0].isspace():  # a value goes on in the next line
            before = found.pop()
            found.append((*before[:2], f"{before[2]},{bare}", before[3]))
    if not found:
        raise NotApplicable(f"{NAME} sets nothing")
    return found


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

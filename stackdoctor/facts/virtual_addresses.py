"""The virtual addresses that a node may carry, as keepalived's or Pacemaker's configuration names them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.answers import output
from stackdoctor.facts.keepalived import parse_keepalived
from stackdoctor.facts.pacemaker import PACEMAKER_STATUS, bounded_xml
from stackdoctor.model import Evidence, NodeResults, Probe, Status

__all__ = ["CLUSTER_ADDRESSES", "KEEPALIVED_CONF", "VirtualAddress", "VirtualAddresses"]

KEEPALIVED_CONF = Probe(
    "keepalived.conf",
    files=(
        "/etc/keepalived/keepalived.conf",
        "/etc/kolla/keepalived/keepalived.conf",
        "/var/lib/config-data/puppet-generated/keepalived/etc/keepalived/keepalived.conf",
        "/etc/keepalived/conf.d/*.conf",
    ),
    root=True,
)
# only the addresses: other parts of the configuration hold the passwords of fencing devices
CLUSTER_ADDRESSES = Probe(
    "pacemaker.addresses",
    ("cibadmin", "--query", "--xpath", "//primitive[@type='IPaddr2']"),
    root=True,
    container="pacemaker",
    timeout=10.0,
    after=PACEMAKER_STATUS.id,
)
NO_MATCH = frozenset((6, 105))  # ENXIO: "Call cib_query failed: No such device or address"


@dataclass(frozen=True)
class VirtualAddress:
    """One address: ``name`` is the VRRP instance or the resource that carries it.

    ``peers`` are the addresses of the other nodes that may have it, empty where the configuration does not say.
    """

    ip: str
    manager: Literal["keepalived", "pacemaker"]
    name: str
    interface: str
    priority: int | None
    peers: tuple[str, ...]
    evidence: Evidence

    def __str__(self) -> str:
        return self.ip


@dataclass(frozen=True)
class VirtualAddresses:
    """All of them, each address once."""

    rows: tuple[VirtualAddress, ...]
    gaps: tuple[tuple[str, str], ...] = ()
    probes: ClassVar[tuple[Probe, ...]] = (KEEPALIVED_CONF, PACEMAKER_STATUS, CLUSTER_ADDRESSES)

    def __iter__(self) -> Iterator[VirtualAddress]:
        return iter(self.rows)

    @classmethod
    def parse(cls, results: NodeResults) -> VirtualAddresses:
        """The addresses.  Raises NotApplicable where neither is there, CouldNotCheck or ParseError."""
        rows: dict[str, VirtualAddress] = {}
        missing: list[str] = []
        unread: list[str] = []
        for read in (_of_keepalived, _of_pacemaker):
            try:
                for row in read(results):
                    rows.setdefault(row.ip, row)
            except NotApplicable as error:
                missing.append(str(error))
            except CouldNotCheck as error:
                unread.append(str(error))
        if not rows and len(missing) + len(unread) == 2:
            raise CouldNotCheck("; ".join(unread)) if unread else NotApplicable("; ".join(missing))
        return cls(tuple(rows.values()), tuple(("vip.*", reason) for reason in unread))


def _of_keepalived(results: NodeResults) -> Iterator[VirtualAddress]:
    for result in results.usable(KEEPALIVED_CONF):
        for instance in parse_keepalived(output(result)):
            for ip in instance.addresses:
                line = f"vrrp_instance {instance.name} interface {instance.interface} virtual_ipaddress {ip}"
                shown = results.evidence(result, line)
                yield VirtualAddress(
                    ip, "keepalived", instance.name, instance.interface, instance.priority, instance.peers, shown
                )


def _of_pacemaker(results: NodeResults) -> Iterator[VirtualAddress]:
    status = results.one(PACEMAKER_STATUS)
    if status.status is Status.RAN and status.exit:
        raise NotApplicable(f"{status.command}: exit status {status.exit}")  # told by what looks at Pacemaker
    result = results.one(CLUSTER_ADDRESSES)
    if result.exit in NO_MATCH:
        return
    root = bounded_xml(output(result), "cibadmin")
    for primitive in [root] if root.tag == "primitive" else root.findall("primitive"):
        values = {
            pair.attrib.get("name", ""): pair.attrib.get("value", "")
            for pair in primitive.findall("./instance_attributes/nvpair")
        }
        name = primitive.attrib.get("id", "")
        try:
            ip = str(ipaddress.ip_address(values.get("ip", "")))
        except ValueError:
            continue
        shown = results.evidence(result, f'<primitive id="{name[:80]}" type="IPaddr2"> ip={ip}')
        yield VirtualAddress(ip, "pacemaker", name, values.get("nic", ""), None, (), shown)

"""One name a node: what logs, queues and sockets call it (host name, address) becomes the report's name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.host import HostsFile
from stackdoctor.model import NodeResults

__all__ = ["HOST_KEYS", "NAME_PROBES", "NodeNames"]

NAME_PROBES = (*Addresses.probes, *HostsFile.probes)

HOST_KEYS = frozenset({"host", "node", "peer_ip", "broker", "client", "target_host"})
"""The keys whose value names a host of the cloud."""


@dataclass(frozen=True)
class NodeNames:
    """Every name and address of each node, lower case, to the name that the report uses."""

    aliases: Mapping[str, str]

    @classmethod
    def of(cls, nodes: Iterable[NodeResults]) -> NodeNames:
        """The names of ``nodes``; one that two nodes claim (a virtual address in transit) stays as it is."""
        claims: dict[str, set[str]] = {}
        for results in nodes:
            for alias in _aliases(results):
                claims.setdefault(alias, set()).add(results.node.name)
        return cls({alias: next(iter(owners)) for alias, owners in claims.items() if len(owners) == 1})

    def name(self, text: str) -> str:
        """The node that ``text`` names, or ``text`` itself."""
        return self.aliases.get(text.lower(), text)

    def canonical(self, keys: Mapping[str, str]) -> dict[str, str]:
        """``keys`` with the values that name hosts in the report's words."""
        return {key: self.name(value) if key in HOST_KEYS else value for key, value in keys.items()}


def _aliases(results: NodeResults) -> Iterable[str]:
    node = results.node
    for name in (node.name, node.address, results.hostname):
        if name:
            yield name.lower()
            if not name.replace(".", "").isdigit():
                yield name.split(".", 1)[0].lower()
    own_addresses: set[str] = {node.address} if node.address else set()
    try:
        host_addresses = [a.ip for a in Addresses.parse(results).addresses if not a.namespace]
    except (CouldNotCheck, NotApplicable):
        host_addresses = []
    for address in host_addresses:
        if not address.startswith(("127.", "::1", "fe80:")):
            own_addresses.add(address)
            yield address
    try:
        entries = HostsFile.parse(results).names
    except (CouldNotCheck, NotApplicable):
        return
    for address, names in entries.items():
        if address in own_addresses:
            yield from (name.lower() for name in names)

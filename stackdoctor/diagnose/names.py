"""One name a node: what logs, queues and sockets call it (host name, address) becomes the report's name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.host import HostsFile
from stackdoctor.model import NodeResults

__all__ = ["HOST_KEYS", "NAME_PROBES", "NodeNames", "name_the_silent"]

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
        nodes = tuple(nodes)
        claims: dict[str, set[str]] = {}
        for results in nodes:
            for alias in _aliases(results):
                claims.setdefault(alias, set()).add(results.node.name)
        for results in nodes:
            if not results.results:
                for alias in _said_by_others(results.node.address, nodes):
                    claims.setdefault(alias, set()).add(results.node.name)
        return cls({alias: next(iter(owners)) for alias, owners in claims.items() if len(owners) == 1})

    def name(self, text: str) -> str:
        """The node that ``text`` names, or ``text`` itself.

        Of a name with ``@`` its host counts, which RabbitMQ has behind it (rabbit@host) and Cinder before it
        (host@backend).  A name with a domain is the node of its first part unless that is known by another domain.
        """
        before, at, after = text.lower().partition("@")
        known = (self._node(part) for part in ((text.lower(), after, before) if at else (before,)))
        return next((node for node in known if node), text)

    def _node(self, name: str) -> str:
        short, dot, _ = name.partition(".")
        if name in self.aliases or not dot or short.isdigit() or short in self._with_domain:
            return self.aliases.get(name, "")
        return self.aliases.get(short, "")

    @cached_property
    def _with_domain(self) -> frozenset[str]:
        return frozenset(alias.partition(".")[0] for alias in self.aliases if "." in alias)

    def canonical(self, keys: Mapping[str, str]) -> dict[str, str]:
        """``keys`` with the values that name hosts in the report's words."""
        return {key: self.name(value) if key in HOST_KEYS else value for key, value in keys.items()}


def name_the_silent(nodes: Iterable[NodeResults]) -> tuple[NodeResults, ...]:
    """``nodes``, with those that were given by address and did not answer called as the others' hosts files do."""
    nodes = tuple(nodes)
    taken = {results.node.name for results in nodes}
    named = []
    for results in nodes:
        said = set(_said_by_others(results.node.address, nodes)) if not results.results else set()
        shortest = min(said, key=lambda name: (len(name), name), default="")
        if shortest and not results.node.named and shortest not in taken:
            results = replace(results, node=replace(results.node, name=shortest))
        named.append(results)
    return tuple(named)


def _said_by_others(address: str, nodes: Iterable[NodeResults]) -> Iterable[str]:
    """What the hosts files of nodes that answered call a node that did not."""
    for results in nodes:
        with suppress(CouldNotCheck, NotApplicable):
            for name in HostsFile.parse(results).names.get(address, ()):
                yield name.lower()


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

"""One name a node: what logs, queues and sockets call it (host name, address) becomes the report's name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.host import HostsFile
from stackdoctor.model import Node, NodeResults

__all__ = ["HOST_KEYS", "NAME_PROBES", "Known", "NodeNames", "known_of", "name_the_silent"]

NAME_PROBES = (*Addresses.probes, *HostsFile.probes)

HOST_KEYS = frozenset({"host", "node", "peer_ip", "broker", "client", "target_host"})
"""The keys whose value names a host of the cloud."""


@dataclass(frozen=True)
class Known:
    """What tells one node's names: ``addresses`` are its own, ``hosts`` its hosts file's names by address."""

    node: Node
    hostname: str
    answered: bool
    addresses: tuple[str, ...] = ()
    hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def known_of(results: NodeResults) -> Known:
    """The names that a node's answers tell."""
    addresses: tuple[str, ...] = ()
    hosts: Mapping[str, tuple[str, ...]] = {}
    with suppress(CouldNotCheck, NotApplicable):
        own = (a.ip for a in Addresses.parse(results).addresses if not a.namespace)
        addresses = tuple(ip for ip in own if not ip.startswith(("127.", "::1", "fe80:")))
    with suppress(CouldNotCheck, NotApplicable):
        hosts = HostsFile.parse(results).names
    return Known(results.node, results.hostname, bool(results.results), addresses, hosts)


@dataclass(frozen=True)
class NodeNames:
    """Every name and address of each node, lower case, to the name that the report uses."""

    aliases: Mapping[str, str]

    @classmethod
    def of(cls, nodes: Iterable[Known]) -> NodeNames:
        """The names of ``nodes``; one that two nodes claim (a virtual address in transit) stays as it is."""
        nodes = tuple(nodes)
        claims: dict[str, set[str]] = {}
        for known in nodes:
            for alias in _aliases(known):
                claims.setdefault(alias, set()).add(known.node.name)
        for known in nodes:
            if not known.answered:
                for alias in _said_by_others(known.node.address, nodes):
                    claims.setdefault(alias, set()).add(known.node.name)
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


def name_the_silent(nodes: Iterable[Known]) -> tuple[Node, ...]:
    """``nodes``, with those that were given by address and did not answer called as the others' hosts files do."""
    nodes = tuple(nodes)
    taken = {known.node.name for known in nodes}
    named = []
    for known in nodes:
        said = set(_said_by_others(known.node.address, nodes)) if not known.answered else set()
        shortest = min(said, key=lambda name: (len(name), name), default="")
        fits = shortest and not known.node.named and shortest not in taken
        named.append(replace(known.node, name=shortest) if fits else known.node)
    return tuple(named)


def _said_by_others(address: str, nodes: Iterable[Known]) -> Iterable[str]:
    """What the hosts files of nodes that answered call a node that did not."""
    for known in nodes:
        for name in known.hosts.get(address, ()):
            yield name.lower()


def _aliases(known: Known) -> Iterable[str]:
    for name in (known.node.name, known.node.address, known.hostname):
        if name:
            yield name.lower()
            if not name.replace(".", "").isdigit():
                yield name.split(".", 1)[0].lower()
    yield from known.addresses
    for address in {known.node.address, *known.addresses} - {""}:
        for name in known.hosts.get(address, ()):
            yield name.lower()

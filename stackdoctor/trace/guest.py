"""One instance as an operator names it: what its nodes know of it, and which places are its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from stackdoctor.facts.libvirt import Domain
from stackdoctor.model import NodeResults
from stackdoctor.trace.endpoints import Endpoint, endpoints, same_network
from stackdoctor.trace.named import instance_named
from stackdoctor.trace.wiring import Wiring

__all__ = ["Guest", "guest_at", "guest_named"]

_TYPED = re.compile(r"[A-Za-z0-9][\w.-]*")
"""A name that can stand in a command as it is."""


@dataclass(frozen=True)
class Guest:
    """``domains`` are what nodes have of it, by node; none where its boot failed before, or its node is silent.

    ``cards`` are its network cards; ``taken`` are the names (port, device, MAC, addresses, id) of all other guests,
    ``apart`` the nodes that do nothing but run guests, none of which is it; ``peers`` are guests of its networks.
    """

    id: str
    name: str
    domains: tuple[tuple[str, Domain], ...]
    cards: tuple[Endpoint, ...]
    taken: frozenset[str] = frozenset()
    apart: frozenset[str] = frozenset()
    peers: tuple[str, ...] = ()

    def __str__(self) -> str:
        called = f"{self.name} ({self.id})" if self.name and self.id else self.name or self.id
        states = [f"{domain.state} on {node}" for node, domain in self.domains] or ["no node has a domain of it"]
        addresses = [address for card in self.cards for address in card.addresses]
        return ", ".join((called, *states, *addresses))

    @property
    def state(self) -> str:
        """``running``, another state that libvirt has, or ``absent``."""
        states = [domain.state for _, domain in self.domains]
        return "running" if "running" in states else states[0] if states else "absent"

    @property
    def names(self) -> frozenset[str]:
        """Everything that means this instance."""
        own = {self.id, self.name, *(domain.name for _, domain in self.domains)}
        return frozenset(own.union(*(_names(card) for card in self.cards)) - {""})

    def may_be_hit_by(self, where: Mapping[str, str]) -> bool:
        """Whether what is broken at ``where`` may hit it: not what is another guest's, another network's or host's."""
        networks = [card.network for card in self.cards if card.network]
        for key, value in where.items():
            if value in self.apart or (value in self.taken and value not in self.names):
                return False
            if key == "instance" and value not in self.names:
                return False
            if key == "network" and networks and not any(same_network(value, network) for network in networks):
                return False
        return True

    @property
    def values(self) -> dict[str, str]:
        """What fills in the commands about it."""
        card = self.cards[0] if self.cards else None
        called = self.name if _TYPED.fullmatch(self.name) else self.id
        values = {"guest": called, "instance": called}
        if card is not None:
            values |= {"port": card.port, "device": card.device, "mac": card.mac, "network": card.network}
            values["ip"] = card.addresses[0] if card.addresses else ""
        values["host"] = self.domains[0][0] if self.domains else ""
        values["volume"] = next((d.serial for _, domain in self.domains for d in domain.disks if d.serial), "")
        values["peer"] = self.peers[0] if self.peers else ""
        return {key: value for key, value in values.items() if value}


def guest_named(what: str, nodes: Sequence[NodeResults]) -> Guest:
    """The instance that ``what`` is: its id, name, address, MAC, port or tap.

    Raises UsageError, with near names, where no node knows it.  A whole id need not be known anywhere.
    """
    ends = _cards(nodes)
    wanted = what.strip().lower()
    called = [end for end in ends if wanted in {name.lower() for name in _names(end)}]
    ids = {end.domain.uuid for end in called if end.domain is not None}
    if len(ids) == 1:
        what = ids.pop()
    uuid, name, domains = instance_named(what, lambda facts: nodes)
    return _guest(uuid, name, domains, nodes, ends)


def guest_at(where: Mapping[str, str], nodes: Sequence[NodeResults]) -> Guest | None:
    """The instance at the place ``where``: whose port, device, address or id stands in it; else one of its network."""
    ends = [end for end in _cards(nodes) if end.domain is not None]
    there = set(where.values())
    found = next((end for end in ends if there & _names(end)), None)
    if found is None and (network := where.get("network", "")):
        found = next((end for end in ends if same_network(network, end.network)), None)
    if found is None or found.domain is None:
        return None
    return _guest(found.domain.uuid, found.domain.nova_name, ((found.node, found.domain),), nodes, ends)


def _guest(
    uuid: str,
    name: str,
    domains: tuple[tuple[str, Domain], ...],
    nodes: Sequence[NodeResults],
    ends: Sequence[Endpoint],
) -> Guest:
    cards = tuple(end for end in ends if end.domain is not None and end.domain.uuid == uuid)
    others = [end for end in ends if end.domain is not None and end.domain.uuid != uuid]
    networks = {card.network for card in cards}
    near = (end.domain.nova_name for end in others if end.network in networks and end.domain is not None)
    return Guest(
        uuid,
        name,
        domains,
        cards,
        frozenset(named for end in others for named in _names(end)),
        frozenset(n.node.name for n in nodes if domains and n.node.roles == {"compute"})
        - {node for node, _ in domains},
        tuple(dict.fromkeys(peer for peer in near if _TYPED.fullmatch(peer))),
    )


def _hosts_only(nodes: Sequence[NodeResults]) -> frozenset[str]:
    return frozenset(n.node.name for n in nodes if n.node.roles == {"compute"})


def _cards(nodes: Sequence[NodeResults]) -> list[Endpoint]:
    return [end for end in endpoints(Wiring.of(nodes)) if end.owner == "instance"]


def _names(end: Endpoint) -> set[str]:
    return set(_all_names(end)) - {""}


def _all_names(end: Endpoint) -> Iterator[str]:
    yield from (end.port, end.device, end.mac, *end.addresses)
    if end.domain is not None:
        yield from (end.domain.uuid, end.domain.name, end.domain.nova_name)

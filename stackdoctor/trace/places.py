"""The interfaces that a path leads over: where its packets can be captured."""

from __future__ import annotations

from dataclasses import dataclass

from stackdoctor.facts.links import Links
from stackdoctor.trace.path import Path
from stackdoctor.trace.wiring import Wiring

__all__ = ["Place", "places"]

INTERFACES = ("tap", "veth", "vxlan", "vlan", "physical", "underlay", "interface")
"""A bridge itself shows only what is for the node: the rest passes from port to port."""


@dataclass(frozen=True)
class Place:
    """An interface of a node, in a namespace or (empty) outside of all."""

    node: str
    interface: str
    namespace: str = ""


def places(wiring: Wiring, path: Path) -> tuple[Place, ...]:
    """The interfaces of ``path`` that are there, in its order, each once."""
    found: dict[Place, None] = {}
    for hop in path.hops:
        site = wiring.sites.get(hop.node)
        if site is None or hop.what not in INTERFACES:
            continue
        links = site.fact(Links)
        named = sorted(link.namespace for link in (links.links if links else ()) if link.name == hop.name)
        if named:
            found[Place(hop.node, hop.name, named[0])] = None
    return tuple(found)

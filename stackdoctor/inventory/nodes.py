"""What every kind of inventory comes to."""

from __future__ import annotations

from dataclasses import dataclass

from stackdoctor.inventory.ignore import Ignore
from stackdoctor.model import Node

__all__ = ["Inventory"]


@dataclass(frozen=True)
class Inventory:
    """The nodes, the file of host keys that they are known by (empty: the user's own), and what is silenced.

    ``notes`` are sentences for the user: what stands in the file and was not taken.
    """

    nodes: tuple[Node, ...]
    known_hosts: str = ""
    ignores: tuple[Ignore, ...] = ()
    notes: tuple[str, ...] = ()

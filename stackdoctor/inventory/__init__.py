"""Which nodes there are, what they are called, and how each is reached."""

from __future__ import annotations

from stackdoctor.inventory.file import Inventory, read_inventory
from stackdoctor.inventory.nodelist import parse_nodes

__all__ = ["Inventory", "parse_nodes", "read_inventory"]

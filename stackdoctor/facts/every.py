"""Every fact there is, for a snapshot that shall answer questions nobody has asked yet."""

from __future__ import annotations

import importlib
import pkgutil

import stackdoctor.facts
from stackdoctor.facts.fact import Fact

__all__ = ["every_fact"]


def every_fact() -> tuple[type[Fact], ...]:
    """All fact classes of this package."""
    found: dict[type[Fact], None] = {}
    for info in pkgutil.iter_modules(stackdoctor.facts.__path__, "stackdoctor.facts."):
        for value in vars(importlib.import_module(info.name)).values():
            if isinstance(value, type) and value is not Fact and hasattr(value, "probes") and hasattr(value, "parse"):
                found[value] = None
    return tuple(found)

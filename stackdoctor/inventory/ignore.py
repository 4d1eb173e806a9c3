"""What is known and shall not be reported for a while."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

__all__ = ["Ignore"]


@dataclass(frozen=True)
class Ignore:
    """Findings (``finding`` is a glob on their id) or a ``cause`` that are silenced through the day ``until`` (UTC).

    Without a day it is no rule of a configuration: what an earlier report knew is set aside, for this report only.
    ``node``, ``subject`` and the values of ``keys`` are globs that narrow it down; an empty one takes anything.
    ``origin`` is where it is written.
    """

    finding: str
    cause: str
    reason: str
    until: date | None
    node: str = ""
    subject: str = ""
    keys: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    origin: str = ""

    @property
    def term(self) -> str:
        """Until when, to be put behind the rule; empty where it is for this report only."""
        return "" if self.until is None else f", until {self.until}"

    def __str__(self) -> str:
        narrowed = ((k, v) for k, v in (("node", self.node), ("subject", self.subject), *self.keys.items()) if v)
        return ", ".join((self.finding or self.cause or self.origin, *(f"{key} {value}" for key, value in narrowed)))

"""The few public names that a check is written with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from stackdoctor.model import Cloud, Evidence, Finding, Node, Severity

__all__ = ["MARK", "CheckMark", "Cloud", "Evidence", "Finding", "Node", "Severity", "check"]

MARK = "__stackdoctor_check__"

CheckFunction = TypeVar("CheckFunction", bound=Callable[..., Iterator[Finding]])


@dataclass(frozen=True)
class CheckMark:
    """What ``@check`` leaves on a function for the registry to find."""

    id: str
    severity: Severity


def check(id: str, *, severity: Severity) -> Callable[[CheckFunction], CheckFunction]:
    """Declare a generator of findings a check called ``id`` (``system.subject.what``).

    The parameters' annotations are the facts that it needs: a fact class for a check of one node,
    ``Cloud[Fact]`` for one over all nodes, ``Fact | None`` for what it can do without.
    """

    def mark(function: CheckFunction) -> CheckFunction:
        setattr(function, MARK, CheckMark(id, severity))
        return function

    return mark

"""Whether a node could be reached at all, and how its clock stands to the others'."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = ["NodeClock", "Reach"]

SILENT = ("no answer from", "no route to")
"""How the failures begin that say that nothing answers at an address (collect/dial.py)."""


@dataclass(frozen=True)
class Reach:
    """How connecting to a node went; ``failure`` is the sentence that says why it failed, empty when it did not.

    A node that refuses our login or shows another host key is there: only ``silent`` ones may be down.
    """

    node: str
    address: str
    failure: str
    hostname: str = ""

    probes: ClassVar[tuple[Probe, ...]] = ()

    @property
    def silent(self) -> bool:
        """Whether nothing at all answered at the node's address."""
        return self.failure.startswith(SILENT)

    @property
    def evidence(self) -> Evidence:
        """What the attempt to connect ended with."""
        return Evidence(self.node, f"ssh {self.address}", self.failure)

    def __str__(self) -> str:
        return self.node

    @classmethod
    def parse(cls, results: NodeResults) -> Reach:
        """Never raises: a node without any result is what this fact is about."""
        return cls(
            results.node.name, results.node.address, "" if results.results else results.failure, results.hostname
        )


@dataclass(frozen=True)
class NodeClock:
    """A node's clock: ``offset`` seconds ahead of ours, known to ± ``error``; ``now`` in its own epoch seconds."""

    node: str
    now: float
    offset: float
    error: float

    probes: ClassVar[tuple[Probe, ...]] = ()

    @property
    def evidence(self) -> Evidence:
        """The measurement."""
        return Evidence(self.node, "clock", f"{self.offset:+.3f} s against this machine, ± {self.error:.3f} s")

    def __str__(self) -> str:
        return self.node

    @classmethod
    def parse(cls, results: NodeResults) -> NodeClock:
        """Raises CouldNotCheck when the node never said what time it is, or only a copy of its files does."""
        if results.clock is None:
            raise CouldNotCheck(results.failure or "the node's clock was not measured")
        if results.clock.error is None:
            raise CouldNotCheck("this is a copy of the node's files: nobody asked the node itself")
        return cls(results.node.name, results.clock.now, results.clock.offset, results.clock.error)

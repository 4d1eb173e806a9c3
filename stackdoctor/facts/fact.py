"""What a fact is: probes that feed it, and a parser from one node's results to a typed value."""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable

from stackdoctor.model import NodeResults, Probe

__all__ = ["Fact"]


@runtime_checkable
class Fact(Protocol):
    """A typed, parsed answer of one node.

    ``parse`` raises ``NotApplicable`` where such a thing cannot exist on the node (the program is not
    installed), and ``CouldNotCheck`` or ``ParseError`` where it should and could not be read.

    A fact of which only a part could be read may have ``gaps``: pairs of a glob on the ids of the checks that
    missed it, and a sentence that says what is missing and why.  The report lists them as not looked at.

    A fact of which most concerns no other node may have ``for_the_cloud``, a method that gives it without that: it is
    what checks over several nodes get, since of a thousand nodes the rest takes much memory.

    A fact that some node of a cloud is expected to have may have ``nowhere``, a sentence for the report where none
    has it.
    """

    probes: ClassVar[tuple[Probe, ...]]

    @classmethod
    def parse(cls, results: NodeResults) -> Fact:
        """The fact as read from ``results``."""
        ...

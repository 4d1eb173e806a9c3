"""Corosync below the cluster manager: who counts as a member, and whether they are the majority.

>>> quorum = parse_quorum("Quorate: No\\nExpected votes: 3\\nTotal votes: 1\\nQuorum: 2 Activity blocked\\n")
>>> quorum.quorate, quorum.votes, quorum.expected, quorum.needed
(False, 1, 3, 2)

From corosync's tools/corosync-quorumtool.c and tools/corosync-cfgtool.c; exit status 2 is "not quorate".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.answers import integer, output, said
from stackdoctor.model import Evidence, NodeResults, Probe, Status

__all__ = ["COROSYNC_LINKS", "COROSYNC_QUORUM", "Corosync", "Link", "Quorum", "parse_links", "parse_quorum"]

COROSYNC_QUORUM = Probe("corosync.quorum", ("corosync-quorumtool", "-s"), root=True, container="corosync", timeout=10.0)
COROSYNC_LINKS = Probe(
    "corosync.links",
    ("corosync-cfgtool", "-s"),
    root=True,
    container="corosync",
    timeout=10.0,
    after=COROSYNC_QUORUM.id,
)

DOWN = ("Cannot initialize", "Could not initialize")
NOT_QUORATE = 2
_FIELD = re.compile(r"^([A-Z][A-Za-z ]{1,30}):[ \t]{1,30}(\S.{0,80})$", re.MULTILINE)
# a column for the vote of a quorum device may stand before the name
_MEMBER = re.compile(r"^[ \t]{1,12}\d{1,10}[ \t]{1,12}\d{1,6}[ \t]{1,12}(\S.{0,160})$", re.MULTILINE)
_LINK = re.compile(r"LINK ID (\d{1,3})")
_PEER = re.compile(r"[ \t]{1,8}nodeid:?[ \t]{1,20}(\d{1,10}):[ \t]{1,8}(\w{1,20})")


@dataclass(frozen=True)
class Quorum:
    """Votes: ``votes`` of ``expected`` are here, ``needed`` make the majority; ``members`` are those heard."""

    quorate: bool
    votes: int | None
    expected: int | None
    needed: int | None
    members: tuple[str, ...]


@dataclass(frozen=True)
class Link:
    """One network of the cluster towards one peer (knet only): ``state`` is localhost, connected or disconnected."""

    number: str
    peer: str
    state: str


@dataclass(frozen=True)
class Corosync:
    """This node's side of the cluster.  ``quorum`` is None where corosync does not run (``Cannot initialize CMAP``)."""

    quorum: Quorum | None
    links: tuple[Link, ...]
    evidence: Evidence
    gaps: tuple[tuple[str, str], ...] = ()
    probes: ClassVar[tuple[Probe, ...]] = (COROSYNC_QUORUM, COROSYNC_LINKS)

    def __str__(self) -> str:
        return "Corosync"

    @property
    def running(self) -> bool:
        """Whether corosync answers."""
        return self.quorum is not None

    @classmethod
    def parse(cls, results: NodeResults) -> Corosync:
        """Members and links.  Raises NotApplicable without corosync, CouldNotCheck or ParseError."""
        result = results.one(COROSYNC_QUORUM)
        if result.status is Status.RAN and result.exit and said(result).startswith(DOWN):
            return cls(None, (), results.evidence(result, said(result)))
        printed = result.text if result.status is Status.RAN and result.exit == NOT_QUORATE else output(result)
        quorum = parse_quorum(printed)
        line = f"Quorate: {'Yes' if quorum.quorate else 'No'}, Total votes: {quorum.votes} of {quorum.expected}"
        try:
            links, gaps = parse_links(output(results.one(COROSYNC_LINKS))), ()
        except NotApplicable:
            links, gaps = (), ()
        except CouldNotCheck as error:
            return cls(quorum, (), results.evidence(result, line), (("corosync.link*", str(error)),))
        return cls(quorum, links, results.evidence(result, line), gaps)


def parse_quorum(printed: str) -> Quorum:
    """What ``corosync-quorumtool -s`` says.  Raises ParseError."""
    fields = {match[1]: match[2] for match in _FIELD.finditer(printed)}
    if fields.get("Quorate") not in ("Yes", "No"):
        raise ParseError(f"corosync-quorumtool: without Quorate: {printed[:160]}")
    members = printed.partition("Membership information")[2]
    return Quorum(
        fields["Quorate"] == "Yes",
        integer(fields.get("Total votes", "")),
        integer(fields.get("Expected votes", "")),
        integer(fields.get("Quorum", "").partition(" ")[0]),
        tuple(match[1].removesuffix(" (local)").split()[-1] for match in _MEMBER.finditer(members)),
    )


def parse_links(printed: str) -> tuple[Link, ...]:
    """What ``corosync-cfgtool -s`` says of each link and peer; nothing of the rings of corosync 2."""
    found: list[Link] = []
    number = ""
    for line in printed.splitlines():
        if match := _LINK.match(line):
            number = match[1]
        elif match := _PEER.match(line):
            found.append(Link(number, match[1], match[2]))
    return tuple(found)

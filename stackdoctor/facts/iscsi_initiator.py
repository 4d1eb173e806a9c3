"""The name of the host's own initiator (man iscsid(8)): ``InitiatorName=iqn.1993-08.org.debian:01:bfa7c42b8baf``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import ParseError
from stackdoctor.facts.answers import output
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = ["INITIATOR_NAME", "InitiatorName"]

INITIATOR_NAME = Probe("iscsi.initiatorname", files=("/etc/iscsi/initiatorname.iscsi",), root=True, cap=65536)
LINE = re.compile(r"^InitiatorName=(\S{1,223})[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class InitiatorName:
    """What this host calls itself to targets; no two hosts may have the same name."""

    name: str
    evidence: Evidence
    probes: ClassVar[tuple[Probe, ...]] = (INITIATOR_NAME,)

    def __str__(self) -> str:
        return self.name

    @classmethod
    def parse(cls, results: NodeResults) -> InitiatorName:
        """The name; raises NotApplicable without open-iscsi, CouldNotCheck or ParseError (made at the first start)."""
        result = results.usable(INITIATOR_NAME)[0]
        found = LINE.search(output(result))
        if found is None:
            raise ParseError(f"{result.command}: no InitiatorName")
        return cls(found[1], results.evidence(result, found[0]))

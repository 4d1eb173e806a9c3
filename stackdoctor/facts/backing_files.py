"""The files behind tgtd's units that are no devices: there or not, and how long.

tgtd keeps a file open: it goes on to call a unit on line whose file was deleted, and fails it at the next start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.answers import said
from stackdoctor.facts.listing import entry_of
from stackdoctor.facts.tgt import TGT_TARGETS
from stackdoctor.model import Each, Evidence, NodeResults, Probe, Status

__all__ = ["BACKING_FILES", "BackingFile", "BackingFiles"]

BACKING_FILES = Probe(
    "tgt.backing",
    ("ls", "-l", "-L", "{each}"),
    each=Each(TGT_TARGETS.argv, r"^ +Backing store path: (/(?!dev/)\S+)$", limit=200),
    root=True,
    after=TGT_TARGETS.id,
)


@dataclass(frozen=True)
class BackingFile:
    """One file: ``size`` in bytes, None where there is none of that name."""

    path: str
    size: int | None
    evidence: Evidence


@dataclass(frozen=True)
class BackingFiles:
    """The files by path; volumes on LVM have none."""

    files: Mapping[str, BackingFile]
    probes: ClassVar[tuple[Probe, ...]] = (TGT_TARGETS, BACKING_FILES)

    @classmethod
    def parse(cls, results: NodeResults) -> BackingFiles:
        """The files; raises NotApplicable without tgtadm, CouldNotCheck."""
        files: dict[str, BackingFile] = {}
        try:
            answers = results.usable(BACKING_FILES)
        except CouldNotCheck as error:
            targets = results.one(TGT_TARGETS)
            if targets.exit:
                raise NotApplicable(said(targets)) from error
            raise
        for result in answers:
            if result.status is not Status.RAN or not result.subject:
                continue
            entry = entry_of(result.text.strip())
            if entry is not None:
                files[result.subject] = BackingFile(
                    result.subject, entry.size, results.evidence(result, result.text.strip()[:400])
                )
            elif "No such file" in said(result):
                files[result.subject] = BackingFile(result.subject, None, results.evidence(result, said(result)))
        return cls(files)

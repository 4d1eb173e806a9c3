"""The filters that oslo.rootwrap goes by (oslo_rootwrap/cmd.py, wrapper.py): without them it lets nothing through.

>>> listed_in("/etc/nova/rootwrap.d:\\ncompute.filters\\nREADME\\n\\n/usr/share/nova/rootwrap:\\n")
{'/etc/nova/rootwrap.d': ('compute.filters',), '/usr/share/nova/rootwrap': ()}
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck
from stackdoctor.facts.oslo_config import parse_options
from stackdoctor.model import Evidence, NodeResults, Probe, Status

__all__ = ["Rootwrap", "Rootwraps", "listed_in"]

PROJECTS = ("cinder", "neutron", "nova")
CONFIG = Probe("rootwrap.config", files=tuple(f"/etc/{project}/rootwrap.conf" for project in PROJECTS), root=True)
FILTERS = Probe(
    "rootwrap.filters",
    (
        "ls",
        "-1",
        *(f"/etc/{project}/rootwrap.d" for project in PROJECTS),
        *(f"/usr/share/{project}/rootwrap" for project in PROJECTS),
    ),
    root=True,
    after=CONFIG.id,
)


@dataclass(frozen=True)
class Rootwrap:
    """One project's rootwrap.conf: the folders that it reads filters from, and the filter files in them.

    ``known`` says whether all of its folders were looked into: others than the packages' are not.
    """

    project: str
    folders: tuple[str, ...]
    filters: tuple[str, ...]
    known: bool
    evidence: Evidence

    def __str__(self) -> str:
        return f"/etc/{self.project}/rootwrap.conf"


@dataclass(frozen=True)
class Rootwraps:
    """The rootwrap configurations of a node."""

    rows: tuple[Rootwrap, ...]

    probes: ClassVar[tuple[Probe, ...]] = (CONFIG, FILTERS)

    def __iter__(self) -> Iterator[Rootwrap]:
        return iter(self.rows)

    @classmethod
    def parse(cls, results: NodeResults) -> Rootwraps:
        """What there is; raises NotApplicable on a node without rootwrap, CouldNotCheck."""
        configs = results.usable(CONFIG)
        listing = results.one(FILTERS)
        if listing.status is not Status.RAN or b"ermission denied" in listing.stderr:
            raise CouldNotCheck(f"{listing.command}: not all folders could be read")
        listed = listed_in(listing.text)
        rows = []
        for result in configs:
            project = result.subject.split("/")[2] if result.subject.count("/") > 2 else ""
            option = parse_options(result.text).get(("DEFAULT", "filters_path"))
            if not project or option is None:
                continue
            folders = tuple(word.strip().rstrip("/") for word in option.value.split(",") if word.strip())
            filters = tuple(f"{folder}/{name}" for folder in folders for name in listed.get(folder, ()))
            known = all(folder in FILTERS.argv for folder in folders)
            rows.append(Rootwrap(project, folders, filters, known, results.evidence(result, option.line)))
        return cls(tuple(rows))


def listed_in(printed: str) -> dict[str, tuple[str, ...]]:
    """The filter files of each folder in the output of ``ls -1 FOLDER FOLDER...``."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in printed.split("\n"):
        if line.startswith("/") and line.endswith(":"):
            current = found.setdefault(line[:-1], [])
        elif line.endswith(".filters"):
            current.append(line)
    return {folder: tuple(names) for folder, names in found.items()}

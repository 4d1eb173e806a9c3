"""Volume groups and logical volumes of a storage node (man vgs(8), lvs(8), lvmreport(7)).

JSON since LVM 2.02.158 (2016), else the columns that were asked for, set apart by ``|``:

    >>> parse_report("  VG|VSize|VFree|#LV\\n  cinder-volumes|10733223936|4290772992|3\\n", "vg", GROUP_COLUMNS)
    ({'vg_name': 'cinder-volumes', 'vg_size': '10733223936', 'vg_free': '4290772992', 'lv_count': '3'},)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import ParseError
from stackdoctor.facts.answers import decimal, integer, json_value, output, rows_in, text
from stackdoctor.facts.iscsi_target import volume_id_of
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = [
    "LOGICAL_VOLUMES",
    "VOLUME_GROUPS",
    "LogicalVolume",
    "LogicalVolumes",
    "VolumeGroup",
    "VolumeGroups",
    "parse_report",
]

GROUP_COLUMNS = {"vg_name": "VG", "vg_size": "VSize", "vg_free": "VFree", "lv_count": "#LV"}
VOLUME_COLUMNS = {
    "lv_name": "LV",
    "vg_name": "VG",
    "lv_size": "LSize",
    "lv_attr": "Attr",
    "pool_lv": "Pool",
    "origin": "Origin",
    "data_percent": "Data%",
    "metadata_percent": "Meta%",
}


def _probe(id: str, program: str, columns: Mapping[str, str]) -> Probe:
    wanted = ("--units", "b", "--nosuffix", "-o", ",".join(columns))
    # without these LVM makes lock files in /run/lock and writes its hints anew, even for a report
    newer = (program, "--nolocking", "--nohints", "--reportformat", "json", *wanted)
    older = (program, "--config", "global{locking_type=0}", "--separator", "|", *wanted)
    return Probe(id, newer, (older,), root=True, timeout=10.0)


VOLUME_GROUPS = _probe("lvm.groups", "vgs", GROUP_COLUMNS)
LOGICAL_VOLUMES = _probe("lvm.volumes", "lvs", VOLUME_COLUMNS)


@dataclass(frozen=True)
class VolumeGroup:
    """``cinder-volumes|10733223936|4290772992|3``: sizes are bytes."""

    name: str
    size: int
    free: int
    volumes: int
    evidence: Evidence

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class VolumeGroups:
    """The volume groups of a node; may be none."""

    groups: tuple[VolumeGroup, ...]
    probes: ClassVar[tuple[Probe, ...]] = (VOLUME_GROUPS,)

    @classmethod
    def parse(cls, results: NodeResults) -> VolumeGroups:
        """The groups; raises NotApplicable without LVM, CouldNotCheck or ParseError."""
        result = results.one(VOLUME_GROUPS)
        rows = parse_report(output(result), "vg", GROUP_COLUMNS)
        return cls(
            tuple(
                VolumeGroup(
                    row["vg_name"],
                    _bytes(row["vg_size"]),
                    _bytes(row["vg_free"]),
                    integer(row["lv_count"]) or 0,
                    results.evidence(result, "|".join(row.values())),
                )
                for row in rows
            )
        )


@dataclass(frozen=True)
class LogicalVolume:
    """``volume-d081b393-...|cinder-volumes|1073741824|Vwi-aotz--|cinder-volumes-pool||100.00|``.

    ``attributes`` are the ten characters of lvs(8).  ``data_percent`` and ``metadata_percent`` say how full a
    thin pool, a thin volume or a snapshot is; None for others.
    """

    name: str
    group: str
    size: int
    attributes: str
    pool: str
    origin: str
    data_percent: float | None
    metadata_percent: float | None
    evidence: Evidence

    def __str__(self) -> str:
        return f"{self.group}/{self.name}"

    @property
    def volume_id(self) -> str:
        """The Cinder volume in it."""
        return volume_id_of(self.name)

    @property
    def active(self) -> bool:
        """Whether it has a device."""
        return self.attributes[4:5] == "a"

    @property
    def thin_pool(self) -> bool:
        """Whether it is the pool of thin volumes, which all stop writing when it is full."""
        return self.attributes[:1] == "t"


@dataclass(frozen=True)
class LogicalVolumes:
    """The logical volumes of a node; may be none."""

    volumes: tuple[LogicalVolume, ...]
    probes: ClassVar[tuple[Probe, ...]] = (LOGICAL_VOLUMES,)

    @classmethod
    def parse(cls, results: NodeResults) -> LogicalVolumes:
        """The volumes; raises NotApplicable without LVM, CouldNotCheck or ParseError."""
        result = results.one(LOGICAL_VOLUMES)
        rows = parse_report(output(result), "lv", VOLUME_COLUMNS)
        return cls(
            tuple(
                LogicalVolume(
                    row["lv_name"],
                    row["vg_name"],
                    _bytes(row["lv_size"]),
                    row["lv_attr"],
                    row["pool_lv"],
                    row["origin"],
                    decimal(row["data_percent"]),
                    decimal(row["metadata_percent"]),
                    results.evidence(result, "|".join(row.values())),
                )
                for row in rows
            )
        )


def _bytes(written: str) -> int:
    number = integer(written)
    if number is None:
        raise ParseError(f"not a size in bytes: {written[:80]}")
    return number


def parse_report(printed: str, kind: str, columns: Mapping[str, str]) -> tuple[dict[str, str], ...]:
    """Rows of vgs (``kind`` vg) or lvs (lv) with just ``columns`` (name: heading).  Raises ParseError."""
    if printed.lstrip().startswith("{"):
        document = json_value(printed)
        reports = rows_in(document.get("report", [])) if isinstance(document, dict) else ()
        rows = [row for report in reports for row in rows_in(report.get(kind, []))]
        return tuple({name: text(row, name) for name in columns} for row in rows)
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    if not lines:
        return ()
    if lines[0].split("|") != list(columns.values()):
        raise ParseError(f"not the columns of {kind}s: {lines[0][:200]}")
    found: list[dict[str, str]] = []
    for line in lines[1:]:
        cells = line.split("|")
        if len(cells) != len(columns):
            raise ParseError(f"not a row of {kind}s: {line[:200]}")
        found.append({name: cell.strip() for name, cell in zip(columns, cells, strict=True)})
    return tuple(found)

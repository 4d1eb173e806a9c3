"""The host's own iSCSI sessions and the disks that they give (man iscsiadm(8), open-iscsi ``usr/iscsiadm.c``).

QEMU's built-in initiator (libiscsi) makes sessions that neither of these commands knows; they show as
connections of the qemu process to port 3260.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.answers import integer, output, said
from stackdoctor.facts.iscsi_sysfs import SysfsIscsi
from stackdoctor.facts.iscsi_target import volume_id_of
from stackdoctor.model import Evidence, NodeResults, Probe, Status

__all__ = [
    "ISCSI_PATHS",
    "ISCSI_SESSIONS",
    "AttachedDisk",
    "DiskPath",
    "DiskPaths",
    "IscsiSession",
    "IscsiSessions",
    "parse_paths",
    "parse_sessions",
]

ISCSI_SESSIONS = Probe("iscsi.sessions", ("iscsiadm", "-m", "session", "-P", "3"), root=True, container="iscsid")
ISCSI_PATHS = Probe("iscsi.paths", ("ls", "-l", "/dev/disk/by-path"))
NO_SESSIONS = 21  # ISCSI_ERR_NO_OBJS_FOUND


@dataclass(frozen=True)
class AttachedDisk:
    """``Attached scsi disk sda          State: running`` below ``scsi2 Channel 00 Id 0 Lun: 1``."""

    device: str
    lun: int | None
    state: str


@dataclass(frozen=True)
class IscsiSession:
    """A session of the kernel's initiator, as ``iscsiadm -m session -P 3`` describes it.

    ``connection`` is LOGGED IN, TRANSPORT WAIT, IN LOGIN ...; ``state`` is LOGGED_IN, FAILED, FREE;
    ``portal`` is address, port and group: ``192.168.199.30:3260,1``.
    """

    iqn: str
    portal: str
    sid: int | None
    initiator: str
    connection: str
    state: str
    internal: str
    disks: tuple[AttachedDisk, ...]
    evidence: Evidence

    def __str__(self) -> str:
        return f"iSCSI session {self.sid} to {self.iqn}"

    @property
    def logged_in(self) -> bool:
        """Whether requests go through."""
        return self.state == "LOGGED_IN" and self.connection in ("LOGGED IN", "")

    @property
    def volume_id(self) -> str:
        """The Cinder volume behind it, from the target's name."""
        return volume_id_of(self.iqn)


@dataclass(frozen=True)
class IscsiSessions:
    """All sessions of the kernel's initiator; none is a value (iscsiadm says so with exit status 21).

    Where iscsiadm is not there or fails (it asks iscsid), they are read from sysfs.
    """

    sessions: tuple[IscsiSession, ...]
    probes: ClassVar[tuple[Probe, ...]] = (ISCSI_SESSIONS, *SysfsIscsi.probes)

    @classmethod
    def parse(cls, results: NodeResults) -> IscsiSessions:
        """The sessions; raises NotApplicable without iscsiadm and sessions, CouldNotCheck or ParseError."""
        try:
            return cls._told(results)
        except ParseError:
            raise
        except (CouldNotCheck, NotApplicable):
            try:
                kernel = SysfsIscsi.parse(results)
            except (CouldNotCheck, NotApplicable):
                kernel = SysfsIscsi((), ())
            if not kernel.sessions:
                raise
            return cls(_of_kernel(kernel))

    @classmethod
    def _told(cls, results: NodeResults) -> IscsiSessions:
        result = results.one(ISCSI_SESSIONS)
        if result.status is Status.RAN and result.exit == NO_SESSIONS:
            return cls(())
        return cls(parse_sessions(output(result), lambda line: results.evidence(result, line)))

    def of_volume(self, volume_id: str) -> tuple[IscsiSession, ...]:
        """The sessions (one a path) to one Cinder volume."""
        return tuple(s for s in self.sessions if volume_id and s.volume_id == volume_id)


def _of_kernel(kernel: SysfsIscsi) -> tuple[IscsiSession, ...]:
    found: list[IscsiSession] = []
    for session in kernel.sessions:
        disks = tuple(AttachedDisk(disk.device, disk.lun, disk.state) for disk in kernel.of_session(session.sid))
        found.append(
            IscsiSession(session.iqn, session.portal, session.sid, "", "", session.state, "", disks, session.evidence)
        )
    return tuple(found)


@dataclass
class _Reading:
    """The session that is being read, line by line."""

    iqn: str
    portal: str
    values: dict[str, str] = field(default_factory=dict)
    disks: list[AttachedDisk] = field(default_factory=list)
    lun: int | None = None


KEYS = frozenset(
    (
        "SID",
        "Iface Initiatorname",
        "iSCSI Connection State",
        "iSCSI Session State",
        "Internal iscsid Session State",
    )
)
DISK = re.compile(r"Attached scsi disk (\S{1,64})\s{1,64}State: (.{1,64})")


def parse_sessions(printed: str, evidence: Callable[[str], Evidence]) -> tuple[IscsiSession, ...]:
    """The sessions: below ``Target:`` a portal, below it one ``Iface Name:`` block a session.  Raises ParseError."""
    found: list[_Reading] = []
    iqn = portal = ""
    for raw in printed.splitlines():
        line = raw.strip()
        key, colon, rest = line.partition(":")
        value = rest.strip()
        if not raw[:1].isspace():
            iqn = value.split(" ")[0] if key == "Target" else iqn
            continue
        if key == "Current Portal":
            portal = value
        elif key == "Iface Name":
            found.append(_Reading(iqn, portal))
        elif found and key in KEYS and colon:
            found[-1].values.setdefault(key, value)
        elif found and line.startswith("scsi") and "Lun:" in line:
            found[-1].lun = integer(line.rpartition("Lun:")[2].strip())
        elif found and (disk := DISK.fullmatch(line)):
            found[-1].disks.append(AttachedDisk(disk[1], found[-1].lun, disk[2].strip()))
    if not found or not all(session.iqn for session in found):
        raise ParseError(f"not sessions as iscsiadm -P 3 prints them: {printed[:200]}")
    return tuple(_session(session, evidence) for session in found)


def _session(reading: _Reading, evidence: Callable[[str], Evidence]) -> IscsiSession:
    values = reading.values
    connection, state = values.get("iSCSI Connection State", ""), values.get("iSCSI Session State", "")
    line = f"Target: {reading.iqn} Portal: {reading.portal} Connection State: {connection} Session State: {state}"
    return IscsiSession(
        reading.iqn,
        reading.portal,
        integer(values.get("SID", "")),
        values.get("Iface Initiatorname", ""),
        connection,
        state,
        values.get("Internal iscsid Session State", ""),
        tuple(reading.disks),
        evidence(line),
    )


@dataclass(frozen=True)
class DiskPath:
    """A disk's name by its way: ``ip-192.168.199.30:3260-iscsi-iqn.2010-10.org.example:volume-1-lun-1 -> ../../sdb``.

    ``device`` is the kernel's name (sdb); portal, target and unit are empty or None for other disks.
    """

    name: str
    device: str
    portal: str
    iqn: str
    lun: int | None
    evidence: Evidence

    def __str__(self) -> str:
        return self.name

    @property
    def volume_id(self) -> str:
        """The Cinder volume behind it."""
        return volume_id_of(self.iqn)


@dataclass(frozen=True)
class DiskPaths:
    """``/dev/disk/by-path``; a host without it has no such disk."""

    paths: tuple[DiskPath, ...]
    probes: ClassVar[tuple[Probe, ...]] = (ISCSI_PATHS,)

    @classmethod
    def parse(cls, results: NodeResults) -> DiskPaths:
        """The paths; raises CouldNotCheck or ParseError."""
        result = results.one(ISCSI_PATHS)
        if result.status is Status.RAN and result.exit == 2 and "No such file" in said(result):
            return cls(())
        return cls(parse_paths(output(result), lambda line: results.evidence(result, line)))


ISCSI_NAME = re.compile(r"(?:pci-\S{1,64}-)?ip-(\S{1,128}?)-iscsi-(\S{1,300})-lun-([0-9]{1,9})(?:-part[0-9]{1,4})?")


def parse_paths(printed: str, evidence: Callable[[str], Evidence]) -> tuple[DiskPath, ...]:
    """The links of ``ls -l``, whatever its dates look like.  Raises ParseError."""
    found: list[DiskPath] = []
    for line in printed.splitlines():
        if not line.startswith("l"):
            if line.strip() and not re.match(r"total [0-9]|[-dbc]", line):
                raise ParseError(f"not a line of ls -l: {line[:200]}")
            continue
        left, arrow, target = line.rpartition(" -> ")
        if not arrow or not left.split():
            raise ParseError(f"not a link of ls -l: {line[:200]}")
        name = left.split()[-1]
        where = ISCSI_NAME.fullmatch(name)
        device = target.strip().rpartition("/")[2]
        portal, iqn, lun = (where[1], where[2], int(where[3])) if where else ("", "", None)
        found.append(DiskPath(name, device, portal, iqn, lun, evidence(line.rstrip())))
    return tuple(found)

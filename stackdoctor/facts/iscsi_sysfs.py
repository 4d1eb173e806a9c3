"""The kernel's iSCSI sessions and their disks as sysfs has them (Linux, drivers/scsi/scsi_transport_iscsi.c).

Needs neither iscsiadm nor iscsid, which may be the broken part:

    /sys/class/iscsi_session/session1/targetname       iqn.2010-10.org.openstack:volume-d081b393-...
    /sys/class/iscsi_session/session1/state            LOGGED_IN, FAILED, FREE
    /sys/class/iscsi_connection/connection1:0/persistent_address    192.168.199.30
    /sys/block/sdb -> ../devices/platform/host2/session1/target2:0:0/2:0:0:1/block/sdb
    /sys/block/sdb/size                                2097152 (units of 512 bytes)
    /sys/block/sdb/device/state                        running, blocked, offline, transport-offline

The CHAP secret stands in a file beside these (``password``), which is never read; ``username`` is the account.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.answers import integer, output
from stackdoctor.facts.iscsi_target import volume_id_of
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = ["SYSFS_DISKS", "SYSFS_LINKS", "SYSFS_SESSIONS", "KernelSession", "ScsiDisk", "SysfsIscsi"]

SESSION = "/sys/class/iscsi_session"
CONNECTION = "/sys/class/iscsi_connection"
SYSFS_SESSIONS = Probe(
    "iscsi.sysfs",
    files=(
        f"{SESSION}/session*/targetname",
        f"{SESSION}/session*/state",
        f"{SESSION}/session*/username",
        f"{CONNECTION}/connection*/persistent_address",
        f"{CONNECTION}/connection*/persistent_port",
    ),
    root=True,
    cap=4096,
)
# only where there are sessions: a host without the initiator is not asked for its disks
SYSFS_LINKS = Probe("iscsi.sysfs.links", ("ls", "-l", "/sys/block"), after=SYSFS_SESSIONS.id)
SYSFS_DISKS = Probe(
    "iscsi.sysfs.disks", files=("/sys/block/sd*/size", "/sys/block/sd*/device/state"), cap=4096, after=SYSFS_SESSIONS.id
)
OF_SESSION = re.compile(
    rf"(?:{SESSION}/session|{CONNECTION}/connection)([0-9]{{1,9}})(?::[0-9]{{1,4}})?/([a-z_]{{1,40}})"
)
OF_DISK = re.compile(r"/sys/block/(sd[a-z]{1,6})/(size|device/state)")
LINK = re.compile(
    r"(sd[a-z]{1,6}) -> \S{0,200}/session([0-9]{1,9})/target[0-9:]{1,40}/[0-9]+:[0-9]+:[0-9]+:([0-9]{1,9})/block/"
)


@dataclass(frozen=True)
class KernelSession:
    """One session.  ``portal`` is address:port or empty, ``username`` the CHAP account or empty."""

    sid: int
    iqn: str
    state: str
    portal: str
    username: str
    evidence: Evidence

    def __str__(self) -> str:
        return f"iSCSI session {self.sid} to {self.iqn}"

    @property
    def volume_id(self) -> str:
        """The Cinder volume behind it, from the target's name."""
        return volume_id_of(self.iqn)


@dataclass(frozen=True)
class ScsiDisk:
    """A disk of a session: unit ``lun`` of session ``sid``; ``size`` in bytes, None where it was not read."""

    device: str
    sid: int
    lun: int
    size: int | None
    state: str
    evidence: Evidence

    def __str__(self) -> str:
        return self.device


@dataclass(frozen=True)
class SysfsIscsi:
    """The sessions of the kernel's initiator and their disks; none without the initiator's module."""

    sessions: tuple[KernelSession, ...]
    disks: tuple[ScsiDisk, ...]
    probes: ClassVar[tuple[Probe, ...]] = (SYSFS_SESSIONS, SYSFS_LINKS, SYSFS_DISKS)

    @classmethod
    def parse(cls, results: NodeResults) -> SysfsIscsi:
        """The sessions; raises CouldNotCheck."""
        try:
            files = results.usable(SYSFS_SESSIONS)
        except NotApplicable:
            return cls((), ())
        found: dict[int, dict[str, str]] = {}
        shown: dict[int, Evidence] = {}
        for file in files:
            where = OF_SESSION.fullmatch(file.subject or file.command)
            if where is None:
                continue
            value = output(file).strip()[:300]
            found.setdefault(int(where[1]), {}).setdefault(where[2], value)
            if where[2] == "state":
                shown[int(where[1])] = results.evidence(file, value)
        sessions = tuple(
            _session(sid, values, shown.get(sid) or results.evidence(files[0], values["targetname"]))
            for sid, values in sorted(found.items())
            if "targetname" in values
        )
        return cls(sessions, _disks(results) if sessions else ())

    def of_session(self, sid: int) -> tuple[ScsiDisk, ...]:
        """The disks of one session."""
        return tuple(disk for disk in self.disks if disk.sid == sid)


def _session(sid: int, values: Mapping[str, str], evidence: Evidence) -> KernelSession:
    address, port = values.get("persistent_address", ""), values.get("persistent_port", "")
    address = f"[{address}]" if ":" in address else address
    username = values.get("username", "").strip("()")
    return KernelSession(
        sid,
        values["targetname"],
        values.get("state", ""),
        f"{address}:{port}" if address and port else "",
        "" if username in ("null", "none") else username,
        evidence,
    )


def _disks(results: NodeResults) -> tuple[ScsiDisk, ...]:
    values: dict[tuple[str, str], tuple[str, Evidence]] = {}
    disks: list[ScsiDisk] = []
    with suppress(CouldNotCheck, NotApplicable):
        for file in results.usable(SYSFS_DISKS):
            if where := OF_DISK.fullmatch(file.subject or file.command):
                value = file.text.strip()[:100]
                values[where[1], where[2]] = value, results.evidence(file, value)
    with suppress(CouldNotCheck, NotApplicable):
        result = results.one(SYSFS_LINKS)
        for line in output(result).splitlines():
            if link := LINK.search(line[:600]):
                size, shown = values.get((link[1], "size"), ("", results.evidence(result, line.strip())))
                blocks = integer(size)
                state = values.get((link[1], "device/state"), ("", shown))[0]
                disks.append(
                    ScsiDisk(
                        link[1], int(link[2]), int(link[3]), None if blocks is None else blocks * 512, state, shown
                    )
                )
    return tuple(disks)

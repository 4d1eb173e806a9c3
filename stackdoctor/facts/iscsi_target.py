"""What an iSCSI target is, whichever server exports it (tgtd or the kernel's LIO)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from stackdoctor.model import Evidence

__all__ = ["Lun", "Nexus", "Target", "volume_id_of"]

VOLUME = re.compile(r"volume-([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")


def volume_id_of(name: str) -> str:
    """The Cinder volume in a target's name, a file's or a logical volume's; empty if there is none.

    >>> volume_id_of("iqn.2010-10.org.openstack:volume-d081b393-4a68-4b3a-81c1-e24a9033d57c")
    'd081b393-4a68-4b3a-81c1-e24a9033d57c'
    """
    found = VOLUME.search(name)
    return found[1] if found else ""


@dataclass(frozen=True)
class Nexus:
    """An initiator that is logged in: ``Initiator: iqn.1993-08.org.debian:01:compute1``, ``IP Address: ...``."""

    initiator: str
    addresses: tuple[str, ...]
    evidence: Evidence

    def __str__(self) -> str:
        return self.initiator


@dataclass(frozen=True)
class Lun:
    """A logical unit.  ``kind`` is controller or disk; ``size_mb`` is as tgtadm rounds it (10^6 bytes), else None."""

    number: int
    kind: str
    size_mb: int | None
    online: bool
    path: str
    evidence: Evidence

    def __str__(self) -> str:
        return f"LUN {self.number}"


@dataclass(frozen=True)
class Target:
    """An exported target.

    ``state`` is ready, offline, or absent (saved in LIO's configuration and not in the kernel).  ``acls``
    are addresses or initiator names that may log in, ``ALL`` for any; without one nobody may.  ``accounts``
    are CHAP user names.  ``tid`` is tgtd's number, None for LIO.
    """

    tid: int | None
    iqn: str
    state: str
    driver: str
    nexuses: tuple[Nexus, ...]
    luns: tuple[Lun, ...]
    accounts: tuple[str, ...]
    acls: tuple[str, ...]
    evidence: Evidence

    def __str__(self) -> str:
        return self.iqn

    @property
    def online(self) -> bool:
        """Whether new logins are taken."""
        return self.state == "ready"

    @property
    def volume_id(self) -> str:
        """The Cinder volume that it exports, from its name; empty if it is not Cinder's."""
        return volume_id_of(self.iqn)

    @property
    def disks(self) -> tuple[Lun, ...]:
        """The units that hold data; a target without one exports nothing."""
        return tuple(lun for lun in self.luns if lun.kind != "controller")

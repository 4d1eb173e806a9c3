"""Multipath devices and the state of their paths (``multipath -ll``, man multipath(8)).

>>> (device,) = parse_multipath('''360000000000000000e00000000010001 dm-0 IET,VIRTUAL-DISK
... size=1.0G features='0' hwhandler='0' wp=rw
... |-+- policy='service-time 0' prio=1 status=active
... | `- 2:0:0:1 sda 8:0  active ready running
... `-+- policy='service-time 0' prio=0 status=enabled
...   `- 3:0:0:1 sdb 8:16 failed faulty offline
... ''', lambda line: NOWHERE)
>>> device.wwid, device.name, [(p.device, p.usable) for p in device.paths]
('360000000000000000e00000000010001', 'dm-0', [('sda', True), ('sdb', False)])
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

from stackdoctor.errors import ParseError
from stackdoctor.facts.answers import output, said
from stackdoctor.model import Evidence, NodeResults, Probe, Status

__all__ = ["MULTIPATH", "Multipath", "MultipathDevice", "MultipathPath", "parse_multipath"]

MULTIPATH = Probe("multipath.devices", ("multipath", "-ll"), root=True, container="multipathd", timeout=10.0)
NOWHERE = Evidence("", "", "")


@dataclass(frozen=True)
class MultipathPath:
    """``2:0:0:1 sda 8:0  active ready running``: SCSI address, disk, and what device mapper and checker say.

    ``dm_state`` is active or failed; ``checker`` ready, faulty, ghost, shaky ...
    """

    address: str
    device: str
    dm_state: str
    checker: str
    evidence: Evidence

    def __str__(self) -> str:
        return self.device

    @property
    def usable(self) -> bool:
        """Whether requests go this way."""
        return self.dm_state == "active" and self.checker in ("ready", "ghost")


@dataclass(frozen=True)
class MultipathDevice:
    """A multipath device; ``alias`` is empty where it is called by its identifier."""

    wwid: str
    alias: str
    name: str
    paths: tuple[MultipathPath, ...]
    evidence: Evidence

    def __str__(self) -> str:
        return self.alias or self.wwid


@dataclass(frozen=True)
class Multipath:
    """All multipath devices of a host; may be none."""

    devices: tuple[MultipathDevice, ...]
    probes: ClassVar[tuple[Probe, ...]] = (MULTIPATH,)

    @classmethod
    def parse(cls, results: NodeResults) -> Multipath:
        """The devices; raises NotApplicable without multipath, CouldNotCheck or ParseError."""
        result = results.one(MULTIPATH)
        silent = result.status is Status.RAN and result.exit == 1 and not result.stdout.strip()
        if silent and (not said(result) or "not loaded" in said(result)):  # no device mapper in the kernel
            return cls(())
        return cls(parse_multipath(output(result), lambda line: results.evidence(result, line)))


HEAD = re.compile(r"(?:([^\s(]{1,128}) \()?([^\s()]{1,128})\)? (dm-[0-9]{1,6})(?: .*)?")
PATH = re.compile(r"[| `\\]{0,8}[-_] (\S{1,32}) +(\S{1,64}) +(?:[0-9#]+:[0-9#]+|-) +\[?([a-z]+)[] ]?\[?([a-z]+).*")


def parse_multipath(printed: str, evidence: Callable[[str], Evidence]) -> tuple[MultipathDevice, ...]:
    """The devices.  Warnings about ``multipath.conf`` stand between them.  Raises ParseError for a path of none."""
    found: list[MultipathDevice] = []
    for line in printed.splitlines():
        if head := HEAD.fullmatch(line):
            found.append(MultipathDevice(head[2], head[1] or "", head[3], (), evidence(line)))
        elif path := PATH.fullmatch(line[:200]):
            if not found:
                raise ParseError(f"a path of no multipath device: {line[:200]}")
            row = MultipathPath(path[1], path[2], path[3], path[4], evidence(line.strip()))
            found[-1] = replace(found[-1], paths=(*found[-1].paths, row))
    if printed.strip() and not found and not re.search(r"multipath|DM|:", printed[:4096]):
        raise ParseError(f"not as multipath -ll prints: {printed[:200]}")
    return tuple(found)

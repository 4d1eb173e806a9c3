"""Where the VNC servers of running guests listen, from libvirt's XML (libvirt.org/formatdomain.html).

>>> listens_of("<graphics type='vnc' port='5900' autoport='yes' listen='127.0.0.1' keymap='en-us'>")
('127.0.0.1',)
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.answers import output
from stackdoctor.facts.libvirt import DOMAIN_LIST, DOMAIN_XML, parse_list
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.qemu_command import is_qemu
from stackdoctor.model import Evidence, NodeResults, Probe, Status

__all__ = ["Console", "GuestConsoles", "listens_of"]

_VNC = re.compile(r"<graphics type=['\"]vnc['\"][^<>]{0,400}?\blisten=['\"]([^'\"<>]{1,100})['\"][^<>]{0,400}>")


@dataclass(frozen=True)
class Console:
    """The VNC server of one running guest: the guest's name in libvirt, and the address that it listens on."""

    domain: str
    listen: str
    evidence: Evidence

    def __str__(self) -> str:
        return self.domain


@dataclass(frozen=True)
class GuestConsoles:
    """The VNC servers of the guests that run; guests whose XML is not known are left out."""

    rows: tuple[Console, ...]

    probes: ClassVar[tuple[Probe, ...]] = (DOMAIN_LIST, DOMAIN_XML, *Processes.probes)

    @classmethod
    def parse(cls, results: NodeResults) -> GuestConsoles:
        """The servers; raises NotApplicable where no guest runs, or without virsh, CouldNotCheck or ParseError."""
        with suppress(CouldNotCheck):
            if not any(is_qemu(process.args) for process in Processes.parse(results)):
                raise NotApplicable("no guest runs on this node")
        running = {name for name, state in parse_list(output(results.one(DOMAIN_LIST))) if state == "running"}
        rows = []
        for result in results.every(DOMAIN_XML) if running else ():
            if result.subject in running and result.status is Status.RAN and not result.exit:
                for match in _VNC.finditer(result.text):
                    rows.append(Console(result.subject, match[1], results.evidence(result, match[0])))
        return cls(tuple(rows))


def listens_of(xml: str) -> tuple[str, ...]:
    """The addresses that the VNC servers in a guest's XML listen on."""
    return tuple(match[1] for match in _VNC.finditer(xml))

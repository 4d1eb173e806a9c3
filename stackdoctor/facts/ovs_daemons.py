"""Whether ovsdb-server and ovs-vswitchd answer, and the bonds that vswitchd keeps (ovs-appctl(8), ovs-vswitchd(8)).

ovs-vsctl: unix:/var/run/openvswitch/db.sock: database connection failed (No such file or directory)
ovs-appctl: cannot read pidfile "/var/run/openvswitch/ovs-vswitchd.pid" (No such file or directory)
fatal_signal|WARN|terminating with signal 14 (Alarm clock)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.answers import said
from stackdoctor.facts.ovs_db import AGAIN, OVS_CONTAINER, OVS_DB
from stackdoctor.model import Evidence, NodeResults, Probe, Result, Status

__all__ = ["OVS_BONDS", "Bond", "BondMember", "OvsDaemon", "OvsDaemons", "parse_bonds"]

OVS_BONDS = Probe(
    "ovs.bonds",
    ("ovs-appctl", "--timeout=5", "bond/show"),
    root=True,
    container=OVS_CONTAINER,
    timeout=15.0,
)

ALARM = (142, -14)
"""How a program ends whose own time-out (SIGALRM) was reached, by a shell's or by a parent's counting."""

GONE = re.compile(r"\((?:No such file or directory|Connection refused|Connection reset by peer|No such process)\)")


@dataclass(frozen=True)
class OvsDaemon:
    """``program`` is ovsdb-server or ovs-vswitchd; ``state`` is answers, gone or hangs."""

    program: str
    state: str
    evidence: Evidence

    def __str__(self) -> str:
        return self.program


@dataclass(frozen=True)
class BondMember:
    """A member of a bond: enabled, or not used."""

    name: str
    enabled: bool
    evidence: Evidence

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Bond:
    """A bond of Open vSwitch.  ``lacp`` is negotiated, configured, off ... as vswitchd says it."""

    name: str
    mode: str
    lacp: str
    members: tuple[BondMember, ...]

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class OvsDaemons:
    """The two daemons, as far as they were asked, and the bonds."""

    daemons: tuple[OvsDaemon, ...]
    bonds: tuple[Bond, ...]
    probes: ClassVar[tuple[Probe, ...]] = (OVS_DB, OVS_BONDS)

    @classmethod
    def parse(cls, results: NodeResults) -> OvsDaemons:
        """Both daemons; raises NotApplicable without Open vSwitch, CouldNotCheck where neither can be judged."""
        database, switch = (next((r for r in results.every(p) if not r.subject), None) for p in (OVS_DB, OVS_BONDS))
        if database is None or switch is None:
            raise CouldNotCheck(f"{OVS_DB.id}, {OVS_BONDS.id}: no answer about the node")
        if Status.MISSING in (database.status, switch.status):
            raise NotApplicable("Open vSwitch is not on this node")
        again = results.results.get((OVS_DB.id, AGAIN))
        found = []
        for program, result in (("ovsdb-server", database), ("ovs-vswitchd", switch)):
            state = _state(result)
            if program == "ovsdb-server" and state != "answers" and again is not None and _state(again) == "answers":
                state = "answers"  # it was being restarted
            if state:
                found.append(OvsDaemon(program, state, results.evidence(result, _line(result, state))))
        if not found:
            raise CouldNotCheck(f"{switch.command}: {said(switch) or switch.reason or switch.status.value}")
        bonds = parse_bonds(switch.text, results, switch) if _state(switch) == "answers" else ()
        return cls(tuple(found), bonds)

    def daemon(self, program: str) -> OvsDaemon | None:
        """One of them."""
        return next((d for d in self.daemons if d.program == program), None)


def _state(result: Result) -> str:
    """``answers``, ``gone``, ``hangs``, or empty where that cannot be said."""
    if result.status is Status.RAN and result.exit in ALARM:
        return "hangs"
    if result.status not in (Status.RAN, Status.TRUNCATED):
        return ""
    if not result.exit:
        return "answers"
    return "gone" if GONE.search(_words(result)) else ""


def _words(result: Result) -> str:
    return result.stderr[:4096].decode("utf-8", "replace")


def _line(result: Result, state: str) -> str:
    if state == "answers":
        return "answers"
    lines = [line.strip() for line in _words(result).splitlines() if line.strip()]
    return lines[-1] if lines else result.reason or "no answer in time"


HEAD = re.compile(r"---- (\S{1,64}) ----")
MEMBER = re.compile(r"(?:slave|member) (\S{1,64}): (enabled|disabled|may_enable: \w+)")


def parse_bonds(printed: str, results: NodeResults, result: Result) -> tuple[Bond, ...]:
    """The bonds of ``ovs-appctl bond/show``; members are called slaves before 2.16.  Raises ParseError."""
    bonds: list[Bond] = []
    for line in printed.splitlines():
        head, member = HEAD.fullmatch(line.strip()), MEMBER.fullmatch(line.strip())
        if head:
            bonds.append(Bond(head[1], "", "", ()))
        elif line.strip() and not bonds:
            raise ParseError(f"not the bonds of Open vSwitch: {line[:200]}")
        elif member:
            last = bonds[-1]
            evidence = results.evidence(result, f"{last.name}: {line.strip()}")
            own = BondMember(member[1], member[2] == "enabled", evidence)
            bonds[-1] = Bond(last.name, last.mode, last.lacp, (*last.members, own))
        elif line.startswith(("bond_mode: ", "lacp_status: ")):
            last, value = bonds[-1], line.partition(": ")[2].strip()
            mode, lacp = (value, last.lacp) if line.startswith("bond_mode") else (last.mode, value)
            bonds[-1] = Bond(last.name, mode, lacp, last.members)
    return tuple(bonds)

"""The daemons of Open vSwitch, and the bonds that they keep."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.links import Links
from stackdoctor.facts.ovs_daemons import OvsDaemons
from stackdoctor.facts.processes import Process, Processes

__all__ = ["bond_member", "daemon_down"]

AGENT = "neutron-openvswitch-agent"
DATAPATH = ("ovs-system", "ovs-netdev")


@check("ovs.daemon.down", severity=Severity.CRITICAL)
def daemon_down(daemons: OvsDaemons, processes: Processes | None, links: Links | None) -> Iterator[Finding]:
    """ovs-vswitchd or ovsdb-server is not there, or does not answer, on a node whose network runs over Open vSwitch.

    Without ovs-vswitchd nothing new is forwarded; without ovsdb-server no port can be plugged and the agent sees none.
    A daemon that does not answer within seconds is a warning only, unless its process was stopped.  One whose process
    is there and whose socket is not is left out: it has another run folder (a snap's, a container's).
    """
    if not _used(processes, links):
        return
    for daemon in daemons.daemons:
        own = [p for p in processes or () if not p.zombie and _program(p) == daemon.program]
        stopped = [p for p in own if p.stopped]
        if daemon.state == "answers" or (daemon.state == "gone" and own and not stopped):
            continue
        does = "is not there" if daemon.state == "gone" else "is stopped" if stopped else "does not answer in time"
        yield Finding(
            daemon,
            f"{daemon} {does}",
            severity=Severity.WARNING if daemon.state == "hangs" and not stopped else None,
            evidence=(daemon.evidence, *(p.evidence for p in stopped[:1])),
            host=daemon.evidence.node,
            service=daemon.program,
            program=daemon.program,
            how="stopped" if stopped else daemon.state,
        )


def _program(process: Process) -> str:
    return process.args[:400].partition(" ")[0].rpartition("/")[2]


def _used(processes: Processes | None, links: Links | None) -> bool:
    """Whether Open vSwitch is more than installed: its agent runs, or interfaces are on its datapath."""
    if processes is not None and processes.of(AGENT):
        return True
    own = links.within("") if links is not None else ()
    return any(link.master in DATAPATH or link.name.startswith(("qvo", "qvb")) for link in own)


@check("ovs.bond.member-down", severity=Severity.ERROR)
def bond_member(daemons: OvsDaemons) -> Iterator[Finding]:
    """Open vSwitch does not use a member of a bond: a warning while another one carries the traffic."""
    for bond in daemons.bonds:
        down = [member for member in bond.members if not member.enabled]
        for member in down:
            alone = len(down) == len(bond.members)
            rest = "none is left" if alone else f"{len(bond.members) - len(down)} of {len(bond.members)} carry on"
            yield Finding(
                member,
                f"{member} of bond {bond} is disabled, {rest}",
                severity=None if alone else Severity.WARNING,
                host=member.evidence.node,
                device=member.name,
                bond=bond.name,
                left="no" if alone else "yes",
            )

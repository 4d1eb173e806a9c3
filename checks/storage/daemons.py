"""The daemons that keep a host's paths to its volumes alive: iscsid and multipathd."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Cloud, Evidence, Finding, Severity, check
from stackdoctor.facts.host import Host
from stackdoctor.facts.iscsi import IscsiSessions
from stackdoctor.facts.iscsi_initiator import InitiatorName
from stackdoctor.facts.logs import LogHits
from stackdoctor.facts.multipath import Multipath
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.services import Services


def _works(processes: Processes, service: str) -> bool:
    return any(not process.zombie and not process.stopped for process in processes.of(service))


TRIED = 1800.0
"""Seconds after a failed login in which iscsid would still run, had it been started for that."""


@check("iscsi.iscsid.down", severity=Severity.ERROR)
def iscsid_down(
    sessions: IscsiSessions, processes: Processes, hits: LogHits | None, host: Host | None
) -> Iterator[Finding]:
    """iscsid does not run or is stopped where there are iSCSI sessions, which it logs in again when they break.

    A warning while all sessions are logged in: I/O goes on without it, until a connection breaks. A host without a
    session starts iscsid when it is needed (open-iscsi's iscsid.socket, iscsid.startup of iscsid.conf): there it is
    told once a login has failed since the boot, after which it is still not there.
    """
    if _works(processes, "iscsid"):
        return
    if not sessions.sessions:
        failed = hits.of("brick-login-failed") if hits is not None and host is not None else ()
        tried = [hit for hit in failed if host is not None and hit.age < min(TRIED, host.uptime)]
        if tried:
            newest = max(tried, key=lambda hit: hit.last)
            yield Finding(
                "iscsid",
                "iscsid was not started by a login to a target, which failed",
                evidence=newest.evidence,
                host=newest.node,
                service="iscsid",
                sessions=0,
            )
        return
    broken = [session for session in sessions.sessions if not session.logged_in]
    shown = (broken or list(sessions.sessions))[0]
    yield Finding(
        "iscsid",
        f"iscsid does not run, and there are {len(sessions.sessions)} iSCSI sessions, {len(broken)} of them broken",
        severity=None if broken else Severity.WARNING,
        evidence=shown.evidence,
        host=shown.evidence.node,
        service="iscsid",
        sessions=len(sessions.sessions),
    )


@check("multipath.daemon.down", severity=Severity.ERROR)
def multipathd_down(
    multipath: Multipath, processes: Processes, services: Services | None, sessions: IscsiSessions | None
) -> Iterator[Finding]:
    """multipathd does not run or is stopped where there are multipath devices, or is enabled where there are sessions.

    Nobody sees that a path failed or came back: a device whose paths fail one by one ends without any. A warning while
    no path has failed.
    """
    if _works(processes, "multipathd"):
        return
    failed = [path for device in multipath.devices for path in device.paths if not path.usable]
    units = [unit for unit in services.of("multipathd") if unit.down] if services is not None else []
    shown: Evidence
    if multipath.devices:
        shown = (failed[0] if failed else multipath.devices[0]).evidence
    elif units and sessions is not None and sessions.sessions:
        shown = units[0].evidence
    else:
        return
    yield Finding(
        "multipathd",
        f"multipathd does not run; of {len(multipath.devices)} multipath devices {len(failed)} paths failed",
        severity=None if failed else Severity.WARNING,
        evidence=shown,
        host=shown.node,
        service="multipathd",
    )


@check("iscsi.initiator.duplicate", severity=Severity.WARNING)
def one_name_for_two(names: Cloud[InitiatorName], sessions: Cloud[IscsiSessions] | None) -> Iterator[Finding]:
    """Hosts have the same initiator name (cloned machines): a target takes a login of one for that of the other.

    Sessions drop each other, and an access list lets both in or none. Told of hosts where one has a session.
    """
    holders: dict[str, list[str]] = {}
    for node, name in names:
        holders.setdefault(name.name, []).append(node)
    for iqn, nodes in sorted(holders.items()):
        using = [n for n in nodes if sessions is not None and n in sessions.facts and sessions.facts[n].sessions]
        for node in nodes if len(nodes) > 1 and using else ():
            others = ", ".join(other for other in nodes if other != node)
            yield Finding(
                iqn,
                f"{node} has the same initiator name as {others}: {iqn}",
                node=node,
                evidence=tuple(names.facts[each].evidence for each in nodes),
                host=node,
                iqn=iqn,
            )

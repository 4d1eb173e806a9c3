"""iSCSI sessions that guests need and do not have."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping

from stackdoctor.checks.host.connections import no_answer

from stackdoctor.api import Cloud, Evidence, Finding, Severity, check
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.iscsi import DiskPaths, IscsiSessions
from stackdoctor.facts.iscsi_target import Target
from stackdoctor.facts.libvirt import Domains
from stackdoctor.facts.sockets import Sockets
from stackdoctor.facts.tgt import Targets

from .attachments import Attachment, address_of, attachments, owners

PORT = 3260


@check("iscsi.session.unanswered", severity=Severity.ERROR)
def unanswered_login(sockets: Sockets) -> Iterator[Finding]:
    """An initiator waits for the portal to answer its connection, or what it sent: packets are lost on the way.

    A storage node without a target server refuses at once; silence comes from a firewall, a route, or a host that
    is down.
    """
    yield from no_answer(sockets, PORT, "the iSCSI portal")


@check("iscsi.session.missing", severity=Severity.ERROR)
def session_missing(
    domains: Cloud[Domains],
    paths: Cloud[DiskPaths] | None,
    sessions: Cloud[IscsiSessions] | None,
    targets: Cloud[Targets] | None,
    sockets: Cloud[Sockets] | None,
    addresses: Cloud[Addresses] | None,
) -> Iterator[Finding]:
    """A running guest has a disk over iSCSI and there is no session for it: its I/O waits or fails.

    Told by the list of the host's initiator; for QEMU's own one by tgtd, which knows who is logged in, and where that
    is not known by connections of the host to the portal.
    """
    holders = owners(addresses)
    for user in attachments(domains, paths):
        if user.kernel:
            known = sessions.facts.get(user.node) if sessions is not None else None
            lost = known is not None and not any(s.iqn == user.iqn for s in known.sessions)
            shown: tuple[Evidence, ...] = ()
        else:
            target = _target(user, targets, holders)
            lost, shown = _without_session(user, target, sockets, addresses)
        if lost:
            yield Finding(
                user,
                f"{user.guest} on {user.node} uses {user} and has no iSCSI session to {', '.join(user.portals)}",
                node=user.node,
                evidence=(user.evidence, *shown),
                host=user.node,
                target_host=address_of(user.portals[0]) if user.portals else None,
                portal=user.portals[0] if user.portals else None,
                volume=user.volume or None,
                iqn=user.iqn,
                instance=user.guest.uuid or None,
            )


def _target(user: Attachment, targets: Cloud[Targets] | None, holders: Mapping[str, str]) -> Target | None:
    """tgtd's target that the guest uses; LIO does not tell of all its sessions."""
    for portal in user.portals:
        owner = holders.get(address_of(portal))
        if owner is not None and targets is not None and owner in targets.facts:
            for target in targets.facts[owner].targets:
                if target.iqn == user.iqn and target.tid is not None:
                    return target
    return None


def _without_session(
    user: Attachment, target: Target | None, sockets: Cloud[Sockets] | None, addresses: Cloud[Addresses] | None
) -> tuple[bool, tuple[Evidence, ...]]:
    if target is not None:
        own = addresses.facts.get(user.node) if addresses is not None else None
        ips = {address.ip for address in own.within()} if own is not None else set()
        there = any(not ips or not nexus.addresses or ips & set(nexus.addresses) for nexus in target.nexuses)
        return not there, (target.evidence,)
    known = sockets.facts.get(user.node) if sockets is not None else None
    if known is None or not user.portals:
        return False, ()
    wanted = {(address_of(portal), portal.rpartition(":")[2]) for portal in user.portals}
    connected = any(s.state == "ESTAB" and (s.peer, str(s.peer_port)) in wanted for s in known.connections)
    return not connected and all(_is_elsewhere(address) for address, _ in wanted), ()


def _is_elsewhere(address: str) -> bool:
    """Whether connections to it are known by it: not for a name, nor within the host (`Sockets.for_the_cloud`)."""
    try:
        return not ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


@check("iscsi.session.failed", severity=Severity.ERROR)
def session_failed(sessions: IscsiSessions, domains: Domains | None, paths: DiskPaths | None) -> Iterator[Finding]:
    """A session of the host's initiator is not logged in: requests to its disks are held, and fail after a while.

    A warning where the session gives no disk that is in use: targets that were deleted leave such sessions behind.
    """
    for session in sessions.sessions:
        if session.logged_in:
            continue
        devices = {disk.device for disk in session.disks}
        names = {p.name for p in paths.paths if p.device in devices} if paths is not None else set()
        sources = (
            {disk.source.rpartition("/")[2] for guest in domains.domains for disk in guest.disks} if domains else set()
        )
        yield Finding(
            session,
            f"the session to {session.iqn} is {session.connection or session.state}"
            + (f" (disks {', '.join(sorted(devices))})" if devices else ""),
            severity=None if sources & (devices | names) else Severity.WARNING,
            evidence=session.evidence,
            host=session.evidence.node,
            target_host=address_of(session.portal),
            portal=session.portal.partition(",")[0],
            volume=session.volume_id or None,
            iqn=session.iqn,
        )

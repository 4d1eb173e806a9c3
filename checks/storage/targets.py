"""iSCSI targets that are not there, or let nobody in."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from stackdoctor.api import Cloud, Evidence, Finding, Severity, check
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.backing_files import BackingFiles
from stackdoctor.facts.iscsi import DiskPaths
from stackdoctor.facts.iscsi_sysfs import SysfsIscsi
from stackdoctor.facts.iscsi_target import Lun, Target, volume_id_of
from stackdoctor.facts.libvirt import Domains
from stackdoctor.facts.lvm import LogicalVolumes
from stackdoctor.facts.tgt import Targets

from .attachments import Attachment, address_of, attachments, owners
from .backing import ROUNDED, Backing, backing_of


@dataclass(frozen=True)
class _Used:
    """A target on ``node`` that is Cinder's, or that a guest uses."""

    node: str
    target: Target
    users: tuple[Attachment, ...]

    @property
    def by_tgt(self) -> bool:
        """tgtd's: of LIO's targets, units and access lists are not always known, and a list may well be empty."""
        return self.target.tid is not None

    def finding(
        self,
        message: str,
        *,
        evidence: Evidence | tuple[Evidence, ...] | None = None,
        severity: Severity | None = None,
        client: str = "",
    ) -> Finding:
        guests = ", ".join(sorted({f"{user.guest} on {user.node}" for user in self.users}))
        return Finding(
            self.target,
            message + (f"; it is a disk of {guests}" if guests else ""),
            node=self.node,
            severity=severity,
            evidence=evidence or self.target.evidence,
            host=self.node,
            volume=self.target.volume_id or None,
            iqn=self.target.iqn,
            used="yes" if self.users or self.target.nexuses else "no",
            client=client or None,
        )


def _used(cloud: Cloud[Targets], users: list[Attachment]) -> Iterator[_Used]:
    for node, targets in cloud:
        for target in targets.targets:
            own = tuple(user for user in users if user.iqn == target.iqn)
            if target.volume_id or own:
                yield _Used(node, target, own)


@check("iscsi.target.offline", severity=Severity.ERROR)
def target_offline(
    cloud: Cloud[Targets], domains: Cloud[Domains] | None, paths: Cloud[DiskPaths] | None
) -> Iterator[Finding]:
    """A volume's target takes no logins: it is offline (tgtd) or not enabled (LIO).

    Sessions that exist go on; one that breaks does not come back, and the volume cannot be attached anew.
    """
    for used in _used(cloud, list(attachments(domains, paths))):
        if used.target.state == "offline":
            yield used.finding(f"the target {used.target.iqn} is offline")


@check("iscsi.target.no-lun", severity=Severity.ERROR)
def target_without_disk(
    cloud: Cloud[Targets], domains: Cloud[Domains] | None, paths: Cloud[DiskPaths] | None
) -> Iterator[Finding]:
    """A volume's target has no unit but the controller (LUN 0): who logs in finds no disk.

    As a rule the volume's device was missing when the target was made.
    """
    for used in _used(cloud, list(attachments(domains, paths))):
        if used.by_tgt and not used.target.disks:
            yield used.finding(f"the target {used.target.iqn} has no disk")


@check("iscsi.target.no-acl", severity=Severity.ERROR)
def target_lets_nobody_in(
    cloud: Cloud[Targets], domains: Cloud[Domains] | None, paths: Cloud[DiskPaths] | None
) -> Iterator[Finding]:
    """A volume's target has an empty access list: no initiator may log in, and discovery does not show it.

    Sessions that exist go on; one that breaks does not come back.
    """
    for used in _used(cloud, list(attachments(domains, paths))):
        known = used.by_tgt or (used.target.luns and used.users and not used.target.nexuses)
        if known and not used.target.acls and used.target.state != "absent":
            shown = used.target.evidence
            line = Evidence(shown.node, shown.source, f"{shown.line} ACL information: (none)")
            yield used.finding(f"no initiator may log in to {used.target.iqn}", evidence=line)


@check("iscsi.target.host-not-allowed", severity=Severity.ERROR)
def target_refuses_host(
    cloud: Cloud[Targets],
    domains: Cloud[Domains],
    addresses: Cloud[Addresses],
    paths: Cloud[DiskPaths] | None,
) -> Iterator[Finding]:
    """A volume's target does not let in the host whose guest uses it: neither its address nor its initiator is listed.

    Names of initiators are compared where the host's own is known, from a session that it has.
    """
    for used in _used(cloud, list(attachments(domains, paths))):
        target = used.target
        if not used.by_tgt or not target.acls or "ALL" in target.acls:
            continue
        for host in sorted({user.node for user in used.users}):
            own = addresses.facts.get(host)
            ips = {address.ip for address in own.within()} if own is not None else set()
            names = {n.initiator for n in target.nexuses if ips & set(n.addresses)}
            by_name = [acl for acl in target.acls if not _is_network(acl)]
            if ips and not any(_lets_in(acl, ips, names) for acl in target.acls) and (names or not by_name):
                listed = ", ".join(target.acls)
                line = Evidence(used.node, target.evidence.source, f"{target.evidence.line} ACL information: {listed}")
                yield used.finding(f"{target.iqn} lets in {listed} only, not {host}", evidence=line, client=host)


def _is_network(acl: str) -> bool:
    with suppress(ValueError):
        ipaddress.ip_network(acl, strict=False)
        return True
    return False


def _lets_in(acl: str, ips: set[str], names: set[str]) -> bool:
    if acl in names:
        return True
    with suppress(ValueError):
        network = ipaddress.ip_network(acl, strict=False)
        return any(ipaddress.ip_address(ip) in network for ip in ips)
    return False


@check("iscsi.target.backing-missing", severity=Severity.ERROR)
def backing_missing(
    cloud: Cloud[Targets],
    volumes: Cloud[LogicalVolumes] | None,
    files: Cloud[BackingFiles] | None,
    domains: Cloud[Domains] | None,
    paths: Cloud[DiskPaths] | None,
) -> Iterator[Finding]:
    """What a volume's target exports is not there, or not whole.

    The unit is off line, its logical volume is gone or inactive, its file was deleted, or either is shorter than the
    unit. tgtd keeps what it has opened: guests may go on until it is started again, and then find nothing.
    """
    for used, lun, backing in _units(_used(cloud, list(attachments(domains, paths))), volumes, files):
        lost = "is off line" if not lun.online else _lost(lun, backing)
        if lost:
            yield used.finding(f"{lun} of {used.target.iqn} ({lun.path or 'no device'}) {lost}", evidence=lun.evidence)


def _units(
    targets: Iterable[_Used], volumes: Cloud[LogicalVolumes] | None, files: Cloud[BackingFiles] | None
) -> Iterator[tuple[_Used, Lun, Backing | None]]:
    """The disks that ``targets`` export, each with what is behind it, as far as that is known."""
    for used in targets:
        for lun in used.target.disks:
            yield used, lun, backing_of(lun, used.node, volumes, files)


def _lost(lun: Lun, backing: Backing | None) -> str:
    """Why not all of ``lun`` can be there; empty where it is, or may be."""
    if backing is None:
        return ""
    if backing.size is None or not backing.active:
        return backing.why
    if lun.size_mb is not None and backing.size < (lun.size_mb - ROUNDED) * 10**6:
        return f"is {lun.size_mb} MB and {backing.why} of {backing.size // 10**6} MB only"
    return ""


@check("iscsi.target.size-differs", severity=Severity.WARNING)
def unit_smaller_than_volume(
    cloud: Cloud[Targets],
    volumes: Cloud[LogicalVolumes] | None,
    files: Cloud[BackingFiles] | None,
    domains: Cloud[Domains] | None,
    paths: Cloud[DiskPaths] | None,
) -> Iterator[Finding]:
    """A volume was extended and its target does not know: guests see the old size until it is exported anew."""
    for used, lun, backing in _units(_used(cloud, list(attachments(domains, paths))), volumes, files):
        if backing is None or backing.size is None or not backing.active or lun.size_mb is None or not lun.online:
            continue
        if backing.size > (lun.size_mb + ROUNDED) * 10**6:
            yield used.finding(
                f"{lun} of {used.target.iqn} is {lun.size_mb} MB, its volume {backing.size // 10**6} MB",
                evidence=(lun.evidence, backing.evidence),
            )


@check("iscsi.target.account-refused", severity=Severity.ERROR)
def target_refuses_account(
    cloud: Cloud[Targets],
    domains: Cloud[Domains],
    kernels: Cloud[SysfsIscsi] | None,
    paths: Cloud[DiskPaths] | None,
) -> Iterator[Finding]:
    """A volume's target wants a CHAP account that the guest's host does not name: its next login is refused.

    Only names are compared, no secret is read. Sessions that exist go on; one that breaks does not come back.
    """
    for used in _used(cloud, list(attachments(domains, paths))):
        if not used.by_tgt or not used.target.accounts:
            continue
        for user in used.users:
            account = _account_of(user, kernels)
            logged_in_without = not account and bool(used.target.nexuses)
            if account is None or account in used.target.accounts or logged_in_without:
                continue
            line = f"{used.target.evidence.line} Account information: {', '.join(used.target.accounts)}"
            shown = Evidence(used.node, used.target.evidence.source, line)
            yield used.finding(
                f"{used.target.iqn} wants the CHAP account {' or '.join(used.target.accounts)}, and {user.node} logs in"
                f" {f'as {account}' if account else 'without one'}",
                evidence=(shown, user.evidence),
                client=user.node,
            )


def _account_of(user: Attachment, kernels: Cloud[SysfsIscsi] | None) -> str | None:
    if not user.kernel:
        return user.account
    known = kernels.facts.get(user.node) if kernels is not None else None
    names = {s.username for s in known.sessions if s.iqn == user.iqn} if known is not None else set()
    return next(iter(names)) or None if len(names) == 1 else None  # a name that may not be read is empty


@check("iscsi.target.missing", severity=Severity.ERROR)
def target_missing(
    cloud: Cloud[Targets],
    domains: Cloud[Domains] | None,
    paths: Cloud[DiskPaths] | None,
    addresses: Cloud[Addresses] | None,
) -> Iterator[Finding]:
    """A volume has no target on its storage node: a guest uses it from there, or Cinder means to export it.

    tgtd has its targets in memory only; after a restart those come back that its configuration includes. A warning
    where no guest is known to use the volume.
    """
    holders = owners(addresses)
    wanted: dict[tuple[str, str], list[Attachment]] = {}
    for user in attachments(domains, paths):
        for portal in user.portals:
            if node := holders.get(address_of(portal)):
                wanted.setdefault((node, user.iqn), []).append(user)
    for node, targets in cloud:
        if targets.absent or any(s.kind == "tgt" and not s.running for s in targets.servers):
            continue
        there = {t.iqn: t for t in targets.targets if t.state != "absent"}
        served = {t.volume_id for t in there.values()}
        told: set[str] = set()
        shown = targets.servers[0].evidence
        for (owner, iqn), users in sorted(wanted.items(), key=lambda item: item[0]):
            if owner == node and iqn not in there:
                told.add(volume_id_of(iqn))
                yield _missing(node, iqn, users, (users[0].evidence, shown))
        for target in targets.targets:
            if target.state == "absent" and target.volume_id not in served | told:
                told.add(target.volume_id)
                yield _missing(node, target.iqn, [], (target.evidence,))
        for name in targets.exported or ():
            volume = volume_id_of(name)
            if any(s.kind == "tgt" for s in targets.servers) and volume not in served | told:
                told.add(volume)
                listed = Evidence(node, "ls -1 /var/lib/cinder/volumes", name)
                yield _missing(node, name, [], (listed, shown))


def _missing(node: str, iqn: str, users: list[Attachment], evidence: tuple[Evidence, ...]) -> Finding:
    guests = ", ".join(sorted({f"{user.guest} on {user.node}" for user in users}))
    return Finding(
        iqn,
        f"{node} has no target {iqn}" + (f", a disk of {guests}" if guests else ", which Cinder exports"),
        node=node,
        severity=None if users else Severity.WARNING,
        evidence=evidence,
        host=node,
        volume=volume_id_of(iqn) or (users[0].volume if users else None) or None,
        iqn=iqn,
        used="yes" if users else "no",
    )


@check("iscsi.tgtd.down", severity=Severity.CRITICAL)
def tgtd_down(targets: Targets) -> Iterator[Finding]:
    """tgtd does not answer on a node from which Cinder exports volumes: no initiator can log in.

    A node that only has its tools, and one whose volumes LIO exports, are left out.
    """
    served = {target.volume_id for target in targets.targets if target.online}
    wanted = [name for name in targets.exported or () if volume_id_of(name) not in served]
    for server in targets.servers:
        if server.kind == "tgt" and not server.running and wanted:
            yield Finding(
                server,
                f"tgtd does not answer, and {len(wanted)} volumes are exported through it",
                host=server.evidence.node,
                exports=len(wanted),
            )

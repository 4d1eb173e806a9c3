"""A volume from the API to the disk in a guest: made, exported, logged in to, attached."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError, UsageError
from stackdoctor.facts.domain_xml import DomainDisk
from stackdoctor.facts.fact import Fact
from stackdoctor.facts.iscsi import DiskPath, DiskPaths, IscsiSession, IscsiSessions
from stackdoctor.facts.iscsi_target import Target, volume_id_of
from stackdoctor.facts.libvirt import Domain, Domains
from stackdoctor.facts.lvm import LogicalVolume, LogicalVolumes
from stackdoctor.facts.tgt import Targets
from stackdoctor.model import NodeResults
from stackdoctor.trace.records import LogRecord, Records
from stackdoctor.trace.steps import FAILED, MISSING, PROVEN, UNKNOWN, Step, Trace, implied

__all__ = ["FACTS", "Volume", "volume_id", "volume_of", "volume_trace"]

FACTS: tuple[type[Fact], ...] = (Targets, IscsiSessions, DiskPaths, Domains, LogicalVolumes)

F = TypeVar("F")

_ID = re.compile(r"(?:volume-)?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")

_MADE = r"created successfully|Created volume successfully"
_EXPORTED = r"Initialize volume connection completed|initialize_connection|Attach(?:ment)? volume completed"
_FAILED = r"create failed|Driver initialize connection failed|Failed to \w+ iscsi target|Could not create target"
_CALL = r'"(?:POST|PUT) \S*(?:volumes|attachments)\S* ?(?:HTTP/1\.\d)?" (?:status: )?20\d'
_REFUSED = r"No (?:valid|weighed) (?:host|backend)|Insufficient free space"


@dataclass(frozen=True)
class Volume:
    """What the nodes have of one volume, each with the name of its node; ``seen`` are the facts that any node gave."""

    id: str
    targets: tuple[tuple[str, Target], ...]
    stores: tuple[tuple[str, LogicalVolume], ...]
    sessions: tuple[tuple[str, IscsiSession], ...]
    paths: tuple[tuple[str, DiskPath], ...]
    disks: tuple[tuple[str, Domain, DomainDisk], ...]
    seen: frozenset[type]
    gaps: tuple[str, ...]


def volume_id(text: str) -> str:
    """The id in ``text``, which may have Cinder's prefix; raises UsageError where there is none."""
    match = _ID.fullmatch(text.strip().lower())
    if match is None:
        raise UsageError(f"{text!r} is no volume id: `openstack volume list` shows them")
    return match[1]


def volume_of(nodes: Sequence[NodeResults], id_: str) -> Volume:
    """What ``nodes`` have of the volume ``id_``."""
    gaps: list[str] = []
    seen: set[type] = set()

    def every(kind: type[F]) -> Iterator[tuple[str, F]]:
        for node in nodes:
            try:
                fact = kind.parse(node)  # type: ignore[attr-defined]
            except NotApplicable:
                continue
            except (CouldNotCheck, ParseError) as why:
                if node.results:
                    gaps.append(f"{node.node.name}: {why}")
                continue
            seen.add(kind)
            yield node.node.name, fact

    targets = tuple((n, t) for n, f in every(Targets) for t in f.targets if t.volume_id == id_)
    stores = tuple((n, v) for n, f in every(LogicalVolumes) for v in f.volumes if v.volume_id == id_)
    sessions = tuple((n, s) for n, f in every(IscsiSessions) for s in f.sessions if s.volume_id == id_)
    paths = tuple((n, p) for n, f in every(DiskPaths) for p in f.paths if p.volume_id == id_)
    disks = tuple(
        (n, domain, disk)
        for n, f in every(Domains)
        for domain in f.domains
        for disk in domain.disks
        if id_ in (disk.serial, volume_id_of(disk.iqn), volume_id_of(disk.source))
    )
    gaps += [f"{node.node.name}: {node.failure}" for node in nodes if node.failure and not node.results]
    return Volume(id_, targets, stores, sessions, paths, disks, frozenset(seen), tuple(dict.fromkeys(gaps)))


def volume_trace(volume: Volume, records: Records) -> Trace:
    """The way of ``volume``; ``records`` name its id.  Raises UsageError where nothing at all knows it."""
    if not (volume.targets or volume.stores or volume.sessions or volume.disks or records.records):
        raise UsageError(f"neither a node that was looked at nor a log of this time knows volume {volume.id}")
    steps = implied(
        [
            _from_log("API takes the request", records, r"cinder-api.*", _CALL),
            _from_log("scheduler picks a back end", records, r"cinder-scheduler", r"(?i)selected|weighed", _REFUSED),
            _from_log("cinder-volume makes it", records, r"cinder-volume", _MADE, _FAILED),
            _store(volume),
            _target(volume),
            _lun(volume),
            _login(volume),
            _from_log("cinder-volume exports it to the host", records, r"cinder-volume", _EXPORTED, _FAILED),
            _session(volume),
            _device(volume),
            _disk(volume),
        ]
    )
    about = {"volume": volume.id}
    if volume.targets:
        about["target"] = volume.targets[0][1].iqn
    if volume.disks:
        about["guest"] = f"{volume.disks[0][1]} on {volume.disks[0][0]}"
    more = ["stackdoctor diagnose: the cause, if it still holds"]
    if not records.complete:
        more.insert(0, "the same without --from: a snapshot keeps only records that a log signature matches")
    return Trace("volume", volume.id, steps, tuple(more), (*volume.gaps, *records.gaps), about)


def _from_log(name: str, records: Records, services: str, done: str, failed: str = "") -> Step:
    wrong = next(iter(records.of(services, failed)), None) if failed else None
    right = next(iter(records.of(services, done)), None)
    record = wrong or right
    if record is None:
        return Step(name, UNKNOWN, "no record of it in the logs of this time")
    return _logged(name, FAILED if wrong else PROVEN, record)


def _logged(name: str, state: str, record: LogRecord) -> Step:
    return Step(name, state, record.message, record.node, record.service, record.time, (record.evidence,))


def _store(volume: Volume) -> Step:
    name = "backing store is there"
    for node, store in volume.stores:
        state = PROVEN if store.active else FAILED
        text = f"{store} is {'active' if store.active else 'not active'}"
        return Step(name, state, text, node, "lvm", evidence=(store.evidence,))
    for node, target in volume.targets:
        for lun in target.disks:
            state = PROVEN if lun.online and lun.path else FAILED
            return Step(name, state, f"{lun.path or 'none'} of {lun}", node, "target", evidence=(lun.evidence,))
    return Step(name, UNKNOWN, "no logical volume is called so, and no target has it")


def _target(volume: Volume) -> Step:
    name = "target is there"
    for node, target in volume.targets:
        return Step(
            name,
            PROVEN if target.online else FAILED,
            f"{target.iqn} is {target.state}",
            node,
            "target",
            evidence=(target.evidence,),
        )
    if Targets not in volume.seen:
        return Step(name, UNKNOWN, "no target server was looked at")
    wanted = bool(volume.disks or volume.sessions)
    return Step(name, MISSING if wanted else UNKNOWN, "no target server that was looked at exports it")


def _lun(volume: Volume) -> Step:
    name = "target has the LUN"
    for node, target in volume.targets:
        if not target.disks:
            return Step(name, FAILED, "it has no unit with data", node, "target", evidence=(target.evidence,))
        lun = target.disks[0]
        text = f"{lun} is {'online' if lun.online else 'offline'}"
        return Step(name, PROVEN if lun.online else FAILED, text, node, "target", evidence=(lun.evidence,))
    return Step(name, UNKNOWN, "there is no target")


def _login(volume: Volume) -> Step:
    name = "initiators may log in"
    for node, target in volume.targets:
        if not target.acls:
            return Step(
                name, FAILED, "its list of who may log in is empty", node, "target", evidence=(target.evidence,)
            )
        text = f"who may: {', '.join(target.acls)}; CHAP accounts: {', '.join(target.accounts) or 'none'}"
        return Step(name, PROVEN, text, node, "target", evidence=(target.evidence,))
    return Step(name, UNKNOWN, "there is no target")


def _session(volume: Volume) -> Step:
    name = "session"
    for node, session in volume.sessions:
        state = PROVEN if session.logged_in else FAILED
        return Step(
            name,
            state,
            f"{session.portal}: {session.state or session.connection}",
            node,
            "iscsid",
            evidence=(session.evidence,),
        )
    for node, target in volume.targets:
        for nexus in target.nexuses:
            text = f"{nexus.initiator} from {', '.join(nexus.addresses) or 'unknown'} is logged in"
            return Step(name, PROVEN, text, node, "target", evidence=(nexus.evidence,))
        if volume.disks and target.tid is not None:
            where, domain, disk = volume.disks[0]
            return Step(
                name,
                FAILED,
                f"{domain} has the disk and nobody is logged in",
                where,
                "target",
                evidence=(disk.evidence, target.evidence),
            )
    if not volume.disks:
        return Step(name, UNKNOWN, "nobody uses it: it is not attached, or attaching did not come so far")
    return Step(name, UNKNOWN, "neither an initiator nor the target tells")


def _device(volume: Volume) -> Step:
    name = "device on the host"
    for node, path in volume.paths:
        return Step(name, PROVEN, f"{path.name} is {path.device}", node, "udev", evidence=(path.evidence,))
    qemu = next((found for found in volume.disks if found[2].protocol == "iscsi"), None)
    if qemu is not None:
        return Step(name, PROVEN, "not needed: QEMU logs in by itself", qemu[0], "qemu", evidence=(qemu[2].evidence,))
    if volume.sessions:
        return Step(name, MISSING, "there is a session and no disk of it", volume.sessions[0][0], "udev")
    return Step(name, UNKNOWN, "there is no session")


def _disk(volume: Volume) -> Step:
    name = "disk in the guest"
    for node, domain, disk in volume.disks:
        return Step(
            name, PROVEN, f"{disk.target} of {domain} ({domain.state})", node, "libvirt", evidence=(disk.evidence,)
        )
    attached = volume.sessions or any(target.nexuses for _, target in volume.targets)
    return Step(name, MISSING if attached else UNKNOWN, "no guest that was looked at has it")

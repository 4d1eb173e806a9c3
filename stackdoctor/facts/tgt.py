"""The iSCSI targets that a storage node exports, from tgtd and from the kernel's LIO.

Cinder's LVM driver has either of them make one target a volume (``target_helper`` tgtadm or lioadm), and
keeps one file a volume in ``volumes_dir`` for tgtd.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.answers import output, said
from stackdoctor.facts.iscsi_target import Nexus, Target, volume_id_of
from stackdoctor.facts.lio import parse_live_path, parse_saved, parse_session, with_live
from stackdoctor.facts.tgtadm import parse_targets
from stackdoctor.model import Evidence, NodeResults, Probe, Result, Status

__all__ = ["CINDER_EXPORTS", "LIO_LIVE", "LIO_SAVED", "TGT_TARGETS", "TargetServer", "Targets"]

TGT_TARGETS = Probe(
    "tgt.targets", ("tgtadm", "--lld", "iscsi", "--mode", "target", "--op", "show"), root=True, container="tgtd"
)
CINDER_EXPORTS = Probe(
    "tgt.exports",
    ("ls", "-1", "/var/lib/cinder/volumes", "/var/lib/docker/volumes/cinder/_data/volumes"),
    root=True,
)
LIO_SAVED = Probe("lio.saved", files=("/etc/target/saveconfig.json",), root=True)
LIO_LIVE = Probe(
    "lio.live",
    files=(
        "/sys/kernel/config/target/iscsi/iqn.*/tpgt_*/enable",
        "/sys/kernel/config/target/iscsi/iqn.*/tpgt_*/acls/*/info",
    ),
    root=True,
)
DOWN = "tgt daemon"  # "failed to send request hdr to tgt daemon", "can't connect to the tgt daemon"


@dataclass(frozen=True)
class TargetServer:
    """A target server and its targets.  ``kind`` is tgt or lio.

    ``running`` is False where tgtd does not answer: ``tgtadm: failed to send request hdr to tgt daemon,
    Transport endpoint is not connected`` (exit status 107).  Then nothing is known of its targets.
    """

    kind: str
    running: bool
    targets: tuple[Target, ...]
    evidence: Evidence

    def __str__(self) -> str:
        return "tgtd" if self.kind == "tgt" else "LIO"


@dataclass(frozen=True)
class Targets:
    """Everything that this node exports over iSCSI.

    tgtadm is on many nodes that export nothing and run no tgtd; ``exported`` tells them apart: the names of the
    volumes that Cinder means to export through tgtd here (None where there is no ``volumes_dir``).  ``absent``
    says why a second server could not be asked.
    """

    servers: tuple[TargetServer, ...]
    exported: tuple[str, ...] | None
    absent: str = ""
    probes: ClassVar[tuple[Probe, ...]] = (TGT_TARGETS, CINDER_EXPORTS, LIO_SAVED, LIO_LIVE)

    @classmethod
    def parse(cls, results: NodeResults) -> Targets:
        """The servers; raises NotApplicable without tgtadm and LIO, CouldNotCheck or ParseError."""
        servers: list[TargetServer] = []
        missing: NotApplicable | None = None
        failed: CouldNotCheck | None = None
        for read in (_tgt, _lio):
            try:
                servers.append(read(results))
            except NotApplicable as error:
                missing = missing or error
            except CouldNotCheck as error:
                failed = failed or error
        if not servers and failed:
            raise failed
        if not servers and missing:
            raise missing
        return cls(tuple(servers), _exported(results), str(failed or ""))

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets of all servers."""
        return tuple(target for server in self.servers for target in server.targets)

    def of_volume(self, volume_id: str) -> Target | None:
        """The target of one Cinder volume."""
        return next((t for t in self.targets if volume_id and t.volume_id == volume_id), None)


def _shower(results: NodeResults, result: Result) -> Callable[[str], Evidence]:
    return lambda line: results.evidence(result, line)


def _tgt(results: NodeResults) -> TargetServer:
    result = results.one(TGT_TARGETS)
    if result.status is Status.RAN and result.exit and DOWN in said(result):
        return TargetServer("tgt", False, (), results.evidence(result, said(result)))
    targets = parse_targets(output(result), _shower(results, result))
    return TargetServer("tgt", True, targets, results.evidence(result, f"{len(targets)} targets"))


def _lio(results: NodeResults) -> TargetServer:
    result = results.usable(LIO_SAVED)[0]
    saved = parse_saved(output(result), _shower(results, result))
    enabled: dict[str, tuple[bool, Evidence]] = {}
    nexuses: dict[str, tuple[Nexus, ...]] = {}
    try:
        live = results.usable(LIO_LIVE)
    except NotApplicable:
        live = ()
    for file in live:
        path = parse_live_path(file.subject or file.command)
        if path is None:
            continue
        iqn, initiator = path
        if initiator:
            nexus = parse_session(output(file), initiator, _shower(results, file))
            nexuses[iqn] = (*nexuses.get(iqn, ()), *([nexus] if nexus else []))
        else:
            on = output(file).strip() == "1"
            enabled[iqn] = (on, results.evidence(file, file.text.strip()[:20]))
    targets = with_live(saved, enabled, nexuses)
    return TargetServer("lio", bool(enabled), targets, results.evidence(result, f"{len(targets)} targets"))


def _exported(results: NodeResults) -> tuple[str, ...] | None:
    """``ls`` says ``DIRECTORY:`` before each one's names; its status is 2 where one of them is not there."""
    try:
        result = results.one(CINDER_EXPORTS)
    except (NotApplicable, CouldNotCheck):
        return None
    lines = result.text.splitlines()
    if not any(line.startswith("/") and line.endswith(":") for line in lines):
        return None
    return tuple(line for line in lines if volume_id_of(line) and not line.startswith("/"))

"""Swift's storage nodes: which drives are mounted, the rings they go by, and what recon's cache says.

>>> drive_of("/dev/sdc1 /srv/node/sdc1 xfs rw,noatime 0 0"), drive_of("# /dev/sdd1 /srv/node/sdd1 xfs noatime 0 0")
('sdc1', '')
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.answers import output, said
from stackdoctor.facts.listing import entry_of
from stackdoctor.facts.oslo_config import read_options
from stackdoctor.facts.table import excerpt
from stackdoctor.model import Each, Evidence, NodeResults, Probe, Status

__all__ = ["SwiftDrives", "SwiftRecon", "SwiftRings", "drive_of"]

DEVICES = "/srv/node"
SERVERS = ("account", "container", "object")

CONFIG = Probe(
    "swift.config",
    files=(
        *(f"/etc/swift/{server}-server.conf" for server in SERVERS),
        *(f"/etc/kolla/swift-{server}-server/{server}-server.conf" for server in SERVERS),
    ),
    root=True,
)
LISTING = Probe("swift.devices", ("ls", "-l", DEVICES), after=CONFIG.id)
MOUNTS = Probe("swift.mounts", files=("/proc/mounts",), after=CONFIG.id)
FSTAB = Probe("swift.fstab", files=("/etc/fstab",), after=CONFIG.id)
RINGS = Probe(
    "swift.rings",
    ("md5sum", "/etc/swift/{each}"),
    each=Each(("ls", "/etc/swift"), r"^((?:account|container|object(?:-\d{1,4})?)\.ring\.gz|swift\.conf)$", limit=40),
    root=True,
)
RECON = Probe(
    "swift.recon",
    files=("/var/cache/swift/*.recon", "/var/lib/docker/volumes/swift_recon_cache/_data/swift/*.recon"),
    cap=1024 * 1024,
)

SETTINGS = "swift.conf"

_UNREADABLE = re.compile(rf"cannot (?:access|open directory) '?{DEVICES}/([\w.-]{{1,80}})'?: (Input/output error)")
_SUM = re.compile(r"([0-9a-f]{32}) [ *](/\S{1,200})")


@dataclass(frozen=True)
class Drive:
    """One folder below /srv/node: ``mounted`` on, ``expected`` in /etc/fstab, ``failed`` with an I/O error."""

    name: str
    mounted: bool
    expected: bool
    failed: bool
    evidence: Evidence

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class SwiftDrives:
    """The drives of a storage node.  ``mount_check`` says whether Swift refuses (507) what is not mounted.

    ::

        $ ls -l /srv/node
        total 8
        drwxr-xr-x 2 root root 4096 Nov 22 21:59 sdb1
        drwxr-xr-x 2 root root 4096 Nov 22 21:59 sdc1
    """

    rows: tuple[Drive, ...]
    mount_check: bool
    evidence: Evidence

    probes: ClassVar[tuple[Probe, ...]] = (CONFIG, LISTING, MOUNTS, FSTAB)

    @classmethod
    def parse(cls, results: NodeResults) -> SwiftDrives:
        """The drives; raises NotApplicable on a node without a storage server, CouldNotCheck, ParseError."""
        options = read_options(results, CONFIG)
        root = options.get("DEFAULT", "devices", default=DEVICES).rstrip("/")
        if root != DEVICES:
            raise CouldNotCheck(f"devices = {excerpt(root)}: only {DEVICES} is looked at")
        listed = results.one(LISTING)
        complaints = listed.stderr[:8192].decode("utf-8", "replace")
        failed = {match[1] for match in _UNREADABLE.finditer(complaints)}
        if listed.exit and not failed:
            raise CouldNotCheck(f"{listed.command}: {said(listed)}")
        mounts = {drive for line in output(results.usable(MOUNTS)[0]).split("\n") if (drive := drive_of(line))}
        expected = _expected(results)
        rows = []
        for line in listed.text.split("\n"):
            entry = entry_of(line)
            if entry is not None and entry.kind == "d":
                evidence = results.evidence(listed, line)
                rows.append(Drive(entry.name, entry.name in mounts, entry.name in expected, False, evidence))
        for name in sorted(failed):
            line = next(line for line in complaints.split("\n") if f"{DEVICES}/{name}" in line)
            rows.append(Drive(name, name in mounts, name in expected, True, results.evidence(listed, line)))
        return cls(tuple(rows), options.true("DEFAULT", "mount_check", default=True), options.evidence)


def drive_of(line: str) -> str:
    """The drive that a line of /proc/mounts or fstab(5) mounts below /srv/node; empty where it mounts another."""
    words = line.split()
    if len(words) < 3 or words[0].startswith("#") or not words[1].startswith(DEVICES + "/"):
        return ""
    return words[1].removeprefix(DEVICES + "/").strip("/")


def _expected(results: NodeResults) -> frozenset[str]:
    try:
        text = results.usable(FSTAB)[0].text
    except (CouldNotCheck, NotApplicable):
        return frozenset()
    return frozenset(drive for line in text.split("\n") if (drive := drive_of(line)))


@dataclass(frozen=True)
class SwiftRings:
    """The MD5 sum of each ring file in /etc/swift, by its name: ``object.ring.gz``, ``object-1.ring.gz``.

    ``cluster`` is that of swift.conf, whose hash path prefix and suffix all nodes of one cluster share and other
    clusters do not; empty where it is not known.

    ::

        924d6b393fa9cc51908ed65abc3a56b5  /etc/swift/object.ring.gz
    """

    sums: Mapping[str, str]
    lines: Mapping[str, Evidence]
    cluster: str = ""

    probes: ClassVar[tuple[Probe, ...]] = (RINGS,)

    @classmethod
    def parse(cls, results: NodeResults) -> SwiftRings:
        """The sums; raises NotApplicable on a node without rings, CouldNotCheck, ParseError."""
        sums, lines = {}, {}
        for result in results.usable(RINGS):
            if not result.subject:
                if "No such file" in said(result) or (not result.exit and not result.stdout.strip()):
                    raise NotApplicable("there is no ring in /etc/swift")
                raise CouldNotCheck(f"{result.command}: {said(result)}")
            line = output(result).strip()
            match = _SUM.fullmatch(line)
            if match is None:
                raise ParseError(f"not a line of md5sum: {excerpt(line)}")
            sums[result.subject], lines[result.subject] = match[1], results.evidence(result, line)
        cluster = sums.pop(SETTINGS, "")
        if not sums:
            raise NotApplicable("there is no ring in /etc/swift")
        return cls(sums, lines, cluster)


@dataclass(frozen=True)
class SwiftRecon:
    """What the daemons left for swift-recon(1) in ``/var/cache/swift/*.recon`` (JSON, by file name).

    ::

        {"object_replication_last": 1795384782.88, "replication_stats": {"failure": 2, "failure_nodes": ...}, ...}
    """

    files: Mapping[str, Mapping[str, object]]
    now: float | None
    evidence: Evidence

    probes: ClassVar[tuple[Probe, ...]] = (RECON,)

    @classmethod
    def parse(cls, results: NodeResults) -> SwiftRecon:
        """The caches; raises NotApplicable where there is none, CouldNotCheck, ParseError."""
        answers = results.usable(RECON)
        files = {}
        for result in answers:
            if result.status is not Status.RAN or not result.text.strip():
                continue  # it is rewritten while it is read, as a whole
            try:
                value = json.loads(result.text)
            except (ValueError, RecursionError) as error:
                raise ParseError(f"{result.command}: not JSON: {str(error)[:80]}") from error
            if not isinstance(value, dict):
                raise ParseError(f"{result.command}: not an object")
            files[result.subject.rpartition("/")[2]] = value
        now = None if results.clock is None else results.clock.now
        return cls(files, now, results.evidence(answers[0], ""))

    def replicated(self, server: str) -> float | None:
        """When the replicator of ``server`` last ended a pass, in seconds since the epoch; None where it never did."""
        values = self.files.get(f"{server}.recon", {})
        for key in (f"{server}_replication_last", "object_replication_last", "replication_last"):
            last = values.get(key)
            if isinstance(last, (int, float)) and not isinstance(last, bool) and 0 < last < 1e12:
                return float(last)
        return None

    @property
    def drive_errors(self) -> int:
        """What swift-drive-audit counted in the kernel's log; 0 where it does not run."""
        count = self.files.get("drive.recon", {}).get("drive_audit_errors")
        return count if isinstance(count, int) and not isinstance(count, bool) else 0

"""File systems of a node: how full they are, in bytes and in inodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck, ParseError
from stackdoctor.facts.answers import integer, said
from stackdoctor.facts.table import excerpt, header
from stackdoctor.model import Evidence, NodeResults, Probe, Result, Status

__all__ = ["Disk", "Disks", "InodeUse", "Inodes"]

_BYTES_TYPED = ("Filesystem", "Type", "1024-blocks", "Used", "Available", "Capacity", "Mounted on")
_BYTES = ("Filesystem", "1024-blocks", "Used", "Available", "Capacity", "Mounted on")
_INODES_TYPED = ("Filesystem", "Type", "Inodes", "IUsed", "IFree", "IUse%", "Mounted on")
_INODES = ("Filesystem", "Inodes", "IUsed", "IFree", "IUse%", "Mounted on")

# images that are always full, and what the kernel makes up
_FIXED = frozenset({"squashfs", "iso9660", "erofs", "cramfs", "udf", "devtmpfs", "efivarfs", "udev"})
# each container's root is a view of the disk below, which is listed by itself
_CONTAINERS = ("/var/lib/docker/", "/var/lib/containers/", "/run/containerd/", "/var/lib/kubelet/", "/run/user/")


@dataclass(frozen=True)
class Disk:
    """One mounted file system.  Sizes in bytes; ``percent`` as df(1) rounds it up, None where it has no size.

    ``kind`` is its type, or empty (an old df): pseudo file systems are then called as their type.
    """

    source: str
    kind: str
    mount: str
    size: int
    used: int
    available: int
    percent: int | None
    evidence: Evidence

    def __str__(self) -> str:
        return self.mount

    @property
    def fills(self) -> bool:
        """It can fill up, and something breaks then: not an image, and not a container's view of another one."""
        return _fills(self.source, self.kind, self.mount) and self.size > 0


@dataclass(frozen=True)
class InodeUse:
    """The inodes of one mounted file system; ``percent`` is None where it makes them as it needs them (btrfs)."""

    source: str
    kind: str
    mount: str
    total: int
    used: int
    free: int
    percent: int | None
    evidence: Evidence

    def __str__(self) -> str:
        return self.mount

    @property
    def fills(self) -> bool:
        """It can run out of them, and something breaks then."""
        return _fills(self.source, self.kind, self.mount) and self.total > 0


@dataclass(frozen=True)
class Disks:
    """The mounted file systems; ``unread`` are those that df complained of (a stale NFS handle), in its words.

    ::

        Filesystem     Type    1024-blocks     Used Available Capacity Mounted on
        /dev/vda1      ext4      264212084 32453624  73937288      31% /
        tmpfs          tmpfs        262144      104    262040       1% /run
    """

    probes: ClassVar[tuple[Probe, ...]] = (Probe("disks.bytes", ("df", "-P", "-T"), otherwise=(("df", "-P"),)),)

    rows: tuple[Disk, ...]
    unread: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Disk]:
        return iter(self.rows)

    def of(self, path: str) -> Disk | None:
        """The file system that ``path`` lies on."""
        return _holding(self.rows, path)

    @classmethod
    def parse(cls, results: NodeResults) -> Disks:
        """The file systems.  Raises CouldNotCheck, ParseError or NotApplicable."""
        result = results.one(cls.probes[0])
        rows = tuple(
            Disk(source, kind, mount, size * 1024, used * 1024, free * 1024, percent, results.evidence(result, line))
            for source, kind, size, used, free, percent, mount, line in _rows(result, _BYTES_TYPED, _BYTES)
        )
        return cls(rows, _complaints(result))


@dataclass(frozen=True)
class Inodes:
    """The inodes of the mounted file systems.

    ::

        Filesystem     Type   Inodes  IUsed    IFree IUse% Mounted on
        /dev/vda1      ext4 16777216 857428 15919788    6% /
    """

    probes: ClassVar[tuple[Probe, ...]] = (
        Probe("disks.inodes", ("df", "-P", "-T", "-i"), otherwise=(("df", "-P", "-i"),)),
    )

    rows: tuple[InodeUse, ...]
    unread: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[InodeUse]:
        return iter(self.rows)

    @classmethod
    def parse(cls, results: NodeResults) -> Inodes:
        """The inodes of each file system.  Raises CouldNotCheck, ParseError or NotApplicable."""
        result = results.one(cls.probes[0])
        rows = tuple(
            InodeUse(source, kind, mount, total, used, free, percent, results.evidence(result, line))
            for source, kind, total, used, free, percent, mount, line in _rows(result, _INODES_TYPED, _INODES)
        )
        return cls(rows, _complaints(result))


def _fills(source: str, kind: str, mount: str) -> bool:
    return (kind or source) not in _FIXED and not mount.startswith((*_CONTAINERS, "/snap/"))


def _holding(rows: tuple[Disk, ...], path: str) -> Disk | None:
    around = [row for row in rows if path == row.mount or path.startswith(row.mount.rstrip("/") + "/")]
    return max(around, key=lambda row: len(row.mount), default=None)


def _complaints(result: Result) -> tuple[str, ...]:
    lines = result.stderr[:8192].decode("utf-8", "replace").splitlines()
    return tuple(excerpt(line.removeprefix("df: ")) for line in lines if line.startswith("df: "))


def _rows(result: Result, *forms: tuple[str, ...]) -> Iterator[tuple[str, str, int, int, int, int | None, str, str]]:
    """Source, type, three numbers, percent, mount point and line of each row of df(1)."""
    if result.status is Status.TRUNCATED:
        raise CouldNotCheck(f"{result.command}: its output was cut")
    # df ends with 1 if only one file system could not be read: what it printed of the others holds
    first, _, rest = result.text.partition("\n")
    if not first and result.exit:
        raise CouldNotCheck(f"{result.command}: exit status {result.exit}: {said(result)}")
    typed = "Type" in header(first, *forms)
    for line in rest.split("\n"):
        if line.strip():
            yield (*_cells(line, typed), line)


def _cells(line: str, typed: bool) -> tuple[str, str, int, int, int, int | None, str]:
    # a source (a CIFS share) and a mount point may have spaces; between them are three numbers and a percentage
    words = line.split()
    for at in range(2 if typed else 1, len(words) - 4):
        if not (words[at + 3].endswith("%") or words[at + 3] == "-") or not words[at + 4].startswith("/"):
            continue
        sizes = [0 if word == "-" else integer(word) for word in words[at : at + 3]]
        percent = integer(words[at + 3].removesuffix("%"))
        if None in sizes or (percent is None and words[at + 3] != "-"):
            continue
        total, used, free = (size or 0 for size in sizes)
        source, kind = " ".join(words[: at - 1 if typed else at]), words[at - 1] if typed else ""
        return source, kind, total, used, free, percent, line.split(None, at + 4)[at + 4].rstrip()
    raise ParseError(f"not a file system: {excerpt(line)}")

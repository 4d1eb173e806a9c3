"""The headers of guests' qcow2 images: whether QEMU has marked one as corrupt, and how large it is meant to be.

Read from the first bytes of the files (QEMU, docs/interop/qcow2.txt), not by ``qemu-img info``: that follows what is
written in an image, and a guest writes its own (CVE-2024-4467).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck, ParseError
from stackdoctor.facts.instance_files import INSTANCES, KOLLA
from stackdoctor.model import Evidence, NodeResults, Probe, Status

__all__ = ["DiskImage", "DiskImages"]

HEADER = 104
"""Bytes of the header that every version 3 image has."""

_MAGIC = b"QFI\xfb"
_FIELDS = struct.Struct(">4sIQIIQIIQQIIQ")
_INCOMPATIBLE = struct.Struct(">Q")
_CORRUPT = 1 << 1


@dataclass(frozen=True)
class DiskImage:
    """One image: ``size`` is what the guest sees, in bytes; ``backed`` says that it is an overlay over another."""

    path: str
    version: int
    size: int
    backed: bool
    corrupt: bool
    evidence: Evidence

    def __str__(self) -> str:
        return self.path

    @property
    def instance(self) -> str:
        """The server whose folder it is in; empty for a cached image."""
        folder = self.path.rpartition("/")[0].rpartition("/")[2]
        return "" if folder == "_base" else folder


@dataclass(frozen=True)
class DiskImages:
    """The qcow2 images of the guests on this node and of Nova's cache; images of other formats are left out."""

    images: tuple[DiskImage, ...]
    unread: tuple[str, ...] = ()

    probes: ClassVar[tuple[Probe, ...]] = (
        Probe(
            "nova.disk-headers",
            files=tuple(f"{folder}/*/disk*" for folder in (INSTANCES, KOLLA)),
            root=True,
            timeout=10.0,
            cap=HEADER,
            head=True,
        ),
    )

    def __iter__(self) -> Iterator[DiskImage]:
        return iter(self.images)

    @property
    def gaps(self) -> tuple[tuple[str, str], ...]:
        """The images that could not be read."""
        return tuple(("libvirt.disk.corrupt", unread) for unread in self.unread)

    @classmethod
    def parse(cls, results: NodeResults) -> DiskImages:
        """The images; raises NotApplicable where there is none, CouldNotCheck."""
        answers = results.every(cls.probes[0])
        images, unread = [], []
        for result in answers if len(answers) > 1 else results.usable(cls.probes[0]):
            if result.status not in (Status.RAN, Status.TRUNCATED):
                unread.append(f"{result.command}: {result.reason or result.status.value}")
                continue
            try:
                header = parse_header(result.stdout)
            except ParseError as why:
                unread.append(f"{result.command}: {why}")
                continue
            if header is not None:
                version, size, backed, corrupt = header
                shown = f"qcow2 version {version}, {size} bytes" + (", marked as corrupt" if corrupt else "")
                at = results.evidence(result, shown)
                images.append(DiskImage(result.subject or result.command, version, size, backed, corrupt, at))
        if not images and unread:
            raise CouldNotCheck(unread[0])
        return cls(tuple(images), tuple(unread))


def parse_header(data: bytes) -> tuple[int, int, bool, bool] | None:
    """Version, size, whether it has a backing file and whether it is marked corrupt; None if it is no qcow2 image.

    Raises ParseError for one that ends within its header.
    """
    if not data.startswith(_MAGIC):
        return None
    if len(data) < _FIELDS.size:
        raise ParseError("it ends within its qcow2 header")
    _, version, backing, _, _, size, *_ = _FIELDS.unpack_from(data)
    if version < 3:
        return version, size, backing > 0, False
    if len(data) < _FIELDS.size + _INCOMPATIBLE.size:
        raise ParseError("it ends within its qcow2 header")
    (features,) = _INCOMPATIBLE.unpack_from(data, _FIELDS.size)
    return version, size, backing > 0, bool(features & _CORRUPT)

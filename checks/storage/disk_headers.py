"""Images of guests' disks that QEMU itself has marked as damaged."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.qcow2 import DiskImages


@check("libvirt.disk.corrupt", severity=Severity.ERROR)
def corrupt_image(images: DiskImages) -> Iterator[Finding]:
    """QEMU found the tables of a guest's disk image damaged and marked it: it takes no more writes.

    The guest sees I/O errors, and does not start again.  qemu-img check tells what is lost, while no guest runs on it.
    """
    for image in images:
        if image.corrupt:
            yield Finding(
                image,
                f"{image.path} is marked as corrupt",
                host=image.evidence.node,
                instance=image.instance or None,
                path=image.path,
            )

"""Multipath devices that lost paths."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.multipath import Multipath


@check("multipath.no-paths", severity=Severity.ERROR)
def no_path_left(multipath: Multipath) -> Iterator[Finding]:
    """No path of a multipath device is usable: I/O fails, or waits for ever if the device queues it.

    ``seen`` says that a path answers (``failed ready``) and only nobody told the device so.
    """
    for device in multipath.devices:
        if not any(path.usable for path in device.paths):
            shown = device.paths[0].evidence if device.paths else device.evidence
            yield Finding(
                device,
                f"none of the {len(device.paths)} paths of the multipath device {device} is usable",
                evidence=(device.evidence, shown) if device.paths else device.evidence,
                host=device.evidence.node,
                wwid=device.wwid,
                map=str(device),
                seen="yes" if any(path.checker == "ready" for path in device.paths) else "no",
            )


@check("multipath.path.failed", severity=Severity.WARNING)
def path_failed(multipath: Multipath) -> Iterator[Finding]:
    """Some paths of a multipath device are not usable; requests go over the others."""
    for device in multipath.devices:
        failed = [path for path in device.paths if not path.usable]
        if failed and len(failed) < len(device.paths):
            yield Finding(
                device,
                f"{len(failed)} of the {len(device.paths)} paths of the multipath device {device} have failed"
                f" ({', '.join(path.device for path in failed[:5])})",
                evidence=failed[0].evidence,
                count=len(failed),
                host=device.evidence.node,
                wwid=device.wwid,
                map=str(device),
            )

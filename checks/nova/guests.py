"""Guests that the kernel ended."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.libvirt import Domain, Domains
from stackdoctor.facts.logs import LogHit, LogHits, Sample

TOGETHER = 60.0
"""Seconds within which libvirt writes that the guest crashed that the kernel has killed."""


@check("libvirt.guest.killed", severity=Severity.ERROR)
def guest_killed(domains: Domains, hits: LogHits) -> Iterator[Finding]:
    """The kernel killed a guest's QEMU for want of memory, and the guest is still off.

    The kernel's own line names the guest (since Linux 4.20), or libvirt's log of the guest says that it crashed
    within a minute of the kill.  A guest that runs again is left out.
    """
    off = {domain.name: domain for domain in domains.domains if domain.state in ("shut off", "crashed")}
    killed: dict[str, Sample] = {}
    for hit in hits.of("kernel-oom-guest"):
        killed.setdefault(hit.keys.get("domain", "").replace("\\x2d", "-"), _newest(hit))
    kills = [s for hit in hits.of("kernel-oom") if _is_qemu(hit) for s in hit.samples]
    for hit in hits.of("qemu-shutdown"):
        name = hit.log.rpartition("/")[2].removesuffix(".log")
        near = next((k for k in kills for s in hit.samples if abs(k.time - s.time) <= TOGETHER), None)
        if hit.keys.get("reason") in ("crashed", "failed") and near is not None:
            killed.setdefault(name, near)
    for name, sample in sorted(killed.items()):
        if name in off:
            yield _finding(off[name], sample)


def _finding(domain: Domain, sample: Sample) -> Finding:
    return Finding(
        domain,
        f"{domain}: the kernel killed it for want of memory, and it is {domain.state}",
        evidence=domain.evidence,
        first=sample.time,
        host=domain.evidence.node,
        instance=domain.uuid or None,
        domain=domain.name,
    )


def _is_qemu(hit: LogHit) -> bool:
    process = hit.keys.get("process", "") or hit.keys.get("process2", "")
    return process.startswith("qemu") or process.endswith("/KVM")


def _newest(hit: LogHit) -> Sample:
    return max(hit.samples, key=lambda sample: sample.time, default=Sample(hit.last, None, ""))

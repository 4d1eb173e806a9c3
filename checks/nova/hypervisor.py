"""libvirt on the hosts that run guests."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.libvirt import Domains
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.services import Services


@check("libvirt.down", severity=Severity.ERROR)
def libvirt_down(domains: Domains, services: Services, processes: Processes | None) -> Iterator[Finding]:
    """libvirt does not answer on a host where nova-compute runs: its guests go on and cannot be managed.

    Hosts that only have virsh are left out, and those where libvirtd is there all the same (its socket is in a
    container).
    """
    computes = any(unit.active == "active" for unit in services.of("nova-compute"))
    if processes is not None:
        computes = computes or any(not p.zombie for p in processes.of("nova-compute"))
    there = processes is not None and any(not p.zombie for p in processes.of("libvirtd"))
    if computes and not domains.running and not there:
        yield Finding(
            "libvirt",
            f"libvirt does not answer: {domains.evidence.line}",
            evidence=domains.evidence,
            host=domains.evidence.node,
        )

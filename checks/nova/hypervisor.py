"""libvirt on the hosts that run guests."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.kvm import Kvm
from stackdoctor.facts.libvirt import Domains
from stackdoctor.facts.nova_config import NovaConfig
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.services import Services


def computes(services: Services | None, processes: Processes | None) -> bool:
    """Whether nova-compute runs on the node."""
    if services is not None and any(unit.active == "active" for unit in services.of("nova-compute")):
        return True
    return processes is not None and any(not p.zombie for p in processes.of("nova-compute"))


@check("libvirt.down", severity=Severity.ERROR)
def libvirt_down(
    domains: Domains, services: Services, processes: Processes | None, config: NovaConfig | None
) -> Iterator[Finding]:
    """libvirt does not answer on a host where nova-compute runs: its guests go on and cannot be managed.

    Hosts that only have virsh are left out, and those where libvirtd is there all the same (its socket is in a
    container), and those whose nova-compute has another driver (Ironic, VMware).
    """
    if config is not None and not config.libvirt:
        return
    there = processes is not None and any(not p.zombie for p in processes.of("libvirtd"))
    if computes(services, processes) and not domains.running and not there:
        yield Finding(
            "libvirt",
            f"libvirt does not answer: {domains.evidence.line}",
            evidence=domains.evidence,
            host=domains.evidence.node,
        )


@check("libvirt.kvm.missing", severity=Severity.ERROR)
def kvm_missing(
    kvm: Kvm, config: NovaConfig, services: Services | None, processes: Processes | None
) -> Iterator[Finding]:
    """There is no /dev/kvm on a host whose nova.conf wants KVM: no guest can be started there.

    The virtualization of the processor is off in the firmware or in the outer hypervisor, or the module is not
    loaded.  Hosts with another virt_type (qemu) and hosts that run no nova-compute are left out.
    """
    if kvm.device or config.virt_type != "kvm" or not config.libvirt or not computes(services, processes):
        return
    why = {
        "no": "the processor shows neither vmx nor svm",
        "yes": f"the processor can, the module is {kvm.module or 'not loaded'}",
        "unknown": "",
    }[kvm.hardware]
    yield Finding(
        kvm,
        "there is no /dev/kvm, and virt_type is kvm" + (f": {why}" if why else ""),
        evidence=kvm.evidence,
        host=kvm.evidence.node,
        hardware=kvm.hardware,
    )

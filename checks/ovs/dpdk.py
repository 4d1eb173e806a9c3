"""Open vSwitch with DPDK, and the huge pages that it and guests need."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.hugepages import HugePages
from stackdoctor.facts.ovs_db import OpenvSwitch

__all__ = ["dpdk_not_started", "dpdk_port", "no_huge_page_free", "no_huge_pages"]

WANTED = ("true", "try")


def _wanted(switch: OpenvSwitch) -> bool:
    return switch.other_config.get("dpdk-init", "").lower() in WANTED


@check("dpdk.init.failed", severity=Severity.ERROR)
def dpdk_not_started(switch: OpenvSwitch) -> Iterator[Finding]:
    """dpdk-init is set, and ovs-vswitchd runs without DPDK: its dpdk and vhost-user ports do not come up.

    A warning where no port needs it: the setting takes effect at the next start of ovs-vswitchd.
    """
    if not _wanted(switch) or switch.dpdk is not False:
        return
    needing = [i for i in switch.interfaces if i.kind.startswith("dpdk")]
    yield Finding(
        "DPDK",
        "dpdk-init is set and DPDK is not initialized" + (f": {len(needing)} ports need it" if needing else ""),
        severity=None if needing else Severity.WARNING,
        evidence=(switch.dpdk_evidence, *(i.evidence for i in needing[:3])),
        host=switch.evidence.node,
        service="ovs-vswitchd",
    )


@check("dpdk.port.error", severity=Severity.ERROR)
def dpdk_port(switch: OpenvSwitch) -> Iterator[Finding]:
    """A dpdk or vhost-user port could not be opened: its device, its driver, its socket or its memory is missing."""
    for interface in switch.interfaces:
        if interface.kind.startswith("dpdk") and interface.failed:
            yield Finding(
                interface,
                f"{interface} ({interface.kind}): {interface.error or 'it could not be opened'}",
                host=interface.evidence.node,
                device=interface.name,
                kind=interface.kind,
                port=interface.port_id[:11] or None,
            )


@check("hugepages.none", severity=Severity.ERROR)
def no_huge_pages(switch: OpenvSwitch, pages: HugePages) -> Iterator[Finding]:
    """Open vSwitch is to use DPDK, and no huge pages are reserved: on the node, or on a NUMA node with a DPDK port."""
    if not _wanted(switch):
        return
    if not pages.reserved:
        yield Finding(
            "huge pages",
            "no huge pages are reserved, and DPDK needs them",
            evidence=(switch.dpdk_evidence, *(pool.evidence for pool in pages.pools[:4])),
            host=switch.evidence.node,
            numa="all",
        )
        return
    having = {pool.node for pool in pages.reserved}
    for interface in switch.interfaces:
        numa = interface.status.get("numa_id", "")
        if interface.kind == "dpdk" and numa.isdigit() and int(numa) not in having:
            yield Finding(
                interface,
                f"{interface} is on NUMA node {numa}, which has no huge pages",
                severity=None if interface.failed else Severity.WARNING,
                evidence=(interface.evidence, *(pool.evidence for pool in pages.pools if pool.node == int(numa))),
                host=interface.evidence.node,
                device=interface.name,
                numa=numa,
            )


@check("hugepages.none-free", severity=Severity.INFO)
def no_huge_page_free(pages: HugePages) -> Iterator[Finding]:
    """All huge pages of a NUMA node are in use: what needs more cannot start there.

    By itself that is what a full host looks like.
    """
    for pool in pages.reserved:
        if pool.free == 0:
            yield Finding(
                pool,
                f"none of the {pool.total} {pool} is free",
                host=pool.evidence.node,
                numa=pool.node,
                size=pool.size,
            )

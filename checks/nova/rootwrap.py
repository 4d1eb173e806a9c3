"""What services may run as root."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.rootwrap import Rootwraps

NEEDED_BY = {
    "nova": ("nova-compute",),
    "neutron": (
        *("neutron-linuxbridge-agent", "neutron-openvswitch-agent", "neutron-dhcp-agent", "neutron-l3-agent"),
        "neutron-metadata-agent",
    ),
    "cinder": ("cinder-volume", "cinder-backup"),
}


@check("rootwrap.filters.missing", severity=Severity.WARNING)
def filters_missing(rootwraps: Rootwraps, processes: Processes) -> Iterator[Finding]:
    """No filter file is in any of the folders that a project's rootwrap.conf names: rootwrap refuses every command.

    It is looked at where a service of the project runs that needs it.
    """
    for rootwrap in rootwraps:
        users = [s for s in NEEDED_BY.get(rootwrap.project, ()) if any(not p.zombie for p in processes.of(s))]
        if users and rootwrap.known and not rootwrap.filters:
            yield Finding(
                rootwrap,
                f"there is no filter in {', '.join(rootwrap.folders)}, which {users[0]} needs",
                evidence=rootwrap.evidence,
                host=rootwrap.evidence.node,
                service=users[0],
                project=rootwrap.project,
            )

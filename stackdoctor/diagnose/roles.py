"""The roles of a node, found out from what runs on it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.services import Services
from stackdoctor.model import NodeResults

__all__ = ["ROLE_PROBES", "with_roles"]

ROLE_PROBES = (*Processes.probes, *Services.probes)

ROLES = {
    "controller": {
        "nova-conductor",
        "nova-scheduler",
        "nova-api",
        "neutron-server",
        "cinder-scheduler",
        "cinder-api",
        "keystone",
        "glance-api",
        "heat-engine",
    },
    "compute": {"nova-compute"},
    "network": {"neutron-dhcp-agent", "neutron-l3-agent"},
    "storage": {"cinder-volume", "tgtd"},
    "broker": {"rabbitmq-server"},
    "database": {"mysql"},
}


def with_roles(
    results: NodeResults, processes: Processes | None = None, services: Services | None = None
) -> NodeResults:
    """``results`` with the given roles and those that the services on the node show; none where no cloud is seen.

    ``processes`` and ``services`` are its own, where they were read already.
    """
    running = {process.service for process in processes or ()}
    if processes is None:
        with suppress(CouldNotCheck, NotApplicable):
            running |= Processes.services(results)
    with suppress(CouldNotCheck, NotApplicable):
        units = services if services is not None else Services.parse(results)
        running |= {s.name for s in units if s.active == "active" or s.down}
    shown = {role for role, programs in ROLES.items() if programs & running}
    return replace(results, node=replace(results.node, roles=results.node.roles | shown))

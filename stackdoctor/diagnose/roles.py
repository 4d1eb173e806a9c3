"""The roles of a node, found out from what runs on it."""

from __future__ import annotations

from contextlib import suppress

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.services import Services
from stackdoctor.model import NodeResults

__all__ = ["ROLE_PROBES", "roles_of"]

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


def roles_of(results: NodeResults) -> frozenset[str]:
    """The given roles and those that the services on the node show; empty where nothing of a cloud is seen."""
    services: set[str] = set()
    with suppress(CouldNotCheck, NotApplicable):
        services |= {p.service for p in Processes.parse(results)}
    with suppress(CouldNotCheck, NotApplicable):
        services |= {s.name for s in Services.parse(results) if s.active == "active" or s.down}
    return results.node.roles | {role for role, programs in ROLES.items() if programs & services}

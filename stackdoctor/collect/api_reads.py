"""The one list of what is ever read from the OpenStack APIs: GETs and the fields of their answers that are kept.

The only other request is the one for the token itself.  ``stackdoctor plan`` prints all of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from stackdoctor.model import Probe

__all__ = [
    "API_ENDPOINTS",
    "API_READS",
    "API_SOURCE",
    "OPENRC_FILES",
    "ApiRead",
    "api_reads_of",
    "is_api_probe",
    "reads_wire",
]

API_SOURCE = Probe("api.source")
"""Where the credentials were found and whether they give a token; it goes before every read."""

API_ENDPOINTS = Probe("api.endpoints")
"""One answer for every endpoint of the catalog that is tried: the root of each, without a token."""

OPENRC_FILES = (
    "/root/*openrc*",
    "/root/keystonerc_admin",
    "/root/.config/openstack/clouds.yaml",
    "/etc/kolla/*openrc*.sh",
    "/etc/kolla/clouds.yaml",
    "/etc/openstack/clouds.yaml",
)
"""Where the administrator's credentials lie on controllers (Kolla, RDO, Debian, by hand)."""

PAGES = 30
"""Pages that are followed at most: of a thousand rows each."""


@dataclass(frozen=True)
class ApiRead:
    """One GET: ``path`` below the endpoint of ``service``, whose answer has its rows under ``rows``.

    ``keep`` are the fields of a row that are kept.  ``version`` is the microversion wanted; of an older service its
    highest is asked for.  ``each`` repeats it for at most ``limit`` rows of another read that have the values of
    ``where``, with their field ``by`` as {id}.  ``late`` is asked when all others are answered.  ``mapped`` rows are
    the values of an object.
    """

    id: str
    service: str
    path: str
    rows: str
    keep: tuple[str, ...]
    query: str = ""
    version: str = ""
    pages: int = PAGES
    each: str = ""
    where: tuple[tuple[str, object], ...] = ()
    by: str = "id"
    limit: int = 100
    late: bool = False
    mapped: bool = False

    @property
    def probe(self) -> Probe:
        """The name that facts ask for it by."""
        return Probe(self.id)

    def __str__(self) -> str:
        return f"GET {{{self.service}}}/{self.path}" + (f"?{self.query}" if self.query else "")


_PORT = (
    *("id", "status", "admin_state_up", "device_owner", "device_id", "network_id", "mac_address", "fixed_ips"),
    *("binding:host_id", "binding:vif_type", "binding:vnic_type", "created_at", "updated_at"),
)
_SERVER = (
    *("id", "name", "status", "created", "updated", "tenant_id", "fault", "OS-EXT-STS:task_state"),
    *("OS-EXT-STS:vm_state", "OS-EXT-STS:power_state", "OS-EXT-SRV-ATTR:host", "OS-EXT-SRV-ATTR:hypervisor_hostname"),
    *("OS-EXT-SRV-ATTR:instance_name", "os-extended-volumes:volumes_attached", "OS-SRV-USG:launched_at"),
)
_NOVA_SERVICE = (*("id", "binary", "host", "zone", "status", "state", "updated_at", "disabled_reason", "forced_down"),)
_AGENT = (
    *("id", "agent_type", "binary", "host", "alive", "admin_state_up", "heartbeat_timestamp", "started_at"),
    "created_at",
)
_NETWORK = ("id", "name", "status", "admin_state_up", "router:external", "created_at", "updated_at")
_ROUTER = (
    *("id", "name", "status", "admin_state_up", "ha", "distributed", "external_gateway_info", "created_at"),
    "updated_at",
)
_HYPERVISOR = (
    *("id", "hypervisor_hostname", "hypervisor_type", "state", "status", "service", "vcpus", "vcpus_used"),
    *("memory_mb", "memory_mb_used", "running_vms"),
)
_FLOATING = (
    *("id", "status", "floating_ip_address", "fixed_ip_address", "port_id", "router_id", "created_at", "updated_at"),
)
_NEUTRON_QUOTA = ("network", "subnet", "port", "router", "floatingip", "security_group", "security_group_rule")


def _fields(names: Iterable[str]) -> str:
    return "limit=1000&" + "&".join(f"fields={name}" for name in names)


_READS = (
    ApiRead("api.compute.services", "compute", "os-services", "services", _NOVA_SERVICE, version="2.53"),
    ApiRead("api.compute.hypervisors", "compute", "os-hypervisors/detail", "hypervisors", _HYPERVISOR, version="2.53"),
    ApiRead("api.compute.servers", "compute", "servers/detail", "servers", _SERVER, "all_tenants=1&limit=1000", "2.53"),
    ApiRead(
        *("api.compute.servers-recent", "compute", "servers", "servers", ("id",)),
        query="all_tenants=1&limit=1000&changes-since={hour_ago}",
        version="2.53",
        late=True,
    ),
    ApiRead(
        *("api.compute.servers-soft-deleted", "compute", "servers", "servers", ("id",)),
        query="all_tenants=1&limit=1000&status=SOFT_DELETED",
        version="2.53",
    ),
    ApiRead(
        *("api.compute.migrations", "compute", "os-migrations", "migrations"),
        ("uuid", "status", "instance_uuid", "source_compute", "dest_compute", "migration_type", "updated_at"),
        query="limit=1000",
        version="2.59",
    ),
    ApiRead("api.network.agents", "network", "agents", "agents", _AGENT, _fields(_AGENT)),
    ApiRead("api.network.networks", "network", "networks", "networks", _NETWORK, _fields(_NETWORK)),
    ApiRead(
        *("api.network.subnets", "network", "subnets", "subnets"),
        ("id", "network_id", "cidr", "enable_dhcp", "ip_version", "gateway_ip"),
        _fields(("id", "network_id", "cidr", "enable_dhcp", "ip_version", "gateway_ip")),
    ),
    ApiRead("api.network.ports", "network", "ports", "ports", _PORT, _fields(_PORT)),
    ApiRead("api.network.routers", "network", "routers", "routers", _ROUTER, _fields(_ROUTER)),
    ApiRead("api.network.floatingips", "network", "floatingips", "floatingips", _FLOATING, _fields(_FLOATING)),
    ApiRead(
        *("api.network.availability", "network", "network-ip-availabilities", "network_ip_availabilities"),
        ("network_id", "total_ips", "used_ips", "subnet_ip_availability"),
    ),
    ApiRead(
        *("api.network.dhcp-hosting", "network", "agents/{id}/dhcp-networks", "networks", ("id",)),
        each="api.network.agents",
        where=(("agent_type", "DHCP agent"),),
    ),
    ApiRead(
        *("api.network.l3-hosting", "network", "agents/{id}/l3-routers", "routers", ("id",)),
        each="api.network.agents",
        where=(("agent_type", "L3 agent"),),
    ),
    ApiRead(
        *("api.volume.services", "volume", "os-services", "services"),
        ("binary", "host", "zone", "status", "state", "updated_at", "disabled_reason", "frozen"),
    ),
    ApiRead(
        *("api.volume.volumes", "volume", "volumes/detail", "volumes"),
        (
            "id",
            "name",
            "status",
            "attachments",
            "size",
            "os-vol-host-attr:host",
            "os-vol-tenant-attr:tenant_id",
            "migration_status",
            "created_at",
            "updated_at",
        ),
        query="all_tenants=1&limit=1000",
    ),
    ApiRead(
        *("api.volume.attachments", "volume", "attachments", "attachments"),
        ("id", "status", "instance", "volume_id"),
        query="all_tenants=1&limit=1000",
        version="3.27",
    ),
    ApiRead(
        *("api.placement.providers", "placement", "resource_providers", "resource_providers"),
        ("uuid", "name", "generation", "parent_provider_uuid", "root_provider_uuid"),
        version="1.14",
    ),
    ApiRead(
        *("api.placement.inventories", "placement", "resource_providers/{id}/inventories", "inventories"),
        ("id", "total", "reserved", "allocation_ratio"),
        each="api.placement.providers",
        by="uuid",
        mapped=True,
    ),
    ApiRead(
        *("api.placement.allocations", "placement", "resource_providers/{id}/allocations", "allocations"),
        ("id", "resources"),
        each="api.placement.providers",
        by="uuid",
        mapped=True,
    ),
    ApiRead("api.identity.projects", "identity", "projects", "projects", ("id", "name", "enabled")),
    ApiRead(
        *("api.compute.quotas", "compute", "os-quota-sets/{id}/detail", "quota_set", ("instances", "cores", "ram")),
        each="api.identity.projects",
        where=(("enabled", True),),
    ),
    ApiRead(
        *("api.network.quotas", "network", "quotas/{id}/details", "quota", _NEUTRON_QUOTA),
        each="api.identity.projects",
        where=(("enabled", True),),
    ),
    ApiRead(
        *("api.volume.quotas", "volume", "os-quota-sets/{id}", "quota_set"),
        ("volumes", "gigabytes", "snapshots", "backups", "backup_gigabytes"),
        query="usage=True",
        each="api.identity.projects",
        where=(("enabled", True),),
    ),
)

API_READS = {read.id: read for read in _READS}
"""Every read by its id, which is that of its probe."""


def is_api_probe(probe: Probe) -> bool:
    """Whether ``probe`` is answered by the APIs and by no node's command."""
    return probe.id in API_READS or probe in (API_SOURCE, API_ENDPOINTS)


def api_reads_of(probes: Iterable[Probe]) -> tuple[ApiRead, ...]:
    """The reads that ``probes`` want and those whose rows these need, each once."""
    wanted = {probe.id for probe in probes}
    wanted |= {API_READS[id_].each for id_ in wanted if id_ in API_READS}
    return tuple(read for read in _READS if read.id in wanted)


def reads_wire(reads: Iterable[ApiRead]) -> list[dict[str, object]]:
    """The reads as the agent takes them."""
    return [asdict(read) for read in reads]

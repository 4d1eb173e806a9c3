"""From the names of deployment tools' groups to the roles that a report shows."""

from __future__ import annotations

from collections.abc import Collection

from stackdoctor.model import API_ROLE

__all__ = ["roles_of_groups"]

_ROLES = {
    "controller": ("control", "controller", "controllers", "os-infra_hosts", "identity_hosts", "image_hosts"),
    "compute": ("compute", "computes", "hypervisors", "nova-compute", "nova_compute", "compute_hosts"),
    "network": ("network", "networks", "networker", "networkers", "network_hosts", "network-gateway_hosts"),
    "storage": ("storage", "blockstorage", "storage_hosts", "cinder-volume", "cinder_volume"),
    "broker": ("rabbitmq", "rabbitmq_all"),
    "database": ("mariadb", "mysql", "galera", "galera_all"),
}
_MORE = {
    "shared-infra_hosts": ("broker", "database"),
    "compute-infra_hosts": ("controller",),
    "storage-infra_hosts": ("controller",),
    "network-infra_hosts": ("controller",),
    "network-agent_hosts": ("network",),
    "placement-infra_hosts": ("controller",),
    "orchestration_hosts": ("controller",),
    "dashboard_hosts": ("controller",),
}
"""Host groups of OpenStack-Ansible's openstack_user_config.yml, by what lies on them."""

_OF_GROUP = {group: (role,) for role, groups in _ROLES.items() for group in groups} | _MORE


def roles_of_groups(direct: Collection[str], every: Collection[str]) -> frozenset[str]:
    """The roles of a host in the groups ``direct``; ``every`` are these and all above them.

    Groups that name what is known of clouds (Kolla-Ansible's control, TripleO's Controller, OpenStack-Ansible's
    compute_hosts) give that role.  Of the others only those count in which the host itself is listed, by their name.

    >>> sorted(roles_of_groups({"control", "rack1"}, {"control", "rack1", "nova-api", "rabbitmq"}))
    ['broker', 'controller', 'rack1']
    """
    known = {role for group in every for role in _OF_GROUP.get(group.lower(), ())}
    of_openstack_ansible = any(group.endswith("_hosts") for group in direct)
    own = {g for g in direct if g.lower() not in _OF_GROUP and g != API_ROLE and not of_openstack_ansible}
    return frozenset(known | own)

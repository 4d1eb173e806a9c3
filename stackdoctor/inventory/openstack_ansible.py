"""OpenStack-Ansible's openstack_user_config.yml, and the files of conf.d beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stackdoctor.errors import UsageError
from stackdoctor.inventory.ansible_groups import Groups
from stackdoctor.inventory.ansible_yaml import constructed
from stackdoctor.inventory.document import composed, file_content

__all__ = ["is_user_config", "read_user_config"]

_NO_HOSTS = ("cidr_networks", "used_ips", "global_overrides")


def is_user_config(top: Mapping[str, Any]) -> bool:
    """Whether this is a configuration of OpenStack-Ansible: host groups whose hosts have an ``ip``."""
    if "cidr_networks" in top or "global_overrides" in top:
        return True
    groups = [value for name, value in top.items() if str(name).endswith("_hosts") and isinstance(value, Mapping)]
    return any(isinstance(host, Mapping) and "ip" in host for group in groups for host in group.values())


def read_user_config(file: Path, top: Mapping[str, Any]) -> Groups:
    """The host groups of ``top`` and of ``conf.d/*.yml``, which OpenStack-Ansible merges; the ``ip`` is the address."""
    found = Groups()
    _add(found, file, top)
    for more in sorted((file.parent / "conf.d").glob("*.yml")):
        root = composed(more, file_content(more, "part of an inventory"), "an inventory")
        value = None if root is None else constructed(more, root)
        if isinstance(value, Mapping):
            _add(found, more, value)
    return found


def _add(found: Groups, file: Path, top: Mapping[str, Any]) -> None:
    for name, hosts in top.items():
        group = str(name)
        if group in _NO_HOSTS or not group.endswith("_hosts") or hosts is None:
            continue
        if not isinstance(hosts, Mapping):
            raise UsageError(f"{file}: {group} must be a mapping of hosts")
        for host, values in hosts.items():
            address = values.get("ip") if isinstance(values, Mapping) else None
            if not isinstance(address, str):
                raise UsageError(f"{file}: the host {host} of {group} has no `ip`")
            found.add_host(group, str(host), {"ansible_host": address})

"""What nova.conf of a node says about its hypervisor and its consoles (nova/conf/libvirt.py, vnc.py, cache)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.facts.oslo_config import Options, read_options
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = ["NOVA_CONFIG", "NovaConfig", "is_loopback"]

NOVA_CONFIG = Probe(
    "nova.config",
    files=(
        *("/etc/nova/nova.conf", "/etc/nova/nova-compute.conf"),
        "/var/lib/config-data/puppet-generated/nova/etc/nova/nova.conf",
        "/var/lib/config-data/puppet-generated/nova_libvirt/etc/nova/nova.conf",
        *("/etc/kolla/nova-consoleauth/nova.conf", "/etc/kolla/nova-novncproxy/nova.conf"),
        "/etc/kolla/nova-compute/nova.conf",
    ),
    root=True,
    settings=True,
    cap=2 * 1024 * 1024,
)

LOOPBACK = ("127.", "localhost", "::1", "[::1]")


@dataclass(frozen=True)
class NovaConfig:
    """The options that matter here, with nova's own defaults.

    ``virt_type`` is kvm unless it is set; ``vnc_proxy_address`` is where console proxies are told to find the
    guests of this host (vncserver_proxyclient_address before Pike), ``vnc_listen`` where their VNC servers listen;
    ``shares_tokens`` says whether a memcached is configured that console tokens are kept in.
    """

    options: Options
    evidence: Evidence

    probes: ClassVar[tuple[Probe, ...]] = (NOVA_CONFIG,)

    def __str__(self) -> str:
        return "nova.conf"

    @classmethod
    def parse(cls, results: NodeResults) -> NovaConfig:
        """The configuration; raises NotApplicable without one, CouldNotCheck."""
        options = read_options(results, NOVA_CONFIG)
        return cls(options, options.evidence)

    @property
    def libvirt(self) -> bool:
        """Whether guests run on libvirt here, and not on VMware, Ironic or a fake."""
        return "libvirt" in self.options.get("DEFAULT", "compute_driver", default="libvirt.LibvirtDriver")

    @property
    def virt_type(self) -> str:
        """kvm, qemu, lxc, parallels; libvirt_type in [DEFAULT] before Icehouse."""
        return self.options.get("libvirt", "virt_type") or self.options.get("DEFAULT", "libvirt_type", default="kvm")

    @property
    def vnc(self) -> bool:
        """Whether guests get a VNC server."""
        old = self.options.true("DEFAULT", "vnc_enabled", default=True)
        return self.options.true("vnc", "enabled", "vnc_enabled", default=old)

    @property
    def vnc_proxy_address(self) -> str:
        """Where a console proxy connects to for the guests of this host."""
        names = ("server_proxyclient_address", "vncserver_proxyclient_address")
        return self.options.get("vnc", *names) or self.options.get("DEFAULT", names[1], default="127.0.0.1")

    @property
    def vnc_evidence(self) -> Evidence:
        """The line that sets that address; the file where it has its default."""
        names = ("server_proxyclient_address", "vncserver_proxyclient_address")
        own = self.options.option("vnc", *names)
        return self.options.shown("vnc" if own else "DEFAULT", *names)

    @property
    def shares_tokens(self) -> bool:
        """Whether a memcached for console tokens is configured ([cache], or [DEFAULT] before Newton)."""
        servers = self.options.get("cache", "memcache_servers") or self.options.get("DEFAULT", "memcached_servers")
        return bool(servers)


def is_loopback(address: str) -> bool:
    """Whether ``address`` means the host itself."""
    return address.startswith(LOOPBACK)

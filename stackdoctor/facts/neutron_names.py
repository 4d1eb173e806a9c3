"""Names that Neutron derives from the ids of ports, networks and routers, and the way back.

Linux allows 15 characters for an interface; Neutron uses a prefix of three and the first 11 of the id:

    >>> tap("584e904e-a1f3-4a55-9b1c-7c7b84a2a1f0")
    'tap584e904e-a1'
    >>> port_prefix_of("tap584e904e-a1")
    '584e904e-a1'
    >>> chain("584e904e-a1f3-4a55-9b1c-7c7b84a2a1f0", "i")
    'neutron-linuxbri-i584e904e-a'

From neutron-lib ``constants.py`` (LINUX_DEV_LEN, TAP_DEVICE_PREFIX, MAX_IPTABLES_CHAIN_LEN_WRAP), neutron
``agent/linux/interface.py``, ``agent/l3/namespaces.py``, ``agent/linux/iptables_firewall.py`` and
``plugins/ml2/drivers/linuxbridge/agent/linuxbridge_neutron_agent.py``.
"""

from __future__ import annotations

import hashlib
import re

__all__ = [
    "LINUXBRIDGE_CHAINS",
    "OPENVSWITCH_CHAINS",
    "bridge",
    "chain",
    "device",
    "dhcp_device",
    "dhcp_namespace",
    "gateway_device",
    "hybrid_bridge",
    "hybrid_bridge_side",
    "hybrid_ovs_side",
    "is_port_of",
    "namespace_kind",
    "network_prefix_of",
    "port_chain_of",
    "port_prefix_of",
    "router_device",
    "router_namespace",
    "snat_namespace",
    "tap",
    "vlan_device",
    "vlan_of",
    "vni_of",
    "vxlan_device",
]

DEVICE_LENGTH = 14
NAME_LIMIT = 15  # IFNAMSIZ without its NUL
VLAN_SUFFIX = 5  # ".4094"
HASH_LENGTH = 6
CHAIN_LENGTH = 11
LINUXBRIDGE_CHAINS = "neutron-linuxbri"
"""The first 16 characters of ``neutron-linuxbridge-agent``: prefix of every chain that agent makes."""
OPENVSWITCH_CHAINS = "neutron-openvswi"
"""The first 16 characters of ``neutron-openvswitch-agent``."""

ID_PREFIX = r"([0-9a-f]{8}-[0-9a-f]{2})"
PORT_DEVICE = re.compile(rf"(?:tap|qvo|qvb|qbr|ns-|qr-|qg-|sg-|fg-|ha-){ID_PREFIX}")
NETWORK_BRIDGE = re.compile(rf"brq{ID_PREFIX}")
PORT_CHAIN = re.compile(r"neutron-(?:linuxbri|openvswi)-([ios])([0-9a-f]{8}-[0-9a-f])")
NAMESPACE = re.compile(r"(qdhcp|qrouter|snat|fip|qlbaas)-(.+)")


def device(prefix: str, port_id: str) -> str:
    """The device of a port: ``prefix`` (tap, qvo, qr- ...) and as much of the id as fits into 14 characters."""
    return (prefix + port_id)[:DEVICE_LENGTH]


def tap(port_id: str) -> str:
    """The host's end of a port: a guest's tap, or the veth whose other end is in a namespace."""
    return device("tap", port_id)


def hybrid_bridge(port_id: str) -> str:
    """The Linux bridge between a guest and Open vSwitch where iptables filter (hybrid plugging)."""
    return device("qbr", port_id)


def hybrid_bridge_side(port_id: str) -> str:
    """The end of the hybrid veth pair that is on the Linux bridge."""
    return device("qvb", port_id)


def hybrid_ovs_side(port_id: str) -> str:
    """The end of the hybrid veth pair that is on Open vSwitch."""
    return device("qvo", port_id)


def dhcp_device(port_id: str) -> str:
    """The DHCP port's end inside the qdhcp namespace (Linux bridge; Open vSwitch calls it tap)."""
    return device("ns-", port_id)


def router_device(port_id: str) -> str:
    """A router's interface in a project network, inside the qrouter namespace."""
    return device("qr-", port_id)


def gateway_device(port_id: str) -> str:
    """A router's interface in the external network, inside the qrouter (or snat) namespace."""
    return device("qg-", port_id)


def bridge(network_id: str) -> str:
    """The Linux bridge agent's bridge of a network, unless bridge_mappings names another.

    >>> bridge("8af4f28b-a650-4777-9df9-e50d1c68e83d")
    'brq8af4f28b-a6'
    """
    return device("brq", network_id)


def vxlan_device(vni: int) -> str:
    """The tunnel device of a VXLAN network of the Linux bridge agent."""
    return f"vxlan-{vni}"


def vlan_device(parent: str, vlan: int) -> str:
    """The VLAN device on a physical interface; a long parent is cut to four characters and six of its SHA-1.

    >>> vlan_device("eth0", 101), vlan_device("enp129s0f1np1", 101)
    ('eth0.101', 'enp19cb088.101')
    """
    suffix = f".{vlan}"
    if len(parent) + len(suffix) <= NAME_LIMIT:
        return parent + suffix
    room = NAME_LIMIT - VLAN_SUFFIX
    if len(parent) > room:
        digest = hashlib.sha1(parent.encode(), usedforsecurity=False).hexdigest()
        parent = parent[: room - HASH_LENGTH] + digest[:HASH_LENGTH]
    return parent + suffix


def chain(port_id: str, direction: str, prefix: str = LINUXBRIDGE_CHAINS) -> str:
    """A port's iptables chain: ``direction`` i (to the guest), o (from the guest) or s (its allowed addresses)."""
    return f"{prefix}-{(direction + port_id)[:CHAIN_LENGTH]}"


def dhcp_namespace(network_id: str) -> str:
    """Where a network's dnsmasq runs."""
    return f"qdhcp-{network_id}"


def router_namespace(router_id: str) -> str:
    """Where a router routes."""
    return f"qrouter-{router_id}"


def snat_namespace(router_id: str) -> str:
    """Where a distributed router's central half translates."""
    return f"snat-{router_id}"


def is_port_of(name: str, port_id: str) -> bool:
    """Whether device ``name`` belongs to the port."""
    prefix = port_prefix_of(name)
    return prefix is not None and port_id.startswith(prefix)


def port_prefix_of(name: str) -> str | None:
    """The first 11 characters of the id of the port whose device ``name`` is; None for other devices."""
    found = PORT_DEVICE.fullmatch(name)
    return found[1] if found else None


def network_prefix_of(name: str) -> str | None:
    """The first 11 characters of the id of the network whose bridge ``name`` is; None for other bridges."""
    found = NETWORK_BRIDGE.fullmatch(name)
    return found[1] if found else None


def port_chain_of(name: str) -> tuple[str, str] | None:
    """Direction (i, o, s) and the first 10 characters of the port id of an iptables chain; None for other chains.

    >>> port_chain_of("neutron-linuxbri-o584e904e-a")
    ('o', '584e904e-a')
    """
    found = PORT_CHAIN.fullmatch(name)
    return (found[1], found[2]) if found else None


def namespace_kind(name: str) -> tuple[str, str]:
    """What a network namespace is (qdhcp, qrouter, snat, fip, qlbaas) and of which id; two empty texts for others.

    >>> namespace_kind("snat-c501d0eb-77af-42bd-970d-11e38055b813")
    ('snat', 'c501d0eb-77af-42bd-970d-11e38055b813')
    """
    found = NAMESPACE.fullmatch(name)
    return (found[1], found[2]) if found else ("", "")


def vni_of(name: str) -> int | None:
    """The VXLAN network identifier in the name of a Linux bridge agent's tunnel device.

    >>> vni_of("vxlan-994"), vni_of("vxlan_sys_4789")
    (994, None)
    """
    found = re.fullmatch(r"vxlan-([0-9]{1,8})", name)
    return int(found[1]) if found else None


def vlan_of(name: str) -> tuple[str, int] | None:
    """Parent and VLAN id in the name of a VLAN device; the parent may be a hashed one.

    >>> vlan_of("eth0.101"), vlan_of("eth0")
    (('eth0', 101), None)
    """
    found = re.fullmatch(r"(.+)\.([0-9]{1,4})", name)
    return (found[1], int(found[2])) if found else None

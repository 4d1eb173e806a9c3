"""What the queues of oslo.messaging are for, read off their names, and which program serves each topic.

A server with topic T on host H consumes three queues: ``T`` (any server of the topic), ``T.H`` (this one)
and ``T_fanout_<hex>`` (all of them); a caller waits for answers on ``reply_<hex>``; notifications go to
``<topic>.<priority>``.  From oslo.messaging ``_drivers/amqpdriver.py`` and ``_drivers/common.py``; the topics
from each project's ``rpcapi.py`` / ``topics.py`` (neutron-lib ``api/topics``...).

>>> purpose("compute.node-1.example.com")
Purpose(kind='rpc-host', topic='compute', server='node-1.example.com', service='nova-compute')
>>> purpose("cinder-volume.storage@lvm.storage").host, purpose("conductor_fanout_00aa").kind
('storage', 'fanout')
>>> purpose("neutron-vo-Port-1.10.compute1").topic, purpose("notifications.info").kind, purpose("mine").kind
('neutron-vo-Port-1.10', 'notification', 'other')
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

__all__ = ["L2_AGENT", "SERVICES", "Kind", "Purpose", "is_rpc_server", "programs_of", "purpose"]

Kind: TypeAlias = Literal["rpc", "rpc-host", "fanout", "reply", "notification", "other"]

L2_AGENT = "neutron-l2-agent"
"""Whichever of Neutron's layer 2 agents a host runs."""

SERVICES: Mapping[str, str] = MappingProxyType(
    {
        "conductor": "nova-conductor",
        "scheduler": "nova-scheduler",
        "compute": "nova-compute",
        "console": "nova-console",
        "consoleauth": "nova-consoleauth",
        "cert": "nova-cert",
        "cells": "nova-cells",
        "network": "nova-network",
        "q-plugin": "neutron-server",
        "q-l3-plugin": "neutron-server",
        "q-reports-plugin": "neutron-server",
        "q-server-resource-versions": "neutron-server",
        "q-metering-plugin": "neutron-server",
        "q-firewall-plugin": "neutron-server",
        "q-lbaas-plugin": "neutron-server",
        "n-lbaasv2-plugin": "neutron-server",
        "q-bgp-plugin": "neutron-server",
        "dhcp_agent": "neutron-dhcp-agent",
        "l3_agent": "neutron-l3-agent",
        "metering_agent": "neutron-metering-agent",
        "n-lbaas_agent": "neutron-lbaas-agent",
        "n-lbaasv2_agent": "neutron-lbaasv2-agent",
        "bgp_dragent": "neutron-bgp-dragent",
        "cinder-scheduler": "cinder-scheduler",
        "cinder-volume": "cinder-volume",
        "cinder-backup": "cinder-backup",
        "engine": "heat-engine",
        "engine_worker": "heat-engine",
        "heat-engine-listener": "heat-engine",
        "manila-scheduler": "manila-scheduler",
        "manila-share": "manila-share",
        "manila-data": "manila-data",
        "ironic.conductor_manager": "ironic-conductor",
        "ironic-inspector": "ironic-inspector",
        "magnum-conductor": "magnum-conductor",
        "octavia_provisioning_v2": "octavia-worker",
        "octavia_prov": "octavia-worker",
        "central": "designate-central",
        "worker": "designate-worker",
        "producer": "designate-producer",
        "mdns": "designate-mdns",
        "pool_manager": "designate-pool-manager",
        "zone_manager": "designate-zone-manager",
        "barbican.workers": "barbican-worker",
        "trove-conductor": "trove-conductor",
        "taskmanager": "trove-taskmanager",
        "sahara-ops": "sahara-engine",
        "mistral_engine": "mistral-engine",
        "mistral_executor": "mistral-executor",
        "masakari-engine": "masakari-engine",
        "senlin-engine": "senlin-engine",
        "zun-compute": "zun-compute",
    }
)
"""The service behind each topic."""

_PROGRAMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "neutron-server": ("neutron-server", "neutron-rpc-server"),
        L2_AGENT: (
            "neutron-openvswitch-agent",
            "neutron-linuxbridge-agent",
            "neutron-sriov-nic-agent",
            "neutron-macvtap-agent",
        ),
    }
)

# topics made from a resource: neutron/agent/rpc.py, neutron/api/rpc/callbacks/resources (the version has a dot)
_VERSIONED_OBJECT = re.compile(r"(neutron-vo-\w+-\d+\.\d+)(?:\.(.+))?")
_AGENT_NOTIFIER = re.compile(r"(q-agent-notifier-[\w-]+)(?:\.(.+))?")
_FANOUT = re.compile(r"(?P<topic>.+?)_fanout(?:_.*)?")
_NOTIFICATION = re.compile(
    r"(?:.*notifications?.*|event|metering|alarm)\.(?:audit|debug|info|warn|warning|error|critical|sample)"
)
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


@dataclass(frozen=True)
class Purpose:
    """What a queue is for.  ``server`` is the server's name as the service gave it, ``service`` empty if unknown."""

    kind: Kind
    topic: str = ""
    server: str = ""
    service: str = ""

    @property
    def host(self) -> str:
        """The host in ``server``: without Cinder's ``@backend``, empty where a server is named by a UUID (Heat)."""
        return "" if _UUID.fullmatch(self.server) else self.server.partition("@")[0]

    @property
    def backend(self) -> str:
        """Cinder's back end in ``server``, empty if there is none."""
        backend = self.server.partition("@")[2]
        return backend.removesuffix("." + self.host) if self.host else backend


def _of_topic(name: str) -> tuple[str, str, str] | None:
    """Topic, server and service of ``name``; hosts have dots, and so have some topics."""
    dot = name.find(".")
    while True:
        topic = name if dot < 0 else name[:dot]
        if topic in SERVICES:
            return topic, "" if dot < 0 else name[dot + 1 :], SERVICES[topic]
        # no topic has more than one dot
        if dot < 0 or "." in topic:
            break
        dot = name.find(".", dot + 1)
    for pattern in (_VERSIONED_OBJECT, _AGENT_NOTIFIER):
        if match := pattern.fullmatch(name):
            return match[1], match[2] or "", L2_AGENT
    return None


def purpose(queue: str) -> Purpose:
    """What the queue called ``queue`` is for."""
    if queue.startswith("reply_"):
        return Purpose("reply")
    fanout = _FANOUT.fullmatch(queue)
    found = _of_topic(fanout["topic"] if fanout else queue)
    if fanout:
        return Purpose("fanout", *(found or (fanout["topic"],)))
    if found:
        return Purpose("rpc-host" if found[1] else "rpc", *found)
    if _NOTIFICATION.fullmatch(queue):
        return Purpose("notification", queue)
    return Purpose("other")


def programs_of(service: str) -> tuple[str, ...]:
    """The programs that serve as ``service``: for most services the one of that name."""
    return _PROGRAMS.get(service, (service,))


def is_rpc_server(program: str) -> bool:
    """Whether ``program`` serves an RPC topic."""
    return any(program in programs_of(service) for service in (*SERVICES.values(), L2_AGENT))

"""Brokers and their clients as rabbitmqctl 3.10, ps(1), systemctl(1) and the log scan show them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

QUEUES = "name\tmessages_ready\tmessages_unacknowledged\tmessages\tconsumers\tmemory\tstate\tpid\tdurable\tauto_delete"
CONSUMERS = "queue_name\tchannel_pid\tconsumer_tag\tack_required\tprefetch_count\tactive\targuments"
CHANNELS = "pid\tconnection\tconsumer_count\tmessages_unacknowledged\tprefetch_count"
CONNECTIONS = (
    "pid\tname\tpeer_host\tpeer_port\tuser\tvhost\tstate\tchannels\tsend_pend\ttimeout\tconnected_at"
    "\trecv_oct\tclient_properties"
)
UNTIL = 1795366000.0


@dataclass
class Broker:
    """One broker: queues as (ready, unacked, consumers), and clients as (address, program, queue, unacked).

    ``said`` are the bytes that the clients of an address sent between the two looks, ``down`` the queues whose
    process is gone with the broker that it was on and its arguments.  ``more`` is added to the status.
    """

    name: str = "rabbit@controller"
    alarms: list[Mapping[str, str]] = field(default_factory=list)
    queues: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    clients: list[tuple[str, str, str, int]] = field(default_factory=list)
    said: Mapping[str, int] = field(default_factory=dict)
    members: tuple[str, ...] = ()
    running: tuple[str, ...] = ()
    partitions: Mapping[str, list[str]] = field(default_factory=dict)
    down: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    more: Mapping[str, object] = field(default_factory=dict)
    memory: int = 34840
    policies: str = ""
    policy: str = ""
    vhost: Mapping[str, str] = field(default_factory=dict)

    def answers(self) -> dict[str, str]:
        status = {
            "alarms": self.alarms,
            "data_directory": f"/var/lib/rabbitmq/mnesia/{self.name}",
            "disk_free": 80737685504,
            "disk_free_limit": 500000000,
            "memory": {"strategy": "rss", "total": {"erlang": 300131480, "rss": 175509504, "allocated": 288706560}},
            "rabbitmq_version": "3.10.8",
            "vm_memory_high_watermark_limit": 1000000000,
            **self.more,
        }
        cluster = {
            "alarms": self.alarms,
            "disk_nodes": self.members or [self.name],
            "running_nodes": self.running or self.members or [self.name],
            "partitions": self.partitions,
        }
        rows = [
            f"{name}\t{ready}\t{unacked}\t{ready + unacked}\t{consumers}\t{self.memory}\trunning"
            f"\t<{self.name}.17.{n}.0>\tfalse\tfalse\t[]\t{self.policy}"
            for n, (name, (ready, unacked, consumers)) in enumerate(self.queues.items(), 900)
        ]
        rows += [
            f"{name}\t\t\t\t\t\tdown\t<{home}.17.1.0>\ttrue\tfalse\t{table}\t"
            for name, (home, table) in self.down.items()
        ]
        table = "\n".join([f"{QUEUES}\targuments\tpolicy", *rows, ""])
        consumers, channels, connections, later = [CONSUMERS], [CHANNELS], [CONNECTIONS], [CONNECTIONS]
        for n, (address, program, queue, unacked) in enumerate(self.clients, 100):
            channel, connection = f"<{self.name}.17.{n}.1>", f"<{self.name}.17.{n}.2>"
            consumers.append(f"{queue}\t{channel}\t1\ttrue\t0\ttrue\t[]")
            channels.append(f"{channel}\t{connection}\t1\t{unacked}\t0")
            for rows, octets in ((connections, 1890), (later, 1890 + self.said.get(address, 0))):
                rows.append(
                    f"{connection}\t{address}:5{n} -> 192.0.2.10:5672\t{address}\t5{n}\topenstack"
                    f"\t{self.vhost.get(address, '/')}\trunning\t1\t0\t60"
                    f'\t1795375872040\t{octets}\t[{{"product","py-amqp"}},{{"connection_name","{program}:{n}:bf9a8ac3"}}]'
                )
        return {
            "rabbitmq.status": json.dumps(status),
            "rabbitmq.cluster-status": json.dumps(cluster),
            "rabbitmq.databases": f"{self.name}\n",
            "rabbitmq.queues /": table,
            "rabbitmq.queues /#2": table,
            "rabbitmq.consumers /": "\n".join([*consumers, ""]),
            "rabbitmq.policies /": self.policies,
            "rabbitmq.channels": "\n".join([*channels, ""]),
            "rabbitmq.connections": "\n".join([*connections, ""]),
            **({"rabbitmq.connections #2": "\n".join([*later, ""])} if self.said else {}),
        }


@pytest.fixture
def broker() -> type[Broker]:
    return Broker


@pytest.fixture
def unit() -> Callable[..., dict[str, str]]:
    """``unit("nova-compute", "inactive", "dead")``: what systemctl show says of that unit, enabled unless told."""

    def shown(
        name: str, active: str = "active", sub: str = "running", enabled: str = "enabled", **more: str
    ) -> dict[str, str]:
        values = {
            "Id": f"{name}.service",
            "LoadState": "loaded",
            "ActiveState": active,
            "SubState": sub,
            "UnitFileState": enabled,
            "Type": "notify",
            "NRestarts": "0",
            "StateChangeTimestamp": "Sun 2026-11-22 16:46:30 UTC",
            "InactiveEnterTimestamp": "",
        } | more
        return {"services.systemd": "".join(f"{key}={value}\n" for key, value in values.items())}

    return shown


@pytest.fixture
def address() -> Callable[[str], dict[str, str]]:
    """``address("192.0.2.20")``: what ``ip -j address`` shows of a node's one interface."""

    def shown(ip: str) -> dict[str, str]:
        info = [{"family": "inet", "local": ip, "prefixlen": 24, "scope": "global"}]
        link = {"ifindex": 2, "ifname": "eth0", "flags": ["UP"], "mtu": 1500, "operstate": "UP", "addr_info": info}
        return {"addresses.host": json.dumps([link])}

    return shown


@pytest.fixture
def logged() -> Callable[..., dict[str, str]]:
    """``logged(("rpc-timeout", "nova-compute", {"callee": ...}))``: a node's log scan that finds these, just now."""

    def scan(*hits: tuple[str, str, Mapping[str, str]]) -> dict[str, str]:
        found = [
            {
                "signature": signature,
                "service": service,
                "path": f"/var/log/{service}.log",
                "keys": keys,
                "count": 3,
                "first": UNTIL - 130,
                "last": UNTIL - 10,
                "minutes": {str(int(UNTIL // 60)): 3},
                "samples": [{"time": UNTIL - 10, "line": 1, "offset": 0, "text": f"{service} {signature}"}],
            }
            for signature, service, keys in hits
        ]
        return {
            "logs.hits": json.dumps({"since": UNTIL - 3600, "until": UNTIL, "grep": "gnu", "files": [], "hits": found})
        }

    return scan

"""``rabbitmqctl report`` of RabbitMQ 3.10 of what was recorded in other columns and in JSON."""

from __future__ import annotations

import json
from collections.abc import Callable

__all__ = ["report"]

QUEUE = """\
name durable auto_delete arguments policy pid owner_pid exclusive exclusive_consumer_pid exclusive_consumer_tag
messages_ready messages_unacknowledged messages messages_ready_ram messages_unacknowledged_ram messages_ram
messages_persistent message_bytes message_bytes_ready message_bytes_unacknowledged message_bytes_ram
message_bytes_persistent head_message_timestamp disk_reads disk_writes consumers consumer_utilisation
consumer_capacity memory slave_pids synchronised_slave_pids state type leader members online
"""
CONNECTION = """\
pid name port host peer_port peer_host ssl ssl_protocol ssl_key_exchange ssl_cipher ssl_hash peer_cert_subject
peer_cert_issuer peer_cert_validity state channels protocol auth_mechanism user vhost timeout frame_max channel_max
client_properties recv_oct recv_cnt send_oct send_cnt send_pend connected_at
"""
SURELY = {
    "ssl": "false",
    "port": "5672",
    "host": "192.168.199.10",
    "protocol": "{0,9,1}",
    "auth_mechanism": "AMQPLAIN",
    "frame_max": "131072",
    "channel_max": "2047",
    "exclusive": "false",
    "type": "classic",
}


def report(said: Callable[..., str]) -> str:
    """The report; ``said`` has what was recorded, by probe and virtual host."""
    status, cluster = json.loads(said("rabbitmq.status")), json.loads(said("rabbitmq.cluster-status"))
    node = cluster["cluster_name"]
    alarms = "\n".join(map(str, status["alarms"])) or "(none)"
    return "\n".join(
        (
            f"Reporting server status of node {node} ...\n",
            f"Status of node {node} ...",
            f"Runtime\n\nOS PID: 455\nRabbitMQ version: {status['rabbitmq_version']}\nNode name: {node}\n",
            f"Alarms\n\n{alarms}\n",
            f"Memory\n\nTotal memory used: {sum(status['memory']['total'].values()) / 3e9:.4f} gb\n",
            f"Free Disk Space\n\nLow free disk space watermark: {status['disk_free_limit'] / 1e9} gb",
            f"Free disk space: {status['disk_free'] / 1e9:.4f} gb\n",
            f"Cluster status of node {node} ...",
            f"Basics\n\nCluster name: {node}\n\nDisk Nodes\n\n{node}\n\nRunning Nodes\n\n{node}\n",
            "Alarms\n\n(none)\n\nNetwork Partitions\n\n(none)\n",
            "Listing connections ...\n" + _columns(said("rabbitmq.connections"), CONNECTION),
            "Listing channels ...\n" + said("rabbitmq.channels"),
            "Timeout: 60.0 seconds ...\nListing queues for vhost / ...\n"
            + _columns(said("rabbitmq.queues", "/"), QUEUE),
            "Listing exchanges for vhost / ...\nname\ttype\tdurable\tauto_delete\tinternal\targuments\tpolicy\n",
            'Listing policies for vhost "/" ...\n' + said("rabbitmq.policies", "/"),
        )
    )


def _columns(table: str, heading: str) -> str:
    wanted = heading.split()
    names, *rows = (row.split("\t") for row in table.split("\n") if row)
    found = ["\t".join(wanted)]
    for row in rows:
        cells = {**SURELY, **dict(zip(names, row, strict=False))}
        found.append("\t".join(cells.get(name, "") for name in wanted))
    return "\n".join(found) + "\n"

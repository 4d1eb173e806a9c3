"""The lab's RabbitMQ: Debian's rabbitmq-server in the controller's namespaces, with its own node, cookie and data."""

from __future__ import annotations

import json
import pwd
import secrets
import subprocess
from collections.abc import Callable, Sequence
from typing import Any

from lab import hosts
from lab.hosts import Host, file

__all__ = ["DISK", "HEARTBEAT", "LOG", "MEMORY", "PROGRAMS", "ctl", "directories", "files", "queues", "start", "stop"]

# Seconds; RabbitMQ drops a connection that was silent for so long.
HEARTBEAT = 10
MEMORY = "1GB"
DISK = "50MB"
LOG = "/var/log/rabbitmq/rabbit@controller.log"
# What a host without a broker has not.
PROGRAMS: Sequence[str] = ("epmd", "erl", "rabbitmq*")
CONFIGURATION = """\
listeners.tcp.default = 5672
heartbeat = {heartbeat}
default_user = openstack
default_pass = {password}
default_user_tags.administrator = true
loopback_users = none
vm_memory_high_watermark.absolute = {memory}
disk_free_limit.absolute = {disk}
log.file.level = info
"""
ENVIRONMENT = """\
NODENAME=rabbit@controller
RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"
"""


def owner() -> tuple[int, int]:
    account = pwd.getpwnam("rabbitmq")
    return account.pw_uid, account.pw_gid


def directories() -> dict[str, Any]:
    """The broker's own places on its host."""
    own = {path: file("", 0o750, owner()) for path in ("/var/lib/rabbitmq", "/var/lib/rabbitmq/mnesia")}
    return {**own, "/var/log/rabbitmq": file("", 0o755, owner()), "/etc/rabbitmq": file("", 0o755)}


def files(password: str) -> dict[str, Any]:
    """Configuration with the user ``openstack`` and its ``password``, and a cookie made for this run."""
    text = CONFIGURATION.format(heartbeat=HEARTBEAT, password=password, memory=MEMORY, disk=DISK)
    return {
        "/etc/rabbitmq/rabbitmq.conf": file(text, 0o640, ("root", owner()[1])),
        "/etc/rabbitmq/rabbitmq-env.conf": file(ENVIRONMENT),
        "/etc/rabbitmq/enabled_plugins": file("[].\n"),
        "/var/lib/rabbitmq/.erlang.cookie": file(secrets.token_hex(20).upper(), 0o400, owner()),
    }


def start(host: Host) -> Callable[[], bool]:
    """Start the broker; the value says, when asked, whether it serves yet."""
    log = host.root / LOG[1:]
    before = log.stat().st_size if log.exists() else 0
    hosts.start(host, ["/usr/sbin/rabbitmq-server"], user="rabbitmq", environment={"HOME": "/var/lib/rabbitmq"})
    return lambda: log.exists() and b"Server startup complete" in log.read_bytes()[before:]


def stop(host: Host) -> None:
    """Stop the broker and wait until it is gone."""
    ctl(host, "shutdown")


def ctl(host: Host, *arguments: str) -> str:
    """What ``rabbitmqctl`` says, run by root as an operator would."""
    ran = subprocess.run(host.enter("rabbitmqctl", *arguments), capture_output=True, text=True, check=False, timeout=60)
    if ran.returncode:
        raise RuntimeError(f"rabbitmqctl {' '.join(arguments)}: {ran.stdout}{ran.stderr}")
    return ran.stdout


def queues(host: Host) -> dict[str, dict[str, int]]:
    """Every queue by name with its messages, messages_ready, messages_unacknowledged and consumers."""
    columns = ("name", "messages", "messages_ready", "messages_unacknowledged", "consumers")
    listed = json.loads(ctl(host, "-q", "list_queues", *columns, "--formatter", "json"))
    return {row.pop("name"): row for row in listed}

"""The stand-ins for Nova's services as a host has them: programs, configuration, account, and how they are started."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab import broker, hosts
from lab.hosts import SERVICES, Host, file

__all__ = ["conf", "directories", "files", "start"]

# Debian's static identity of this account.
NOVA = (64060, 64060)
CONF = """\
[DEFAULT]
transport_url = rabbit://openstack:{password}@{broker}:5672/
control_exchange = nova
rpc_response_timeout = 5
report_interval = 2
state_path = /var/lib/nova

[libvirt]
virt_type = qemu

[oslo_messaging_rabbit]
heartbeat_timeout_threshold = {heartbeat}
rabbit_retry_interval = {retry}
rabbit_retry_backoff = 0
"""


def conf(password: str, broker_address: str, retry: int = 1) -> str:
    """nova.conf, with ``password`` in its transport URL; seconds between two attempts to connect."""
    return CONF.format(password=password, broker=broker_address, heartbeat=broker.HEARTBEAT, retry=retry)


def directories() -> dict[str, Any]:
    """Where the services keep their state and their logs."""
    own = ("/var/lib/nova", "/var/lib/nova/instances", "/var/log/nova", "/run/nova")
    return {path: file("", 0o755, NOVA) for path in own}


def files(services: Sequence[str], password: str, broker_address: str) -> dict[str, Any]:
    """Nova's configuration and the programs of ``services`` on a host, and the account that runs them."""
    programs = {f"/usr/bin/{name}": SERVICES / f"{name.replace('-', '_')}.py" for name in services}
    return {
        "/etc/passwd": file(f"{Path('/etc/passwd').read_text()}nova:x:{NOVA[0]}:{NOVA[1]}::/var/lib/nova:/bin/sh\n"),
        "/etc/group": file(f"{Path('/etc/group').read_text()}nova:x:{NOVA[1]}:\n"),
        "/etc/nova/nova.conf": file(conf(password, broker_address), 0o640, ("root", NOVA[1])),
        "/usr/share/nova-standin/standin.py": file((SERVICES / "standin.py").read_text()),
        **{path: file(program.read_text(), 0o755) for path, program in programs.items()},
    }


def start(host: Host, service: str) -> None:
    """Start a service as its unit would, under the command line that it has on a real host."""
    command = ["/usr/bin/python3", f"/usr/bin/{service}", "--config-file=/etc/nova/nova.conf"]
    # The interpreter is this one, with its packages, whatever argv[0] says.
    environment = {
        "PYTHONHOME": sys.base_prefix,
        "PYTHONPATH": ":".join(["/usr/share/nova-standin", *(p for p in sys.path if p.endswith("-packages"))]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONWARNINGS": "ignore",
    }
    hosts.start(
        host,
        [*command, f"--log-file=/var/log/nova/{service}.log"],
        executable=os.path.realpath(sys.executable),
        user="nova",
        log=f"/run/nova/{service}.output",
        environment=environment,
    )

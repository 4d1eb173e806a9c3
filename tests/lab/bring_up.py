"""Brings the lab's cloud up from nothing, and takes it down again without a trace."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from lab import broker, hosts, nova
from lab.cloud import ADDRESSES, SERVICES_OF, Cloud
from lab.hosts import PREFIX, Host

__all__ = ["cloud_up"]

GATEWAY = "198.51.100.1"


def inventory(work: Path) -> str:
    key = work / "id_ed25519"
    nodes = "".join(
        f"  - {{name: {name}, address: {address}, port: 22, user: root, key: {key}}}\n"
        for name, address in ADDRESSES.items()
    )
    return f"known_hosts: {work / 'known_hosts'}\nnodes:\n{nodes}"


@contextlib.contextmanager
def hosts_up(work: Path, run: str, password: str, services: Mapping[str, tuple[str, ...]]) -> Iterator[dict[str, Host]]:
    """The fabric and the three hosts with what they hold; nothing but their sshd runs on them."""
    with contextlib.ExitStack() as stack:
        hosts.sweep()
        stack.callback(hosts.net_down, run)
        hosts.fabric_up(f"{PREFIX}-{run}-fabric", f"{GATEWAY}/24")
        key = work / "id_ed25519"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", key], check=True)
        launchers = {}
        for name in ADDRESSES:
            files, directories, absent = {}, {}, broker.PROGRAMS
            if name in services:
                files = nova.files(services[name], password, ADDRESSES["controller"])
                directories = nova.directories()
            if name == "controller" and services:
                files, directories, absent = files | broker.files(password), directories | broker.directories(), ()
            launchers[name] = hosts.begin(work, run, name, ADDRESSES, GATEWAY, files, directories, absent)
            stack.callback(hosts.end, launchers[name])
        yield {name: hosts.await_ready(work, run, name, ADDRESSES[name], launchers[name]) for name in ADDRESSES}


@contextlib.contextmanager
def cloud_up(work: Path, services: Mapping[str, tuple[str, ...]] = SERVICES_OF) -> Iterator[Cloud]:
    """A healthy cloud, with its keys, inventory and scratch directories in ``work``; all is gone afterwards.

    Without ``services`` there is no broker either: what a story of networks or disks does not need, and what would
    cost it ten Erlang machines in each diagnosis.
    """
    password, run = secrets.token_urlsafe(18), f"{os.getpid()}-{secrets.token_hex(2)}"
    with contextlib.ExitStack() as stack:
        # A run that is told to end unwinds as if interrupted, so that the names of its namespaces go with it.
        stack.callback(signal.signal, signal.SIGTERM, signal.signal(signal.SIGTERM, signal.default_int_handler))
        up = stack.enter_context(hosts_up(work, run, password, services))
        serves = broker.start(up["controller"]) if services else None
        keys = {name: (work / f"ssh_host_{name}.pub").read_text() for name in ADDRESSES}
        (work / "known_hosts").write_text("".join(f"{ADDRESSES[name]} {key}" for name, key in keys.items()))
        (work / "inventory.yaml").write_text(inventory(work))
        cloud = Cloud(work, f"{PREFIX}-{run}-fabric", up, password, services)
        if serves is not None:
            cloud.wait_until(serves, 60, "RabbitMQ serves")
        for host, names in services.items():
            for service in names:
                cloud.start(host, service)
        cloud.wait_until_healthy()
        cloud.mark()
        yield cloud

"""The lab's small cloud: a controller, two compute nodes, the faults that can be put into them, the tool's verdict."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab import broker as rabbitmq
from lab import nova
from lab.hosts import Host

__all__ = ["ADDRESSES", "SERVICES_OF", "Cloud"]

ADDRESSES = {"controller": "198.51.100.10", "compute1": "198.51.100.21", "compute2": "198.51.100.22"}
SERVICES_OF = {
    "controller": ("nova-conductor", "nova-scheduler"),
    "compute1": ("nova-compute",),
    "compute2": ("nova-compute",),
}
# What the stand-ins of SERVICES_OF write to the conductor's database while all is well.
ROWS = (
    "Service controller nova-scheduler",
    "Service compute1 nova-compute",
    "Service compute2 nova-compute",
    "ComputeNode compute1",
    "ComputeNode compute2",
)
QUEUES = (
    "conductor",
    "conductor.controller",
    "scheduler",
    "scheduler.controller",
    "compute",
    "compute.compute1",
    "compute.compute2",
)
# Seconds that the tool needs to begin with the logs: its window ends then, and must still begin before the fault.
MARGIN = 4


@dataclass
class Cloud:
    """The running lab.  ``marked`` is the time from which logs count: ``mark`` moves it to now.

    ``services`` are those of SERVICES_OF, with the broker, or none: hosts with their sshd and nothing else.
    """

    work: Path
    fabric: str
    hosts: Mapping[str, Host]
    password: str
    services: Mapping[str, tuple[str, ...]]
    marked: float = 0.0
    offsets: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def inventory(self) -> Path:
        """The inventory of the lab for the tool."""
        return self.work / "inventory.yaml"

    # -- looking

    def run(self, host: str, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run ``argv`` in the host as root, whatever its exit status."""
        return subprocess.run(self.hosts[host].enter(*argv), capture_output=True, text=True, check=False, timeout=120)

    def ssh(self, host: str, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run ``argv`` over SSH from the fabric, with the key and the known hosts that the tool gets."""
        options = [f"-oUserKnownHostsFile={self.work}/known_hosts", "-oStrictHostKeyChecking=yes", "-oBatchMode=yes"]
        command = ["ssh", "-F", "none", "-i", f"{self.work}/id_ed25519", *options, f"root@{ADDRESSES[host]}", *argv]
        enter = ["ip", "netns", "exec", self.fabric]
        return subprocess.run([*enter, *command], capture_output=True, text=True, check=False, timeout=60)

    def process(self, host: str, service: str) -> int | None:
        """The PID of a service's process as its host sees it; None if there is none."""
        for pid, command in self.hosts[host].processes().items():
            if f"/usr/bin/{service}" in command[:2]:
                return pid
        return None

    def log(self, host: str, path: str) -> str:
        """What a log of the host got since the mark."""
        try:
            with (self.hosts[host].root / path.lstrip("/")).open("rb") as stream:
                stream.seek(self.offsets.get((host, path), 0))
                return stream.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def database(self) -> dict[str, float]:
        """When each row that the conductor writes was written."""
        path = self.hosts["controller"].root / "var/lib/nova/database.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def broker(self, *arguments: str) -> str:
        """What ``rabbitmqctl`` says on the controller."""
        return rabbitmq.ctl(self.hosts["controller"], *arguments)

    def queues(self) -> dict[str, dict[str, int]]:
        """The broker's queues by name, with numbers of messages and consumers."""
        return rabbitmq.queues(self.hosts["controller"])

    # -- waiting

    def mark(self) -> None:
        """From here on logs count: for ``wait_for_log``, and for the window of ``diagnose``."""
        self.marked = time.time()
        for host in self.hosts.values():
            for path in (host.root / "var/log").rglob("*"):
                if path.is_file():
                    self.offsets[host.name, f"/{path.relative_to(host.root)}"] = path.stat().st_size

    def wait_until(self, predicate: Callable[[], object], timeout: float = 60, what: str = "") -> None:
        """Ask ``predicate`` until it is true; raises TimeoutError with what was waited for.

        Daemons, queues and interfaces of other processes tell nobody here when they change: they are asked, ten
        times a second, for ``timeout`` seconds at most.
        """
        deadline = time.monotonic() + timeout
        while not predicate():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {timeout:.0f} s: {what or predicate}")
            time.sleep(0.1)

    def wait_for_log(self, host: str, path: str, regex: str, timeout: float = 60) -> str:
        """The first line since the mark in which ``regex`` is found."""
        pattern = re.compile(f"^.*(?:{regex}).*$", re.MULTILINE)
        self.wait_until(lambda: pattern.search(self.log(host, path)), timeout, f"{regex} in {path} of {host}")
        match = pattern.search(self.log(host, path))
        assert match is not None
        return match.group()

    def wait_until_quiet(self) -> None:
        """Wait until no service and no broker has logged for so long that a window from now shows nothing older."""
        places = [host.root / "var/log" / system for host in self.hosts.values() for system in ("nova", "rabbitmq")]

        def quiet() -> bool:
            written = [path.stat().st_mtime for place in places for path in place.glob("*.log")]
            return max(written, default=0.0) < time.time() - MARGIN - 1

        self.wait_until(quiet, 60, "logs to which nothing is written")

    def wait_until_healthy(self, timeout: float = 90) -> None:
        """Wait until every service has reported anew, and every queue is empty and has a consumer."""
        if not self.services:
            return
        begin = time.time()
        fresh = f"every row of {ROWS} written anew"
        self.wait_until(lambda: all(self.database().get(row, 0) > begin for row in ROWS), timeout, fresh)

        def drained() -> bool:
            found = self.queues()
            rows = [found.get(name, {"consumers": 0, "messages": 0}) for name in QUEUES]
            return all(row["consumers"] and not row["messages"] for row in rows)

        self.wait_until(drained, timeout, "queues without messages and with consumers")

    # -- the tool

    def diagnose(self, *arguments: str) -> tuple[dict[str, Any], int]:
        """The report of ``stackdoctor diagnose`` about the time since the mark (and MARGIN), and its exit status."""
        window = ["--since", f"{math.ceil(time.time() - self.marked + MARGIN)}s"] if "--since" not in arguments else []
        options = ["--inventory", str(self.inventory), "--format", "json", "--quiet", *window, *arguments]
        ran = subprocess.run(
            ["ip", "netns", "exec", self.fabric, Path(sys.executable).parent / "stackdoctor", "diagnose", *options],
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(self.work), "XDG_CONFIG_HOME": str(self.work / "config")},
        )
        try:
            return json.loads(ran.stdout), ran.returncode
        except json.JSONDecodeError:
            raise AssertionError(f"no report: exit {ran.returncode}\n{ran.stdout}\n{ran.stderr}") from None

    # -- services

    def start(self, host: str, service: str) -> None:
        """Start a service as its unit would."""
        nova.start(self.hosts[host], service)

    def signal(self, host: str, service: str, name: str) -> None:
        """Send the signal to a service's process; raises ProcessLookupError if it does not run."""
        pid = self.process(host, service)
        if pid is None:
            raise ProcessLookupError(f"{service} does not run on {host}")
        subprocess.run(self.hosts[host].enter("kill", "-s", name, str(pid)), check=True)

    def freeze(self, host: str, service: str) -> None:
        """Stop the process as SIGSTOP does: it lives, keeps its connections, and does nothing."""
        self.signal(host, service, "STOP")

    def thaw(self, host: str, service: str) -> None:
        """Let a frozen process go on."""
        self.signal(host, service, "CONT")

    def kill(self, host: str, service: str) -> None:
        """Kill the process and wait until it is gone."""
        self.signal(host, service, "KILL")
        self.wait_until(lambda: self.process(host, service) is None, 10, f"{service} on {host} gone")

    def keep_conductor(self, seconds: float) -> None:
        """Let the conductor take a message only every so many seconds."""
        new = self.hosts["controller"].root / "var/lib/nova/busy.new"
        new.write_text(f"{seconds}")
        new.rename(new.with_suffix(""))

    def release_conductor(self) -> None:
        """Let the conductor take messages as fast as it can, at once."""
        (self.hosts["controller"].root / "var/lib/nova/busy").unlink(missing_ok=True)

    @contextlib.contextmanager
    def casts(self, each_second: float, at_once: int = 0) -> Iterator[None]:
        """A client that asks the conductor for more, so many times a second, and for ``at_once`` to begin with."""
        url = f"rabbit://openstack:{self.password}@{ADDRESSES['controller']}:5672/"
        program = [sys.executable, Path(__file__).parent / "services" / "casts.py", str(each_second), str(at_once)]
        with subprocess.Popen(
            ["ip", "netns", "exec", self.fabric, *program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as client:
            try:
                assert client.stdin is not None
                assert client.stdout is not None
                client.stdin.write(f"{url}\n")
                client.stdin.flush()
                if client.stdout.readline() != "casting\n":
                    raise RuntimeError("the client did not come up")
                yield
            finally:
                client.kill()

    def configure(self, host: str, password: str, retry: int = 1) -> None:
        """Write a host's nova.conf (see ``nova.conf``) and start its nova-compute anew, which reads it then."""
        text = nova.conf(password, ADDRESSES["controller"], retry)
        (self.hosts[host].root / "etc/nova/nova.conf").write_text(text)
        self.kill(host, "nova-compute")
        self.start(host, "nova-compute")

    # -- the broker

    def start_broker(self) -> None:
        """Start RabbitMQ and wait until it answers."""
        self.wait_until(rabbitmq.start(self.hosts["controller"]), 60, "RabbitMQ serves")

    def stop_broker(self) -> None:
        """Stop RabbitMQ and wait until it is gone."""
        rabbitmq.stop(self.hosts["controller"])

    def memory_watermark(self, absolute: str = rabbitmq.MEMORY) -> None:
        """Set the memory high watermark, by default to what it was."""
        self.broker("set_vm_memory_high_watermark", "absolute", absolute)

    def disk_free_limit(self, absolute: str = rabbitmq.DISK) -> None:
        """Set the limit of free disk space, by default to what it was."""
        self.broker("set_disk_free_limit", absolute)

    def signal_broker(self, name: str) -> None:
        """Send the signal to RabbitMQ's process: STOP freezes it with all its connections open, CONT lets it go on."""
        found = self.hosts["controller"].processes().items()
        pid = next(pid for pid, command in found if command[0].endswith("/beam.smp") and "boot" in command)
        subprocess.run(self.hosts["controller"].enter("kill", "-s", name, str(pid)), check=True)

    # -- network and disks

    def rule(self, action: str, host: str, port: int) -> None:
        rule = ("OUTPUT", "-p", "tcp", "--dport", str(port), "-j", "DROP")
        subprocess.run(self.hosts[host].enter("iptables", action, *rule), check=True, capture_output=True)

    def block_port(self, host: str, port: int) -> None:
        """Drop what the host sends to a TCP port."""
        self.rule("-I", host, port)

    def unblock_port(self, host: str, port: int) -> None:
        """Take ``block_port``'s rule away."""
        self.rule("-D", host, port)

    def link(self, host: str, state: str) -> None:
        """Set the host's port on the fabric ``up`` or ``down``: its cable."""
        subprocess.run(["ip", "-n", self.fabric, "link", "set", host, state], check=True, capture_output=True)

    def fill(self, host: str, path: str) -> None:
        """Mount a small file system at ``path`` and fill it to the last block."""
        subprocess.run(
            self.hosts[host].enter("mount", "-t", "tmpfs", "-o", "size=8m,mode=777", "tmpfs", path), check=True
        )
        self.run(host, "dd", "if=/dev/zero", f"of={path}/disk", "bs=64k")

    def unfill(self, host: str, path: str) -> None:
        """Take ``fill``'s file system away."""
        subprocess.run(self.hosts[host].enter("umount", "-l", path), check=True)

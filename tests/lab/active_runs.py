"""Runs of the tool's active tests in the lab, and what they must have left behind: nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.cloud import ADDRESSES, Cloud

__all__ = ["assert_nothing_left", "begun", "broken_off", "ran", "url"]


def url(cloud: Cloud, password: str = "", vhost: str = "") -> str:
    """The transport URL of the lab's services."""
    return f"rabbit://openstack:{password or cloud.password}@{ADDRESSES['controller']}:5672/{vhost}"


def begun(cloud: Cloud, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """The tool, started on the lab's cloud."""
    tool = Path(sys.executable).parent / "stackdoctor"
    options = ["--inventory", str(cloud.inventory), "--format", "json", "--quiet", "--yes"]
    home = {"HOME": str(cloud.work), "XDG_CONFIG_HOME": str(cloud.work / "config")}
    return subprocess.Popen(
        ["ip", "netns", "exec", cloud.fabric, tool, *arguments, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "STACKDOCTOR_TRANSPORT_URL": url(cloud), **home, **(environment or {})},
    )


def ran(cloud: Cloud, *arguments: str, environment: Mapping[str, str] | None = None) -> tuple[dict[str, Any], int]:
    """What the tool printed and its exit status, after a look at what it left."""
    process = begun(cloud, *arguments, environment=environment)
    said, errors = process.communicate(timeout=120)
    assert cloud.password not in said + errors
    assert_nothing_left(cloud)
    return json.loads(said) if said.strip() else {"stderr": errors}, process.returncode


def broken_off(process: subprocess.Popen[str], number: int = signal.SIGINT) -> int:
    """Send a signal to the tool, and wait for its end; the exit status."""
    process.send_signal(number)
    process.communicate(timeout=30)
    return process.returncode


def left(cloud: Cloud) -> list[str]:
    found = []
    for name, host in cloud.hosts.items():
        found += [f"{name}: {words[:4]}" for words in host.processes().values() if "python3 -I -c" in " ".join(words)]
        links = cloud.run(name, "ls", "/sys/class/net").stdout.split()
        found += [f"{name}: {link}" for link in links if link.startswith("sd-")]
    return found


def assert_nothing_left(cloud: Cloud) -> None:
    """No process, no interface, no queue, no exchange, and no tracer."""
    cloud.wait_until(lambda: not left(cloud), 30, f"no process and no interface: {left(cloud)}")
    if not any("beam.smp" in words[0] for words in cloud.hosts["controller"].processes().values()):
        return
    cloud.wait_until(lambda: not any("stackdoctor" in name for name in cloud.queues()), 20, "no queue of ours")
    assert "stackdoctor" not in cloud.broker("-q", "list_exchanges", "name")
    assert traced(cloud) == "false"


def traced(cloud: Cloud) -> str:
    """Whether the broker traces its virtual host."""
    listed = cloud.broker("-q", "list_vhosts", "name", "tracing")
    return dict(line.split("\t") for line in listed.splitlines() if "\t" in line)["/"]

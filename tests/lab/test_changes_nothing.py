"""A look at the lab's hosts with every fact, between two pictures of each of them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from lab.cloud import ADDRESSES, Cloud

from stackdoctor.snapshot.read import read_snapshot

pytestmark = pytest.mark.lab

# what a login leaves, and what the services themselves write all the time
OF_THE_LOGIN = (
    "/var/log/",
    "/var/run/utmp",
    "/run/utmp",
    "/run/sshd",
    "/var/lib/rabbitmq/",
    "/var/cache/",
    "/var/lib/systemd",
    "/var/lib/nova/",
)
FILES = [
    "find",
    "/",
    "-xdev",
    "(",
    "-path",
    "/proc",
    "-o",
    "-path",
    "/sys",
    "-o",
    "-path",
    "/dev",
    ")",
    "-prune",
    "-o",
    "-type",
    "f",
    "-printf",
    "%p\\t%i\\t%T@\\t%s\\t%m\\n",
]


@dataclass(frozen=True)
class Picture:
    """What a host is: its files, what runs, what the kernel has, its rules and who listens."""

    files: frozenset[str]
    processes: frozenset[str]
    modules: frozenset[str]
    namespaces: str
    listening: str
    rules: str


def picture(cloud: Cloud, host: str) -> Picture:
    """Taken by entering the host, not by logging in."""

    def out(*argv: str) -> str:
        return cloud.run(host, *argv).stdout

    files = frozenset(line for line in out(*FILES).splitlines() if not line.startswith(OF_THE_LOGIN))
    commands = {" ".join(words) for words in cloud.hosts[host].processes().values()}
    return Picture(
        files=files,
        processes=frozenset(c for c in commands if not c.startswith(("sshd", "erl_child", "inet_gethost", "find"))),
        modules=frozenset(line.split()[0] for line in out("cat", "/proc/modules").splitlines()),
        namespaces=out("ls", "/run/netns"),
        listening="\n".join(sorted(out("ss", "-Hlntu").splitlines())),
        rules="\n".join(line for line in out("iptables-save").splitlines() if not line.startswith("#")),
    )


def test_a_full_look_leaves_every_host_as_it_was(cloud: Cloud, tmp_path: Path) -> None:
    enter = ["ip", "netns", "exec", cloud.fabric, sys.executable, "-m", "stackdoctor"]
    before = {host: picture(cloud, host) for host in ADDRESSES}
    look = [*enter, "collect", "-i", str(cloud.work / "inventory.yaml"), "-o", str(tmp_path / "kept"), "--since", "60s"]
    subprocess.run(look, check=True, timeout=240)
    after = {host: picture(cloud, host) for host in ADDRESSES}
    found = read_snapshot(tmp_path / "kept").nodes
    assert [n.failure for n in found] == [""] * len(ADDRESSES)
    assert all(n.cost is not None and n.cost.commands > 10 for n in found)
    for host in ADDRESSES:
        for name in Picture.__dataclass_fields__:
            was, is_ = getattr(before[host], name), getattr(after[host], name)
            difference = sorted(was ^ is_) if isinstance(was, frozenset) else ""
            assert was == is_, f"{name} of {host}: {difference}"

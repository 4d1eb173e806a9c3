"""Many hosts on one machine: an sshd of its own on a loopback port, reached under as many addresses as are asked."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Fleet", "fleet", "free_port"]

SSHD = "/usr/sbin/sshd"


@dataclass(frozen=True)
class Fleet:
    """``hosts`` are loopback addresses that one sshd answers on ``port``; ``config`` lets every ssh client in.

    ``inventory`` is Ansible's, and gives each a name.
    """

    hosts: tuple[str, ...]
    inventory: Path
    port: int
    config: Path
    known_hosts: Path
    key: Path


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def fleet(size: int) -> Iterator[Fleet]:
    """``size`` hosts, with a home that has no start-up files; raises RuntimeError where there is no sshd."""
    if not os.path.exists(SSHD):
        raise RuntimeError(f"{SSHD} (openssh-server) is missing")
    folder = Path(tempfile.mkdtemp(prefix="stackdoctor-bench-"))
    try:
        folder.chmod(0o755)  # sshd looks at the way to its keys
        made = _prepare(folder, size)
        with _sshd(folder, made.port):
            yield made
    finally:
        shutil.rmtree(folder)


def _prepare(folder: Path, size: int) -> Fleet:
    (folder / "home").mkdir()
    for name in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(folder / name)], check=True)
    shutil.copy(folder / "key.pub", folder / "authorized_keys")
    hosts = tuple(f"127.1.{number // 250}.{number % 250 + 1}" for number in range(size))
    port = free_port()
    public = (folder / "host_key.pub").read_text(encoding="ascii").strip()
    known = folder / "known_hosts"
    known.write_text("".join(f"[{host}]:{port} {public}\n" for host in hosts), encoding="ascii")
    inventory = folder / "hosts.ini"
    named = "".join(f"node{number} ansible_host={host}\n" for number, host in enumerate(hosts))
    inventory.write_text("[nodes]\n" + named, encoding="ascii")
    config = folder / "config"
    config.write_text(
        f"Host *\n Port {port}\n User {getpass.getuser()}\n IdentityFile {folder}/key\n IdentitiesOnly yes\n"
        f" UserKnownHostsFile {known}\n GlobalKnownHostsFile /dev/null\n StrictHostKeyChecking yes\n"
        " KexAlgorithms curve25519-sha256\n BatchMode yes\n LogLevel ERROR\n",
        encoding="ascii",
    )
    return Fleet(hosts, inventory, port, config, known, folder / "key")


@contextlib.contextmanager
def _sshd(folder: Path, port: int) -> Iterator[None]:
    settings = [
        f"Port {port}",
        "ListenAddress 0.0.0.0",
        f"HostKey {folder}/host_key",
        f"AuthorizedKeysFile {folder}/authorized_keys",
        "PermitRootLogin prohibit-password",
        "PasswordAuthentication no",
        "StrictModes no",
        "UsePAM no",
        "UseDNS no",
        "PidFile none",
        "LogLevel ERROR",
        # what this machine's user starts with each shell is no part of what is measured
        f"SetEnv HOME={folder}/home PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "MaxStartups 2000",
        "MaxSessions 100",
    ]
    (folder / "sshd_config").write_text("\n".join(settings) + "\n", encoding="ascii")
    if os.getuid() == 0:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    with subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=subprocess.DEVNULL) as sshd:
        try:
            _wait_for(port)
            yield
        finally:
            sshd.terminate()


def _wait_for(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{SSHD} does not listen on port {port}")

"""A Cinder volume in the lab: tgtd on the controller exports it, a guest on compute1 has it.

What is real: tgtd with its target, unit, CHAP account and access list, and the guest's initiator, which is libiscsi
as in QEMU.  What stands for what:

- the volume is a file, since the lab's hosts have no block devices; Cinder's own file of it is in its volumes folder;
- the guest is the program services/guest_disk.py, and a ``virsh`` that prints what libvirt 9.0 said of such a guest;
- the kernel's initiator is absent: what iscsiadm says is tested on recorded text.
"""

from __future__ import annotations

import contextlib
import ctypes.util
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from lab import hosts
from lab.cloud import ADDRESSES, Cloud
from lab.hosts import SERVICES, Host

__all__ = [
    "ACCOUNT",
    "BACKING",
    "GUEST",
    "IQN",
    "VOLUME",
    "iscsi_storage_up",
    "kill_tgtd",
    "logged_in",
    "missing",
    "restart_guest",
    "start_tgtd",
    "tgtadm",
]

STORAGE, COMPUTE = "controller", "compute1"
VOLUME = "d081b393-4a68-4b3a-81c1-e24a9033d57c"
IQN = f"iqn.2010-10.org.openstack:volume-{VOLUME}"
GUEST = "fdcce5e0-9950-47f5-9e85-1d94c8730485"
ACCOUNT = "GhugMC7C5UEmBfG59Nrk"
INITIATOR = "iqn.1993-08.org.debian:01:compute1"
PORTAL = f"{ADDRESSES[STORAGE]}:3260"
BACKING = f"/var/lib/volumes/volume-{VOLUME}"
EXPORT = f"/var/lib/cinder/volumes/volume-{VOLUME}"
SIZE = 64 * 1024 * 1024
PACKAGES = {"tgtd": "tgt", "tgtadm": "tgt"}

DOMAIN = f"""\
<domain type='qemu' id='1'><name>instance-00000006</name><uuid>{GUEST}</uuid><devices>
<disk type='network' device='disk'>
  <driver name='qemu' type='raw' cache='none'/>
  <source protocol='iscsi' name='{IQN}/1' index='3'>
    <host name='{ADDRESSES[STORAGE]}' port='3260'/>
    <initiator><iqn name='{INITIATOR}'/></initiator>
    <auth username='{ACCOUNT}'><secret type='iscsi' usage='vol1'/></auth>
  </source>
  <target dev='vdb' bus='virtio'/>
  <serial>{VOLUME}</serial>
</disk></devices></domain>
"""
VIRSH = f"""\
#!/bin/sh
case "$*" in
*"list --all --name") echo instance-00000006; echo ;;
*"list --all") printf ' Id   Name                State\\n-----------------------------------\\n'
    printf ' 1    instance-00000006   running\\n\\n' ;;
*"dumpxml instance-00000006") cat <<'XML'
{DOMAIN}XML
    ;;
*) echo "error: $*" >&2; exit 1 ;;
esac
"""


def missing() -> tuple[str, ...]:
    """What this part of the lab needs and this machine has not, each as ``package: what is missing``."""
    lacking = [f"{p}: {name} is missing" for name, p in PACKAGES.items() if not shutil.which(name, path=hosts.PATH)]
    if not ctypes.util.find_library("iscsi"):
        lacking.append("libiscsi-bin: libiscsi is missing")
    return tuple(lacking)


def write(host: Host, path: str, content: str | bytes, mode: int = 0o644) -> None:
    place = host.root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content if isinstance(content, bytes) else content.encode())
    place.chmod(mode)


def tgtadm(cloud: Cloud, *arguments: str) -> str:
    """What tgtadm says on the storage node; raises RuntimeError where it fails."""
    ran = cloud.run(STORAGE, "tgtadm", "--lld", "iscsi", *arguments)
    if ran.returncode:
        raise RuntimeError(f"tgtadm {' '.join(arguments)}: {ran.stderr.strip()}")
    return ran.stdout


def of(cloud: Cloud, host: str, program: str) -> list[int]:
    """The PIDs, as the host sees them, of the processes with ``program`` among their first words."""
    return [pid for pid, words in cloud.hosts[host].processes().items() if any(program in word for word in words[:2])]


def kill(cloud: Cloud, host: str, program: str) -> None:
    for pid in of(cloud, host, program):
        cloud.run(host, "kill", "-s", signal.Signals.SIGKILL.name.removeprefix("SIG"), str(pid))
    cloud.wait_until(lambda: not of(cloud, host, program), 10, f"{program} on {host} gone")


def kill_tgtd(cloud: Cloud) -> None:
    """Kill tgtd; its targets go with it."""
    kill(cloud, STORAGE, "tgtd")


def start_tgtd(cloud: Cloud, secret: str) -> None:
    """Start tgtd and make the volume's target as Cinder does: account, target, unit, access list."""
    write(cloud.hosts[STORAGE], BACKING, b"")
    os.truncate(cloud.hosts[STORAGE].root / BACKING.lstrip("/"), SIZE)
    hosts.start(cloud.hosts[STORAGE], ["/usr/sbin/tgtd", "-f"], log="/run/tgtd.output")
    show = ("tgtadm", "--lld", "iscsi", "--mode", "target", "--op", "show")
    cloud.wait_until(lambda: not cloud.run(STORAGE, *show).returncode, 20, "tgtd answers")
    tgtadm(cloud, "--mode", "target", "--op", "new", "--tid", "1", "-T", IQN)
    tgtadm(cloud, "--mode", "logicalunit", "--op", "new", "--tid", "1", "--lun", "1", "-b", BACKING)
    tgtadm(cloud, "--mode", "account", "--op", "new", "--user", ACCOUNT, "--password", secret)
    tgtadm(cloud, "--mode", "account", "--op", "bind", "--tid", "1", "--user", ACCOUNT)
    tgtadm(cloud, "--mode", "target", "--op", "bind", "--tid", "1", "-I", "ALL")


def logged_in(cloud: Cloud) -> bool:
    """Whether tgtd has the guest's session."""
    ran = cloud.run(STORAGE, "tgtadm", "--lld", "iscsi", "--mode", "target", "--op", "show")
    return not ran.returncode and f"Initiator: {INITIATOR}" in ran.stdout


def restart_guest(cloud: Cloud) -> None:
    """End the guest's session and let it log in anew, without waiting for that."""
    kill(cloud, COMPUTE, "guest_disk.py")
    host = cloud.hosts[COMPUTE]
    argv = ["/usr/bin/python3", "/usr/share/guest_disk.py", PORTAL, IQN, "1", INITIATOR, ACCOUNT, "/root/chap"]
    environment = {"PYTHONHOME": sys.base_prefix, "PYTHONDONTWRITEBYTECODE": "1"}
    hosts.start(
        host, argv, executable=os.path.realpath(sys.executable), log="/run/guest.output", environment=environment
    )


@contextlib.contextmanager
def iscsi_storage_up(cloud: Cloud) -> Iterator[str]:
    """The volume exported and the guest logged in; the value is the account's secret.  All is gone afterwards."""
    storage, compute = cloud.hosts[STORAGE], cloud.hosts[COMPUTE]
    secret = secrets.token_hex(8)  # 12 to 16 characters, as Cinder makes them
    program = shutil.which("tgtadm", path=hosts.PATH)
    assert program is not None
    write(storage, "/usr/sbin/tgtadm", Path(program).read_bytes(), 0o755)
    write(storage, EXPORT, f"<target {IQN}>\n    backing-store {BACKING}\n</target>\n")
    write(compute, "/usr/bin/virsh", VIRSH, 0o755)
    write(compute, "/usr/share/guest_disk.py", (SERVICES / "guest_disk.py").read_bytes())
    write(compute, "/root/chap", secret, 0o600)
    try:
        start_tgtd(cloud, secret)
        restart_guest(cloud)
        cloud.wait_until(lambda: logged_in(cloud), 30, "the guest's session")
        yield secret
    finally:
        with contextlib.suppress(subprocess.SubprocessError, TimeoutError):
            kill(cloud, COMPUTE, "guest_disk.py")
            kill_tgtd(cloud)
        for host, path in ((storage, "/usr/sbin/tgtadm"), (storage, EXPORT), (compute, "/usr/bin/virsh")):
            (host.root / path.lstrip("/")).unlink(missing_ok=True)

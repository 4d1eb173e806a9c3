"""Hosts of the lab: network, mount, PID, UTS and IPC namespaces on this machine, joined by a bridge, with a real sshd.

Nothing outlives the test run: every process dies with the one that made it (PR_SET_PDEATHSIG), mounts with
their namespace; the names of network namespaces that a killed run left are swept by the next one.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = [
    "PREFIX",
    "SERVICES",
    "Host",
    "await_ready",
    "begin",
    "end",
    "fabric_up",
    "file",
    "missing",
    "net_down",
    "start",
    "sweep",
]

PREFIX = "sdt"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PROGRAMS = ("ip", "iptables", "nsenter", "pivot_root", "rabbitmq-server", "setpriv", "ssh-keygen", "sshd", "unshare")
# Programs that this machine may have and that speak to daemons which no host of the lab has.
FOREIGN = ("crictl", "docker", "iscsiadm", "multipath", "mysql", "ovs-vsctl", "podman", "targetcli", "tgtadm", "virsh")
SERVICES = Path(__file__).parent / "services"
SSHD_CONFIG = """\
Port 22
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PrintMotd no
AuthorizedKeysFile /root/.ssh/authorized_keys
"""


@dataclass(frozen=True)
class Host:
    """One host: ``pid`` is its first process as this machine sees it, ``launcher`` what waits for that process."""

    name: str
    address: str
    netns: str
    pid: int
    launcher: subprocess.Popen[bytes]

    @property
    def root(self) -> Path:
        """The host's root directory as seen from here."""
        return Path(f"/proc/{self.pid}/root")

    def enter(self, *argv: str) -> list[str]:
        """The command that runs ``argv`` in the host."""
        environment = [f"PATH={PATH}", "HOME=/root", "LC_ALL=C.UTF-8", "TERM=dumb"]
        return ["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p", "env", "-i", *environment, *argv]

    def processes(self) -> dict[int, list[str]]:
        """The host's processes: PID as the host sees it -> command line."""
        found = {}
        for entry in (self.root / "proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # ended while we looked
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().decode().rstrip("\0").split("\0")
        return found


def missing() -> tuple[str, ...]:
    """What the lab needs and this machine has not; empty when the lab can run."""
    if os.geteuid():
        return ("root",)
    path = f"{os.environ.get('PATH', '')}:{PATH}"
    lacking = [program for program in PROGRAMS if not shutil.which(program, path=path)]
    lacking += [module for module in ("oslo_messaging", "oslo_log") if not importlib.util.find_spec(module)]
    if "unshare" not in lacking:
        trial = (
            'd=$(mktemp -d) && mount -t tmpfs t "$d" && mkdir "$d/u" "$d/w" "$d/m"'
            ' && mount -t overlay o -o "lowerdir=/usr,upperdir=$d/u,workdir=$d/w" "$d/m" && mount -t proc p /proc'
            ' && umount "$d/m" "$d" && rmdir "$d"'
        )
        ran = subprocess.run(
            ["unshare", "-m", "-u", "-i", "-n", "-p", "--fork", "sh", "-c", trial], capture_output=True, check=False
        )
        if ran.returncode:
            lacking.append(f"namespaces and overlay mounts ({ran.stderr.decode(errors='replace').strip()})")
    return tuple(lacking)


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def names() -> list[str]:
    listed = subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True).stdout
    return [line.split()[0] for line in listed.splitlines() if line.startswith(f"{PREFIX}-")]


def sweep() -> None:
    """Delete the names that runs which ended without cleaning up have left; live runs keep theirs."""
    for name in names():
        if not Path(f"/proc/{name.split('-')[1]}").exists():
            ip("netns", "delete", name)


def net_down(run: str) -> None:
    """Delete all names of the lab ``run``, which begins with the PID of its test run."""
    for name in names():
        if name.startswith(f"{PREFIX}-{run}-"):
            ip("netns", "delete", name)


def fabric_up(netns: str, address: str) -> None:
    """A namespace with the bridge ``sw0`` that all hosts hang on; ``address`` is its own, with prefix length."""
    ip("netns", "add", netns)
    for link in ("lo", "sw0"):
        if link != "lo":
            ip("-n", netns, "link", "add", link, "type", "bridge")
        ip("-n", netns, "link", "set", link, "up")
    ip("-n", netns, "address", "add", address, "dev", "sw0")


def attach(fabric: str, name: str, netns: str, address: str, gateway: str) -> None:
    """A leg of the fabric's bridge, named after the host, that is the host's eth0."""
    ip("netns", "add", netns)
    ip("link", "add", name, "netns", fabric, "type", "veth", "peer", "name", "eth0", "netns", netns)
    ip("-n", fabric, "link", "set", name, "master", "sw0", "up")
    for link in ("lo", "eth0"):
        ip("-n", netns, "link", "set", link, "up")
    ip("-n", netns, "address", "add", f"{address}/24", "dev", "eth0")
    ip("-n", netns, "route", "add", "default", "via", gateway)


def file(text: str, mode: int = 0o644, owner: tuple[str | int, str | int] = ("root", "root")) -> dict[str, Any]:
    """A file (or, with no text, a directory) of a host as host_init.py writes it."""
    return {"text": text, "mode": mode, "owner": owner}


def interpreter_prefixes() -> list[str]:
    """Where this Python and its packages live, outermost first, without what lies below another of them."""
    packages = (p for p in sys.path if p.endswith("-packages"))
    found: list[str] = []
    for place in sorted({os.path.realpath(p) for p in (sys.base_prefix, sys.prefix, *packages)}):
        if not any(f"{place}/".startswith(f"{outer}/") for outer in ("/usr", *found)):
            found.append(place)
    return found


def sshd_files(work: Path, name: str) -> dict[str, Any]:
    """The host's own key pair and who may log in; the client's key lies in ``work`` already."""
    key = work / f"ssh_host_{name}"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key], check=True)
    return {
        "/etc/ssh/sshd_config": file(SSHD_CONFIG),
        "/etc/ssh/ssh_host_ed25519_key": file(key.read_text(), 0o600),
        "/etc/ssh/ssh_host_ed25519_key.pub": file(key.with_suffix(".pub").read_text()),
        "/root/.ssh/authorized_keys": file((work / "id_ed25519.pub").read_text(), 0o600),
    }


def begin(
    work: Path,
    run: str,
    name: str,
    addresses: Mapping[str, str],
    gateway: str,
    files: Mapping[str, Any],
    directories: Mapping[str, Any],
    absent: Sequence[str] = (),
) -> subprocess.Popen[bytes]:
    """Attach the host to the fabric and start its first process; ``await_ready`` waits for it.

    Call it from the main thread: the host dies with the thread that began it.
    """
    netns = f"{PREFIX}-{run}-{name}"
    attach(f"{PREFIX}-{run}-fabric", name, netns, addresses[name], gateway)
    scratch = work / name
    scratch.mkdir()
    known = "".join(f"{address}\t{host}\n" for host, address in addresses.items())
    configuration = {
        "hostname": name,
        "scratch": str(scratch),
        "overlays": ["/usr", "/etc", "/var/lib/dpkg", *interpreter_prefixes()],
        "absent": [*FOREIGN, *absent],
        "directories": {"/root": file("", 0o755), "/root/.ssh": file("", 0o700), **directories},
        "files": {
            "/etc/hostname": file(f"{name}\n"),
            "/etc/hosts": file(f"127.0.0.1\tlocalhost\n{known}"),
            "/etc/resolv.conf": file(""),
            "/etc/machine-id": file(f"{secrets.token_hex(16)}\n"),
            **sshd_files(work, name),
            **files,
        },
    }
    plan = scratch / "host.json"
    plan.touch(0o600)
    plan.write_text(json.dumps(configuration))
    enter = ["setpriv", "--pdeathsig", "KILL", "ip", "netns", "exec", netns]
    namespaces = ["unshare", "-m", "-u", "-i", "-p", "--fork", "--kill-child=KILL", "--propagation", "private"]
    with plan.open("rb") as stdin, (scratch / "stderr").open("wb") as stderr:
        return subprocess.Popen(
            [*enter, *namespaces, sys.executable, SERVICES / "host_init.py"],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )


def await_ready(work: Path, run: str, name: str, address: str, launcher: subprocess.Popen[bytes]) -> Host:
    """The host that ``begin`` began, once its root file system stands and its sshd listens."""
    assert launcher.stdout is not None
    if launcher.stdout.readline() != b"ready\n":
        raise RuntimeError(f"{name} did not come up: {(work / name / 'stderr').read_text()}")
    pid = int(Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text())
    host = Host(name, address, f"{PREFIX}-{run}-{name}", pid, launcher)
    subprocess.run(host.enter("/usr/sbin/sshd", "-E", "/var/log/auth.log"), check=True)
    return host


def end(launcher: subprocess.Popen[bytes]) -> None:
    """Kill the host that ``launcher`` waits for: the kernel ends all its processes with the first; wait for it."""
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    if children:
        os.kill(int(children[0]), signal.SIGKILL)
    else:
        launcher.kill()
    launcher.wait(timeout=20)
    if launcher.stdout is not None:
        launcher.stdout.close()


def start(
    host: Host,
    argv: Sequence[str],
    *,
    executable: str = "",
    user: str = "root",
    log: str = "/dev/null",
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run ``argv`` as a daemon of the host, its parent the host's first process; ``executable`` if not argv[0]."""
    exec_it = f'exec -a "$0" {executable or argv[0]} "$@" >>{log} 2>&1 </dev/null'
    become = ["setpriv", "--reuid", user, "--regid", user, "--init-groups"] if user != "root" else []
    variables = [f"{name}={value}" for name, value in (environment or {}).items()]
    subprocess.run(host.enter("setsid", "--fork", "env", *variables, *become, "bash", "-c", exec_it, *argv), check=True)

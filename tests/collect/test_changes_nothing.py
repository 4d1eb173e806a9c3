"""The agent changes nothing on the node: seen by strace, call by call, and by pictures before and after."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from stackdoctor.collect.frames import bootstrap, opening
from stackdoctor.collect.plan import Plan
from stackdoctor.diagnose.knowledge import load_knowledge
from stackdoctor.facts.every import every_fact

CALLS = "open,openat,openat2,creat,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,rmdir,link,linkat,symlink"
MORE = "symlinkat,mknod,mknodat,chmod,fchmod,fchmodat,chown,fchown,lchown,fchownat,truncate,utimensat,utime"
REST = "setxattr,fsetxattr,lsetxattr,mount,umount2,init_module,finit_module,delete_module,sethostname,settimeofday"
LOADING = "execve,execveat,socket"
LOADERS = re.compile(r'execve(?:at)?\((?:[^"]*, )?"[^"]*?(?:modprobe|insmod|kmod|depmod|rmmod)"')
# whoever wants a module loaded asks here which program does it: iptables' xtables.c, get_modprobe()
ASKED_FOR_A_LOADER = '"/proc/sys/kernel/modprobe"'
SOCK_DIAG = "NETLINK_SOCK_DIAG"
HARMLESS = ("/dev/null", "/dev/tty", "/dev/pts/", "/dev/mapper/control", "/dev/shm/sem", "/memfd:")
# ip netns exec shows the namespace's own /sys to its command, in a mount namespace that ends with it (ip-netns(8))
OWN_MOUNTS = re.compile(
    r'mount\("", "/", \S+, MS_REC\|MS_SLAVE|umount2\("/sys", MNT_DETACH|mount\("[^"]*", "/sys", "sysfs"'
)
# ovs-appctl opens it for writing to ask who holds its lock, and writes nothing (OVS, lib/daemon-unix.c)
ASKED = re.compile(r".*/ovs-vswitchd\.pid\Z")
OPENED = re.compile(r'(?:open|openat|openat2|creat)\((?:[^"]*, )?"([^"]*)", (\S*?O_(?:WRONLY|RDWR|CREAT)\S*|0\d+)')


def everything() -> Plan:
    """All that can be asked, but for the APIs, which are asked over the network."""
    plan = load_knowledge().plan(since=60.0, seconds=50.0, facts=every_fact())
    return replace(plan, apis=())


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The system calls by which the agent, or what it runs for the whole plan, can change anything; failed ones too."""
    tmp_path = tmp_path_factory.mktemp("traced")
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is missing")
    trace = tmp_path / "trace"
    trial = subprocess.run([strace, "-f", "-o", trace, "true"], check=False, capture_output=True)
    if trial.returncode:
        pytest.skip(f"strace may not: {trial.stderr!r}")
    command = [strace, "-f", "-qq", "-s", "200", "-e", f"trace={CALLS},{MORE},{REST},{LOADING}", "-o", str(trace)]
    process = subprocess.Popen(
        [*command, "sh", "-c", bootstrap()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(opening(everything()))
    process.stdin.flush()
    said = process.stdout.read()
    process.stdin.close()
    process.wait(60)
    assert b'"kind":"done"' in said
    lines = (line.partition(" ")[2].strip() for line in trace.read_text(errors="replace").splitlines())
    return [line for line in lines if re.match(r"[a-z_0-9]+\(", line)]


def loads(call: str) -> bool:
    """Whether a system call loads a kernel module, runs who does, or makes the kernel do it."""
    if call.startswith(("init_module", "finit_module", "delete_module")):
        return True
    return bool(LOADERS.match(call)) or ASKED_FOR_A_LOADER in call or SOCK_DIAG in call


def test_nothing_that_runs_loads_a_module_or_asks_who_would(calls: list[str]) -> None:
    """Nor is the socket made for which the kernel itself would load tcp_diag and udp_diag (sock_diag(7))."""
    assert sum(call.startswith("execve(") for call in calls) > 20
    loading = [call for call in calls if loads(call)]
    assert not loading, "\n".join(loading[:20])


@pytest.mark.parametrize("command", [["modprobe", "--dry-run", "nosuch"], ["ss", "-lnt"]], ids=["loader", "sock_diag"])
def test_what_would_have_a_module_loaded_is_seen(command: list[str], tmp_path: Path) -> None:
    """The test above fails of these."""
    strace, program = shutil.which("strace"), shutil.which(command[0])
    if strace is None or program is None:
        pytest.skip(f"strace or {command[0]} is missing")
    trace = tmp_path / "trace"
    traced = [strace, "-f", "-qq", "-e", f"trace={CALLS},{LOADING}", "-o", str(trace), *command]
    subprocess.run(traced, check=False, capture_output=True)
    if not trace.exists():
        pytest.skip("strace may not")
    assert any(loads(line.partition(" ")[2].strip()) for line in trace.read_text(errors="replace").splitlines())


def test_neither_the_agent_nor_what_it_runs_opens_anything_for_writing(calls: list[str]) -> None:
    changes = []
    for call in calls:
        name = call.partition("(")[0]
        if " = -1 " in call or name in LOADING.split(","):
            continue
        if name.startswith(("open", "creat")):
            found = OPENED.match(call)
            if found and not found[1].startswith(HARMLESS) and not ASKED.match(found[1]):
                changes.append(call)
        elif not OWN_MOUNTS.match(call):
            changes.append(call)
    assert not changes, "\n".join(changes[:20])

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


def test_neither_the_agent_nor_what_it_runs_opens_anything_for_writing(tmp_path: Path) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is missing")
    trace = tmp_path / "trace"
    trial = subprocess.run([strace, "-f", "-o", trace, "true"], check=False, capture_output=True)
    if trial.returncode:
        pytest.skip(f"strace may not: {trial.stderr!r}")
    command = [strace, "-f", "-qq", "-s", "200", "-e", f"trace={CALLS},{MORE},{REST}", "-o", str(trace)]
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
    assert b'"kind": "done"' in said
    changes = []
    for line in trace.read_text(errors="replace").splitlines():
        call = line.partition(" ")[2].strip()
        if " = -1 " in call or not re.match(r"[a-z_0-9]+\(", call):
            continue
        name = call.partition("(")[0]
        if name.startswith(("open", "creat")):
            found = OPENED.match(call)
            if found and not found[1].startswith(HARMLESS) and not ASKED.match(found[1]):
                changes.append(call)
        elif not OWN_MOUNTS.match(call):
            changes.append(call)
    assert not changes, "\n".join(changes[:20])

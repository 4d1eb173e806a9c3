#!/usr/bin/env python3
"""Look again and again, and see that nothing is left: no process, descriptor, socket, temporary file or memory.

    bench/soak.py [--runs 50] [--local] [--sshd]

The looks go over real SSH to the recorded cloud that `--demo` serves in this process, and with --local to this machine
as well, where the real agent runs.  With --sshd they go to the real agent behind a real sshd instead, with a plan that
takes a second.  Memory is what grows in the second half of the looks: the first fills caches and arenas.
Exit status: 0 nothing is left, 1 something is.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib.util
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from stackdoctor.collect.plan import Plan
from stackdoctor.collect.run import Options, collect
from stackdoctor.demo.cloud import recorded_cloud
from stackdoctor.demo.server import DemoCloud
from stackdoctor.diagnose.knowledge import load_knowledge
from stackdoctor.facts.host import Disks, Load, Memory
from stackdoctor.facts.processes import Processes
from stackdoctor.model import Node

CHEAP = (Processes, Disks, Memory, Load)
WARM = 5  # looks before the first count: imports, caches, arenas
MEMORY = 4 << 20  # what an allocator may keep
SETTLED = 10.0


def main() -> int:
    """The looks, and what is different after them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--local", action="store_true")
    parser.add_argument("--sshd", action="store_true")
    given = parser.parse_args()
    knowledge = load_knowledge((), (), ())
    plan = replace(knowledge.plan(since=60.0, seconds=60.0), apis=())
    if given.sshd:
        plan = Plan(tuple(probe for fact in CHEAP for probe in fact.probes), seconds=60.0)
    began = time.monotonic()
    with real_node() if given.sshd else recorded_cloud() as cloud:
        nodes = [*cloud.nodes, *([Node("localhost")] if given.local else [])]
        options = Options(timeout=60.0, known_hosts=cloud.known_hosts, ssh_config="/nonexistent")
        first: dict[str, int] = {}
        halfway = 0
        for run in range(given.runs + WARM):
            if run == WARM:
                first = settled({})
            if run == WARM + given.runs // 2:
                halfway = settled({})["memory"]
            failures = [r.failure for r in collect(nodes, plan, options) if r.failure]
            if failures:
                print(f"run {run}: {failures}")
                return 1
        last = settled(first)
    print(f"{given.runs} looks at {len(nodes)} nodes in {time.monotonic() - began:.0f} s")
    bad = False
    print(f"{'':<12} {'before':>12} {'after':>12}   (memory: half of the looks, all of them)")
    for what, before in {**first, "memory": halfway}.items():
        more = last[what] - before
        left = more > (MEMORY if what == "memory" else 0)
        bad = bad or left
        print(f"{what:<12} {before:>12} {last[what]:>12} {'LEFT BEHIND' if left else ''}")
    return int(bad)


@contextlib.contextmanager
def real_node() -> Iterator[DemoCloud]:
    """The sshd of the tests; what it starts for us has our mark in its environment."""
    file = Path(__file__).parent.parent / "tests" / "collect" / "test_sshd.py"
    spec = importlib.util.spec_from_file_location("test_sshd", file)
    assert spec is not None
    assert spec.loader is not None
    tests = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tests)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sshd-", dir="/tmp"))
        mark = f"SetEnv SOAK={os.getpid()} TMPDIR={tempfile.gettempdir()}"
        yield DemoCloud((stack.enter_context(tests.running(Path(folder), mark)),), f"{folder}/known_hosts")


def settled(expected: dict[str, int]) -> dict[str, int]:
    """The counts, after those that end by themselves have had their time."""
    until = time.monotonic() + SETTLED
    while True:
        gc.collect()
        found = counts()
        rest = [k for k, v in expected.items() if k != "memory" and found[k] > v]
        if (expected and not rest) or time.monotonic() > until:
            return found
        threading.Event().wait(0.2)


def counts() -> dict[str, int]:
    """What this process holds, and what of it lies in the file system."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    links = []
    for name in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:
            continue  # the listing's own
    return {
        "processes": sum(1 for pid in pids if is_ours(pid)),
        "threads": threading.active_count(),
        "descriptors": len(links),
        "sockets": sum(1 for link in links if link.startswith("socket:")),
        "files": sum(1 for _ in Path(tempfile.gettempdir()).iterdir()),
        "memory": int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE"),
    }


def is_ours(pid: int) -> bool:
    """Whether a process is an agent, or a child of this one."""
    try:
        if int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) == os.getpid():
            return True
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        return pid != os.getpid() and f"SOAK={os.getpid()}".encode() in environment.split(b"\0")
    except OSError:
        return False


if __name__ == "__main__":
    os.environ["SOAK"] = str(os.getpid())
    tempfile.tempdir = tempfile.mkdtemp(prefix="soak-")  # its own, for others write to the common one
    try:
        sys.exit(main())
    finally:
        os.rmdir(tempfile.tempdir)

"""What a look costs its node: last in line for processor and disk, within a budget, and less where there is trouble."""

import os
import resource
from typing import Any, Dict, Iterable

IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "riscv64": 30, "ppc64le": 273, "s390x": 282}  # asm/unistd.h
IDLE = 3 << 13  # ioprio_set(2): IOPRIO_CLASS_IDLE
TICKS = os.sysconf("SC_CLK_TCK")
HIGH_LOAD = 4.0  # times the processors
SCARCE = 0.03  # of the memory
BLOCKED = 10  # processes in uninterruptible sleep


def step_back(cpu_seconds: float = 0.0) -> None:
    """Take the last place for processor and disk, leave no core files, and let no process use more than the budget."""
    os.nice(19)
    idle_disk()
    # 1 and not 0: of a core that is piped into a program the kernel looks at no other limit (core(5))
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if hard != 0:
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    if cpu_seconds:
        most = int(cpu_seconds) + 2  # what watches the sum ends things first, and says so
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        if hard == resource.RLIM_INFINITY or hard > most + 2:
            resource.setrlimit(resource.RLIMIT_CPU, (most, most + 2))


def idle_disk() -> None:
    """Have the disk serve all others first: by the system call, for which Python has no function.

    By _ctypes itself: to import ctypes makes a callback, for which libffi may write a file.
    """
    try:
        import _ctypes

        call: Any = _ctypes
        number = IOPRIO_SET[os.uname().machine]
        call.call_function(call.dlsym(call.dlopen(None, 0), "syscall"), (number, 1, 0, IDLE))
    except (ImportError, AttributeError, OSError, KeyError):
        pass  # nice 19 alone: most schedulers derive the disk's turn from it


def trouble() -> str:
    """Why this node should be asked for less: its load, its memory, or what waits for a disk; empty when it is well."""
    cpus = os.cpu_count() or 1
    try:
        load = float(first_line("/proc/loadavg").split()[0])
        memory = amounts("/proc/meminfo", (b"MemTotal:", b"MemAvailable:"))
        blocked = amounts("/proc/stat", (b"procs_blocked",)).get(b"procs_blocked", 0)
    except (OSError, ValueError, IndexError):
        return ""
    total, available = memory.get(b"MemTotal:", 0), memory.get(b"MemAvailable:", 0)
    if load > HIGH_LOAD * cpus:
        return "load %.1f on %d CPUs" % (load, cpus)
    if total and b"MemAvailable:" in memory and available < SCARCE * total:
        return "%d of %d MiB of memory available" % (available >> 10, total >> 10)
    if blocked > max(BLOCKED, cpus):
        return "%d processes in uninterruptible sleep" % blocked
    return ""


def first_line(path: str) -> str:
    with open(path, "rb") as file:
        return file.readline(4096).decode("ascii", "replace")


def amounts(path: str, names: Iterable[bytes]) -> Dict[bytes, int]:
    """The numbers behind ``names`` in a file of ``name number`` lines."""
    found: Dict[bytes, int] = {}
    with open(path, "rb") as file:
        for line in file:
            words = line.split(None, 2)
            if words and words[0] in names:
                found[words[0]] = int(words[1])
    return found


def processor_seconds(pids: Iterable[int]) -> float:
    """Seconds of processor that this process, what it has waited for, and those that still run have used."""
    return sum(os.times()[:4]) + sum(ticks_of(pid) for pid in pids) / float(TICKS)


def ticks_of(pid: int) -> int:
    """User and system time of a process and of its children that it has waited for (proc(5), fields 14 to 17)."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            fields = file.read(4096).rpartition(b")")[2].split()
        return sum(int(field) for field in fields[11:15])
    except (OSError, ValueError):
        return 0

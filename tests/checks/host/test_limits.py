"""Open files, memory, processes in the kernel and clocks: what is wrong, and what comes near to it."""

from __future__ import annotations

import pytest

from stackdoctor.model import Status

GIB = 1048576
PS = "PID PPID USER STAT STARTED ELAPSED %CPU %MEM RSS NLWP WCHAN COMMAND\n"
FOLLOWS = "C000020C,192.0.2.12,4,1795384800.7,{0},-0.0,0.0,-1.2,-0.0,203.3,0.0,0.0,2.1,Normal\n"
LOST = "00000000,,0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,1.0,1.0,0.0,Not synchronised\n"
HEARD = "^,*,192.0.2.12,3,6,377,3,0.000024194,0.000022336,0.000086284\n"
UNHEARD = "^,?,192.0.2.99,0,6,0,4294967295,0.000000000,0.000000000,0.000000000\n"


def process(command: str, age: int = 9000, stat: str = "Ssl", wchan: str = "poll", pid: int = 396) -> str:
    return f"{pid} 1 root {stat} Sun Nov 22 16:05:25 2026 {age} 0.9 0.8 219620 58 {wchan} {command}\n"


@pytest.mark.parametrize(
    ("text", "found"), [("97000 0 100000", True), ("90000 0 100000", False), ("99000 0 " + "9" * 18, False)]
)
def test_open_files_are_counted_against_the_hosts_limit(look, text, found) -> None:
    seen = look(ctl1={"host.file-nr /proc/sys/fs/file-nr": text})
    assert ("host.files.exhausted" in seen.findings) is found


@pytest.mark.parametrize(
    ("available", "swap", "found"), [(GIB // 5, 0, True), (GIB // 5, 8 * GIB, False), (2 * GIB, 0, False)]
)
def test_memory_is_low_when_swap_is_used_up_too(look, available, swap, found) -> None:
    text = f"MemTotal: {512 * GIB} kB\nMemFree: 1 kB\nMemAvailable: {available} kB\nSwapTotal: {8 * GIB} kB\n"
    seen = look(ctl1={"host.meminfo /proc/meminfo": text + f"SwapFree: {swap} kB\n"})
    assert ("host.memory.low" in seen.findings) is found


@pytest.mark.parametrize(
    ("wchan", "count", "load", "found"),
    [
        ("rpc_wait_bit_killable", 4, "1.0 1.0 1.0", True),
        ("rpc_wait_bit_killable", 2, "1.0 1.0 1.0", False),
        ("io_schedule", 4, "3.0 3.0 3.0", False),
        ("io_schedule", 4, "38.2 54.8 48.5", True),
    ],
)
def test_processes_that_wait_for_a_disk_now_and_then_do_not_hang(look, wchan, count, load, found) -> None:
    rows = "".join(process(f"/usr/bin/python3 x{n}", stat="D", wchan=wchan, pid=400 + n) for n in range(count))
    seen = look(ctl1={"processes": PS + rows, "host.loadavg /proc/loadavg": load + " 7/464 4257\n", "host.cpus": "4\n"})
    assert ("host.processes.stuck" in seen.findings) is found


def clock(tracking: str, sources: str = HEARD, age: int = 9000) -> dict:
    return {
        "chrony.tracking": tracking,
        "chrony.sources": sources,
        "ntp.peers": Status.MISSING,
        "timesyncd.synchronized": Status.MISSING,
        "processes": PS + process("/usr/sbin/chronyd -F 1", age),
    }


@pytest.mark.parametrize(
    ("node", "found"),
    [
        (clock(FOLLOWS.format("0.000008")), False),
        (clock(FOLLOWS.format("-4.2")), True),
        (clock(FOLLOWS.format("0.0"), UNHEARD), True),
        (clock(LOST, UNHEARD), True),
        (clock(LOST, UNHEARD, age=60), False),
    ],
)
def test_a_clock_that_nobody_keeps_is_a_warning(look, node, found) -> None:
    seen = look(ctl1=node)
    assert set(seen.findings) == ({"host.clock.unsynchronised"} if found else set())
    assert seen.causes == []


@pytest.mark.parametrize(
    ("status", "age", "found"), [("missing", 9000, True), ("missing", 60, False), ("", 9000, False)]
)
def test_a_timesyncd_that_heard_no_server_leaves_no_file(look, status, age, found) -> None:
    none = dict.fromkeys(("chrony.tracking", "chrony.sources", "ntp.peers", "timesyncd.synchronized"), Status.MISSING)
    none["processes"] = PS + process("/lib/systemd/systemd-timesyncd", age)
    if not status:
        del none["timesyncd.synchronized"]
        none["timesyncd.synchronized /run/systemd/timesync/synchronized"] = ""
    assert ("host.clock.unsynchronised" in look(ctl1=none).findings) is found

"""A file system that takes a read and never answers: a real one, in /dev/fuse, whose readers sleep uninterruptibly."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import struct
import subprocess
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stackdoctor.collect.plan import Plan
from stackdoctor.model import Probe, Status

Start = Callable[..., Any]

# include/uapi/linux/fuse.h
LOOKUP, FORGET, GETATTR, OPEN, READ, INIT, INTERRUPT, FORGET_MANY = 1, 2, 3, 14, 15, 26, 36, 42
NOT_ANSWERED = (FORGET, INTERRUPT, FORGET_MANY)
HEAD = struct.Struct("<IIQQIIII")
MNT_FORCE = 1


def attributes(node: int) -> bytes:
    """The root is a folder, all else a file of a page."""
    mode, size = (0o040755, 0) if node == 1 else (0o100644, 4096)
    return struct.pack("<6Q10I", node, size, 8, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def answer(opcode: int, node: int, name: bytes) -> bytes | None:
    """What the kernel is told; None: an error, for what this file system cannot do."""
    if opcode == INIT:
        return struct.pack("<IIIIHHIIHHI7I", 7, 31, 0, 0, 12, 9, 4096, 1, 1, 0, 0, *[0] * 7)
    if opcode == LOOKUP:
        inode = 2 + zlib.crc32(name)
        return struct.pack("<4Q2I", inode, 0, 60, 60, 0, 0) + attributes(inode)
    if opcode == GETATTR:
        return struct.pack("<QII", 60, 0, 0) + attributes(node)
    if opcode == OPEN:
        return struct.pack("<QII", 1, 0, 0)
    return None


@contextlib.contextmanager
def silent(folder: Path) -> Iterator[threading.Semaphore]:
    """Mounted at ``folder``, where every name is a file; what it yields is released for each that is being read."""
    asleep = threading.Semaphore(0)
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        device = os.open("/dev/fuse", os.O_RDWR)
    except OSError as error:
        pytest.skip(f"/dev/fuse: {error.strerror}")
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    if libc.mount(b"silent", bytes(folder), b"fuse", 0, options):
        os.close(device)
        pytest.skip(f"no FUSE may be mounted: {os.strerror(ctypes.get_errno())}")

    def serve() -> None:
        with contextlib.suppress(OSError):  # ENODEV: it is not mounted any more
            while True:
                request = os.read(device, 1 << 17)
                _, opcode, unique, node, *_ = HEAD.unpack_from(request)
                if opcode == READ:
                    asleep.release()
                elif opcode not in NOT_ANSWERED:
                    said = answer(opcode, node, request[HEAD.size :])
                    error = 0 if said is not None else -38
                    os.write(device, struct.pack("<IiQ", 16 + len(said or b""), error, unique) + (said or b""))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield asleep
    finally:
        libc.umount2(bytes(folder), MNT_FORCE)  # wakes who sleeps there, with an error
        libc.umount2(bytes(folder), 2)
        thread.join()
        os.close(device)


def test_a_read_that_never_returns_costs_its_own_file_only(start: Start, tmp_path: Path) -> None:
    (tmp_path / "before").write_text("x")
    stuck = tmp_path / "stuck"
    stuck.mkdir()
    probes = (
        Probe("stuck", files=(f"{tmp_path}/before", f"{stuck}/file"), timeout=0.5),
        Probe("command", ("echo", "y")),
        Probe("reader", ("cat", f"{stuck}/other"), timeout=0.5),
        Probe("next", files=("/proc/uptime",)),
    )
    with silent(stuck) as asleep:
        talk = start(Plan(probes, seconds=10.0))
        talk.until(lambda: any(frame.header["kind"] == "done" for frame in talk.frames))
        assert asleep.acquire(timeout=0)
    assert talk.one("stuck", f"{tmp_path}/before").stdout == b"x"
    file = talk.one("stuck", f"{stuck}/file")
    assert (file.status, file.reason) == (Status.TIMED_OUT, "its file system did not answer within 0.5 s")
    assert talk.one("reader").status is Status.TIMED_OUT
    assert talk.one("command").stdout == b"y\n"
    assert talk.one("next", "/proc/uptime").status is Status.RAN


def test_the_end_of_its_channel_ends_an_agent_that_has_commands_there(start: Start, tmp_path: Path) -> None:
    """Six of them sleep where no signal wakes them; the agent itself is gone within five seconds all the same."""
    stuck = tmp_path / "stuck"
    stuck.mkdir()
    probes = tuple(Probe(f"reader{n}", ("cat", f"{stuck}/{n}"), timeout=50.0) for n in range(6))
    with silent(stuck) as asleep:
        talk = start(Plan(probes, seconds=50.0, parallel=6))
        assert all(asleep.acquire(timeout=20.0) for _ in probes)
        handle = os.pidfd_open(talk.process.pid)
        assert talk.process.stdin is not None
        talk.process.stdin.close()
        gone = select.select([handle], [], [], 5.0)[0]
        os.close(handle)
    assert gone, "the agent outlives its channel by more than five seconds"
    assert subprocess.run(["pgrep", "-f", str(stuck)], check=False, capture_output=True).stdout == b""

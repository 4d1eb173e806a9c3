"""One running command: its pipes, its time-out, its process group."""

import errno
import os
import signal
import time
from functools import lru_cache
from typing import Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from stackdoctor.collect.agent.process import Process

PIECE = 1 << 16
F_SETPIPE_SZ = 1031  # fcntl(2)
GRACE = 0.5  # after a command ended, for what it left holding its pipes
STUBBORN = 2.0  # between SIGTERM and SIGKILL
UNQUOTED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-")


Ended = NamedTuple(
    "Ended",
    [
        ("status", str),
        ("exit", Optional[int]),
        ("out", bytes),
        ("err", bytes),
        ("started", float),
        ("seconds", float),
        ("reason", str),
    ],
)
"""How a command ended; ``status`` as in the tool's model."""


class Child:
    """One running command, in a session of its own."""

    def __init__(
        self,
        argv: List[str],
        timeout: float,
        cap: int,
        on_end: Callable[[Ended], None],
        sink: Optional[Callable[[bytes], None]] = None,
        stdin: Optional[int] = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.argv = argv
        self.cap = cap
        self.on_end = on_end
        self.sink = sink
        self.out = bytearray()
        self.err = bytearray()
        self.status = "ran"
        self.reason = ""
        self.started = time.time()
        self.began = time.monotonic()
        self.deadline = self.began + timeout
        self.timeout = timeout
        self.terminated = 0.0
        self.killed = 0.0
        self.family: Dict[int, str] = {}
        self.exited = 0.0
        self.process = Process(argv, stdin, pass_fds)
        self.streams = {self.process.stdout: self.out, self.process.stderr: self.err}

    def take(self, fd: int, data: bytes) -> None:
        kept = self.streams[fd]
        if kept is self.out and self.sink is not None:
            self.sink(data)
            return
        kept += data
        if len(kept) > self.cap:
            del kept[self.cap :]
            self.status, self.reason = "truncated", "output cut after %d bytes" % self.cap
            self.terminate()

    def terminate(self) -> None:
        if not self.terminated:
            self.terminated = time.monotonic()
            self.signal(signal.SIGTERM)

    def signal(self, number: int) -> None:
        self.family.update(descendants(self.process.pid))
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass
        except PermissionError:  # what sudo started is root's: only sudo may end it
            import subprocess

            try:
                subprocess.call(
                    ["sudo", "-n", "kill", "-%d" % number, "--", "-%d" % self.process.pid],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    timeout=STUBBORN,
                )
            except (OSError, subprocess.TimeoutExpired):
                pass  # it has the end of its pipes and of its parent left to notice
        for pid, born in self.family.items():
            if born_at(pid) == born:  # a number that was given to another process since is not ours
                try:
                    os.kill(pid, number)
                except OSError:
                    pass  # it has ended

    def next_event(self) -> float:
        if self.exited:
            return self.exited + GRACE
        if self.killed:
            return self.killed + STUBBORN
        return self.terminated + STUBBORN if self.terminated else self.deadline

    def tick(self, now: float) -> bool:
        """Act on what time has brought; whether it is over."""
        if not self.exited and self.process.poll() is not None:
            self.exited = now
        if self.exited:
            if self.streams and now < self.exited + GRACE:
                return False
            if self.streams or self.terminated:
                self.signal(signal.SIGKILL)  # what it left running
            return True
        if self.killed:
            return now >= self.killed + STUBBORN  # in uninterruptible sleep: it dies when it wakes
        if self.terminated:
            if now >= self.terminated + STUBBORN:
                self.killed = now
                self.signal(signal.SIGKILL)
        elif now >= self.deadline:
            self.status, self.reason = "timed-out", "ended after %g s" % self.timeout
            self.terminate()
        return False

    def ended(self) -> Ended:
        code = self.process.returncode
        return Ended(
            self.status,
            code if code is None or code >= 0 else 128 - code,
            bytes(self.out),
            bytes(self.err),
            self.started,
            time.monotonic() - self.began,
            self.reason,
        )


def born_at(pid: int) -> str:
    """When a process was started, in clock ticks since the boot (proc(5)); empty where there is none."""
    return stat_of(pid)[1]


def stat_of(pid: int) -> Tuple[int, str]:
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            fields = file.read(4096).rpartition(b")")[2].split()
        return int(fields[1]), fields[19].decode("ascii")
    except (OSError, IndexError, ValueError):
        return 0, ""


def descendants(root: int) -> Dict[int, str]:
    """The processes below ``root``, whatever group and session they are in, each with its birth."""
    known = {int(name): stat_of(int(name)) for name in os.listdir("/proc") if name.isdigit()}
    children: Dict[int, List[int]] = {}
    for pid, (parent, _) in known.items():
        children.setdefault(parent, []).append(pid)
    found: Dict[int, str] = {}
    below = list(children.get(root, ()))
    while below:
        pid = below.pop()
        if pid not in found:
            found[pid] = known[pid][1]
            below += children.get(pid, ())
    return found


def start(
    argv: List[str],
    timeout: float,
    cap: int,
    on_end: Callable[[Ended], None],
    sink: Optional[Callable[[bytes], None]] = None,
    stdin: Optional[int] = None,
    pass_fds: Sequence[int] = (),
) -> Optional[Child]:
    """A running child; where it cannot be started, ``on_end`` is told at once."""
    try:
        return Child(argv, timeout, cap, on_end, sink, stdin, pass_fds)
    except (OSError, ValueError) as error:
        number = getattr(error, "errno", 0)
        status = {errno.ENOENT: "missing", errno.EACCES: "denied", errno.EPERM: "denied"}.get(number, "not-run")
        on_end(Ended(status, None, b"", b"", time.time(), 0.0, "%s: %s" % (argv[0], getattr(error, "strerror", error))))
        return None


@lru_cache(maxsize=None)
def which(program: str) -> str:
    """Where a program is; empty where it is not.  shutil takes longer to import than to ask for all of them."""
    for folder in os.environ["PATH"].split(":"):
        path = program if "/" in program else folder + "/" + program
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    return ""


def shlex_join(argv: Iterable[str]) -> str:
    """As shlex.join: that module takes longer to import than all words of a look to quote."""
    return " ".join(quoted(word) for word in argv)


def quoted(word: str) -> str:
    """As a shell has to be given it."""
    return word if word and UNQUOTED.issuperset(word) else "'%s'" % word.replace("'", "'\"'\"'")

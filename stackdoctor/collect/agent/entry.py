"""The conversation: hello, the answers, done."""

import fcntl
import json
import os
import resource
import shutil
import signal
import sys
import time
from typing import Any, Callable, Dict, Iterator, Optional

from stackdoctor.collect.agent.asker import Asker
from stackdoctor.collect.agent.commands import Child, Ended, start
from stackdoctor.collect.agent.logscan import F_SETPIPE_SZ, LogScan
from stackdoctor.collect.agent.loop import Hangup, Loop
from stackdoctor.collect.agent.wire import write_frame

BOOT = (
    "import sys;b=sys.stdin.buffer;s=b.read(int(b.readline()));"
    'exec(compile(s,"stackdoctor-agent","exec"),{"__name__":"__agent__","SOURCE":s})'
)
LOGS = {"id": "logs.hits"}
SCAN = "grep -E -a -b -f SIGNATURES LOGS"
FILES = 4096  # every log of the window is held open
FAREWELL = 2.0  # for the second agent, to hand over what it has when the time is used up
PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"


def hello(plan: Dict[str, Any]) -> Dict[str, Any]:
    now = time.time()
    here = time.localtime(now)
    return {
        "kind": "hello",
        "version": 1,
        "hostname": os.uname().nodename,
        "now": now,
        "utc_offset": here.tm_gmtoff,
        "zone": here.tm_zone,
        "python": "%d.%d.%d" % sys.version_info[:3],
        "uid": os.getuid(),
    }


def main(plan: Dict[str, Any], stdin_fd: int = 0, stdout_fd: int = 1) -> int:
    """Carry out ``plan``; the exit status is 0 when all was answered, 1 when nobody listened any more."""
    began = time.monotonic()
    os.umask(0o077)
    os.environ["PATH"] = os.environ.get("PATH", "") + ":" + PATH
    os.environ["LC_ALL"] = "C.UTF-8" if sys.version_info >= (3, 7) else "C"
    for name in ("LANGUAGE", "BASH_ENV", "ENV", "PYTHONPATH", "GREP_OPTIONS", "POSIXLY_CORRECT"):
        os.environ.pop(name, None)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY or most > FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, most))
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    loop = Loop(plan["parallel"], plan["seconds"], stdin_fd)
    asker = Asker(loop, stdout_fd)
    try:
        write_frame(stdout_fd, hello(plan))
        os.nice(19)
        asker.ask_all(plan["probes"])
        if plan["logs"] is not None:
            asker.unanswered[LOGS["id"]] = None
            scan_logs(plan, loop, asker)
        loop.run()
        asker.leave()
        usage = os.times()
        done = {
            "kind": "done",
            "seconds": time.monotonic() - began,
            "cpu": sum(usage[:4]),
            "commands": loop.commands,
            "left_out": list(asker.unanswered),
        }
        write_frame(stdout_fd, done)
        return 0
    except (Hangup, BrokenPipeError, ConnectionError):
        return 1
    finally:
        loop.kill()


def scan_logs(plan: Dict[str, Any], loop: Loop, asker: Asker) -> None:
    def scan() -> None:
        LogScan(plan["logs"], loop, lambda ended: asker.send(LOGS, "", SCAN, ended)).begin()

    if os.getuid() == 0 or not shutil.which("sudo"):
        scan()
        return

    def allowed(checked: Ended) -> None:
        if checked.status == "ran" and checked.exit == 0:
            loop.add(lambda: scan_as_root(plan, loop, asker, scan))
        else:
            scan()

    asker.listing(["sudo", "-n", "true"], allowed)


def scan_as_root(plan: Dict[str, Any], loop: Loop, asker: Asker, otherwise: Callable[[], None]) -> Optional[Child]:
    """The log scan by a second agent under sudo: most logs are their service's and root's only."""
    source = globals().get("SOURCE", b"")
    seconds = max(1.0, loop.deadline - time.monotonic() - FAREWELL)
    wire = json.dumps(dict(plan, probes=[], seconds=seconds)).encode("ascii")
    opening = b"%d\n%b%d\n%b" % (len(source), source, len(wire), wire)
    read, write = os.pipe()
    fcntl.fcntl(write, F_SETPIPE_SZ, 1 << 20)
    os.write(write, opening)

    def ended(result: Ended) -> None:
        os.close(write)  # held until now: its end would have meant that nobody listens
        frame = next((f for f in frames(result.out) if json.loads(f.split(b"\n", 1)[0]).get("kind") == "result"), None)
        if frame is None:
            otherwise()
            return
        head, _, body = frame.partition(b"\n")
        header = json.loads(head)
        out = body[: header["out"]]
        asker.send(LOGS, "", "sudo -n -- " + SCAN, Ended("ran", 0, out, b"", header["started"], header["seconds"], ""))

    try:
        argv = ["sudo", "-n", "--", "python3", "-c", BOOT]
        return start(argv, max(1.0, loop.deadline - time.monotonic()), 1 << 26, ended, stdin=read)
    finally:
        os.close(read)


def frames(stream: bytes) -> Iterator[bytes]:
    """The payloads of the frames in ``stream``."""
    while stream.startswith(b"SD1 "):
        length = int(stream[4:12], 16)
        if len(stream) < 13 + length:
            return  # it was cut off
        yield stream[13 : 13 + length]
        stream = stream[13 + length :]


if __name__ == "__agent__":
    received = sys.stdin.buffer.read(int(sys.stdin.buffer.readline()))
    status = main(json.loads(received.decode("utf-8")))
    sys.stdout.flush()
    os._exit(status)

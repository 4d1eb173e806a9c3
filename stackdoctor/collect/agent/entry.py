"""The conversation: hello, the answers, done."""

import fcntl
import os
import resource
import select
import signal
import sys
import time
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from stackdoctor.collect.agent.asker import Asker
from stackdoctor.collect.agent.burden import step_back, trouble
from stackdoctor.collect.agent.cloudlogin import API_SOURCE, NO_RC, read_apis
from stackdoctor.collect.agent.commands import F_SETPIPE_SZ, Child, Ended, start, which
from stackdoctor.collect.agent.globs import found_by
from stackdoctor.collect.agent.logscan import LogScan
from stackdoctor.collect.agent.loop import Hangup, Loop
from stackdoctor.collect.agent.threads import begin
from stackdoctor.collect.agent.wire import BOOT, Post, frame, packed, piece, unpacked, write_all

LOGS = {"id": "logs.hits"}
SCAN = "grep -E -a -b -f SIGNATURES LOGS"
FILES = 4096  # every log of the window is held open
CONTROLS = rb"keystone|nova-(?:api|conductor)|neutron-server|cinder-api"
SUDO = ("sudo", "-n", "--")
FAREWELL = 2.0  # for the second agent, to hand over what it has when the time is used up
OVERDUE = 30.0  # after the node's time, for answers that travel slowly
PATIENCE = 2.0
PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
UNWANTED = ("LANG", "LANGUAGE", "BASH_ENV", "ENV", "PYTHONPATH", "GREP_OPTIONS", "POSIXLY_CORRECT")


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
    for name in list(os.environ):
        if name in UNWANTED or name.startswith("LC_"):
            del os.environ[name]
    # and not LC_ALL: each command would load a dozen files, of which none but this one's says more than C does
    os.environ["LC_CTYPE"] = "C.UTF-8" if sys.version_info >= (3, 7) else "C"
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY or most > FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, most))
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    apis = plan.get("apis")
    if apis is not None and apis["here"]:
        step_back()
        begin(end_with, stdin_fd)
        read_apis(apis, stdout_fd)
        return 0
    cpu, most = plan.get("cpu", 0.0), plan.get("bytes", 0)
    sparing = trouble() if plan.get("restraint") else ""
    loop = Loop(1 if sparing else plan["parallel"], plan["seconds"], stdin_fd, cpu, most)
    post = Post(stdout_fd)
    asker = Asker(loop, post, sparing)
    begin(oversee, loop)
    try:
        greeting = frame(hello(plan))
        write_all(stdout_fd, greeting)  # at once: the listener takes the time from it
        loop.sent += len(greeting)
        step_back(cpu)
        if apis is not None:
            asker.unanswered[API_SOURCE] = None
            ask_apis(plan, loop, asker)
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
            "bytes": loop.sent,
            "used_up": loop.used_up,
            "sparing": sparing,
            "left_out": asker.spared + list(asker.unanswered),
        }
        post.put(done)
        post.close()
        return 0
    except (Hangup, BrokenPipeError, ConnectionError):
        return 1
    finally:
        loop.kill()
        post.close(PATIENCE)


def oversee(loop: Loop) -> None:
    """End all by force where the loop does not do it itself: a file system may hold it for ever."""
    while time.monotonic() < loop.deadline + OVERDUE:
        if select.select([loop.stdin_fd], [], [], 1.0)[0]:
            time.sleep(PATIENCE)
            if select.select([loop.stdin_fd], [], [], 0.0)[0]:  # nobody listens, and it has not noticed
                break
    loop.kill()
    os._exit(1)


def end_with(stdin_fd: int) -> None:
    """End as soon as nobody listens any more."""
    while os.read(stdin_fd, 4096):
        pass
    os._exit(1)


def ask_apis(plan: Dict[str, Any], loop: Loop, asker: Asker) -> None:
    """Have the APIs asked by a second agent, beside everything else, where the node has credentials."""
    files: List[str] = plan["apis"]["files"]

    def beside(prefix: List[str]) -> None:
        loop.parallel += 1  # it waits for others most of its time
        loop.add(lambda: read_apis_apart(plan, loop, asker, prefix))

    def allowed(checked: Ended) -> None:
        beside(list(SUDO) if checked.status == "ran" and checked.exit == 0 else [])

    if not serves_apis():
        asker.refuse({"id": API_SOURCE}, " ".join(files), "missing", "no API is served here")
    elif os.getuid() and which("sudo"):
        asker.listing(["sudo", "-n", "true"], allowed)
    elif any(map(found_by, files)):
        beside([])
    else:
        asker.refuse({"id": API_SOURCE}, " ".join(files), "missing", NO_RC)


def serves_apis() -> bool:
    """Whether this is a controller: of a thousand nodes that have an openrc, only these ask Keystone for a token."""
    import re

    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/cmdline" % name, "rb") as file:
                    if re.search(CONTROLS, file.read(1000)):
                        return True
            except OSError:
                continue
    return False


def read_apis_apart(plan: Dict[str, Any], loop: Loop, asker: Asker, prefix: List[str]) -> Optional[Child]:
    seconds = max(1.0, min(plan["apis"]["seconds"], loop.deadline - time.monotonic() - FAREWELL))
    wire = dict(plan, probes=[], logs=None, apis=dict(plan["apis"], here=True, seconds=seconds))
    read, write = opening_of(wire)

    def ended(result: Ended) -> None:
        os.close(write)
        loop.parallel -= 1
        for payload in frames(result.out):
            header, body = opened(payload)
            if header.get("kind") == "result":
                out, err = body[: header["out"]], body[header["out"] :]
                said = (header["status"], header["exit"], out, err, header["started"], header["seconds"])
                asker.send(
                    {"id": header["probe"]}, header["subject"], header["command"], Ended(*said, header["reason"])
                )
        if API_SOURCE in asker.unanswered:
            why = result.reason or result.err[-300:].decode("utf-8", "replace") or "it ended at once"
            asker.refuse({"id": API_SOURCE}, " ".join(plan["apis"]["files"]), "not-run", why)

    try:
        # with a margin for what it does after its own time is up
        argv = prefix + [sys.executable or "python3", "-IS", "-c", BOOT]
        return start(argv, seconds + FAREWELL, 1 << 26, ended, stdin=read)
    finally:
        os.close(read)


def opening_of(wire: Dict[str, Any]) -> Any:
    """A pipe that holds this agent and its plan, and stays open: its end would mean that nobody listens."""
    source, compiled = globals()["PROGRAM"]  # as BOOT received it
    opening = piece(source) + piece(compiled) + packed(wire)
    read, write = os.pipe()
    fcntl.fcntl(write, F_SETPIPE_SZ, 1 << 20)
    os.write(write, opening)
    return read, write


def scan_logs(plan: Dict[str, Any], loop: Loop, asker: Asker) -> None:
    def scan() -> None:
        LogScan(plan["logs"], loop, lambda ended: asker.send(LOGS, "", SCAN, ended)).begin()

    if os.getuid() == 0 or not which("sudo"):
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
    seconds = max(1.0, loop.deadline - time.monotonic() - FAREWELL)
    read, write = opening_of(dict(plan, probes=[], apis=None, seconds=seconds))

    def ended(result: Ended) -> None:
        os.close(write)  # held until now: its end would have meant that nobody listens
        answers = (opened(payload) for payload in frames(result.out))
        header, body = next((each for each in answers if each[0].get("kind") == "result"), (None, b""))
        if header is None:
            otherwise()
            return
        out = body[: header["out"]]
        asker.send(LOGS, "", "sudo -n -- " + SCAN, Ended("ran", 0, out, b"", header["started"], header["seconds"], ""))

    try:
        argv = ["sudo", "-n", "--", "python3", "-IS", "-c", BOOT]
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


def opened(payload: bytes) -> Tuple[Any, bytes]:
    """The header of a frame, and what comes behind it."""
    import json

    head, _, body = payload.partition(b"\n")
    return json.loads(head.decode("utf-8")), body


if __name__ == "__agent__":
    status = main(unpacked(sys.stdin.buffer))
    sys.stdout.flush()
    os._exit(status)

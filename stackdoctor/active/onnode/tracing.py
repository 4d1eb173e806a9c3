"""The broker's own tracer, on for some seconds and off again for certain.  Arguments: VHOST SECONDS.

On and off are the work of a process of its own, which is no child of this one, so that off always comes after on: it
switches off when the time is up, or as soon as this program has ended, however that was.  What a broker traced before
it goes on tracing.
"""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from typing import List, Tuple

SLACK = 5.0
TRIES = 3


def broker() -> List[str]:
    """The words before a command of rabbitmqctl: none, or those that lead into the broker's container."""
    if shutil.which("rabbitmqctl"):
        return []
    for runtime in ("docker", "podman"):
        if shutil.which(runtime):
            names = run([runtime, "ps", "--format", "{{.Names}}"])[1].split()
            name = min((n for n in names if re.search("rabbitmq", n)), key=len, default=None)
            if name is not None:
                return [runtime, "exec", name]
    raise OSError("rabbitmqctl is neither on this node nor in a container")


def run(argv: List[str]) -> Tuple[int, str]:
    environment = dict(os.environ, ERL_FLAGS="-start_epmd false")
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    )
    try:
        said = process.communicate(timeout=30)[0].decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return -1, "%s did not end within 30 s" % " ".join(argv[-4:])
    return process.returncode, said


def traced(prefix: List[str], vhost: str) -> bool:
    """Whether the broker traces ``vhost`` already; raises OSError where there is no such vhost."""
    status, said = run(prefix + ["rabbitmqctl", "-q", "list_vhosts", "name", "tracing"])
    if status:
        raise OSError("rabbitmqctl list_vhosts: %s" % said.strip()[:300])
    rows = dict(line.rsplit("\t", 1) for line in said.splitlines() if "\t" in line)
    if vhost not in rows:
        raise OSError("there is no virtual host %s: there are %s" % (vhost, ", ".join(sorted(rows))[:200]))
    return rows[vhost].strip() == "true"


def guard(prefix: List[str], vhost: str, seconds: float) -> Tuple[int, int]:
    """Start what switches on and off; a pipe whose end it waits for, and one on which it says how both went."""
    ours, theirs = os.pipe(), os.pipe()
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        os.close(ours[0])
        os.close(theirs[1])
        return ours[1], theirs[0]
    os.setsid()
    if os.fork():
        os._exit(0)
    os.close(ours[1])
    os.close(theirs[0])
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    for ignored in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
        signal.signal(ignored, signal.SIG_IGN)
    status, said = run(prefix + ["rabbitmqctl", "-q", "trace_on", "-p", vhost])
    tell(theirs[1], "" if status == 0 else "rabbitmqctl trace_on: " + (said.strip()[:300] or "status %d" % status))
    select.select([ours[0]], [], [], seconds + SLACK)
    for number in range(TRIES):
        if number:
            time.sleep(2)
        if run(prefix + ["rabbitmqctl", "-q", "trace_off", "-p", vhost])[0] == 0:
            tell(theirs[1], "off")
            break
    os._exit(0)


def tell(pipe: int, text: str) -> None:
    """One line, to one who may have ended."""
    try:
        os.write(pipe, text.replace("\n", " ").encode("utf-8") + b"\n")
    except OSError:
        pass


def say(**values: object) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def main(arguments: List[str]) -> None:
    vhost, seconds = arguments[0], float(arguments[1])
    try:
        prefix = broker()
        before = traced(prefix, vhost)
        if before:
            time.sleep(seconds)
            say(before=True, off=False)
            return
        alive, told = guard(prefix, vhost, seconds)
        with os.fdopen(told, "rb") as lines:
            error = lines.readline().decode("utf-8", "replace").strip()
            if not error:
                time.sleep(seconds)
            os.close(alive)
            off = lines.readline() == b"off\n"
        say(before=False, off=off, error=error)
    except (OSError, ValueError) as error:
        say(error=str(error))


if __name__ == "__main__":
    main(sys.argv[1:])

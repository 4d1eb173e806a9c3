"""The log scan over files that were copied from a node: its clock stands still, and its zone is given."""

import json
import os
import sys
from typing import Any, Callable, Dict, Iterator, List, Optional

from stackdoctor.collect.agent.commands import Ended
from stackdoctor.collect.agent.logfile import LogFile
from stackdoctor.collect.agent.logscan import LogScan
from stackdoctor.collect.agent.loop import Hangup, Loop
from stackdoctor.collect.agent.records import RECORD, read_at
from stackdoctor.collect.agent.stamps import Stamps
from stackdoctor.collect.agent.wire import unpacked

DAY = 86400.0


class ArchivedScan(LogScan):
    """The scan as it would have been on the node at ``plan["until"]``; its files are open already."""

    def __init__(self, plan: Dict[str, Any], loop: Loop, done: Callable[[Ended], None]) -> None:
        super().__init__(plan, loop, done)
        self.until = plan["until"]
        self.since = self.until - plan["window"]

    def find(self) -> Iterator[LogFile]:
        for given in self.plan["files"]:
            file = LogFile(given["path"], given["service"], given["format"], self.signatures, self.plan)
            file.place = "/dev/fd/%d" % given["fd"]
            file.newest = given["newest"]
            yield file


def newest(plan: Dict[str, Any]) -> Optional[float]:
    """The newest time at the beginning of a line near a file's end; what is later than the file itself is none."""
    times = []
    for given in plan["files"]:
        if given["path"].endswith((".gz", ".xz", ".bz2")):
            continue
        stamps = Stamps(given["newest"])
        with open("/dev/fd/%d" % given["fd"], "rb") as file:
            size = os.fstat(file.fileno()).st_size
            lines = read_at(file, max(0, size - RECORD), RECORD).split(b"\n")
        for line in reversed(lines):
            stamp = stamps.read(line)
            if stamp and stamp[0] <= given["newest"] + DAY:
                times.append(stamp[0])
                break
    return max(times) if times else None


def scan(plan: Dict[str, Any]) -> bytes:
    """What the scan finds, as it would travel; raises Hangup when nobody listens any more."""
    os.environ["LC_ALL"] = "C"
    found: List[bytes] = []
    loop = Loop(plan["parallel"], plan["seconds"], 0)
    try:
        ArchivedScan(plan, loop, lambda ended: found.append(ended.out)).begin()
        loop.run()
    finally:
        loop.kill()
    return found[0]


if __name__ == "__agent__":
    try:
        plan = unpacked(sys.stdin.buffer)
        said = json.dumps({"newest": newest(plan)}).encode("ascii") if "newest" in plan else scan(plan)
        sys.stdout.buffer.write(said)
        sys.stdout.flush()
    except (Hangup, BrokenPipeError):
        os._exit(1)
    os._exit(0)

"""Files are read in a thread of their own: a file system that does not answer blocks that thread and nothing else."""

import os
import time
from collections import deque
from typing import Callable, Deque, List, NamedTuple, Optional

from stackdoctor.collect.agent.loop import Loop
from stackdoctor.collect.agent.reading import content_of, paths_of
from stackdoctor.collect.agent.threads import begin, turn

GLIMPSE = 0.05  # seconds between two looks at what has been read
STUCK = 4  # so many threads may be blocked for good; then no more files are read
SILENT = "its file system did not answer within %g s"
GIVEN_UP = "not tried: %d reads before it are blocked by their file systems"


Found = NamedTuple(
    "Found",
    [
        ("path", str),
        ("began", float),
        ("seconds", float),
        ("content", Optional[bytes]),
        ("error", Optional[OSError]),
    ],
)
"""One file: its content, None where it is none to read, or why it could not be read."""


class Reading:
    """The files of one probe, read aside; ``take`` gets each, ``end`` why they are not all (empty: they are)."""

    def __init__(
        self,
        patterns: List[str],
        limit: int,
        timeout: float,
        take: Callable[[Found], None],
        end: Callable[[str, str], None],
    ) -> None:
        self.patterns, self.limit, self.timeout, self.take, self.end = patterns, limit, timeout, take, end
        self.found: Deque[Found] = deque()
        self.at = " ".join(patterns)
        self.deadline = 0.0
        self.done = False
        self.left = False
        self.failure = ""

    def work(self) -> None:
        """In the thread."""
        try:
            for path in paths_of(self.patterns):
                self.at = path
                began, clock = time.time(), time.monotonic()
                content = error = None
                try:
                    content = content_of(path, self.limit)
                except OSError as refused:
                    error = refused
                self.found.append(Found(path, began, time.monotonic() - clock, content, error))
        except Exception as surprise:  # it is about these files only
            self.failure = "%s: %s" % (type(surprise).__name__, surprise)
        self.done = True

    def hand_over(self) -> None:
        while self.found:
            self.take(self.found.popleft())


class Reader:
    """Has one reading after the other done by one thread; where it is blocked, it is left behind for another."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.waiting: Deque[Reading] = deque()
        self.begun: Deque[Reading] = deque()  # the last of them is at work, unless it is done
        self.turn = turn()
        self.working = False
        self.stuck = 0
        loop.asides.append(self)

    def add(self, reading: Reading) -> None:
        self.waiting.append(reading)

    def busy(self) -> bool:
        return bool(self.begun or self.waiting)

    def next_event(self) -> float:
        """When to look again; the loop is told of the last one, and looks after the others now and then."""
        return time.monotonic() + (GLIMPSE if self.begun else 0.0)

    def tick(self, now: float) -> None:
        """Hand over what has been read, leave what is blocked, begin what waits."""
        while self.begun:
            reading = self.begun[0]
            done = reading.done  # before the last is handed over
            reading.hand_over()
            if done:
                self.begun.popleft()
                reading.end("", reading.failure)
            elif self.blocked(reading, now):
                self.begun.popleft()
                self.stuck += 1
                reading.end(reading.at, SILENT % reading.timeout)
            else:
                break
        while self.waiting and self.stuck >= STUCK:
            reading = self.waiting.popleft()
            reading.end(reading.at, GIVEN_UP % self.stuck)
        if self.waiting and not self.working:
            self.working = True
            begin(self.work)

    def blocked(self, reading: Reading, now: float) -> bool:
        """Whether ``reading`` has had its time; then its thread takes no other one."""
        with self.turn:
            if reading.done or now < reading.deadline:
                return False
            reading.left = True
            self.working = False
            return True

    def work(self) -> None:
        """In the thread: all that waits, or until it is left behind."""
        while True:
            with self.turn:
                if not self.waiting:
                    self.working = False
                    break
                reading = self.waiting.popleft()
                reading.deadline = time.monotonic() + reading.timeout
                self.begun.append(reading)
            reading.work()
            with self.turn:
                if reading.left:
                    break
                last = not self.waiting
            if last:
                prod(self.loop.wake_write)

    def leave(self) -> None:
        """The budget is used up: what has been read counts."""
        with self.turn:
            self.waiting.clear()
        for reading in self.begun:
            reading.hand_over()
        self.begun.clear()


def prod(wake: int) -> None:
    """Have the loop look."""
    try:
        os.write(wake, b"\0")
    except BlockingIOError:
        pass  # it is full of reasons to look

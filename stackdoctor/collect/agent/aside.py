"""Files are read in a thread of their own: a file system that does not answer blocks that thread and nothing else."""

import os
import threading
import time
from collections import deque
from typing import Callable, Deque, List, NamedTuple, Optional

from stackdoctor.collect.agent.loop import Loop
from stackdoctor.collect.agent.reading import content_of, paths_of

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
        self.failure = ""

    def work(self, wake: int) -> None:
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
                prod(wake)
        except Exception as surprise:  # it is about these files only
            self.failure = "%s: %s" % (type(surprise).__name__, surprise)
        self.done = True
        prod(wake)

    def hand_over(self) -> None:
        while self.found:
            self.take(self.found.popleft())


class Reader:
    """Has one reading after the other done; those that are blocked are left behind."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.waiting: Deque[Reading] = deque()
        self.current: Optional[Reading] = None
        self.stuck = 0
        loop.asides.append(self)

    def add(self, reading: Reading) -> None:
        self.waiting.append(reading)

    def busy(self) -> bool:
        return bool(self.current or self.waiting)

    def next_event(self) -> float:
        return self.current.deadline if self.current else time.monotonic()

    def tick(self, now: float) -> None:
        """Hand over what has been read, leave what is blocked, begin what waits."""
        current = self.current
        if current is not None:
            done = current.done  # before the last is handed over
            current.hand_over()
            if done:
                self.current = None
                current.end("", current.failure)
            elif now >= current.deadline:
                self.current = None
                self.stuck += 1
                current.end(current.at, SILENT % current.timeout)
        while self.waiting and self.current is None:
            reading = self.waiting.popleft()
            if self.stuck >= STUCK:
                reading.end(reading.at, GIVEN_UP % self.stuck)
                continue
            reading.deadline = now + reading.timeout
            self.current = reading
            threading.Thread(target=reading.work, args=(self.loop.wake_write,), daemon=True).start()

    def leave(self) -> None:
        """The budget is used up: what has been read counts."""
        if self.current is not None:
            self.current.hand_over()
        self.current = None
        self.waiting.clear()


def prod(wake: int) -> None:
    """Have the loop look."""
    try:
        os.write(wake, b"\0")
    except BlockingIOError:
        pass  # it is full of reasons to look

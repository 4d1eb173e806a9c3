"""Commands side by side, until all is done, the time is used up, or nobody listens any more."""

import heapq
import itertools
import os
import select
import signal
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from stackdoctor.collect.agent.burden import processor_seconds
from stackdoctor.collect.agent.commands import PIECE, Child

USED_UP = "the node's time was used up"
GLANCE = 0.5  # seconds between two looks at what has been used
FAREWELLS = 1.0  # seconds for all children together, once they are killed


class Loop:
    """Runs children side by side, so many at a time, until the deadline or until nobody listens any more."""

    def __init__(self, parallel: int, seconds: float, stdin_fd: int, cpu: float = 0.0, most: int = 0) -> None:
        self.parallel = parallel
        self.cpu, self.most = cpu, most  # seconds of processor and bytes that may be used; 0: as many as it takes
        self.sent = 0
        self.used_up = ""  # what was, when the loop gave up
        self.glanced = 0.0
        self.deadline = time.monotonic() + seconds
        self.waiting: List[Callable[[], Optional[Child]]] = []
        self.later: List[Tuple[float, int, Callable[[], None]]] = []
        self.running: List[Child] = []
        self.at_end: List[Callable[[], None]] = []
        self.commands = 0
        self.order = itertools.count()
        self.hung_up = False
        self.poll = select.poll()
        self.whose: Dict[int, Child] = {}  # the children by the descriptors that are read
        self.stdin_fd = stdin_fd
        self.poll.register(stdin_fd, select.POLLIN)
        self.asides: List[Any] = []  # work in other threads, each with busy, next_event, tick and leave
        self.wake, self.wake_write = os.pipe()
        for fd in (self.wake, self.wake_write):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(self.wake_write)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self.poll.register(self.wake, select.POLLIN)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, self.hang_up)

    def hang_up(self, number: int, frame: Any) -> None:
        """A signal to end: acted on where no child is half begun, so that none is forgotten."""
        self.hung_up = True

    def add(self, start: Callable[[], Optional[Child]]) -> None:
        """``start`` makes a child when its turn has come (None: it did its work at once)."""
        self.waiting.append(start)

    def at(self, when: float, act: Callable[[], None]) -> None:
        heapq.heappush(self.later, (when, next(self.order), act))

    def run(self) -> None:
        """Until all is done; raises Hangup when standard input closes or a signal says to end."""
        while self.waiting or self.running or self.later or any(aside.busy() for aside in self.asides):
            if self.hung_up:
                raise Hangup()
            now = time.monotonic()
            self.used_up = self.exhausted(now)
            if self.used_up:
                self.give_up()
                return
            while self.later and self.later[0][0] <= now:
                heapq.heappop(self.later)[2]()
            while self.waiting and len(self.running) < self.parallel:
                child = self.waiting.pop(0)()
                if child is not None:
                    self.watch(child)
            self.wait()
            self.reap()

    def exhausted(self, now: float) -> str:
        """What of the budget is used up."""
        if now >= self.deadline:
            return USED_UP
        if self.most and self.sent >= self.most:
            return "the node's budget of %d bytes was used up" % self.most
        if self.cpu and now >= self.glanced + GLANCE:
            self.glanced = now
            if processor_seconds(child.process.pid for child in self.running) >= self.cpu:
                return "the node's budget of %g s of processor time was used up" % self.cpu
        return ""

    def watch(self, child: Child) -> None:
        self.commands += 1
        self.running.append(child)
        for fd in child.streams:
            self.whose[fd] = child
            self.poll.register(fd, select.POLLIN)

    def wait(self) -> None:
        busy = [aside.next_event() for aside in self.asides if aside.busy()]
        if not self.running and not self.later and not busy:
            return  # what had its turn did its work at once
        if self.waiting and len(self.running) < self.parallel:
            return
        times = (
            [child.next_event() for child in self.running] + [when for when, _, _ in self.later[:1]] + [self.deadline]
        ) + busy
        if self.cpu and self.running:
            times.append(self.glanced + GLANCE)
        for fd, _ in self.poll.poll(1000.0 * max(0.0, min(times) - time.monotonic())):
            if fd == self.stdin_fd:
                if not os.read(fd, 4096):
                    raise Hangup()
            elif fd == self.wake:
                os.read(fd, 4096)
            else:
                self.read(fd, self.whose[fd])

    def read(self, fd: int, child: Child) -> None:
        data = os.read(fd, PIECE)
        if data:
            child.take(fd, data)
        else:
            self.unwatch(fd)
            del child.streams[fd]

    def unwatch(self, fd: int) -> None:
        self.poll.unregister(fd)
        del self.whose[fd]

    def reap(self) -> None:
        now = time.monotonic()
        for child in [c for c in self.running if c.tick(now)]:
            self.running.remove(child)
            self.forget(child)
            child.on_end(child.ended())
        for aside in self.asides:
            aside.tick(now)

    def forget(self, child: Child) -> None:
        for fd in child.streams:
            self.unwatch(fd)
        child.process.close()

    def give_up(self) -> None:
        """The budget is used up: end what runs, say so of it, then call what ``at_end`` holds."""
        self.waiting, self.later = [], []
        for child in self.running:
            if not child.exited:
                child.status, child.reason = "timed-out", self.used_up
                if self.most and self.sent >= self.most:
                    del child.out[:]
        self.kill()
        for child in self.running:
            self.forget(child)
            child.on_end(child.ended())
        self.running = []
        for aside in self.asides:
            aside.leave()
        for act in self.at_end:
            act()
        self.waiting, self.later = [], []

    def kill(self) -> None:
        for child in self.running:
            child.signal(signal.SIGKILL)
        until = time.monotonic() + FAREWELLS
        for child in self.running:
            while child.process.poll() is None and time.monotonic() < until:  # else in uninterruptible sleep
                time.sleep(FAREWELLS / 100)


class Hangup(Exception):
    """Nobody listens any more."""

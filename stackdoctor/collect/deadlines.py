"""One thread that acts at the moments that it is given: with a timer for each, each has a thread of its own."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

__all__ = ["Deadlines"]


@dataclass(order=True)
class _Deadline:
    at: float
    number: int
    act: Callable[[], object] = field(compare=False)
    met: bool = field(default=False, compare=False)


class Deadlines:
    """What is to be called when; there is a thread while there is such a thing."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._ahead: list[_Deadline] = []
        self._numbers = itertools.count()
        self._open = 0
        self._watched = False

    @contextmanager
    def within(self, seconds: float, act: Callable[[], object]) -> Iterator[None]:
        """Have ``act`` called by the thread unless the body ends within ``seconds``."""
        deadline = _Deadline(time.monotonic() + seconds, next(self._numbers), act)
        with self._changed:
            heapq.heappush(self._ahead, deadline)
            self._open += 1
            if not self._watched:
                self._watched = True
                threading.Thread(target=self._watch, name="deadlines", daemon=True).start()
            elif self._ahead[0] is deadline:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                deadline.met = True
                self._open -= 1
                if not self._open:
                    self._changed.notify()

    def _watch(self) -> None:
        while True:
            with self._changed:
                while self._ahead and self._ahead[0].met:
                    heapq.heappop(self._ahead)
                if not self._ahead:
                    self._watched = False
                    return
                left = self._ahead[0].at - time.monotonic()
                if left > 0:
                    self._changed.wait(left)
                    continue
                missed = heapq.heappop(self._ahead)
            missed.act()

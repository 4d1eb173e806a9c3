"""The steps of a smoke check: which there are, how each went and how long it took, and what was made by then."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any, TypeVar

from stackdoctor.active.smoke_api import ApiRequest, brief, is_api_error

__all__ = [
    "FAILED",
    "OK",
    "RUNNING",
    "SKIPPED",
    "STOPPED",
    "WAITING",
    "Ledger",
    "Made",
    "SmokeStep",
    "StepFailed",
    "Steps",
    "Stop",
    "Stopped",
]

T = TypeVar("T")

WAITING, RUNNING, OK, FAILED, STOPPED, SKIPPED = "waiting", "running", "ok", "failed", "stopped", "skipped"
PAUSE = 1.0


class StepFailed(Exception):
    """A step did not come out as it must; its text says what was seen."""


class Stopped(Exception):
    """The user or a signal ended the run."""


@dataclass(frozen=True)
class SmokeStep:
    """One step; ``requests`` are the calls made in it."""

    name: str
    state: str = WAITING
    text: str = ""
    seconds: float = 0.0
    requests: tuple[ApiRequest, ...] = ()

    @property
    def request_ids(self) -> tuple[str, ...]:
        """The ids of its calls that do something, else of its last call."""
        ids = [request.id for request in self.requests if request.id and request.changes]
        return tuple(ids) or tuple(request.id for request in self.requests[-1:] if request.id)


@dataclass(frozen=True)
class Made:
    """Something of this run: ``kind`` is one of smoke_removal.KINDS, ``of`` what it hangs on."""

    kind: str
    id: str
    name: str
    of: str = ""


@dataclass
class Ledger:
    """What was made, in order."""

    rows: list[Made] = field(default_factory=list)

    def add(self, kind: str, id_: str, name: str, of: str = "") -> None:
        """Write down what was made, as soon as its id is known."""
        made = Made(kind, id_, name, of)
        if made not in self.rows:
            self.rows.append(made)

    def ids(self, kind: str) -> tuple[str, ...]:
        """The ids of one kind, in the order in which they were made."""
        return tuple(made.id for made in self.rows if made.kind == kind)


class Stop:
    """SIGINT and SIGTERM while things are being made.

    The first lets the call in progress end, so that what it makes is known, and stops the run at the next point where
    it waits.  The second raises KeyboardInterrupt.  While ``at_once`` is true every one does.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.event = threading.Event()
        self.at_once = False
        self._tell = tell
        self._said = "stopping; what was made is removed"
        self._before: dict[int, Any] = {}
        self._count = 0

    def __enter__(self) -> Stop:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._signalled)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        self.event.set()
        if self.at_once or self._count > 1:
            raise KeyboardInterrupt
        self._tell(self._said)

    def forget(self, said: str) -> None:
        """Begin anew: the next signal is a first one, at which ``said`` is told."""
        self._said = said
        self.event.clear()
        self._count = 0

    def check(self) -> None:
        """Raises Stopped after a signal."""
        if self.event.is_set():
            raise Stopped

    def wait(self, timeout: float, what: str, look: Callable[[], T | None], seen: Callable[[], str] = str) -> T:
        """Ask ``look`` until it gives something; raises StepFailed when that takes longer than ``timeout`` seconds."""
        until = time.monotonic() + timeout
        while True:
            self.check()
            found = look()
            if found is not None:
                return found
            if time.monotonic() >= until:
                last = seen()
                raise StepFailed(f"{what}: not within {timeout:g} s" + (f" ({last})" if last else ""))
            self.event.wait(PAUSE)


class Steps:
    """The list of steps; ``tell`` is called with all of them whenever one changes."""

    def __init__(
        self, names: Sequence[str], requests: list[ApiRequest], tell: Callable[[Sequence[SmokeStep]], None]
    ) -> None:
        self.rows = [SmokeStep(name) for name in names]
        self._requests = requests
        self.tell = tell

    @property
    def failed(self) -> SmokeStep | None:
        """The first step that failed."""
        return next((step for step in self.rows if step.state == FAILED), None)

    @contextmanager
    def step(self, name: str) -> Iterator[Callable[[str], None]]:
        """Do a step; what is called with a text says how far it is, at last what it gave.

        Raises StepFailed where a call of the API failed, and what comes out of the block.
        """
        place = next((i for i, row in enumerate(self.rows) if row.name == name), len(self.rows))
        if place == len(self.rows):
            self.rows.append(SmokeStep(name))
        begun, first = time.monotonic(), len(self._requests)

        def put(**changes: Any) -> None:
            calls = tuple(self._requests[first:])
            self.rows[place] = replace(self.rows[place], seconds=time.monotonic() - begun, requests=calls, **changes)
            self.tell(self.rows)

        put(state=RUNNING)
        try:
            yield lambda text: put(text=text)
        except StepFailed as failed:
            put(state=FAILED, text=str(failed))
            raise
        except (Stopped, KeyboardInterrupt):
            put(state=STOPPED, text="stopped by a signal")
            raise
        except Exception as error:
            put(state=FAILED, text=brief(error))
            if is_api_error(error):
                raise StepFailed(brief(error)) from error
            raise
        put(state=OK)

    def skip(self, name: str, why: str) -> None:
        """Say of a step that it is not done, and why."""
        self.rows = [replace(row, state=SKIPPED, text=why) if row.name == name else row for row in self.rows]
        self.tell(self.rows)

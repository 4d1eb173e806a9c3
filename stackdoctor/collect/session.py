"""One conversation with a node agent, over whatever channel leads to it."""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import shlex
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from stackdoctor.collect.agent.secrets import redact, redacted_text
from stackdoctor.collect.api_reads import API_ENDPOINTS
from stackdoctor.collect.deadlines import Deadlines
from stackdoctor.collect.frames import Frame, FrameError, FrameReader, NoPython, opening, to_result
from stackdoctor.collect.plan import Plan
from stackdoctor.model import Clock, Cost, Node, NodeResults, Probe, Result, Status

__all__ = ["Channel", "Ending", "NodeLost", "converse", "legible", "said"]

_LOG = logging.getLogger(__name__)
_PIECE = 32 * 1024
_MOST_RESULTS = 20_000
_MOST_BYTES = 512 * 1024 * 1024
_HEARD = 512
_SLACK = 1.0


class NodeLost(Exception):
    """Why a conversation cannot begin or go on: one sentence for the user."""


class Channel(Protocol):
    """A way to an agent and back.  Deadlines are on ``time.monotonic``; every method may raise NodeLost."""

    def write(self, data: bytes, deadline: float) -> None:
        """All of ``data`` to the agent's standard input; TimeoutError when it does not fit in time."""
        ...

    def read(self, deadline: float) -> bytes:
        """Some of its standard output, empty at the end; TimeoutError when there is none in time."""
        ...

    def last_words(self) -> str:
        """What else it left behind: the end of its standard error, its exit status."""
        ...


class Ending:
    """Closes what was opened for a node, from any thread; what is opened afterwards is closed at once."""

    def __init__(self, deadlines: Deadlines | None = None) -> None:
        self._deadlines = deadlines or Deadlines()
        self._lock = threading.Lock()
        self._closers: list[Callable[[], object]] = []
        self._ended = False
        self.reason = ""

    def add(self, close: Callable[[], object]) -> None:
        """Have ``close`` called at the end (now, if that was before)."""
        with self._lock:
            if not self._ended:
                self._closers.append(close)
                return
        close()

    def end(self, reason: str = "") -> None:
        """Close all, the latest first; the first reason is the one that counts."""
        with self._lock:
            self.reason = self.reason or reason
            self._ended = True
            closers, self._closers = self._closers, []
        for close in reversed(closers):
            with contextlib.suppress(OSError, EOFError):
                close()

    @contextlib.contextmanager
    def within(self, seconds: float, reason: str) -> Iterator[None]:
        """End with ``reason`` when the body takes longer; then NodeLost of it, whatever the body raised.

        Not everything that blocks takes a timeout, but all of it returns when what it works on is closed.
        """
        with self._deadlines.within(seconds, functools.partial(self.end, reason)):
            try:
                yield
            except Exception as error:
                if self.reason:
                    raise NodeLost(self.reason) from error
                raise


def legible(data: bytes | str, limit: int = 200) -> str:
    """Hostile text as one line of at most ``limit`` printable characters."""
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    text = text[: 4 * limit]
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def said(error: BaseException) -> str:
    """What an exception says, as one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return legible(str(error)) or type(error).__name__


def converse(
    node: Node,
    plan: Plan,
    channel: Channel,
    ending: Ending,
    timeout: float,
    on_probe: Callable[[str, int, int], object] = lambda probe, done, total: None,
) -> NodeResults:
    """Ask an agent all of ``plan``; what it answered until it was done, or until ``ending``.

    Its first word must come within ``timeout`` seconds, its last one within ``plan.seconds`` and again
    ``timeout`` after that.  ``on_probe(id, done, total)`` is called when a probe's first answer is there.
    A node that is lost midway keeps what it has answered; each probe without an answer has a result that
    says why (Status.NOT_RUN).  An agent that never began leaves ``failure`` only.  Raises NoPython.
    """
    talk = _Talk(plan, on_probe)
    try:
        with ending.within(2 * timeout + plan.seconds + _SLACK, "it answered too slowly and was given up"):
            _listen(talk, channel, timeout)
    except NoPython:
        raise
    except (NodeLost, FrameError) as error:
        talk.failure = str(error)
    return talk.results(node)


def _listen(talk: _Talk, channel: Channel, timeout: float) -> None:
    begun = time.monotonic()
    first, last = begun + timeout, begun + 2 * timeout + talk.plan.seconds
    reader, heard = FrameReader(), b""
    try:
        talk.sent = _send(channel, opening(talk.plan), first)
        _LOG.debug("the agent and its plan are sent after %.3f s", time.monotonic() - begun)
    except NodeLost:
        talk.sent = time.time()  # it may have gone with a word, which says more than that it has gone
    while not talk.over:
        try:
            data = channel.read(last if talk.clock else first)
        except TimeoutError:
            raise NodeLost(
                f"it did not finish within {last - begun:g} s"
                if talk.clock
                else f"it was let in, and then said nothing of use within {timeout:g} s"
                + (f": {legible(redact(heard))}" if heard else "")
            ) from None
        if not data:
            break
        received = time.time()
        heard = (heard + data)[:_HEARD]
        for frame in reader.feed(data):
            talk.take(frame, received)
    if not talk.over:
        first_words = legible(redact(heard)) if talk.clock is None else ""
        words = "; ".join(filter(None, [first_words, redacted_text(channel.last_words())]))
        raise NodeLost("the agent ended too early" + (f": {words}" if words else ""))


def _send(channel: Channel, data: bytes, deadline: float) -> float:
    """Write ``data``; the time (on our clock) before its end went out: nobody can have read it all before that."""
    cut = max(0, len(data) - _PIECE)
    try:
        channel.write(data[:cut], deadline)
        sent = time.time()
        channel.write(data[cut:], deadline)
    except TimeoutError:
        raise NodeLost("it was let in, and then read nothing") from None
    return sent


@dataclass
class _Talk:
    """What has been said so far in one conversation."""

    plan: Plan
    on_probe: Callable[[str, int, int], object]
    sent: float = 0.0
    clock: Clock | None = None
    hostname: str = ""
    failure: str = ""
    over: bool = False
    received: int = 0
    cost: Cost | None = None
    answers: dict[tuple[str, str], Result] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)

    @cached_property
    def asked(self) -> Mapping[str, Probe]:
        return {probe.id: probe for probe in self.plan.expected}

    @cached_property
    def of_apis(self) -> frozenset[str]:
        """What comes only of a node that has credentials."""
        return frozenset((API_ENDPOINTS.id, *(read.id for read in self.plan.apis))) if self.plan.apis else frozenset()

    def take(self, frame: Frame, received: float) -> None:
        kind = frame.header.get("kind")
        _LOG.debug("frame %s with %d and %d bytes", frame.header, len(frame.out), len(frame.err))
        if (kind == "hello") != (self.clock is None):
            raise FrameError(f"the agent says {legible(str(kind), 40)!r} out of turn")
        if kind == "hello":
            self.greet(frame.header, received)
        elif kind == "result":
            self.keep(to_result(frame))
        elif kind == "done":
            self.cost = _cost(frame.header)
            self.over = True
        else:
            raise FrameError(f"the agent says {legible(str(kind), 40)!r}, which means nothing")

    def greet(self, hello: Mapping[str, object], received: float) -> None:
        if hello.get("version") != 1:
            raise FrameError(f"the agent speaks version {legible(str(hello.get('version')), 20)}, not 1")
        now, east = hello.get("now"), hello.get("utc_offset")
        if not isinstance(now, (int, float)) or not isinstance(east, int) or not math.isfinite(now):
            raise FrameError("the agent does not say what time it is")
        self.clock = Clock(
            now=float(now),
            offset=now - (self.sent + received) / 2,
            error=max(0.0, received - self.sent) / 2,
            utc_offset=east,
            zone=legible(str(hello.get("zone", "")), 60),
        )
        self.hostname = legible(str(hello.get("hostname", "")), 253)

    def keep(self, result: Result) -> None:
        self.received += len(result.stdout) + len(result.stderr)
        if len(self.answers) >= _MOST_RESULTS or self.received > _MOST_BYTES:
            raise FrameError(f"it answers without end ({len(self.answers)} results, {self.received} bytes)")
        if result.probe not in self.asked and result.probe not in self.of_apis:
            raise FrameError(f"it answers {legible(result.probe, 60)!r}, which was not asked")
        self.answers.setdefault((result.probe, result.subject), result)
        if result.probe not in self.answered and result.probe in self.asked:
            self.answered.add(result.probe)
            self.on_probe(result.probe, len(self.answered), len(self.asked))

    def results(self, node: Node) -> NodeResults:
        if self.clock is None:
            return NodeResults(node, failure=self.failure)
        asked = self.asked
        why = f"{self.failure} (after {len(self.answered)} of {len(asked)} probes)" if self.failure else ""
        left_out = self.cost.left_out if self.cost else ()
        used_up = (self.cost.used_up if self.cost else "") or f"the node's time of {self.plan.seconds:g} s was used up"
        for probe in asked.values():
            if probe.id not in self.answered:
                reason = why or (used_up if probe.id in left_out else "the agent gave no answer")
                command = shlex.join(probe.argv) or " ".join(probe.files) or probe.id
                self.answers[probe.id, ""] = Result(probe.id, command, status=Status.NOT_RUN, exit=None, reason=reason)
        return NodeResults(node, self.answers, self.clock, self.hostname, why, self.cost)


def _cost(done: Mapping[str, object]) -> Cost | None:
    """What the agent's last word says of its own cost; None where it says nothing of use."""

    def number(name: str) -> float:
        value = done.get(name, 0)
        return float(value) if isinstance(value, (int, float)) and math.isfinite(value) and value >= 0 else 0.0

    left_out = done.get("left_out", ())
    return Cost(
        seconds=number("seconds"),
        cpu=number("cpu"),
        bytes=int(number("bytes")),
        commands=int(number("commands")),
        used_up=legible(str(done.get("used_up", ""))),
        sparing=legible(str(done.get("sparing", ""))),
        left_out=tuple(legible(str(id_), 120) for id_ in left_out[:1000]) if isinstance(left_out, list) else (),
    )

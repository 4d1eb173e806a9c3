"""The bytes between the tool and a node: how the agent is started, what it is sent, what it sends back.

A frame is ``SD1 `` + eight hexadecimal digits of its length + a line feed + the payload: a header (JSON, one line),
a line feed, then the bytes of standard output and standard error that the header counts (``out``, ``err``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from sys import intern

from stackdoctor.collect.agent import program, source, wanted
from stackdoctor.collect.agent.wire import BOOT
from stackdoctor.collect.plan import Plan
from stackdoctor.model import Result, Status

__all__ = ["Frame", "FrameError", "FrameReader", "NoPython", "bootstrap", "encode", "opening", "to_result"]

NOISE_LIMIT = 256 * 1024
PAYLOAD_LIMIT = 64 * 1024 * 1024
NO_PYTHON = b"SD1 nopython\n"
PYTHONS = ("python3", "/usr/libexec/platform-python")
"""RHEL 8 has its own where none was installed for users."""

_MAGIC = re.compile(rb"SD1 ([0-9a-f]{8})\n|SD1 nopython\n")
_HEAD = 13


class FrameError(Exception):
    """What came is not what an agent sends; the text says what it is instead."""


class NoPython(FrameError):
    """The node has no python3 of 3.6 or later."""


@dataclass(frozen=True)
class Frame:
    """One message of the agent: its header, and the bytes that go with it."""

    header: Mapping[str, object]
    out: bytes
    err: bytes


def bootstrap() -> str:
    """The command for the login shell (sh, csh or fish alike): run what comes on standard input, its length first."""
    refuse = 'import sys;sys.version_info<(3,6) and (sys.stdout.write("SD1 nopython\\n"),sys.exit(97));'
    program = f"{refuse}del sys.path[0];{BOOT}"
    script = (
        f"for python in {' '.join(PYTHONS)}; do "
        'command -v $python >/dev/null 2>&1 && exec $python -EsS -c "$0"; done; echo SD1 nopython; exit 97'
    )
    return f"exec sh -c {_quoted(script)} {_quoted(program)}"


def _quoted(text: str) -> str:
    """Single quotes keep everything in every shell, but for themselves and csh's ``!``: neither may occur."""
    if "'" in text or "!" in text or "\n" in text:
        raise ValueError("not for every shell")
    return f"'{text}'"


def opening(plan: Plan) -> bytes:
    """What is written to the agent's standard input: the program, then ``plan``."""
    return program(source(wanted(logs=plan.logs is not None, apis=bool(plan.apis)))) + plan.packed


def encode(header: Mapping[str, object], out: bytes = b"", err: bytes = b"") -> bytes:
    """One frame as an agent sends it."""
    head = json.dumps({**header, "out": len(out), "err": len(err)}).encode()
    payload = head + b"\n" + out + err
    return b"SD1 %08x\n" % len(payload) + payload


class FrameReader:
    """Cuts a byte stream into frames, however it was split on the way."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._begun = False

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that ``data`` completes.

        Before the first one, anything else is skipped (a banner, what a shell's start-up files print).
        Raises NoPython where the node has none, FrameError for anything that is not a frame.
        """
        self._buffer += data
        while (payload := self._payload()) is not None:
            yield _frame(payload)

    def _payload(self) -> bytes | None:
        if not self._begun and not self._skip_noise():
            return None
        head = _MAGIC.match(self._buffer)
        if len(self._buffer) < _HEAD and b"SD1 ".startswith(self._buffer[:4]):
            return None
        if head is None or head[1] is None:
            raise FrameError(f"something else than the agent's messages came: {bytes(self._buffer[:60])!r}")
        length = int(head[1], 16)
        if length > PAYLOAD_LIMIT:
            raise FrameError(f"the agent announces a message of {length} bytes")
        if len(self._buffer) < _HEAD + length:
            return None
        payload = bytes(self._buffer[_HEAD : _HEAD + length])
        del self._buffer[: _HEAD + length]
        return payload

    def _skip_noise(self) -> bool:
        head = _MAGIC.search(self._buffer)
        if (len(self._buffer) - _HEAD + 1 if head is None else head.start()) > NOISE_LIMIT:
            raise FrameError(f"its shell prints more than {NOISE_LIMIT // 1024} KiB before the agent begins")
        if head is None:
            return False
        if head[1] is None:
            raise NoPython("there is no python3 (3.6 or later) on the node")
        del self._buffer[: head.start()]
        self._begun = True
        return True


def _frame(payload: bytes) -> Frame:
    head, _, rest = payload.partition(b"\n")
    try:
        header = json.loads(head.decode())
    except (ValueError, RecursionError):
        raise FrameError(f"a message's header is not JSON: {head[:60]!r}") from None
    out, err = (header.get("out", 0), header.get("err", 0)) if isinstance(header, dict) else (None, None)
    if not (isinstance(out, int) and isinstance(err, int) and 0 <= out <= len(rest) and out + err == len(rest)):
        raise FrameError(f"a message's header does not fit it: {head[:60]!r}")
    return Frame(header, rest[:out], rest[out:])


def to_result(frame: Frame) -> Result:
    """The result that a frame of kind ``result`` carries; raises FrameError where it is none."""
    header = frame.header
    try:
        exit_status = header["exit"]
        return Result(
            probe=intern(str(header["probe"])),  # most nodes are asked the same
            command=intern(str(header["command"])),
            subject=str(header["subject"]),
            status=Status(header["status"]),
            exit=None if exit_status is None else int(str(exit_status)),
            stdout=frame.out,
            stderr=frame.err,
            started=float(str(header["started"])),
            seconds=float(str(header["seconds"])),
            reason=str(header["reason"]),
        )
    except (KeyError, ValueError) as error:
        raise FrameError(f"a result lacks something: {error}") from None

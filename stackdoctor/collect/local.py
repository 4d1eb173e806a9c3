"""This machine as a node: the same agent, as a child process."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from typing import BinaryIO

from stackdoctor.collect.frames import bootstrap
from stackdoctor.collect.session import Ending, NodeLost, legible, said

__all__ = ["LocalChannel", "start_local"]

_PIECE = 64 * 1024
_TAIL = 4096
_FAREWELL = 2.0


class LocalChannel:
    """A child process, its standard input and output one socket; see ``session.Channel``."""

    def __init__(self, process: subprocess.Popen[bytes], stream: socket.socket, errors: BinaryIO) -> None:
        self._process, self._stream, self._errors = process, stream, errors

    def write(self, data: bytes, deadline: float) -> None:
        """All of ``data`` to its standard input; TimeoutError when it does not read in time."""
        self._stream.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            self._stream.sendall(data)
        except TimeoutError:
            raise
        except OSError as error:
            raise NodeLost(f"the local agent takes no input: {said(error)}") from error

    def read(self, deadline: float) -> bytes:
        """Some of its standard output, empty at its end; TimeoutError when there is none in time."""
        self._stream.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            return self._stream.recv(_PIECE)
        except TimeoutError:
            raise
        except ConnectionResetError:
            return b""  # it ended without having read all
        except OSError as error:
            raise NodeLost(f"the local agent was lost: {said(error)}") from error

    def last_words(self) -> str:
        """The end of its standard error, and its exit status."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_FAREWELL)
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - _TAIL))
        status = self._process.poll()
        words = legible(self._errors.read())
        return "; ".join(filter(None, [words, f"exit status {status}" if status is not None else ""]))

    def close(self) -> None:
        """End it: it ends by itself, and all that it runs, when its standard input ends; then by force."""
        with contextlib.suppress(OSError):
            self._stream.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(_FAREWELL)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._stream.close()
        self._errors.close()


def start_local(ending: Ending) -> LocalChannel:
    """Start the agent with the Python that runs us; ``ending`` ends it.  Raises NodeLost when it does not start."""
    program = shlex.split(bootstrap())[-1]  # what the login shell of a node would give to its python3
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - the channel closes it
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-IS", "-c", program],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=errors,
                start_new_session=True,  # Ctrl-C in the terminal is ours to pass on
            )
    except OSError as error:
        ours.close()
        errors.close()
        raise NodeLost(f"cannot start {sys.executable}: {said(error)}") from error
    channel = LocalChannel(process, ours, errors)
    ending.add(channel.close)
    return channel

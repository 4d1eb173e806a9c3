"""The log that `--debug FILE` writes: what a run does, step by step, without secrets, and never on the screen."""

from __future__ import annotations

import logging
import os
import platform
import shlex
import stat
import sys
import time
import traceback
from importlib import metadata
from pathlib import Path

import click

from stackdoctor import __version__
from stackdoctor.collect.agent.secrets import redact
from stackdoctor.errors import UsageError
from stackdoctor.report.hostile import plain

__all__ = ["start_debug_log"]

HEAD = "stackdoctor debug log, version 1\n"
"""The first line: a file that begins otherwise is not ours, and nothing is written to it."""

LONGEST = 4000
MOST = 1 << 16
LIBRARIES = ("paramiko", "cryptography", "PyYAML", "click", "rich", "scapy", "openstacksdk")

_LOG = logging.getLogger("stackdoctor")


class _LogFile(logging.Handler):
    """Appends records to an open file; each is a line with its time, what it has besides follows indented.

    Whatever a node made us quote, its secrets are redacted by the rules that hold on the nodes, and its control
    characters are shown by their escapes, so that no text can pass for a record of its own.
    """

    def __init__(self, descriptor: int, path: Path) -> None:
        super().__init__()
        self._descriptor, self._path = descriptor, path
        self.lost = ""  # why it is not whole
        self.addFilter(lambda record: not record.name.startswith("stackdoctor.demo"))  # the other end of --demo

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        if record.exc_info and record.exc_info[0] is not None:
            said += "\n" + "".join(traceback.format_exception(*record.exc_info))
        if len(said) > MOST:
            said = said[:MOST].rpartition("\n")[0] or said[:MOST]  # no half of a line, that might be half of a secret
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        thread = "" if record.threadName == "MainThread" else f" {record.threadName}"
        before = f"{at}.{int(record.msecs):03d}Z{thread} {record.name.removeprefix('stackdoctor.')}: "
        redacted = redact((before + said).encode("utf-8", "backslashreplace")).decode("utf-8", "replace")
        lines = [plain(line, LONGEST) for line in redacted.split("\n") if line]
        try:
            os.write(self._descriptor, "\n    | ".join(lines).encode() + b"\n")
        except OSError as error:
            self.lost = self.lost or error.strerror or str(error)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            if self.lost:
                click.echo(f"stackdoctor: the debug log {plain(str(self._path))} is not whole: {self.lost}", err=True)
        super().close()


def start_debug_log(ctx: click.Context, path: Path) -> None:
    """Log to ``path`` until the command ends; a log that is there is appended to.

    Raises UsageError where the file cannot be written, or is none of ours.
    """
    stop_debug_log()
    handler = _LogFile(_opened(path), path)
    _LOG.addHandler(handler)
    _LOG.setLevel(logging.DEBUG)
    _LOG.propagate = False  # whatever a library configures, none of it reaches the screen
    ctx.find_root().call_on_close(stop_debug_log)
    libraries = " ".join(f"{name} {found}" for name in LIBRARIES if (found := _version(name)))
    _LOG.debug("stackdoctor %s, Python %s, %s", __version__, platform.python_version(), platform.platform())
    _LOG.debug("with %s", libraries)
    _LOG.debug("asked for: %s", shlex.join(sys.argv[1:]))


def stop_debug_log() -> None:
    """Close the log, if there is one."""
    for handler in [h for h in _LOG.handlers if isinstance(h, _LogFile)]:
        _LOG.debug("the command ends")
        _LOG.removeHandler(handler)
        handler.close()
    _LOG.setLevel(logging.NOTSET)
    _LOG.propagate = True


def _opened(path: Path) -> int:
    """A descriptor of the file, its owner's only, that begins with our first line."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise UsageError(f"--debug {path}: {error.strerror}: name a file that can be written") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UsageError(f"--debug {path} is no regular file: the log may hold names of your cloud, name a file")
        begins = os.pread(descriptor, len(HEAD), 0)
        if begins and begins != HEAD.encode():
            raise UsageError(f"--debug {path} is there and no debug log: nothing is overwritten, choose another name")
        os.fchmod(descriptor, 0o600)
        if not begins:
            os.write(descriptor, HEAD.encode())
    except OSError as error:
        os.close(descriptor)
        raise UsageError(f"--debug {path}: {error.strerror}: name a file that can be written") from error
    except UsageError:
        os.close(descriptor)
        raise
    return descriptor


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""

"""The recorded broken cloud that `--demo` shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files

from stackdoctor.demo.server import DemoCloud, serve
from stackdoctor.snapshot.read import read_snapshot

__all__ = ["recorded_cloud"]

RECORDING = "conductor-hung/snapshot.tar.gz"


@contextmanager
def recorded_cloud() -> Iterator[DemoCloud]:
    """The nodes of the recording, each behind an SSH server on a loopback address of its own."""
    with as_file(files("stackdoctor.fixtures").joinpath(RECORDING)) as path:
        nodes = read_snapshot(path).nodes
    with serve(nodes) as cloud:
        yield cloud

"""Row 5: round trips to a node, by how much longer a run takes when each of them does.

A relay in front of sshd holds what it carries for half the round trip in each direction; the difference between
two such times, divided by the difference between the two round trips, is their number.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from cloud import look
from fleet import Fleet, fleet, free_port
from measure import Series, Taken, interleaved, run, series
from outcome import Outcome, Reach, figure, keep
from probes import questions

__all__ = ["main", "relay"]

NEAR, FAR = 0.020, 0.220
REACH = Reach(8.0, "round trips")


def main() -> None:
    """Measure few and many probes, and ssh with a script."""
    few, many = questions(10), questions()
    with fleet(1) as cloud, _behind(cloud, NEAR) as near, _behind(cloud, FAR) as far:
        sides = {
            "few near": lambda: look(near, few),
            "few far": lambda: look(far, few),
            "many near": lambda: look(near, many),
            "many far": lambda: look(far, many),
            "ssh near": lambda: _ssh(near, many.script),
            "ssh far": lambda: _ssh(far, many.script),
        }
        taken = interleaved(sides)
    ssh = _trips(taken["ssh near"], taken["ssh far"])
    outcomes: list[Outcome] = []
    for name, asked in (("few", few), ("many", many)):
        trips = _trips(taken[f"{name} near"], taken[f"{name} far"])
        outcome = figure(f"{len(asked.plan.probes)} probes, round trips", "", REACH, trips, unit="")
        outcomes.append(replace(outcome, peer="ssh, one script", theirs=ssh))
    keep("round-trips", outcomes, ("ssh -V",))


def _trips(near: tuple[Taken, ...], far: tuple[Taken, ...]) -> Series:
    return series([(b.wall - a.wall) / (FAR - NEAR) for a, b in zip(near, far, strict=True)])


def _ssh(cloud: Fleet, script: str) -> Taken:
    return run(["ssh", "-F", str(cloud.config), cloud.hosts[0], script], allowed=range(256))


@contextlib.contextmanager
def _behind(cloud: Fleet, seconds: float) -> Iterator[Fleet]:
    with relay(cloud.port, seconds) as port:
        config = cloud.config.with_name(f"config-{port}")
        known = cloud.known_hosts.with_name(f"known_hosts-{port}")
        _copy(cloud.config, config, {f"Port {cloud.port}": f"Port {port}", str(cloud.known_hosts): str(known)})
        _copy(cloud.known_hosts, known, {f"]:{cloud.port} ": f"]:{port} "})
        yield replace(cloud, port=port, config=config, known_hosts=known)


def _copy(source: Path, target: Path, changes: dict[str, str]) -> None:
    text = source.read_text(encoding="ascii")
    for old, new in changes.items():
        text = text.replace(old, new)
    target.write_text(text, encoding="ascii")


@contextlib.contextmanager
def relay(port: int, seconds: float) -> Iterator[int]:
    """A port that leads to ``port``, ``seconds`` longer there and back."""
    listener = socket.create_server(("0.0.0.0", free_port()), backlog=100)
    threading.Thread(target=_accept, args=(listener, port, seconds / 2), daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def _accept(listener: socket.socket, port: int, delay: float) -> None:
    with contextlib.suppress(OSError):
        while True:
            near, _ = listener.accept()
            far = socket.create_connection(("127.0.0.1", port))
            for stream in (near, far):
                stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for source, sink in ((near, far), (far, near)):
                held: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
                threading.Thread(target=_take, args=(source, held, delay), daemon=True).start()
                threading.Thread(target=_give, args=(sink, held), daemon=True).start()


def _take(source: socket.socket, held: queue.SimpleQueue[tuple[float, bytes]], delay: float) -> None:
    data = b"-"
    while data:
        try:
            data = source.recv(65536)
        except OSError:
            data = b""
        held.put((time.monotonic() + delay, data))


def _give(sink: socket.socket, held: queue.SimpleQueue[tuple[float, bytes]]) -> None:
    with contextlib.suppress(OSError):
        while True:
            due, data = held.get()
            time.sleep(max(0.0, due - time.monotonic()))
            if not data:
                sink.shutdown(socket.SHUT_WR)
                return
            sink.sendall(data)


if __name__ == "__main__":
    main()

"""A recorded cloud that answers again: an SSH server for each of its nodes, on loopback addresses."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)

from stackdoctor.demo.replay import read_opening, replay
from stackdoctor.model import Node, NodeResults

__all__ = ["DemoCloud", "SshServer", "serve"]

_USER = "demo"
_LOG = logging.getLogger(__name__)
_LOG.addHandler(logging.NullHandler())


@dataclass(frozen=True)
class DemoCloud:
    """How the ordinary collection reaches the nodes: user and key file are in them."""

    nodes: tuple[Node, ...]
    known_hosts: str


@contextlib.contextmanager
def serve(node_results: Sequence[NodeResults]) -> Iterator[DemoCloud]:
    """Serve each node's recorded results on an own address of 127.0.0.0/8, until the context ends.

    A node that was not reached when it was recorded refuses connections.  Time goes on from the recording's
    end, with each node's clock as far off as it was.  Host keys and the one client key are made for this
    context, in a temporary folder.
    """
    with tempfile.TemporaryDirectory(prefix="stackdoctor-demo-") as folder, contextlib.ExitStack() as servers:
        client = paramiko.ECDSAKey.generate()
        key_file = os.path.join(folder, "key")
        client.write_private_key_file(key_file)
        known_hosts = os.path.join(folder, "known_hosts")
        clocks = [results.clock for results in node_results if results.clock]
        ahead = max((clock.now - clock.offset for clock in clocks), default=time.time()) - time.time()
        nodes: list[Node] = []
        lines: list[str] = []
        for number, recorded in enumerate(node_results):
            address = f"127.0.{number // 250}.{number % 250 + 2}"
            listener = servers.enter_context(socket.socket())
            listener.bind((address, 0))  # and no more for a node that was not reached: its port refuses
            port = listener.getsockname()[1]
            if recorded.results or not recorded.failure:
                listener.listen(16)
                host_key = paramiko.ECDSAKey.generate()
                lines.append(f"[{address}]:{port} {host_key.get_name()} {host_key.get_base64()}\n")
                server = SshServer(listener, host_key, client, functools.partial(_answer, recorded, ahead))
                servers.callback(server.close)
                server.start()
            nodes.append(replace(recorded.node, address=address, port=port, user=_USER, key=key_file, jump="none"))
        with open(known_hosts, "w", encoding="ascii") as stream:
            stream.writelines(lines)
        yield DemoCloud(tuple(nodes), known_hosts)


def _answer(recorded: NodeResults, ahead: float, channel: paramiko.Channel) -> None:
    """Read the opening as the real agent does, and answer it from the recording."""
    with channel.makefile("rb") as stream:
        _, plan = read_opening(stream)
    off = recorded.clock.offset if recorded.clock else 0.0
    for frame in replay(recorded, plan, time.time() + ahead + off):
        channel.sendall(frame)
    channel.send_exit_status(0)


class SshServer(threading.Thread):
    """Lets one key in, and has ``answer`` serve the channel of each command; until it is closed."""

    def __init__(
        self,
        listener: socket.socket,
        host_key: paramiko.PKey,
        client: paramiko.PKey,
        answer: Callable[[paramiko.Channel], None],
    ) -> None:
        super().__init__(name="demo server", daemon=True)
        self._listener, self._host_key, self._client, self._answer = listener, host_key, client, answer
        self._transports: list[paramiko.Transport] = []

    def run(self) -> None:
        """Accept connections."""
        while True:
            try:
                stream, _ = self._listener.accept()
            except OSError:  # closed
                return
            transport = paramiko.Transport(stream)
            transport.set_log_channel(__name__)
            transport.add_server_key(self._host_key)
            self._transports = [t for t in self._transports if t.is_active()] + [transport]
            transport.start_server(event=threading.Event(), server=_Session(self._client, self._answer))

    def close(self) -> None:
        """End all connections, and take no more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        self._listener.close()
        self.join()
        for transport in self._transports:
            transport.close()


class _Session(paramiko.ServerInterface):
    """Lets in the one client key, and answers the one command; everything else is refused by the base class."""

    def __init__(self, client: paramiko.PKey, answer: Callable[[paramiko.Channel], None]) -> None:
        self._client, self._answer = client, answer

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return AUTH_SUCCESSFUL if key == self._client else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=self._serve, args=(channel,), name="demo command", daemon=True).start()
        return True

    def _serve(self, channel: paramiko.Channel) -> None:
        try:
            with channel:
                self._answer(channel)
        except (OSError, EOFError, ValueError) as error:
            _LOG.info("a conversation broke off: %s", error)

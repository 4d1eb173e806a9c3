"""A way to an address, from here or through a node's SSH connection, that any client can use as a local port."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from stackdoctor.active.programs import NotRun
from stackdoctor.collect.run import Options, logins_of
from stackdoctor.collect.session import Ending, NodeLost, legible, said
from stackdoctor.collect.ssh import Hops, connect
from stackdoctor.model import Node

__all__ = ["NoWay", "Relay", "relay"]

_PIECE = 32 * 1024


class NoWay(Exception):
    """Why nothing takes connections at the address, as seen from the place: one sentence."""


@dataclass
class Relay:
    """A port on 127.0.0.1 that leads to the address, for one client; ``given_up`` is why it was cut."""

    port: int
    ending: Ending
    given_up: str = ""
    _streams: list[Any] = field(default_factory=list)

    def cut(self, why: str) -> None:
        """End it, from any thread: the client sees its connection closed."""
        self.given_up = self.given_up or why
        self.ending.end(why)

    @contextlib.contextmanager
    def within(self, seconds: float, why: str) -> Iterator[None]:
        """Cut with ``why`` when the body takes longer."""
        timer = threading.Timer(seconds, self.cut, (why,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


@contextlib.contextmanager
def relay(host: str, port: int, node: Node | None, options: Options) -> Iterator[Relay]:
    """A way to ``host`` and ``port`` from ``node`` (None: from here), as long as the body runs.

    A name is resolved where the way begins.  Raises NotRun where the node itself is out of reach, and NoWay.
    """
    ending = Ending()
    try:
        stream = _here(host, port, options.timeout) if node is None else _through(host, port, node, options, ending)
        ending.add(stream.close)
        listener = socket.create_server(("127.0.0.1", 0))
        ending.add(listener.close)
        way = Relay(listener.getsockname()[1], ending)
        threading.Thread(target=_serve, args=(listener, stream, ending), daemon=True).start()
        yield way
    finally:
        ending.end()


def _here(host: str, port: int, timeout: float) -> Any:
    try:
        stream = socket.create_connection((host, port), timeout)
    except ConnectionRefusedError:
        raise NoWay(f"{host} port {port} refuses connections: no broker listens there") from None
    except TimeoutError:
        raise NoWay(f"{host} port {port} does not answer within {timeout:g} s: network or firewall") from None
    except (OSError, UnicodeError) as error:
        raise NoWay(f"{host} port {port}: {said(error)}") from None
    stream.settimeout(None)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


def _through(host: str, port: int, node: Node, options: Options, ending: Ending) -> Any:
    import paramiko

    (login,) = logins_of([node], options)
    if login is None:
        return _here(host, port, options.timeout)
    hops = Hops(options.accept_new, options.timeout, lambda added: None)
    ending.add(hops.ending.end)
    try:
        transport = connect(login, options.accept_new, options.timeout, ending, hops, lambda added: None)
    except NodeLost as lost:
        raise NotRun(str(lost)) from None
    try:
        return transport.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=options.timeout)
    except paramiko.ChannelException as refused:
        if refused.code == 1:
            raise NotRun("its sshd forbids forwarding (AllowTcpForwarding)") from None
        why = legible(str(refused.text)) or "it does not say why"
        raise NoWay(f"{host} port {port} takes no connection from there: {why}") from None
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise NoWay(f"{host} port {port} takes no connection from there: {said(error)}") from None


def _serve(listener: socket.socket, stream: Any, ending: Ending) -> None:
    with contextlib.suppress(OSError):
        client, _ = listener.accept()
        listener.close()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ending.add(lambda: _hang_up(client))
        threading.Thread(target=_pump, args=(client, stream), daemon=True).start()
        _pump(stream, client)


def _pump(source: Any, sink: Any) -> None:
    try:
        while data := source.recv(_PIECE):
            sink.sendall(data)
    except (OSError, EOFError):
        pass
    finally:
        for stream in (source, sink):
            _hang_up(stream)


def _hang_up(stream: Any) -> None:
    with contextlib.suppress(OSError, EOFError):
        stream.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError, EOFError):
        stream.close()

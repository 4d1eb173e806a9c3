"""The byte stream that an SSH connection runs over, up to the server's greeting."""

from __future__ import annotations

import contextlib
import errno
import functools
import logging
import socket
import subprocess
import threading
import time
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Any

from stackdoctor.collect.session import Ending, NodeLost, legible, said
from stackdoctor.inventory.nodelist import is_ip
from stackdoctor.inventory.sshconfig import Login

if TYPE_CHECKING:
    import paramiko

__all__ = ["dial", "greeted", "hang_up"]

_LOG = logging.getLogger(__name__)
_AHEAD = 32 * 1024
_FAREWELL = 1.0
_IDLE = 5.0  # seconds after which a thread that waits for a node looks up, should nothing have woken it
_GREETING = 16 * 1024


def dial(login: Login, hop: paramiko.Transport | None, deadline: float, timeout: float, ending: Ending) -> Any:
    """A byte stream to the host: a TCP connection, a channel through the hop before, or a command's.

    ``ending`` closes it.  Raises NodeLost with what is in the way, at ``deadline`` at the latest, which is the
    end of ``timeout`` seconds.
    """
    if hop is not None:
        return _through(hop, login, deadline, ending)
    if login.proxy_command:
        _LOG.debug("by the ProxyCommand of the ssh configuration")
        return _by_command(login.proxy_command, ending)
    reasons: list[str] = []
    addresses = _addresses(login, deadline, timeout, ending)
    for number, (family, address) in enumerate(addresses):
        stream = socket.socket(family, socket.SOCK_STREAM)
        ending.add(functools.partial(hang_up, stream))
        stream.settimeout(max(0.05, (deadline - time.monotonic()) / (len(addresses) - number)))
        try:
            stream.connect(address)
        except OSError as error:
            stream.close()
            reasons.append(_why_not(error, login, timeout))
            _LOG.debug("to %s: %s", address, reasons[-1])
            continue
        _LOG.debug("connected to %s", address)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _notice_silence(stream, timeout)
        return stream
    raise NodeLost("; ".join(dict.fromkeys(reasons)))


def _addresses(login: Login, deadline: float, timeout: float, ending: Ending) -> list[tuple[int, Any]]:
    """Where the name or the address leads to."""
    try:
        found = _resolved(login) if is_ip(login.host) else _looked_up(login, ending, deadline)
    except FutureTimeoutError:
        raise NodeLost(f"the name {login.host} was not resolved within {timeout:g} s") from None
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise NodeLost(f"cannot resolve the name {login.host}: {why}") from error
    return [(family, address) for family, _, _, _, address in found]


def _looked_up(login: Login, ending: Ending, deadline: float) -> list[Any]:
    """What the resolver says.  It takes no timeout, so it is asked in a thread that may be left behind."""
    answer: Future[list[Any]] = Future()

    def ask() -> None:
        with contextlib.suppress(InvalidStateError):
            try:
                answer.set_result(_resolved(login))
            except (OSError, UnicodeError) as error:
                answer.set_exception(error)

    ending.add(answer.cancel)
    threading.Thread(target=ask, name=f"resolve {login.host}", daemon=True).start()
    return answer.result(max(0.0, deadline - time.monotonic()))


def _resolved(login: Login) -> list[Any]:
    return socket.getaddrinfo(login.host, login.port, type=socket.SOCK_STREAM)


def _why_not(error: OSError, login: Login, timeout: float) -> str:
    if isinstance(error, ConnectionRefusedError):
        return f"{login} refuses connections: is sshd running there?"
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return f"no answer from {login} within {timeout:g} s"
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN):
        return f"no route to {login}: {error.strerror}"
    return f"cannot connect to {login}: {error.strerror or error}"


def _notice_silence(stream: socket.socket, timeout: float) -> None:
    """Have the kernel give up on a peer that acknowledges nothing any more (tcp(7))."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", 10),
        ("TCP_KEEPINTVL", 5),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", int(max(timeout, 10.0) * 1000)),
    ):
        if hasattr(socket, name):
            stream.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def hang_up(stream: socket.socket | _Hopped) -> None:
    with contextlib.suppress(OSError):
        stream.shutdown(socket.SHUT_RDWR)  # wakes whoever waits on it; close does not
    stream.close()


class _Hopped:
    """A channel through a hop as a stream; what is sent on it goes before its close, or not at all.

    Several threads use it, and paramiko may send what one of them says after another's close: sshd takes that for a
    breach of the protocol (channels.c, "referred to nonexistent channel") and hangs up on all that go over the hop.
    """

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self._sending, self._closed = threading.Lock(), False

    def send(self, data: bytes) -> int:
        with self._sending:
            if self._closed:
                raise OSError(errno.EPIPE, "it is closed")
            return self._channel.send(data)

    def recv(self, size: int) -> bytes:
        return bytes(self._channel.recv(size))

    def settimeout(self, seconds: float) -> None:
        self._channel.settimeout(seconds)

    def shutdown(self, how: int) -> None:
        """Closing is enough: it wakes whoever waits."""

    def close(self) -> None:
        held = self._sending.acquire(timeout=_FAREWELL)  # who sends may wait for a hop that takes nothing any more
        try:
            self._closed = True
            self._channel.close()
        finally:
            if held:
                self._sending.release()


def _through(hop: paramiko.Transport, login: Login, deadline: float, ending: Ending) -> _Hopped:
    import paramiko

    assert login.jump
    left = max(0.1, deadline - time.monotonic())
    try:
        channel = hop.open_channel("direct-tcpip", (login.host, login.port), ("127.0.0.1", 0), timeout=left)
    except paramiko.ChannelException as refused:
        why = "it forbids forwarding" if refused.code == 1 else legible(str(refused.text)) or "it says no why"
        raise NodeLost(f"jump host {login.jump.host} opens no way to {login}: {why}") from refused
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise NodeLost(f"the connection to the jump host {login.jump.host} was lost: {said(error)}") from error
    hopped = _Hopped(channel)
    ending.add(hopped.close)
    return hopped


def _by_command(command: str, ending: Ending) -> socket.socket:
    """The stream of a ProxyCommand (ssh_config(5)), which the user's own configuration asks for."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {command}"], stdin=theirs.fileno(), stdout=theirs.fileno(), start_new_session=True
        )

    def end() -> None:
        hang_up(ours)
        process.kill()
        process.wait()

    ending.add(end)
    return ours


class _Greeted:
    """A stream whose greeting was read already, as paramiko's thread for it reads it.

    What is there is read at once, and given piece by piece: paramiko asks for the first bytes of each packet, and then
    for its rest.  It would wake ten times a second to see whether it was closed: here closing wakes it.
    """

    def __init__(self, stream: Any, head: bytes) -> None:
        self._stream, self._ahead = stream, head

    def recv(self, size: int) -> bytes:
        data = self._ahead or bytes(self._stream.recv(max(size, _AHEAD)))
        self._ahead = data[size:]
        return data[:size]

    def settimeout(self, seconds: float) -> None:
        self._stream.settimeout(_IDLE)

    def close(self) -> None:
        hang_up(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def greeted(stream: Any, login: Login, deadline: float, timeout: float) -> Any:
    """The stream from its ``SSH-`` line on; other lines may come before it (RFC 4253, 4.2).

    Raises NodeLost when no such line comes within 16 KiB and until ``deadline``, the end of ``timeout`` seconds.
    """
    data = b""
    while True:
        start = 0 if data.startswith(b"SSH-") else data.find(b"\nSSH-") + 1
        if data.startswith(b"SSH-", start) and b"\n" in data[start:]:
            _LOG.debug("it greets: %s", legible(data, 200))
            return _Greeted(stream, data[start:])
        if len(data) > _GREETING:
            raise NodeLost(f"{login} is no SSH server: it says {legible(data, 60)!r}")
        stream.settimeout(max(0.05, deadline - time.monotonic()))
        try:
            piece = stream.recv(1024)
        except TimeoutError:
            if data:
                raise NodeLost(f"{login} is no SSH server: it says {legible(data, 60)!r}") from None
            raise NodeLost(f"{login} took the connection and said nothing within {timeout:g} s") from None
        except OSError as error:
            raise NodeLost(f"{login} broke the connection off before its greeting: {said(error)}") from error
        if not piece and data:
            raise NodeLost(f"{login} is no SSH server: it says {legible(data, 60)!r}")
        if not piece:
            raise NodeLost(f"{login} closed the connection before its greeting (MaxStartups, or a filter, of sshd?)")
        data += piece

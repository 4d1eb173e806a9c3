"""Nodes over SSH, by paramiko: one connection, one command; jump hosts by channels through the hop before."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import lru_cache
from typing import TYPE_CHECKING

from stackdoctor.collect.dial import dial, greeted
from stackdoctor.collect.hostkeys import HostKey, HostKeyAdded, HostKeyPolicy, HostKeyRefused
from stackdoctor.collect.login import log_in
from stackdoctor.collect.session import Ending, NodeLost, legible, said
from stackdoctor.inventory.sshconfig import Login

if TYPE_CHECKING:
    import paramiko

__all__ = ["Hops", "SshChannel", "connect", "execute"]

_LOG = logging.getLogger(__name__)
_LOG.addHandler(logging.NullHandler())  # or paramiko's complaints reach the terminal by Python's last resort

_PIECE = 32 * 1024
_TAIL = 4096
_SLACK = 0.5  # for what has a deadline of its own, and a better sentence


class Hops:
    """The jump hosts of one run: each is logged in to once, for all the nodes behind it."""

    def __init__(self, accept_new: bool, timeout: float, on_added: Callable[[HostKeyAdded], None]) -> None:
        self._accept_new, self._timeout, self._on_added = accept_new, timeout, on_added
        self._lock = threading.Lock()
        self._transports: dict[Login, Future[paramiko.Transport]] = {}
        self.ending = Ending()

    def transport(self, hop: Login, deadline: float) -> paramiko.Transport:
        """The connection to ``hop``.  Raises NodeLost: what failed once is not tried again for each node."""
        with self._lock:
            first = hop not in self._transports
            future = self._transports.setdefault(hop, Future())
        if first:
            ending = Ending()
            self.ending.add(ending.end)
            try:
                future.set_result(connect(hop, self._accept_new, self._timeout, ending, self, self._on_added))
            except BaseException as error:
                ending.end()
                future.set_exception(error)
        try:
            # A little more than its own deadline: who tried knows why it failed.
            return future.result(max(0.0, deadline - time.monotonic()) + _SLACK / 2)
        except NodeLost as lost:
            raise NodeLost(f"jump host {hop.host}: {lost}") from lost
        except FutureTimeoutError:
            raise NodeLost(f"jump host {hop} did not let us in within {self._timeout:g} s") from None


def connect(
    login: Login,
    accept_new: bool,
    timeout: float,
    ending: Ending,
    hops: Hops,
    on_added: Callable[[HostKeyAdded], None],
) -> paramiko.Transport:
    """A connection on which ``login.user`` is logged in, ``timeout`` seconds from now at the latest.

    ``ending`` closes it.  Raises NodeLost with what failed: the name, the way there, the greeting, the
    key exchange, the host key, or the login.
    """
    deadline = time.monotonic() + timeout
    policy = HostKeyPolicy(login.known_hosts, accept_new)
    with ending.within(timeout + _SLACK, f"{login} did not let us in within {timeout:g} s"):
        hop = hops.transport(login.jump, deadline) if login.jump else None
        stream = dial(login, hop, deadline, timeout, ending)
        transport = _transport_of(login)(greeted(stream, login, deadline, timeout))
        ending.add(transport.close)
        transport.name = f"ssh {login.host}:{login.port}"
        transport.set_log_channel(f"{__name__}.paramiko")
        _prefer(transport, login, policy)
        _shake_hands(transport, login, deadline, timeout, ending)
        key = transport.get_remote_server_key()
        try:
            added = policy.check(login.alias or login.host, login.port, HostKey(key.get_name(), key.asbytes()))
        except HostKeyRefused as refused:
            raise NodeLost(str(refused)) from refused
        _LOG.debug("its host key %s is %s", key.get_name(), f"added to {added.file}" if added else "the known one")
        if added:
            on_added(added)
        log_in(transport, login, deadline, ending)
    return transport


def _transport_of(login: Login) -> type[paramiko.Transport]:
    if login.old_algorithms:
        from stackdoctor.collect.old_algorithms import OldTransport

        return OldTransport
    import paramiko

    return paramiko.Transport


def _prefer(transport: paramiko.Transport, login: Login, policy: HostKeyPolicy) -> None:
    """Quick and sound algorithms first, the type of host key that is known, and broken ones only where allowed."""
    try:
        known = frozenset(entry.key.type for entry in policy.known(login.alias or login.host, login.port))
    except OSError:
        known = frozenset()  # the check that follows says it
    options = transport.get_security_options()
    options.kex = _kexes(tuple(options.kex), login.old_algorithms)
    options.ciphers = _ciphers(tuple(options.ciphers), login.old_algorithms)
    options.digests = [name for name in options.digests if "md5" not in name and "96" not in name]
    options.key_types = _key_types(tuple(options.key_types), login.old_algorithms, known)


@lru_cache(8)  # of these three: each node is offered the same
def _kexes(names: tuple[str, ...], old: bool) -> tuple[str, ...]:
    order = ("curve25519", "mlkem", "ecdh", "diffie-hellman-group-exchange", "diffie-hellman-group14")

    def rank(name: str) -> int:
        return next((place for place, start in enumerate(order) if name.startswith(start)), len(order))

    sound = [name for name in names if old or not name.endswith("sha1")]
    return tuple(sorted(sound, key=lambda name: (name.endswith("sha1"), rank(name))))


@lru_cache(8)
def _ciphers(names: tuple[str, ...], old: bool) -> tuple[str, ...]:
    """Those with a seal of their own first: paramiko compares the sums of the others byte by byte, in Python."""
    sound = [name for name in names if (old or "cbc" not in name) and not name.startswith("arcfour")]
    return tuple(sorted(sound, key=lambda name: ("cbc" in name, "gcm" not in name)))


@lru_cache(8)
def _key_types(names: tuple[str, ...], old: bool, known: frozenset[str]) -> tuple[str, ...]:
    sound = [name for name in names if name != "ssh-dss" and (old or name != "ssh-rsa")]
    return tuple(sorted(sound, key=lambda name: (_key_type(name) not in known, name == "ssh-rsa")))


def _key_type(algorithm: str) -> str:
    return "ssh-rsa" if algorithm.startswith("rsa-sha2-") else algorithm


def _shake_hands(transport: paramiko.Transport, login: Login, deadline: float, timeout: float, ending: Ending) -> None:
    import paramiko

    done = threading.Event()
    ending.add(done.set)
    transport.banner_timeout = transport.handshake_timeout = timeout  # ours comes first, and is told apart
    transport.start_client(event=done)
    done.wait(max(0.0, deadline - time.monotonic()))
    if done.is_set() and transport.is_active():
        return
    error = transport.get_exception()
    if time.monotonic() >= deadline:
        raise NodeLost(f"{login} greeted and did not finish the key exchange within {timeout:g} s")
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        way_out = "" if login.old_algorithms else "; if it knows old ones only, --old-algorithms offers those too"
        raise NodeLost(f"{login} and we have no algorithm in common: {said(error)}{way_out}")
    if error is None or isinstance(error, (EOFError, OSError)):
        raise NodeLost(f"{login} broke the connection off during the key exchange")
    raise NodeLost(f"the key exchange with {login} failed: {said(error)}")


class SshChannel:
    """The one command that runs on the node; see ``session.Channel``."""

    def __init__(self, transport: paramiko.Transport, channel: paramiko.Channel, login: Login) -> None:
        self._transport, self._channel, self._login = transport, channel, login
        self._tail = b""

    def write(self, data: bytes, deadline: float) -> None:
        """All of ``data`` to the command's standard input."""
        view = memoryview(data)
        while view:
            self._channel.settimeout(max(0.05, deadline - time.monotonic()))
            try:
                view = view[self._channel.send(bytes(view[:_PIECE])) :]
            except TimeoutError:
                raise
            except (OSError, EOFError) as error:
                raise NodeLost(self._how_lost()) from error

    def read(self, deadline: float) -> bytes:
        """Some of the command's standard output; empty when it has closed it."""
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            # In short turns: a full window of unread standard error would block the command.
            self._channel.settimeout(min(left, 1.0))
            try:
                data = bytes(self._channel.recv(_PIECE))
            except TimeoutError:
                self._drain()
                continue
            except (OSError, EOFError) as error:
                raise NodeLost(self._how_lost()) from error
            self._drain()
            if not data and not self._transport.is_active():
                raise NodeLost(self._how_lost())
            return data

    def last_words(self) -> str:
        """The end of the standard error and the exit status, as far as they came."""
        if self._transport.is_active():
            self._channel.status_event.wait(1.0)
        self._drain()
        status = self._channel.recv_exit_status() if self._channel.exit_status_ready() else -1
        return "; ".join(filter(None, [legible(self._tail), f"exit status {status}" if status >= 0 else ""]))

    def _drain(self) -> None:
        while self._channel.recv_stderr_ready():
            data = self._channel.recv_stderr(_PIECE)
            if not data:
                break
            self._tail = (self._tail + data)[-_TAIL:]

    def _how_lost(self) -> str:
        if self._transport.is_active():
            return f"{self._login} closed the channel"
        error = self._transport.get_exception()
        why = f": {said(error)}" if error is not None and str(error) else ""
        return f"the connection to {self._login} was lost{why}"


def execute(transport: paramiko.Transport, command: str, login: Login, timeout: float, ending: Ending) -> SshChannel:
    """Start ``command`` on the node, without terminal, agent or X11.  Raises NodeLost when it is not let."""
    import paramiko

    with ending.within(timeout + _SLACK, f"{login} started no command within {timeout:g} s"):
        try:
            channel = transport.open_session(timeout=timeout)
            channel.exec_command(command)
        except paramiko.ChannelException as refused:
            raise NodeLost(f"{login} opens no session: {legible(str(refused.text))}") from refused
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise NodeLost(f"{login} runs no command for {login.user}: {said(error)}") from error
    _LOG.debug("a session of %s runs the agent, %d bytes of command", login.user, len(command))
    return SshChannel(transport, channel, login)

"""Nodes over SSH, against real sockets: good servers, bad ones, and what is no SSH server at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
import pytest

from stackdoctor.collect.frames import encode
from stackdoctor.collect.plan import Plan
from stackdoctor.collect.run import Event, HostKeyAdded, Options, collect
from stackdoctor.collect.session import Ending
from stackdoctor.collect.ssh import Hops, connect
from stackdoctor.demo.server import SshServer
from stackdoctor.inventory.sshconfig import Login
from stackdoctor.model import Node, NodeResults, Probe, Status

UPTIME = Probe("uptime", ("cat", "/proc/uptime"))
PLAN = Plan((UPTIME, Probe("version", ("cat", "/proc/version"))), seconds=5.0)
HELLO = {
    "kind": "hello",
    "version": 1,
    "hostname": "node",
    "fqdn": "node",
    "now": 1000.0,
    "utc_offset": 0,
    "zone": "UTC",
}
RESULT = {
    "kind": "result",
    "probe": "uptime",
    "subject": "",
    "command": "cat /proc/uptime",
    "status": "ran",
    "exit": 0,
    "started": 1000.0,
    "seconds": 0.1,
    "reason": "",
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the user's keys nor their agent take part."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


def ask(node: Node, folder: Path, events: list[Event] | None = None, **options: object) -> NodeResults:
    given = {"timeout": 5.0, "known_hosts": str(folder / "known_hosts"), "ssh_config": str(folder / "config")}
    [results] = collect([node], PLAN, Options(**{**given, **options}), (events if events is not None else []).append)  # type: ignore[arg-type]
    return results


def new_key(folder: Path, name: str = "key") -> tuple[paramiko.PKey, str]:
    key = paramiko.ECDSAKey.generate()
    path = folder / name
    key.write_private_key_file(str(path))
    return key, str(path)


class Served:
    """A paramiko server that answers as told, and the node that it is."""

    def __init__(self, folder: Path, node: Node, host_key: paramiko.PKey) -> None:
        self.folder, self.node, self.host_key = folder, node, host_key

    def is_known(self) -> Served:
        line = f"[127.0.0.1]:{self.node.port} {self.host_key.get_name()} {self.host_key.get_base64()}\n"
        (self.folder / "known_hosts").write_text(line)
        return self


@contextlib.contextmanager
def server(folder: Path, answer: Callable[[paramiko.Channel], None]) -> Iterator[Served]:
    def begin(channel: paramiko.Channel) -> None:
        channel.recv(1)  # the client knows now that its command was taken
        answer(channel)

    client, path = new_key(folder)
    host_key = paramiko.ECDSAKey.generate()
    listener = socket.create_server(("127.0.0.1", 0))
    ssh = SshServer(listener, host_key, client, begin)
    ssh.start()
    try:
        yield Served(folder, Node("n", "127.0.0.1", listener.getsockname()[1], "root", path), host_key)
    finally:
        ssh.close()


def full_answer(channel: paramiko.Channel) -> None:
    channel.sendall(encode(HELLO) + encode(RESULT, b"1.0 2.0\n") + encode({**RESULT, "probe": "version"}))
    channel.sendall(encode({"kind": "done", "left_out": []}))


@contextlib.contextmanager
def raw_server(serve: Callable[[socket.socket], None]) -> Iterator[Node]:
    """A server that does with its first connection what it is told."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    serve(connection)

        thread = threading.Thread(target=run)
        thread.start()
        yield Node("n", "127.0.0.1", listener.getsockname()[1], "root")
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def until_closed(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while connection.recv(1024):
            pass


def test_a_node_answers(tmp_path: Path) -> None:
    with server(tmp_path, full_answer) as served:
        found = ask(served.is_known().node, tmp_path)
    assert found.failure == ""
    assert found.one(UPTIME).stdout == b"1.0 2.0\n"
    assert found.hostname == "node"


def test_the_clock_is_measured_between_question_and_answer(tmp_path: Path) -> None:
    before = time.time()
    with server(tmp_path, full_answer) as served:
        found = ask(served.is_known().node, tmp_path)
    after = time.time()
    assert found.clock is not None
    assert 1000.0 - after <= found.clock.offset - found.clock.error
    assert found.clock.offset + found.clock.error <= 1000.0 - before


def test_a_port_that_refuses_is_named(tmp_path: Path) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        found = ask(Node("n", "127.0.0.1", bound.getsockname()[1]), tmp_path)
    assert found.failure == f"127.0.0.1 port {found.node.port} refuses connections: is sshd running there?"
    assert not found.results


def test_a_name_that_does_not_exist_is_named(tmp_path: Path) -> None:
    assert "cannot resolve the name nowhere.invalid" in ask(Node("n", "nowhere.invalid"), tmp_path).failure


def test_a_server_that_says_nothing_costs_its_time_only(tmp_path: Path) -> None:
    begun = time.monotonic()
    with raw_server(until_closed) as node:
        found = ask(node, tmp_path, timeout=0.3)
    assert found.failure == f"127.0.0.1 port {node.port} took the connection and said nothing within 0.3 s"
    assert time.monotonic() - begun < 3.0


def test_a_server_that_greets_and_then_says_nothing_costs_its_time_only(tmp_path: Path) -> None:
    def greet(connection: socket.socket) -> None:
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        until_closed(connection)

    with raw_server(greet) as node:
        found = ask(node, tmp_path, timeout=0.3)
    assert found.failure == f"127.0.0.1 port {node.port} greeted and did not finish the key exchange within 0.3 s"


def test_a_server_that_closes_at_once_is_named(tmp_path: Path) -> None:
    with raw_server(lambda connection: None) as node:
        assert "closed the connection before its greeting" in ask(node, tmp_path).failure


@pytest.mark.parametrize("after", [until_closed, lambda connection: None])
def test_what_is_no_ssh_server_is_quoted(tmp_path: Path, after: Callable[[socket.socket], None]) -> None:
    def speak_first(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n\x1b[31m")
        after(connection)

    with raw_server(speak_first) as node:
        found = ask(node, tmp_path, timeout=0.5)
    assert found.failure == f"127.0.0.1 port {node.port} is no SSH server: it says 'HTTP/1.1 400 Bad Request [31m'"


def test_endless_garbage_is_not_read_endlessly(tmp_path: Path) -> None:
    sent = 0

    def chargen(connection: socket.socket) -> None:
        nonlocal sent
        while True:
            sent += connection.send(b"x" * 65536)

    with raw_server(chargen) as node:
        found = ask(node, tmp_path)
    assert "is no SSH server: it says 'xxx" in found.failure


def test_lines_before_the_greeting_are_passed_over(tmp_path: Path) -> None:
    with server(tmp_path, full_answer) as served:
        real = served.is_known().node

        def relay(connection: socket.socket) -> None:
            connection.sendall(b"Welcome.\r\nAuthorised use only.\r\n")
            with socket.create_connection(("127.0.0.1", real.port)) as to:
                pipes = [threading.Thread(target=pump, args=pair) for pair in ((connection, to), (to, connection))]
                for pipe in pipes:
                    pipe.start()
                for pipe in pipes:
                    pipe.join()

        with raw_server(relay) as front:
            (tmp_path / "config").write_text(f"HostKeyAlias known\nUserKnownHostsFile {tmp_path / 'known_hosts'}\n")
            key = served.host_key
            (tmp_path / "known_hosts").write_text(f"[known]:{front.port} {key.get_name()} {key.get_base64()}\n")
            found = ask(Node("n", front.address, front.port, "root", real.key), tmp_path)
    assert found.failure == ""


def pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def test_an_unknown_host_key_is_refused_and_nothing_is_asked(tmp_path: Path) -> None:
    asked = threading.Event()
    with server(tmp_path, lambda channel: asked.set()) as served:
        found = ask(served.node, tmp_path)
    assert "is unknown: ecdsa-sha2-nistp256 SHA256:" in found.failure
    assert "--accept-new" in found.failure
    assert not asked.is_set()
    assert not (tmp_path / "known_hosts").exists()


def test_accepting_a_new_key_is_said_once(tmp_path: Path) -> None:
    events: list[Event] = []
    with server(tmp_path, full_answer) as served:
        first = ask(served.node, tmp_path, events, accept_new=True)
        second = ask(served.node, tmp_path, events, accept_new=True)
    assert (first.failure, second.failure) == ("", "")
    [added] = [e for e in events if isinstance(e, HostKeyAdded)]
    assert added.file == str(tmp_path / "known_hosts")


def test_another_host_key_than_the_known_one_is_refused(tmp_path: Path) -> None:
    with server(tmp_path, full_answer) as served:
        served.host_key = paramiko.ECDSAKey.generate()
        found = ask(served.is_known().node, tmp_path, accept_new=True)
    assert f"{tmp_path}/known_hosts line 1 has ecdsa-sha2-nistp256" in found.failure
    assert "HAS CHANGED" in found.failure


def test_a_refused_login_names_the_user_and_the_keys(tmp_path: Path) -> None:
    _, other = new_key(tmp_path, "other")
    with server(tmp_path, full_answer) as served:
        node = served.is_known().node
        found = ask(Node("n", node.address, node.port, "heat-admin", other), tmp_path)
    assert found.failure == f"127.0.0.1 port {node.port} refuses the login of heat-admin (keys tried: {other})"


def test_keys_that_cannot_be_used_are_named_with_the_reason(tmp_path: Path) -> None:
    paramiko.ECDSAKey.generate().write_private_key_file(str(tmp_path / "locked"), password="secret")
    (tmp_path / "text").write_text("no key at all")
    (tmp_path / "config").write_text("".join(f"IdentityFile {tmp_path}/{n}\n" for n in ("locked", "text", "gone")))
    with server(tmp_path, full_answer) as served:
        node = served.is_known().node
        failure = ask(Node("n", node.address, node.port, "root"), tmp_path).failure
    assert "no key to try" in failure
    assert "locked has a passphrase: add it to the ssh agent" in failure
    assert "text is not a usable key" in failure
    assert "gone: No such file" in failure


def test_the_second_key_is_tried_when_the_first_is_refused(tmp_path: Path) -> None:
    new_key(tmp_path, "first")
    with server(tmp_path, full_answer) as served:
        node = served.is_known().node
        (tmp_path / "config").write_text(f"IdentityFile {tmp_path}/first\nIdentityFile {node.key}\n")
        found = ask(Node("n", node.address, node.port, "root"), tmp_path)
    assert found.failure == ""


def test_a_connection_that_is_reset_in_a_frame_keeps_what_had_come(tmp_path: Path) -> None:
    def reset(channel: paramiko.Channel) -> None:
        channel.sendall(encode(HELLO) + encode(RESULT, b"1.0 2.0\n") + encode(RESULT, b"x" * 1000)[:500])
        channel.recv(1)
        stream = channel.get_transport().sock
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.close()

    with server(tmp_path, reset) as served:
        found = ask(served.is_known().node, tmp_path)
    assert "was lost" in found.failure
    assert "after 1 of 2 probes" in found.failure
    assert found.one(UPTIME).stdout == b"1.0 2.0\n"
    lost = found.results["version", ""]
    assert (lost.status, lost.reason) == (Status.NOT_RUN, found.failure)
    assert lost.command == "cat /proc/version"


def test_an_agent_that_never_speaks_costs_its_time_only(tmp_path: Path) -> None:
    with server(tmp_path, lambda channel: until_closed(channel)) as served:  # type: ignore[arg-type]
        found = ask(served.is_known().node, tmp_path, timeout=0.5)
    assert found.failure == "it was let in, and then said nothing of use within 0.5 s"


def test_what_a_login_shell_says_instead_is_quoted(tmp_path: Path) -> None:
    def nologin(channel: paramiko.Channel) -> None:
        channel.sendall(b"This account is currently not available.\n")
        channel.sendall_stderr(b"bye\n")
        channel.send_exit_status(1)

    with server(tmp_path, nologin) as served:
        found = ask(served.is_known().node, tmp_path)
    assert found.failure == ("the agent ended too early: This account is currently not available.; bye; exit status 1")


def test_garbage_after_the_first_word_ends_the_conversation(tmp_path: Path) -> None:
    with server(tmp_path, lambda channel: channel.sendall(encode(HELLO) + b"rubbish " * 20)) as served:
        found = ask(served.is_known().node, tmp_path)
    assert "after 0 of 2 probes" in found.failure
    assert found.results["uptime", ""].status is Status.NOT_RUN


def test_quick_and_sound_algorithms_come_first_and_broken_ones_not_at_all(tmp_path: Path) -> None:
    ending = Ending()
    with server(tmp_path, full_answer) as served:
        node = served.is_known().node
        login = Login(node.address, node.port, node.user, (node.key,), known_hosts=(str(tmp_path / "known_hosts"),))
        hops = Hops(False, 5.0, lambda event: None)
        options = connect(login, False, 5.0, ending, hops, lambda event: None).get_security_options()
        ending.end()
    assert options.kex[0].startswith("curve25519-sha256")
    assert options.kex[-1] == "diffie-hellman-group16-sha512"
    assert not [name for name in (*options.ciphers, *options.digests) if "cbc" in name or "md5" in name]
    assert options.key_types[0] == "ecdsa-sha2-nistp256"


def test_a_proxy_command_of_the_configuration_is_used(tmp_path: Path) -> None:
    relay = tmp_path / "relay.py"
    relay.write_text(
        "import os, socket, sys, threading\n"
        "to = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "def up():\n"
        "    while data := os.read(0, 65536): to.sendall(data)\n"
        "threading.Thread(target=up, daemon=True).start()\n"
        "while data := to.recv(65536): os.write(1, data)\n"
    )
    with server(tmp_path, full_answer) as served:
        node = served.is_known().node
        (tmp_path / "config").write_text(f"Host *\n ProxyCommand {sys.executable} {relay} 127.0.0.1 %p\n")
        found = ask(node, tmp_path)
        assert found.failure == ""
        (tmp_path / "config").write_text("Host *\n ProxyCommand false\n")
        assert "before its greeting" in ask(node, tmp_path).failure


@contextlib.contextmanager
def ssh_agent(folder: Path, key: str) -> Iterator[str]:
    for program in ("ssh-agent", "ssh-add"):
        if not shutil.which(program):
            pytest.skip(f"{program} (openssh-client) is missing")
    path = str(folder / "agent.sock")
    said = subprocess.run(["ssh-agent", "-a", path], capture_output=True, text=True, check=True).stdout
    try:
        environment = {**os.environ, "SSH_AUTH_SOCK": path}
        subprocess.run(["ssh-add", "-q", key], env=environment, check=True, capture_output=True)
        yield path
    finally:
        os.kill(int(said.split("SSH_AGENT_PID=")[1].split(";")[0]), signal.SIGTERM)


def test_a_key_of_the_ssh_agent_is_used(tmp_path: Path) -> None:
    with server(tmp_path, full_answer) as served:
        node = served.is_known().node
        with ssh_agent(tmp_path, node.key) as path:
            (tmp_path / "config").write_text(f"IdentityAgent {path}\n")
            assert ask(Node("n", node.address, node.port, "root"), tmp_path).failure == ""
            (tmp_path / "config").write_text(f"IdentityAgent {path}\nIdentitiesOnly yes\n")
            assert "no key to try" in ask(Node("n", node.address, node.port, "root"), tmp_path).failure


def test_an_agent_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(f"IdentityAgent {tmp_path}/none.sock\n")
    with server(tmp_path, full_answer) as served:
        node = served.is_known().node
        failure = ask(Node("n", node.address, node.port, "root"), tmp_path).failure
    assert f"the ssh agent at {tmp_path}/none.sock does not answer: No such file" in failure


def test_a_node_without_python_says_so(tmp_path: Path) -> None:
    with server(tmp_path, lambda channel: channel.sendall(b"Welcome\nSD1 nopython\n")) as served:
        found = ask(served.is_known().node, tmp_path)
    assert found.failure.startswith("there is no python3 (3.6 or later) on the node")

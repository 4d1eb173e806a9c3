"""The real agent through the real sshd, on a loopback port."""

from __future__ import annotations

import contextlib
import getpass
import os
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest

from stackdoctor.collect import dial
from stackdoctor.collect.plan import Plan
from stackdoctor.collect.run import Event, Interrupted, Options, ProbeDone, collect
from stackdoctor.model import Node, NodeResults, Probe, Status

ECHO = Probe("echo", ("printf", "%s", "a b'\"$HOME\n"))
PLAN = Plan((ECHO, Probe("missing", ("no-such-program-anywhere",))), seconds=20.0)
SSHD = "/usr/sbin/sshd"


@contextlib.contextmanager
def running(folder: Path, *settings: str) -> Iterator[Node]:
    """An sshd for our own user, with a key of its own and one that logs in."""
    if not os.path.exists(SSHD):
        pytest.skip(f"{SSHD} (openssh-server) is missing")
    if os.getuid() == 0:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # its separated privileges live there
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for name in ("host_key", "key"):
        paramiko.ECDSAKey.generate().write_private_key_file(str(folder / name))
    public = paramiko.ECDSAKey.from_private_key_file(str(folder / "key"))
    (folder / "authorized_keys").write_text(f"{public.get_name()} {public.get_base64()}\n")
    host = paramiko.ECDSAKey.from_private_key_file(str(folder / "host_key"))
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host.get_name()} {host.get_base64()}\n")
    lines = [
        *settings,
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {folder}/host_key",
        f"AuthorizedKeysFile {folder}/authorized_keys",
        "PermitRootLogin prohibit-password",
        "PasswordAuthentication no",
        "StrictModes no",
        "UsePAM no",
        "PidFile none",
        "LogLevel VERBOSE",
    ]
    (folder / "sshd_config").write_text("".join(f"{line}\n" for line in lines))
    command = [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")]
    log = folder / "sshd.log"
    with open(log, "wb") as sink, subprocess.Popen(command, stderr=subprocess.PIPE) as sshd:
        assert sshd.stderr is not None
        tee: subprocess.Popen[bytes] | None = None
        try:
            for line in sshd.stderr:
                sink.write(line)
                if line.startswith(b"Server listening"):
                    break
            else:
                pytest.fail(f"sshd did not start: {log.read_text()}")
            tee = subprocess.Popen(["cat"], stdin=sshd.stderr, stdout=sink)
            yield Node("node", "127.0.0.1", port, getpass.getuser(), str(folder / "key"), jump="none")
        finally:
            sshd.terminate()
            sshd.wait()
            if tee:
                tee.wait()


def options(folder: Path) -> Options:
    return Options(timeout=20.0, known_hosts=str(folder / "known_hosts"), ssh_config=str(folder / "config"))


def check(found: NodeResults) -> None:
    assert found.failure == ""
    assert found.one(ECHO).stdout == b"a b'\"$HOME\n"
    assert found.results["missing", ""].status is Status.MISSING
    assert found.hostname == os.uname().nodename
    assert found.clock is not None
    assert abs(found.clock.offset) <= found.clock.error


def all_end(handles: list[int]) -> None:
    """The processes of these descriptors (pidfd_open(2)) end within five seconds from now, all together."""
    until = time.monotonic() + 5.0
    for handle in handles:
        gone = select.select([handle], [], [], max(0.0, until - time.monotonic()))[0]
        os.close(handle)
        assert gone, "a process is left behind on the node after 5 s"


def test_the_agent_answers_through_one_connection_and_one_session(tmp_path: Path) -> None:
    with running(tmp_path, "LogLevel DEBUG1") as node:
        [found] = collect([node], PLAN, options(tmp_path))
    check(found)
    log = (tmp_path / "sshd.log").read_text()
    assert log.count("Connection from") == 1
    assert log.count("Starting session: command") == 1
    assert "kex: algorithm: curve25519-sha256" in log
    assert "auth-agent-req" not in log
    assert "x11-req" not in log
    assert "pty-req" not in log


def test_nodes_behind_a_jump_host_share_one_connection_to_it(tmp_path: Path) -> None:
    for name in ("inner", "outer"):
        (tmp_path / name).mkdir()
    with running(tmp_path / "outer") as outer, running(tmp_path / "inner") as inner:
        (tmp_path / "known_hosts").write_text(
            "".join((tmp_path / name / "known_hosts").read_text() for name in ("inner", "outer"))
        )
        (tmp_path / "config").write_text(
            f"Match originalhost gate\n HostName 127.0.0.1\n Port {outer.port}\n IdentityFile {outer.key}\n"
        )
        behind = replace(inner, jump=f"{outer.user}@gate")
        nodes = [replace(behind, name=f"n{number}") for number in range(8)]
        for turn in range(1, 4):  # one that is done, and leaves, harms none of the others
            for found in collect(nodes, PLAN, options(tmp_path)):
                check(found)
            log = (tmp_path / "outer" / "sshd.log").read_text()
            assert log.count("Connection from") == turn
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            [lost] = collect([replace(behind, port=bound.getsockname()[1])], PLAN, options(tmp_path))
        assert lost.failure == (f"jump host 127.0.0.1 opens no way to 127.0.0.1 port {lost.node.port}: Connect failed")


def test_a_jump_host_that_lets_nobody_through_is_named(tmp_path: Path) -> None:
    with running(tmp_path, "AllowTcpForwarding no") as node:
        (tmp_path / "config").write_text(f"Host *\n IdentityFile {node.key}\n")
        [found] = collect([replace(node, jump=f"127.0.0.1:{node.port}")], PLAN, options(tmp_path))
    assert found.failure == f"jump host 127.0.0.1 opens no way to 127.0.0.1 port {node.port}: it forbids forwarding"


def test_a_jump_host_that_refuses_us_fails_all_behind_it_alike(tmp_path: Path) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        gate = f"127.0.0.1:{bound.getsockname()[1]}"
        nodes = [Node(name, "192.0.2.1", jump=gate) for name in ("a", "b")]
        found = collect(nodes, PLAN, options(tmp_path))
    refused = f"jump host 127.0.0.1: 127.0.0.1 port {gate.split(':')[1]} refuses connections: is sshd running there?"
    assert [r.failure for r in found] == [refused, refused]


def test_too_many_keys_are_a_refusal_that_names_them(tmp_path: Path) -> None:
    keys = [tmp_path / f"other{number}" for number in range(3)]
    for key in keys:
        paramiko.ECDSAKey.generate().write_private_key_file(str(key))
    with running(tmp_path, "MaxAuthTries 2") as node:
        (tmp_path / "config").write_text("".join(f"IdentityFile {key}\n" for key in keys))
        [found] = collect([replace(node, key="")], PLAN, options(tmp_path))
    assert f"refuses the login of {node.user}" in found.failure
    assert str(keys[0]) in found.failure
    assert "then it broke the connection off: were those too many?" in found.failure


def test_a_certificate_of_the_users_authority_logs_in(tmp_path: Path) -> None:
    if not shutil.which("ssh-keygen"):
        pytest.skip("ssh-keygen (openssh-client) is missing")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "ca"], check=True)
    with running(tmp_path, f"TrustedUserCAKeys {tmp_path}/ca.pub") as node:
        (tmp_path / "authorized_keys").write_text("")
        key = paramiko.ECDSAKey.from_private_key_file(node.key)
        (tmp_path / "key.pub").write_text(f"{key.get_name()} {key.get_base64()}\n")
        [refused] = collect([node], PLAN, options(tmp_path))
        sign = ["ssh-keygen", "-q", "-s", tmp_path / "ca", "-I", "operator", "-n", node.user, tmp_path / "key.pub"]
        subprocess.run(sign, check=True)
        [found] = collect([node], PLAN, options(tmp_path))
    assert "refuses the login" in refused.failure
    check(found)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (("PubkeyAuthentication no", "PasswordAuthentication yes"), "takes no keys from {user}, only password"),
        (("PubkeyAuthentication no", "KbdInteractiveAuthentication yes"), "takes no keys from {user}, only keyboard-"),
        (
            ("AuthenticationMethods publickey,password", "PasswordAuthentication yes"),
            "wants more than a key from {user}: password",
        ),
    ],
    ids=["password", "keyboard-interactive", "second factor"],
)
def test_a_node_that_wants_what_nobody_is_asked_for_says_so(
    tmp_path: Path, setting: tuple[str, ...], said: str
) -> None:
    """No password is asked for unasked: the failure says what the node wants instead of keys, and who asks for it."""
    with running(tmp_path, "PermitRootLogin yes", *setting) as node:
        [found] = collect([node], PLAN, options(tmp_path))
    assert said.format(user=node.user) in found.failure
    assert found.failure.endswith(": --ask-password asks for one")


def test_a_node_with_old_algorithms_only_is_refused_and_reached_when_they_are_allowed(tmp_path: Path) -> None:
    """As an sshd of before 2016: SHA-1 for the key exchange and both signatures."""
    for name in ("old_host", "old_user"):
        paramiko.RSAKey.generate(2048).write_private_key_file(str(tmp_path / name))
    host, user = (paramiko.RSAKey.from_private_key_file(str(tmp_path / name)) for name in ("old_host", "old_user"))
    settings = (
        f"HostKey {tmp_path}/old_host",
        "HostKeyAlgorithms ssh-rsa",
        "PubkeyAcceptedAlgorithms ssh-rsa",
        "KexAlgorithms diffie-hellman-group14-sha1",
        "Ciphers aes256-cbc",
        "MACs hmac-sha1",
    )
    with running(tmp_path, *settings) as node:
        (tmp_path / "authorized_keys").write_text(f"ssh-rsa {user.get_base64()}\n")
        (tmp_path / "known_hosts").write_text(f"[127.0.0.1]:{node.port} ssh-rsa {host.get_base64()}\n")
        old = replace(node, key=str(tmp_path / "old_user"))
        [refused] = collect([old], PLAN, options(tmp_path))
        [found] = collect([old], PLAN, replace(options(tmp_path), old_algorithms=True))
    assert "no algorithm in common" in refused.failure
    assert "--old-algorithms offers those too" in refused.failure
    check(found)


def test_old_algorithms_are_the_last_ones_where_they_are_allowed(tmp_path: Path) -> None:
    with running(tmp_path, "LogLevel DEBUG1", "KexAlgorithms +diffie-hellman-group14-sha1") as node:
        [found] = collect([node], PLAN, replace(options(tmp_path), old_algorithms=True))
    check(found)
    log = (tmp_path / "sshd.log").read_text()
    assert "kex: algorithm: curve25519-sha256" in log
    assert "-cbc" not in "".join(line for line in log.splitlines() if "kex: client->server cipher" in line)


def test_a_forced_command_is_quoted_as_what_answered(tmp_path: Path) -> None:
    with running(tmp_path, "ForceCommand echo only backups here; exit 4") as node:
        [found] = collect([node], PLAN, options(tmp_path))
    assert found.failure == "the agent ended too early: only backups here; exit status 4"


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "zsh", "fish", "tcsh"])
def test_any_login_shell_starts_the_agent(tmp_path: Path, shell: str) -> None:
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"{shell} is missing")
    command = f'ForceCommand exec {path} -c "$SSH_ORIGINAL_COMMAND"'
    with running(tmp_path, command) as node:
        [found] = collect([node], PLAN, options(tmp_path))
    check(found)


def test_a_connection_that_dies_midway_leaves_what_had_come_and_nothing_on_the_node(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    os.mkfifo(tmp_path / "go")
    hang = Probe("hang", ("sh", "-c", f"echo $$ $PPID > {pids}; echo > {tmp_path}/go; exec tail -f /dev/null"))
    begun = Probe("begun", ("cat", f"{tmp_path}/go"))
    handles: list[int] = []

    def cut(event: Event) -> None:
        if isinstance(event, ProbeDone):
            command, agent = map(int, pids.read_text().split())
            handles.extend(os.pidfd_open(pid) for pid in (command, agent))
            serving = int(Path(f"/proc/{agent}/stat").read_text().rpartition(")")[2].split()[1])
            assert Path(f"/proc/{serving}/comm").read_text().startswith("sshd")
            os.kill(serving, signal.SIGKILL)

    with running(tmp_path) as node:
        [found] = collect([node], Plan((hang, begun), seconds=60.0), options(tmp_path), cut)
    assert "after 1 of 2 probes" in found.failure
    assert found.one(begun).exit == 0
    assert found.results["hang", ""].status is Status.NOT_RUN
    all_end(handles)


def test_ctrl_c_leaves_nothing_on_the_node(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    os.mkfifo(tmp_path / "go")
    hang = Probe("hang", ("sh", "-c", f"echo $$ $PPID > {pids}; echo > {tmp_path}/go; exec tail -f /dev/null"))
    begun = Probe("begun", ("cat", f"{tmp_path}/go"))
    handles: list[int] = []

    def interrupt(event: Event) -> None:
        if isinstance(event, ProbeDone):
            handles.extend(os.pidfd_open(int(pid)) for pid in pids.read_text().split())
            raise KeyboardInterrupt

    with running(tmp_path) as node, pytest.raises(Interrupted) as caught:
        collect([node], Plan((hang, begun), seconds=60.0), options(tmp_path), interrupt)
    [found] = caught.value.partial
    assert found.failure == "the collection was interrupted (after 1 of 2 probes)"
    assert found.one(begun).exit == 0
    all_end(handles)


def test_a_node_without_python_answers_plain_commands_over_sh(tmp_path: Path) -> None:
    """The session's PATH leads to a few programs, python3 not among them."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "uname", "date", "id", "printf", "env", "timeout"):
        found = shutil.which(name)
        assert found is not None
        (programs / name).symlink_to(found)
    plan = Plan((ECHO, Probe("files", files=("/etc/hostname",))), seconds=20.0)
    with running(tmp_path, f"SetEnv PATH={programs} HOME={tmp_path}") as node:
        [results] = collect([node], plan, options(tmp_path))
    if results.results.get(("files", "")) is None:
        pytest.skip("the login shell's start-up files set a PATH that leads to python3")
    assert results.one(ECHO).stdout == b"a b'\"$HOME\n"
    assert results.results["files", ""].status is Status.NOT_RUN
    assert "no python3" in results.failure


@pytest.mark.parametrize("hops", [0, 1])
def test_closing_a_connection_wakes_the_thread_that_waits_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hops: int
) -> None:
    """Where nothing wakes it, it would look up after a day only, and whoever closes waits for it."""
    monkeypatch.setattr(dial, "_IDLE", 86400.0)
    with running(tmp_path) as node:
        config = tmp_path / "config"
        config.write_text(
            f"Host hop\n HostName 127.0.0.1\n Port {node.port}\n IdentityFile {tmp_path}/key\n"
            f" UserKnownHostsFile {tmp_path}/known_hosts\n"
        )
        behind = [replace(node, jump="hop" if hops else "none")]
        looking = replace(options(tmp_path), ssh_config=str(config))
        looked = threading.Thread(target=collect, args=(behind, PLAN, looking), daemon=True)
        looked.start()
        looked.join(60.0)
        assert not looked.is_alive()

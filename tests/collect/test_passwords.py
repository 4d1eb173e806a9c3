"""Nodes that want a password: a real user of a real sshd, asked on a real terminal; and where the password is not."""

from __future__ import annotations

import contextlib
import getpass
import importlib.util
import os
import pickle
import pty
import secrets
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stackdoctor.cli.look import Looking, look_and_judge
from stackdoctor.collect.passwords import KEYRING, Passwords
from stackdoctor.collect.plan import Plan
from stackdoctor.collect.run import collect
from stackdoctor.diagnose.analyse import analyse
from stackdoctor.diagnose.knowledge import Knowledge, load_knowledge
from stackdoctor.diagnose.shards import Shard
from stackdoctor.errors import UsageError
from stackdoctor.model import Node, Probe, Result, Status
from stackdoctor.snapshot.format import Snapshot

_SPEC = importlib.util.spec_from_file_location("real_sshd", Path(__file__).parent / "test_sshd.py")
assert _SPEC is not None
assert _SPEC.loader is not None
real_sshd = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(real_sshd)

WHO = Plan((Probe("who", ("id", "-un")),), seconds=20.0)
BY_PASSWORD = ("PubkeyAuthentication no", "PasswordAuthentication yes")
BY_QUESTIONS = ("PubkeyAuthentication no", "KbdInteractiveAuthentication yes", "UsePAM yes")


class Known(Passwords):
    """As if the user had typed it."""

    def __init__(self, password: str) -> None:
        super().__init__()
        self.password = password

    def of(self, user: str) -> str:
        return self.password


@pytest.fixture(scope="module")
def user() -> Iterator[tuple[str, str]]:
    """A user of this machine with a password, for as long as these tests take."""
    if os.getuid() != 0 or not shutil.which("useradd"):
        pytest.skip("only root can make a user")
    name, password = f"sdtest{os.getpid()}", secrets.token_hex(12)
    subprocess.run(["useradd", "--no-create-home", "--home-dir", "/tmp", "--shell", "/bin/sh", name], check=True)
    try:
        subprocess.run(["chpasswd"], input=f"{name}:{password}\n", text=True, check=True)
        yield name, password
    finally:
        subprocess.run(["userdel", name], check=True, capture_output=True)


@contextlib.contextmanager
def node_of(folder: Path, user: str, *settings: str) -> Iterator[Node]:
    with real_sshd.running(folder, *settings) as node:
        yield replace(node, user=user, key="")


@pytest.mark.parametrize("settings", [BY_PASSWORD, BY_QUESTIONS], ids=["password", "keyboard-interactive"])
def test_a_password_logs_in_where_keys_do_not(tmp_path: Path, user: tuple[str, str], settings: tuple[str, ...]) -> None:
    if "UsePAM yes" in settings and not Path("/etc/pam.d/sshd").exists():
        pytest.skip("sshd has no PAM service here")
    with node_of(tmp_path, user[0], *settings) as node:
        given = real_sshd.options(tmp_path)
        [asked] = collect([node], WHO, replace(given, passwords=Known(user[1])))
        [wrong] = collect([node], WHO, replace(given, passwords=Known("wrong" + user[1])))
        [none] = collect([node], WHO, given)
    assert asked.failure == ""
    assert asked.results["who", ""].stdout.decode().strip() == user[0]
    assert wrong.failure == f"127.0.0.1 port {node.port} refuses the password of {user[0]}"
    assert "refuses the login" in none.failure  # no key was there to learn from what is let in


def test_a_wrong_password_is_sent_once(tmp_path: Path, user: tuple[str, str]) -> None:
    """A second time could lock the account."""
    with node_of(tmp_path, user[0], *BY_PASSWORD) as node:
        collect([node], WHO, replace(real_sshd.options(tmp_path), passwords=Known("wrong")))
    assert (tmp_path / "sshd.log").read_text().count("Failed password") == 1


def test_a_password_is_the_second_factor_after_a_key(tmp_path: Path) -> None:
    """What the node wants besides is said when the password is not it."""
    settings = ("AuthenticationMethods publickey,password", "PasswordAuthentication yes", "PermitRootLogin yes")
    with real_sshd.running(tmp_path, *settings) as node:
        [without] = collect([node], WHO, real_sshd.options(tmp_path))
        [wrong] = collect([node], WHO, replace(real_sshd.options(tmp_path), passwords=Known("wrong")))
    assert without.failure.endswith("wants more than a key from root: password: --ask-password asks for one")
    assert wrong.failure.endswith("refuses the password of root")


def on_terminal(command: list[str], folder: Path, typed: str) -> tuple[int, str]:
    """The exit status of a command that runs on a terminal of its own, and all that it shows there."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execvp(command[0], command)
    shown = b""
    with contextlib.suppress(OSError):  # the terminal's end
        while select.select([terminal], [], [], 60.0)[0]:
            shown += (piece := os.read(terminal, 4096))
            if typed and b"on the nodes: " in shown:
                os.write(terminal, f"{typed}\n".encode())
                typed = ""
            if not piece:
                break
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode(errors="replace")


def test_it_is_asked_for_once_for_all_nodes_and_is_nowhere_afterwards(tmp_path: Path, user: tuple[str, str]) -> None:
    with node_of(tmp_path, user[0], *BY_PASSWORD) as node:
        lines = "".join(f"  - {{name: n{n}, address: 127.0.0.1, port: {node.port}, user: {user[0]}}}\n" for n in (1, 2))
        (tmp_path / "cloud.yaml").write_text(f"known_hosts: {tmp_path}/known_hosts\nnodes:\n{lines}")
        command = [sys.executable, "-m", "stackdoctor", "collect", "-i", "cloud.yaml", "--ask-password", "-o", "kept"]
        status, shown = on_terminal([*command, "--debug", "debug.log"], tmp_path, user[1])
    assert status == 0, shown
    assert shown.count(f"Password of {user[0]} on the nodes: ") == 1
    assert user[1] not in shown
    log = (tmp_path / "debug.log").read_text()
    assert log.count("the password logs") == 2
    for file in [path for path in tmp_path.rglob("*") if path.is_file()]:
        assert user[1].encode() not in file.read_bytes(), file


def test_without_a_terminal_it_says_what_to_do_instead(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "stackdoctor", "collect", "-n", "u@192.0.2.1", "--ask-password", "-o", "kept"]
    done = subprocess.run(
        command, cwd=tmp_path, input="typed\n", capture_output=True, text=True, start_new_session=True, timeout=60
    )
    assert done.returncode == 2, done.stderr
    assert "--ask-password needs a terminal" in done.stderr
    assert "keyring set stackdoctor u" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_worker_is_given_a_password() -> None:
    asking = Passwords()
    with pytest.raises(UsageError, match="goes to no worker"):
        look_and_judge(Looking(executor="processes:2", ask_password=asking), Knowledge((), (), ()))
    shard = Shard((Node("n"),), WHO, replace(real_sshd.options(Path("/x")), passwords=asking))
    with pytest.raises(TypeError, match="not handed to another process"):
        pickle.dumps(shard)


def test_a_login_shows_no_password() -> None:
    from stackdoctor.inventory.sshconfig import Login

    login = Login("n", user=getpass.getuser(), password="hunter2")
    assert "hunter2" not in repr(login) + str(login)


def test_the_keyring_has_it_before_the_terminal_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = pytest.importorskip("keyring")
    from keyring.backend import KeyringBackend

    class InMemory(KeyringBackend):
        priority = 1

        def get_password(self, service: str, username: str) -> str | None:
            return "kept" if (service, username) == (KEYRING, "operator") else None

        def set_password(self, service: str, username: str, password: str) -> None:
            pytest.fail("nothing is written to it")

        def delete_password(self, service: str, username: str) -> None:
            pytest.fail("nothing is written to it")

    before = keyring.get_keyring()
    keyring.set_keyring(InMemory())
    try:
        assert Passwords().of("operator") == "kept"
    finally:
        keyring.set_keyring(before)


def test_the_whole_plan_without_root_or_sudo_says_what_it_could_not_see(tmp_path: Path, user: tuple[str, str]) -> None:
    """Nothing that the login may not read is taken for absent, and nothing of it is reported as fine."""
    knowledge = load_knowledge()
    plan = replace(knowledge.plan(since=60.0, seconds=50.0), apis=())
    with node_of(tmp_path, user[0], *BY_PASSWORD) as node:
        [found] = collect([node], plan, replace(real_sshd.options(tmp_path), passwords=Known(user[1]), timeout=60.0))
    assert found.failure == ""
    answers: dict[str, list[Result]] = {}
    for result in found.results.values():
        answers.setdefault(result.probe, []).append(result)
    denied = {id_ for id_, results in answers.items() if all(r.status is Status.DENIED for r in results)}
    asked = {probe.id for probe in plan.probes if probe.root}
    assert "iptables.save" in denied
    assert not [r for id_ in asked & answers.keys() for r in answers[id_] if r.status is Status.RAN and r.exit == 0]
    assert all(r.reason for id_ in denied for r in answers[id_])
    examination = analyse(Snapshot((found,), 1.0, 1.0, "test"), knowledge).examination
    fine = {check for check, _ in examination.checked} - {f.id for f in examination.findings}
    judged = {check.id: check for check in knowledge.checks}
    blind = {
        id_
        for id_ in fine & judged.keys()
        for need in judged[id_].needs
        if (probes := {probe.id for probe in need.fact.probes}) and probes <= denied
    }
    assert not blind, "reported as fine, and nothing of it could be read"
    assert [left for left in examination.not_checked if left.check not in fine]

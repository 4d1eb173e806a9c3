"""Wrong use is one clear sentence, the right status, no traceback, and nothing lost."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import paramiko
import pytest

from stackdoctor.demo.server import DemoCloud
from stackdoctor.snapshot.read import read_snapshot

Run = Callable[..., subprocess.CompletedProcess[str]]


def refused(done: subprocess.CompletedProcess[str], status: int, *said: str) -> None:
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    for words in said:
        assert words in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("diagnos",), "Did you mean diagnose?"),
        (("diagnose", "--form", "json"), "--format"),
        (("diagnose", "--since", "soon"), "write 90s, 30m, 2h or 1d"),
        (("diagnose", "--check", "nothing.*"), "matches no check"),
        (("diagnose", "--checks", "nowhere"), "no such directory"),
        (("diagnose", "--why", "nothing"), "no playbook for 'nothing'"),
        (("diagnose", "--from", "nowhere"), "there is no snapshot at nowhere"),
        (("diagnose", "--from", "x", "--demo"), "leave out"),
        (("diagnose", "--inventory", "nowhere.yaml"), "nowhere.yaml"),
        (("diagnose", "--nodes", "a,,b"), "empty entry"),
        (("diagnose", "--nodes", "a:99999"), "not a number from 1 to 65535"),
        (("explain", "rabbitmq.queue.no-consumr"), "did you mean rabbitmq.queue.no-consumer"),
        (("collect", "--demo"), "--output"),
        (("collect", "--demo", "-o", "/proc/nothing/here"), "is not a directory"),
    ],
)
def test_wrong_use_is_said_with_status_2(run: Run, arguments: tuple[str, ...], said: str) -> None:
    refused(run(*arguments), 2, said)


def test_broken_yaml_is_said_with_line_and_column(run: Run, tmp_path: Path) -> None:
    (tmp_path / "cloud.yaml").write_text("nodes:\n  - {name: a, address: [}\n")
    refused(run("diagnose", "-i", "cloud.yaml"), 2, "cloud.yaml:2:")


def test_a_broken_playbook_and_check_are_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "x.yaml").write_text("cause: x\ntitle: y\nwhenn: []\n")
    refused(run("checks", "--playbooks", "p"), 2, "p/x.yaml: whenn is not known here: did you mean when?")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "x.py").write_text("import nowhere_at_all\n")
    refused(run("checks", "--checks", "c"), 2, "c/x.py does not load", "nowhere_at_all")


def test_a_check_that_asks_for_an_unlisted_command_is_refused_before_anything_is_sent(run: Run, tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "x.py").write_text(
        '''
from dataclasses import dataclass
from typing import ClassVar
from stackdoctor.api import Finding, Severity, check
from stackdoctor.model import NodeResults, Probe

@dataclass(frozen=True)
class Danger:
    probes: ClassVar[tuple[Probe, ...]] = (Probe("danger", ("rm", "-rf", "/tmp/x")),)
    @classmethod
    def parse(cls, results): return cls()

@check("x.y.z", severity=Severity.INFO)
def danger(fact: Danger):
    """Danger."""
    yield Finding("x", "y")
'''
    )
    refused(run("diagnose", "--demo", "--checks", "c"), 2, "rm -rf /tmp/x", "nothing was sent")


def test_a_truncated_and_a_foreign_snapshot_are_said(run: Run, tmp_path: Path, inventory: Path) -> None:
    assert run("collect", "-i", str(inventory), "-o", "snap.tar.gz", "-q").returncode == 0
    content = (tmp_path / "snap.tar.gz").read_bytes()
    (tmp_path / "half.tar.gz").write_bytes(content[: len(content) // 2])
    refused(run("diagnose", "--from", "half.tar.gz"), 2, "truncated")
    (tmp_path / "foreign").mkdir()
    refused(run("diagnose", "--from", "foreign"), 2, "is not a snapshot")
    refused(run("collect", "-i", str(inventory), "-o", "snap.tar.gz", "-q"), 2, "nothing is overwritten")


def one_node(path: Path, cloud: DemoCloud, known_hosts: str, **other: object) -> Path:
    node = {"name": "n1", "address": cloud.nodes[0].address, "port": cloud.nodes[0].port, "user": "demo"}
    node |= {"key": cloud.nodes[0].key, **other}
    items = ", ".join(f"{k}: {v}" for k, v in node.items())
    path.write_text(f"known_hosts: {known_hosts}\nnodes:\n  - {{{items}}}\n")
    return path


def test_an_unknown_host_key_is_refused_and_accept_new_says_what_it_trusts(
    run: Run, tmp_path: Path, cloud: DemoCloud
) -> None:
    known_hosts = tmp_path / "known_hosts"
    inventory = str(one_node(tmp_path / "one.yaml", cloud, str(known_hosts)))
    refused(run("diagnose", "-i", inventory, "-q"), 3, "--accept-new")
    assert not known_hosts.exists()
    accepted = run("diagnose", "-i", inventory, "-q", "--accept-new")
    assert accepted.returncode == 1, accepted.stderr
    assert "trusted on first use" in accepted.stderr
    assert run("diagnose", "-i", inventory, "-q").returncode == 1


def test_a_changed_host_key_is_refused_even_with_accept_new(run: Run, tmp_path: Path, cloud: DemoCloud) -> None:
    known_hosts = tmp_path / "known_hosts"
    lines = Path(cloud.known_hosts).read_text().splitlines()
    first, second = lines[0].split(), lines[1].split()
    known_hosts.write_text(f"{first[0]} {second[1]} {second[2]}\n")
    inventory = str(one_node(tmp_path / "one.yaml", cloud, str(known_hosts)))
    refused(run("diagnose", "-i", inventory, "-q", "--accept-new"), 3, "known_hosts")


def test_a_wrong_key_names_the_user_and_the_keys_tried(run: Run, tmp_path: Path, cloud: DemoCloud) -> None:
    key = tmp_path / "other"
    paramiko.ECDSAKey.generate().write_private_key_file(str(key))
    inventory = str(one_node(tmp_path / "one.yaml", cloud, cloud.known_hosts, key=key))
    refused(run("diagnose", "-i", inventory, "-q"), 3, "demo", str(key))


def test_a_wrong_port_and_a_name_that_does_not_resolve_are_said(run: Run, tmp_path: Path, cloud: DemoCloud) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        inventory = str(one_node(tmp_path / "one.yaml", cloud, cloud.known_hosts, address="127.0.0.1", port=port))
        refused(run("diagnose", "-i", inventory, "-q"), 3, "refuses connections")
    inventory = str(one_node(tmp_path / "two.yaml", cloud, cloud.known_hosts, address="no-such-host.invalid"))
    refused(run("diagnose", "-i", inventory, "-q", "--timeout", "5s"), 3, "no-such-host.invalid")


def test_one_dead_node_is_a_line_of_the_report(run: Run, tmp_path: Path, inventory: Path) -> None:
    text = inventory.read_text().splitlines()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        text.append(f"  - {{name: dead, address: 127.0.0.1, port: {unused.getsockname()[1]}, user: demo}}")
        inventory.write_text("\n".join(text) + "\n")
        done = run("diagnose", "-i", str(inventory), "-q")
    assert done.returncode == 1
    assert "nova-conductor on controller" in done.stdout
    assert "dead: " in done.stdout
    assert "nothing is known of it" in done.stdout


def test_a_host_without_openstack_gets_a_friendly_sentence(run: Run, tmp_path: Path) -> None:
    if any(shutil.which(program) for program in ("nova-compute", "nova-conductor", "rabbitmqctl", "neutron-server")):
        pytest.skip("this host has a part of OpenStack installed: nova, neutron or rabbitmq-server")
    refused(run("diagnose", "-q"), 3, "no trace of OpenStack", "--inventory", "--demo")


def interrupted(folder: Path, cloud: DemoCloud, *command: str) -> str:
    """What is said after Ctrl-C: one node never answers, so that the run waits; two have answered by then."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        lines = [f"known_hosts: {cloud.known_hosts}", "nodes:"]
        lines += [
            f"  - {{name: {n.name}, address: {n.address}, port: {n.port}, user: demo, key: {n.key}}}"
            for n in cloud.nodes[:2]
        ]
        lines.append(f"  - {{name: silent, address: 127.0.0.1, port: {silent.getsockname()[1]}, user: demo}}")
        (folder / "cloud.yaml").write_text("\n".join(lines) + "\n")
        process = subprocess.Popen(
            [sys.executable, "-m", "stackdoctor", *command, "-i", "cloud.yaml", "--timeout", "60s"],
            cwd=folder,
            env={**os.environ, "XDG_STATE_HOME": str(folder / "state")},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        told = [process.stderr.readline(), process.stderr.readline()]
        assert all("done" in line for line in told), told
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(30) == 130
    assert "Traceback" not in rest
    return rest


def test_ctrl_c_keeps_what_was_collected_and_exits_with_130(tmp_path: Path, cloud: DemoCloud) -> None:
    rest = interrupted(tmp_path, cloud, "collect", "-o", "snap.tar.gz")
    assert "what was collected is in snap.tar.gz" in rest
    kept = read_snapshot(tmp_path / "snap.tar.gz")
    assert not kept.complete
    assert sum(1 for n in kept.nodes if n.results) == 2


def test_ctrl_c_keeps_the_answers_of_nodes_that_were_judged_by_then(tmp_path: Path, cloud: DemoCloud) -> None:
    interrupted(tmp_path, cloud, "diagnose", "--keep-run")
    (partial,) = tmp_path.glob("stackdoctor-partial-*.tar.gz")
    kept = read_snapshot(partial)
    assert not kept.complete
    answers = [sum(len(r.stdout) for r in n.results.values()) for n in kept.nodes]
    assert [bool(answer) for answer in answers] == [True, True, False]
    assert all(n.node.roles for n in kept.nodes[:2])


def test_ctrl_c_leaves_nothing_of_a_run_that_is_not_to_be_kept(tmp_path: Path, cloud: DemoCloud) -> None:
    assert "nothing is kept" in interrupted(tmp_path, cloud, "diagnose", "--no-keep-run")
    assert [path.name for path in tmp_path.iterdir()] == ["cloud.yaml"]


def test_ctrl_c_in_a_callback_that_may_raise_nothing_is_not_lost() -> None:
    program = """if True:
        import signal, threading, weakref
        from stackdoctor.cli import main

        class Freed:
            pass

        def run(standalone_mode):
            freed = Freed()
            kept = weakref.ref(freed, lambda _: signal.raise_signal(signal.SIGINT))
            del freed
            threading.Event().wait(30)

        main.stackdoctor = run
        main.main()
    """
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (130, "stopped\n")

"""`openstack doctor`: stackdoctor in the real python-openstackclient."""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from stackdoctor.cli.as_argparse import add_parameters, written
from stackdoctor.cli.main import COMMANDS, stackdoctor

pytest.importorskip("openstackclient", reason="python-openstackclient is not installed")

ROOT = Path(__file__).parents[2]
HUNG = str(ROOT / "fixtures" / "conductor-hung" / "snapshot.tar.gz")

_SPEC = importlib.util.spec_from_file_location("api_cloud", Path(__file__).parent.parent / "collect" / "api_cloud.py")
assert _SPEC is not None
assert _SPEC.loader is not None
api_cloud = importlib.util.module_from_spec(_SPEC)
sys.modules["api_cloud"] = api_cloud
_SPEC.loader.exec_module(api_cloud)

Client = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def client(tmp_path: Path) -> Client:
    def client_(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "openstackclient.shell", *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={
                **{k: v for k, v in os.environ.items() if not k.startswith("OS_")},
                "HOME": str(tmp_path),
                "COLUMNS": "100",
            },
            timeout=120,
            check=False,
        )

    return client_


@pytest.fixture
def keystone() -> Iterator[Any]:
    with api_cloud.served() as cloud:
        yield cloud


def login(cloud: Any, password: str = "") -> tuple[str, ...]:
    """The client's own options, and no word of them in the environment or in a file."""
    return (
        *("--os-auth-url", cloud.url, "--os-username", "admin", "--os-password", password or api_cloud.PASSWORD),
        *("--os-project-name", "admin", "--os-user-domain-name", "Default", "--os-project-domain-name", "Default"),
    )


def test_a_node_that_resets_its_connection_is_told_in_our_words_alone(client: Client) -> None:
    """paramiko logs an error of its own, which the client's logging would put on the screen."""

    def reset(listener: socket.socket) -> None:
        stream, _ = listener.accept()
        with stream:
            stream.sendall(b"SSH-2.0-breaks\r\n")
            asked = b""
            while len(asked) < 300:  # its algorithms as well: then it waits for ours
                asked += stream.recv(4096)
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=reset, args=(listener,))
        server.start()
        done = client("doctor", "diagnose", "--nodes", f"127.0.0.1:{listener.getsockname()[1]}", "-f", "json", "-q")
        server.join()
    assert "Socket exception" not in done.stderr
    assert "Traceback" not in done.stderr


def test_the_demo_is_a_list_that_the_client_formats(client: Client) -> None:
    done = client("doctor", "diagnose", "--demo", "-f", "json", "-q")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert row["Cause"] == "rpc-consumer-hung"
    assert row["Where"] == {"node": "controller", "service": "nova-conductor"}
    assert row["Severity"] == "critical"
    assert "nova-conductor" in row["Title"]
    assert done.stderr == ""


def test_a_snapshot_gives_chosen_columns_and_stackdoctor_s_exit_status(client: Client) -> None:
    done = client("doctor", "diagnose", "--from", HUNG, "-f", "csv", "-c", "Cause", "-c", "Where")
    assert done.returncode == 1
    assert list(csv.reader(done.stdout.splitlines())) == [
        ["Cause", "Where"],
        ["rpc-consumer-hung", "{'node': 'controller', 'service': 'nova-conductor'}"],
    ]
    assert "not in this list: " in done.stderr
    assert client("doctor", "diagnose", "--from", HUNG, "--check", "host.*", "-f", "json").stdout == "[]\n"


def test_collect_shows_what_it_kept(client: Client, tmp_path: Path) -> None:
    done = client("doctor", "collect", "--demo", "-o", "kept.tar.gz", "-f", "json", "-q")
    assert done.returncode == 0, done.stderr
    kept = json.loads(done.stdout)
    assert kept["Snapshot"] == "kept.tar.gz"
    assert sorted(kept["Answered"].split(", ")) == ["compute1", "compute2", "controller", "storage"]
    assert (tmp_path / "kept.tar.gz").exists()


def test_the_other_commands_print_what_stackdoctor_prints(client: Client, run: Client) -> None:
    for words in (("explain", "rpc-consumer-hung"), ("trace", "rpc", "--from", HUNG, "--topic", "conductor")):
        here, there = client("doctor", *words), run(*words)
        assert (here.returncode, here.stdout) == (there.returncode, there.stdout)
        assert here.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("diagnose", "--from", "/nope"), "there is no snapshot at /nope"),
        (("diagnose", "--demo", "--since", "soon"), "write 90s, 30m, 2h or 1d"),
        (("trace", "rpc", "--from", HUNG, "--host", "a"), "--host needs --topic"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_status_2(client: Client, words: tuple[str, ...], said: str) -> None:
    done = client("doctor", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_client_s_login_names_the_nodes(client: Client, keystone: Any) -> None:
    done = client(*login(keystone), "doctor", "plan")
    assert done.returncode == 0, done.stderr
    assert "compute1" in done.stdout
    assert "localhost" not in done.stdout
    wrong = client(*login(keystone, "wrong"), "doctor", "plan")
    assert wrong.returncode == 3
    assert "--from-cloud" in wrong.stderr


def test_nodes_that_are_named_are_the_only_ones(client: Client, keystone: Any) -> None:
    done = client(*login(keystone), "doctor", "plan", "--nodes", "192.0.2.7")
    assert "192.0.2.7" in done.stdout
    assert "compute1" not in done.stdout


def test_every_option_of_every_command_is_one_of_argparse_s_too() -> None:
    root = click.Context(stackdoctor)
    for name in COMMANDS:
        command = stackdoctor.get_command(root, name)
        assert command is not None
        for leaf in command.commands.values() if isinstance(command, click.Group) else (command,):
            parser = argparse.ArgumentParser(add_help=False)
            add_parameters(parser, leaf, ())
            options = [o for p in leaf.params if isinstance(p, click.Option) for o in (*p.opts, *p.secondary_opts)]
            assert set(options) == set(parser._option_string_actions)
            parser.format_help()


def test_what_is_written_reaches_click_word_for_word() -> None:
    diagnose = stackdoctor.get_command(click.Context(stackdoctor), "diagnose")
    assert diagnose is not None
    parser = argparse.ArgumentParser(add_help=False)
    add_parameters(parser, diagnose, ())
    words = ["--only", "a b", "--only", "c", "--no-keep-run", "--nodes", "-", "-v"]
    assert list(written(parser.parse_args(words))) == words

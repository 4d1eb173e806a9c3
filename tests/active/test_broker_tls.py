"""AMQP over TLS: the broker's certificate is verified unless nobody asked for TLS, against the authority of --ca."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pika")

_SPEC = importlib.util.spec_from_file_location(
    "tls_listener", Path(__file__).parent.parent / "collect" / "tls_listener.py"
)
assert _SPEC is not None
assert _SPEC.loader is not None
tls = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(tls)


def ask(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stackdoctor", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "COLUMNS": "300", "STACKDOCTOR_AMQP_PASSWORD": "hunter2"},
        timeout=60,
        check=False,
    )


def test_the_right_authority_is_accepted_and_another_or_none_is_refused(tmp_path: Path) -> None:
    ours, other = tls.authority(tmp_path, "ours"), tls.authority(tmp_path, "other")
    with tls.listening(ours) as (port, words):
        login = ("test", "amqp", "--broker", f"127.0.0.1:{port}", "--tls", "--yes", "-q")
        wrong = ask(tmp_path, *login, "--ca", str(other))
        none = ask(tmp_path, *login)
        assert words == [], "something was said to a broker that nobody vouches for"
        right = ask(tmp_path, *login, "--ca", str(ours))
        assert words
        assert words[0].startswith(b"AMQP"), "the certificate is accepted, and the login begins"
    for refused in (wrong, none):
        assert refused.returncode == 1, refused.stderr
        assert "its certificate is not trusted" in refused.stdout
        assert "--ca FILE" in refused.stdout
        assert "hunter2" not in refused.stdout + refused.stderr
    assert "certificate" not in right.stdout


@pytest.mark.parametrize(
    "command",
    [("test", "amqp"), ("test", "rpc"), ("trace", "rpc", "--live", "5s", "--topic", "conductor")],
    ids=" ".join,
)
def test_a_file_of_authorities_that_is_none_is_said(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "empty.pem").write_text("")
    login = ("--broker", "127.0.0.1:1", "--tls")
    for file, said in (("none.pem", "No such file"), ("empty.pem", "empty.pem")):
        done = ask(tmp_path, *command, *login, "--ca", file, "-q")
        assert done.returncode == 2, done.stdout
        assert said in done.stderr
        assert "Traceback" not in done.stderr

"""`stackdoctor trace` as a command: what it prints and with which status it ends."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[str]]
FIXTURES = Path(__file__).parents[2] / "fixtures"


def snapshot(case: str) -> str:
    return str(FIXTURES / case / "snapshot.tar.gz")


def test_the_worst_calls_are_followed_to_the_process_that_is_silent(run: Run) -> None:
    done = run("trace", "rpc", "worst", "--from", snapshot("conductor-hung"))

    assert done.returncode == 1
    assert "FAILED" in done.stdout
    assert "is stopped by a signal" in done.stdout


def test_json_has_the_step_where_it_stopped(run: Run) -> None:
    done = run("trace", "dhcp", "vm1", "--from", snapshot("dnsmasq-killed"), "--format", "json")
    value = json.loads(done.stdout)

    assert value["schema"] == "stackdoctor/trace/1"
    assert value["stuck_at"] == "DHCP server runs and knows the port"
    assert any(step["evidence"] for step in value["steps"] if step["state"] == "failed")


def test_a_whole_way_ends_with_status_0(run: Run) -> None:
    assert run("trace", "dhcp", "vm1", "--from", snapshot("healthy")).returncode == 0


def test_unknown_ids_and_contradictions_are_one_sentence_and_status_2(run: Run) -> None:
    healthy = ("--from", snapshot("healthy"))
    for words, said in (
        (("request", "req-1", *healthy), "is no request id"),
        (("request", "req-00000000-0000-0000-0000-000000000000", *healthy), "look further back"),
        (("boot", "vm9", *healthy), "Did you mean vm"),
        (("rpc", "--host", "compute1", *healthy), "--host needs --topic"),
        (("rpc", "xyz", *healthy), "is no message id"),
        (("rpc", "worst", *healthy), "no call waits"),
        (("volume", "00000000-0000-0000-0000-000000000000", *healthy), "knows volume"),
        (("dhcp", "vm9", *healthy), "vm9"),
        (("boot", "vm1", "--nodes", "a", *healthy), "leave out --inventory and --nodes"),
    ):
        done = run("trace", *words)
        assert done.returncode == 2, words
        assert said in done.stderr, words
        assert "Traceback" not in done.stderr

"""`ignore:` and `--at`, as a user gives them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from stackdoctor.cli.look import Looking
from stackdoctor.cli.moment import Moment
from stackdoctor.collect.plan import LOG_PROBE
from stackdoctor.model import Clock, Node, NodeResults, Result
from stackdoctor.snapshot.format import Snapshot
from stackdoctor.snapshot.write import write_snapshot

NOON = 1795348800.0  # 2026-11-22 12:00:00Z


def line(signature: str, minute: int) -> dict[str, object]:
    at = NOON + 60 * minute
    return {
        "signature": signature,
        "service": "rabbitmq-server",
        "path": "/var/log/rabbitmq/rabbit@controller.log",
        "keys": {"resource": "memory", "broker": "rabbit@controller"},
        "count": 1,
        "first": at,
        "last": at,
        "minutes": {str(int(at // 60)): 1},
        "samples": [{"time": at, "line": 7, "offset": 0, "text": f"{signature}"}],
    }


@pytest.fixture
def kept(tmp_path: Path) -> str:
    """A snapshot of 12:30Z in whose logs a memory alarm stood from 12:01 to 12:14."""
    hits = [line("rmq-alarm-set", 1), line("rmq-alarm-cleared", 14)]
    said = {"since": NOON, "until": NOON + 1800, "grep": "gnu", "files": [], "hits": hits}
    result = Result(LOG_PROBE.id, "logs", stdout=json.dumps(said).encode(), started=NOON + 1800)
    node = NodeResults(Node("controller"), {(LOG_PROBE.id, ""): result}, Clock(NOON + 1800), "controller")
    write_snapshot(Snapshot((node,), NOON + 1800, 1.0, "test"), tmp_path / "kept.tar.gz")
    return "kept.tar.gz"


def inventory(folder: Path, *entries: str) -> str:
    (folder / "cloud.yaml").write_text("nodes: [{name: a}]\nignore:\n" + "".join(f"  - {{{e}}}\n" for e in entries))
    return "cloud.yaml"


def test_what_is_over_is_told_as_such_and_fails_nothing(run: Callable, kept: str) -> None:
    done = run("diagnose", "--from", kept)
    assert done.returncode == 0, done.stderr
    assert "12:01:00Z–12:14:00Z (recovered at 12:14:00Z)" in done.stdout
    report = json.loads(run("diagnose", "--from", kept, "--format", "json").stdout)
    assert (report["diagnoses"], [d["cause"] for d in report["history"]]) == ([], ["rmq-memory-alarm"])


def test_a_past_moment_is_judged_as_it_was(run: Callable, kept: str) -> None:
    done = run("diagnose", "--from", kept, "--at", "12:10Z")
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("As of 2026-11-22 12:10:00Z")
    assert "RabbitMQ on controller uses more memory" in done.stdout
    assert run("diagnose", "--from", kept, "--at", "12:20Z").returncode == 0
    before = run("diagnose", "--from", kept, "--at", "2026-11-22T11:50Z")
    assert (before.returncode, before.stdout) == (2, "")
    assert "no log that was read covers 2026-11-22 11:50:00Z" in before.stderr
    later = run("diagnose", "--from", kept, "--at", "2026-11-22T13:00Z")
    assert (later.returncode, "after the look" in later.stderr) == (2, True)


def test_the_plan_reads_logs_back_to_before_the_moment(run: Callable) -> None:
    done = run("plan", "--nodes", "192.0.2.1", "--since", "30m", "--at", "2h ago")
    seconds = float(re.search(r"Logs of the last ([\d.e+]+) s", done.stdout)[1])
    assert 9000 <= seconds < 9060


def test_what_is_silenced_is_shown_as_such_and_fails_nothing(run: Callable, kept: str, tmp_path: Path) -> None:
    arguments = ("diagnose", "--from", kept, "--at", "12:10Z", "-i", "cloud.yaml")
    inventory(tmp_path, "cause: rmq-memory-alarm, reason: a test broker, until: 2026-11-22")
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    assert "rmq-memory-alarm: 1 root cause, until 2026-11-22 – a test broker" in done.stdout
    inventory(tmp_path, "finding: log.rmq-alarm-set, node: contr*, reason: a test broker, until: 2026-11-22")
    report = json.loads(run(*arguments, "--format", "json", "--fail-on", "info").stdout)
    assert (report["diagnoses"], report["findings"]) == ([], [])
    assert [(s["reason"], s["findings"][0]["id"]) for s in report["silenced"]] == [
        ("a test broker", "log.rmq-alarm-set")
    ]


def test_an_expired_rule_silences_nothing_and_is_said(run: Callable, kept: str, tmp_path: Path) -> None:
    inventory(tmp_path, "cause: rmq-memory-alarm, reason: a test broker, until: 2026-11-21")
    done = run("diagnose", "--from", kept, "--at", "12:10Z", "-i", "cloud.yaml")
    assert done.returncode == 1
    assert "rmq-memory-alarm: expired on 2026-11-21, silences nothing (cloud.yaml:3)" in done.stdout


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("finding: rabbitmq.queue.stuk, reason: x, until: 2099-01-01", "did you mean rabbitmq.queue.stuck"),
        ("cause: rmq-memory-alrm, reason: x, until: 2099-01-01", "did you mean rmq-memory-alarm"),
        ("finding: rabbitmq.queue.stuck, until: 2099-01-01", "needs a `reason`"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(
    run: Callable, kept: str, tmp_path: Path, entry: str, said: str
) -> None:
    inventory(tmp_path, entry)
    done = run("diagnose", "--from", kept, "-i", "cloud.yaml", "--check", "log.*")
    assert (done.returncode, done.stdout) == (2, "")
    assert "cloud.yaml:3" in done.stderr
    assert said in done.stderr


def test_a_live_look_reads_logs_from_before_the_moment_on() -> None:
    assert Looking(since=600.0).window(NOON) == 600.0
    assert Looking(since=600.0, at=Moment("2h ago")).window(NOON) == 7800.0

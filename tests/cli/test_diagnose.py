"""`stackdoctor diagnose` from SSH to the verdict, and the same from a snapshot."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import jsonschema

from stackdoctor.report.as_json import schema

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_the_demo_says_the_verdict_first_and_exits_with_0(run: Run) -> None:
    done = run("diagnose", "--demo")
    assert done.returncode == 0, done.stderr
    text = done.stdout
    assert "nova-conductor on controller is running but answers no RPC" in text
    assert text.index("CRITICAL") < text.index("Evidence") < text.index("Confirm") < text.index("Fix")


def test_a_cloud_over_ssh_gives_one_diagnosis_and_exit_status_1(run: Run, inventory: Path) -> None:
    done = run("diagnose", "-i", str(inventory), "--format", "json")
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    jsonschema.validate(report, schema())
    (diagnosis,) = report["diagnoses"]
    assert diagnosis["cause"] == "rpc-consumer-hung"
    assert diagnosis["where"] == {"node": "controller", "service": "nova-conductor"}
    waiting = {f["node"] for f in diagnosis["explains"] if f["id"] == "log.rpc-timeout"}
    assert waiting == {"compute1", "compute2"}
    assert "[4/4]" in done.stderr


def test_a_snapshot_gives_the_same_diagnoses_as_the_look_that_it_was_taken_by(run: Run, inventory: Path) -> None:
    live = run("diagnose", "-i", str(inventory), "--format", "json", "--keep", "kept.tar.gz", "-q")
    again = run("diagnose", "--from", "kept.tar.gz", "--format", "json")
    assert live.stderr == again.stderr == ""
    first, second = json.loads(live.stdout), json.loads(again.stdout)
    for report in (first, second):
        del report["source"]
    assert first == second


def test_collect_keeps_a_directory_that_diagnose_reads(run: Run, inventory: Path, tmp_path: Path) -> None:
    done = run("collect", "-i", str(inventory), "-o", "snap", "-q")
    assert done.returncode == 0, done.stderr
    assert "4 of 4 nodes" in done.stdout
    assert (tmp_path / "snap" / "manifest.json").exists()
    assert run("diagnose", "--from", "snap").returncode == 1


def test_fail_on_chooses_what_is_a_failure(run: Run, inventory: Path) -> None:
    arguments = ("diagnose", "-i", str(inventory), "-q", "--check", "rabbitmq.queue.stuck")
    assert run(*arguments).returncode == 0
    assert run(*arguments, "--fail-on", "warning").returncode == 1


def test_why_shows_how_a_cause_scored(run: Run, inventory: Path) -> None:
    won = run("diagnose", "-i", str(inventory), "-q", "--why", "rpc-consumer-hung").stdout
    assert ": chosen" in won
    assert "when    rabbitmq.queue.stuck" in won
    lost = run("diagnose", "-i", str(inventory), "-q", "--why", "rmq-memory-alarm").stdout
    assert "no case of it here" in lost


def test_plan_prints_commands_and_contacts_nobody(run: Run) -> None:
    done = run("plan", "--nodes", "root@192.0.2.1:2222,b.invalid")
    assert done.returncode == 0
    assert "192.0.2.1: ssh root@192.0.2.1 port 2222" in done.stdout
    assert "run   rabbitmqctl -q list_queues" in done.stdout
    assert "read  /var/log/nova/*.log" in done.stdout


def test_checks_and_explain_know_every_check_signature_and_cause(run: Run) -> None:
    listed = run("checks").stdout
    assert "rabbitmq.queue.no-consumer" in listed
    assert "log.rpc-timeout" in listed
    assert "rpc-consumer-hung" in run("checks", "--causes").stdout
    assert "nobody consumes" in run("explain", "rabbitmq.queue.no-consumer").stdout
    assert "Matches:" in run("explain", "log.rpc-timeout").stdout
    assert "or rabbitmq.queue.stuck" in run("explain", "rpc-consumer-hung").stdout


def test_help_loads_nothing_heavy(run: Run) -> None:
    code = (
        "import sys; sys.argv=['stackdoctor','--help']\n"
        "from stackdoctor.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'paramiko','scapy','openstack','rich','yaml','pika','pyshark'} & set(sys.modules)\n"
        "print('HEAVY', sorted(heavy))"
    )
    import sys

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "HEAVY []" in done.stdout
    assert "diagnose" in done.stdout

"""`stackdoctor playbook`: runbooks by name, near names for others, and one text with `explain`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_show_and_explain_print_the_same_runbook(run: Run) -> None:
    shown, explained = run("playbook", "show", "rpc-consumer-hung"), run("explain", "rpc-consumer-hung")
    assert shown.returncode == explained.returncode == 0
    assert shown.stdout == explained.stdout
    assert "Confirm   " in shown.stdout


def test_an_unknown_cause_is_refused_with_near_ones(run: Run) -> None:
    done = run("playbook", "show", "dnsmasq")
    assert done.returncode == 2
    assert "did you mean dhcp-dnsmasq-dead?" in done.stderr


def test_the_list_of_a_symptom_has_its_causes_only(run: Run) -> None:
    done = run("playbook", "list", "--symptom", "console", "--format", "json")
    causes = {playbook["cause"] for playbook in json.loads(done.stdout)["playbooks"]}
    assert {"novnc-token", "novnc-proxyclient-address"} <= causes
    assert "mysql-down" not in causes


def test_the_list_has_one_line_a_cause(run: Run) -> None:
    lines = run("playbook", "list").stdout.splitlines()
    assert any(line.startswith("mysql-down ") for line in lines)
    assert len(lines) > 100

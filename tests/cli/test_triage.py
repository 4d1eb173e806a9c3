"""`stackdoctor triage` as the one on call uses it: at a terminal, in a pipe, on a snapshot, on a cloud."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
FIXTURES = Path(__file__).parents[2] / "fixtures"
TIMEOUT = (
    "2026-11-22 23:45:36.133 298 WARNING nova.servicegroup.drivers.db [-] Lost connection to nova-conductor for"
    " reporting service status.: oslo_messaging.exceptions.MessagingTimeout: Timed out waiting for a reply to"
    " message ID 7ba0a8c062ba4623a8bf2d5a768cc662"
)
REQUEST = "req-bc2d9f0e-2fac-422d-9a66-656f75d7aaeb"


def snapshot(case: str) -> tuple[str, str]:
    return "--from", str(FIXTURES / case / "snapshot.tar.gz")


def test_a_symptom_of_an_instance_leads_to_its_cause_and_to_filled_in_commands(run: Run) -> None:
    done = run("triage", "--symptom", "no-address", "--instance", "vm1", *snapshot("dnsmasq-killed"), COLUMNS="80")

    assert done.returncode == 1
    assert "1 root cause found that explains this symptom of this instance." in done.stdout
    assert "dhcp-dnsmasq-dead" in done.stdout
    assert "dhcp-rogue-server: no dhcp.server.foreign found on all 4 nodes" in done.stdout
    assert "ovs.db was not asked" in done.stdout
    assert f"stackdoctor trace dhcp vm1 --from {snapshot('dnsmasq-killed')[1]}" in done.stdout
    assert "\x1b" not in done.stdout


def test_prose_keeps_to_80_columns(run: Run) -> None:
    done = run("triage", "--symptom", "unreachable", *snapshot("snat-rule-missing"), COLUMNS="80")
    prose = [line for line in done.stdout.splitlines() if not re.match(r"\s+(ssh|stackdoctor|ip|systemctl) ", line)]
    copied = [line for line in prose if len(line) > 80]
    assert all("Fix" not in line for line in copied)
    assert len(copied) <= 4, copied  # steps of a fix are copied whole


def test_the_wrong_symptom_is_not_explained_and_the_fault_is_named_all_the_same(run: Run) -> None:
    done = run("triage", "--symptom", "console", *snapshot("dnsmasq-killed"))

    assert done.returncode == 1
    assert "What was found does not explain this symptom; but something else is broken (1 cause)." in done.stdout
    assert "Broken as well, which does not explain it\n  CRITICAL  no dnsmasq runs" in done.stdout
    assert "Confirm" not in done.stdout


def test_a_healthy_cloud_explains_nothing(run: Run) -> None:
    done = run("triage", "--symptom", "no-address", *snapshot("healthy"))

    assert done.returncode == 0
    assert "Nothing was found that explains this symptom." in done.stdout


def test_json_has_the_state_of_every_cause(run: Run) -> None:
    done = run(
        "triage", "--symptom", "no-address", "--instance", "vm1", *snapshot("dhcp-agent-down"), "--format", "json"
    )
    value = json.loads(done.stdout)
    causes = {each["cause"]: each for each in value["causes"]}

    assert value["schema"] == "stackdoctor/triage/1"
    assert [d["cause"] for d in value["explaining"]] == ["service-process-down"]
    assert causes["dhcp-dnsmasq-dead"]["state"] == "excluded"
    assert causes["dhcp-rogue-server"]["state"] == "absent"
    assert value["instance"]["cards"][0]["addresses"] == ["10.10.0.28"]
    assert value["next"][0]["whole"] is True
    assert value["probes"] is None


def test_what_is_broken_at_another_host_is_not_this_instances_trouble(run: Run) -> None:
    value = json.loads(
        run("triage", "--instance", "vm1", *snapshot("linuxbridge-agent-down"), "--format", "json").stdout
    )
    assert value["explaining"] == []
    assert [d["cause"] for d in value["elsewhere"]] == ["service-process-down"]


def test_a_request_leads_to_the_step_where_it_stopped_and_to_the_cause(run: Run) -> None:
    done = run("triage", "--request", REQUEST, *snapshot("linuxbridge-agent-down"))

    assert done.returncode == 1
    assert "Verdict: nova-compute (nova-compute on compute2) failed" in done.stdout
    assert "1 root cause found that explains this request." in done.stdout
    assert "neutron-linuxbridge-agent on compute2 is not running" in done.stdout


def test_a_log_line_is_judged_on_a_snapshot(run: Run) -> None:
    done = run("triage", "--line", TIMEOUT, *snapshot("conductor-hung"))

    assert done.returncode == 1
    assert "log.rpc-timeout: " in done.stdout
    assert "1 root cause found that explains this line." in done.stdout


def test_a_log_line_is_explained_where_there_is_no_cloud_to_look_at(run: Run) -> None:
    done = run("triage", "--line", TIMEOUT)

    assert done.returncode == 0
    assert "log.service-report-lost: " in done.stdout
    assert "rpc-workers-exhausted: " in done.stdout
    assert "No node was looked at" in done.stdout


def test_a_log_line_that_nothing_knows_says_so_and_what_to_do(run: Run) -> None:
    line = f"2026-01-01 ERROR x [{REQUEST} - - -] \x1b[2Jnobody knows this of a volume"
    done = run("triage", "--line", line, "--inventory", "my cloud.yaml")

    assert done.returncode == 0
    assert "No log signature knows this line." in done.stdout
    assert f"stackdoctor triage --request {REQUEST} -i 'my cloud.yaml'" in done.stdout
    assert "stackdoctor triage --symptom volume-stuck -i 'my cloud.yaml'" in done.stdout
    assert "\x1b" not in done.stdout
    assert "\\x1b[2Jnobody" in done.stdout


def test_what_to_do_next_names_the_same_cloud(run: Run) -> None:
    words = ("--nodes", "a,b", "--from-cloud", "--only", "compute*", "--login", "op")
    done = run("triage", "--line", f"2026-01-01 ERROR x [{REQUEST} - - -] nobody knows this", *words)

    assert done.returncode == 0, done.stderr
    assert f"triage --request {REQUEST} -n a,b --login op --from-cloud --only 'compute*'" in " ".join(
        done.stdout.split()
    )


def test_a_line_can_come_from_standard_input(run: Run, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "stackdoctor", "triage", "--line", "-"]
    done = subprocess.run(command, input=TIMEOUT, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "log.rpc-timeout" in done.stdout
    empty = subprocess.run(command, input="", capture_output=True, text=True, check=False, cwd=tmp_path)
    assert empty.returncode == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "there is no terminal to ask on"),
        ((), "no-address, unreachable"),
        (("--symptom", "no-adress"), "did you mean no-address"),
        (("--symptom", "dhcp"), "did you mean no-address"),
        (("--symptom", "zzz"), "there are no-address"),
        (("--request", "req-1"), "is no request id"),
        (("--instance", "vm9", *snapshot("healthy")), "Did you mean vm"),
        (("--symptom", "console", "--nodes", "a", *snapshot("healthy")), "leave out --inventory and --nodes"),
    ],
)
def test_wrong_use_is_one_sentence_and_status_2(run: Run, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    command = [sys.executable, "-m", "stackdoctor", "triage", *words]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_live_look_asks_only_what_the_symptom_needs(run: Run, inventory: Path) -> None:
    done = run("triage", "--symptom", "messaging-timeout", "-i", str(inventory), "-q", "--format", "json")
    value = json.loads(done.stdout)

    assert done.returncode == 1, done.stderr
    assert [d["cause"] for d in value["explaining"]] == ["rpc-consumer-hung"]
    assert value["probes"]["planned"] < 0.6 * value["probes"]["of"]
    assert f"stackdoctor test rpc -i {inventory}" in [step["command"] for step in value["next"]]


def at_terminal(arguments: list[str], answers: list[tuple[str, str]], folder: Path) -> tuple[int, str]:
    """Run the command on a terminal of its own: to each prompt (a text that appears) its answer."""
    here, there = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "stackdoctor", "triage", *arguments],
        stdin=there,
        stdout=there,
        stderr=there,
        cwd=folder,
        env={**os.environ, "COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"},
    )
    os.close(there)
    shown, left = "", list(answers)
    try:
        while select.select([here], [], [], 180)[0]:
            try:
                shown += os.read(here, 65536).decode("utf-8", "replace")
            except OSError:  # the other end is closed: it has ended
                break
            if left and left[0][0] in shown:
                os.write(here, left.pop(0)[1].encode() + b"\n")
                shown = shown.replace("\r\n", "\n")
        return process.wait(timeout=60), shown.replace("\r\n", "\n")
    finally:
        process.kill()
        os.close(here)


def test_at_a_terminal_the_symptom_is_asked_for_and_the_instance(tmp_path: Path) -> None:
    answers = [("Number, or what you have:", "1"), ("Which instance?", "vm1")]
    status, shown = at_terminal([*snapshot("dnsmasq-killed")], answers, tmp_path)

    assert "What do you see?" in shown
    assert "   1  an instance gets no address" in shown
    assert "explains this symptom of this instance" in shown
    assert status == 1


def test_at_a_terminal_words_are_answered_with_what_they_may_mean(tmp_path: Path) -> None:
    answers = [
        ("Number, or what you have:", "it hangs in build, error"),
        ("(build-stuck)", "99"),
        ("There are 1 to", "metadata secret"),
        ("Which instance?", ""),
    ]
    status, shown = at_terminal([*snapshot("healthy")], answers, tmp_path)

    assert "That may be one of these" in shown
    assert "Seen: an instance gets no metadata" in shown
    assert status == 0


def test_at_a_terminal_a_pasted_line_is_a_line(tmp_path: Path) -> None:
    status, shown = at_terminal([], [("Number, or what you have:", TIMEOUT)], tmp_path)

    assert "log.rpc-timeout" in shown
    assert status == 0


def test_hostile_text_of_a_node_stays_inert(run: Run, tmp_path: Path) -> None:
    done = run("triage", "--symptom", "x\x1b]0;y\x07", *snapshot("healthy"))
    assert done.returncode == 2
    assert "\x1b" not in done.stderr

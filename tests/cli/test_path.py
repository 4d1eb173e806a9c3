"""`stackdoctor path` on snapshots of a recorded cloud."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stackdoctor.model import Node, NodeResults
from stackdoctor.snapshot.format import Snapshot
from stackdoctor.snapshot.write import write_snapshot

Run = Callable[..., subprocess.CompletedProcess[str]]
Keep = Callable[..., str]
SAMPLES = Path(__file__).parents[1] / "trace" / "samples"


@pytest.fixture
def keep(tmp_path: Path, recording: Callable[..., dict[str, NodeResults]]) -> Keep:
    """``keep("vm-tap-off-bridge")`` writes that cloud's snapshot; ``change`` has it changed first."""

    def write(*faults: str, change: Callable[[dict[str, NodeResults]], None] = lambda nodes: None) -> str:
        nodes = recording(*(SAMPLES / f"{name}.json" for name in ("healthy", *faults)))
        change(nodes)
        path = tmp_path / "cloud.tar.gz"
        write_snapshot(Snapshot(tuple(nodes.values()), 1795366000.0, 1.0, "stackdoctor"), path)
        return str(path)

    return write


def test_a_whole_path_is_printed_a_line_a_hop_with_the_verdict_last_and_status_0(run: Run, keep: Keep) -> None:
    done = run("path", "vm1", "--from", keep(), "--to", "dhcp")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "vm1 (tap30d5603c-42) on compute1 to the DHCP server on controller"
    assert "    ok      tap30d5603c-42  up, in brq8af4f28b-a6, MTU 1450, MAC learned" in lines
    assert [line.strip() for line in lines if line.startswith("  c")] == ["compute1", "controller", "compute1"]
    assert lines[-1].startswith("OK: whole")
    assert len(lines) == 1 + 3 + 13 + 2


def test_a_broken_path_says_where_it_ends_and_exits_with_1(run: Run, keep: Keep) -> None:
    done = run("path", "10.10.0.189", "--from", keep("vm-tap-off-bridge"))
    assert done.returncode == 1
    assert "    BROKEN  tap30d5603c-42  it is in no bridge" in done.stdout
    assert "beyond the break, as far as it can be derived:" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("BROKEN: ends at tap30d5603c-42 on compute1: it is in no bridge")


def test_eighty_columns_hold_every_line_and_keep_the_columns(run: Run, keep: Keep) -> None:
    done = run("path", "vm1", "--from", keep(), COLUMNS="80")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    hops = [line for line in lines[1:-2] if line.startswith("    ")]
    assert {line[27] for line in hops} == {" "}
    assert all(line[28] != " " for line in hops)


def test_without_colour_and_in_ascii_nothing_is_lost(run: Run, keep: Keep) -> None:
    done = run("path", "vm1", "--from", keep("dhcp-tap-off-bridge"), PYTHONIOENCODING="ascii", TERM="dumb")
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    assert "BROKEN  tapaf0c69a5-3e" in done.stdout


def test_json_has_every_hop_with_its_proofs_and_evidence(run: Run, keep: Keep) -> None:
    done = run("path", "vm1", "--from", keep("sg-dhcp-reply-dropped"), "--format", "json")
    assert done.returncode == 1
    value = json.loads(done.stdout)
    assert value["schema"] == "stackdoctor/path/1"
    (path,) = value["paths"]
    assert path["status"] == "broken"
    (broken,) = [hop for hop in path["hops"] if hop["status"] == "broken"]
    (proof,) = broken["proofs"]
    assert (broken["node"], broken["what"], proof["holds"]) == ("compute1", "security group", False)
    assert proof["evidence"]["node"] == "compute1"
    assert proof["evidence"]["line"].endswith("-p udp -m udp --sport 67 --dport 68 -j DROP")
    assert path["mtu"]["fits"] is True


def test_each_goal_can_be_named(run: Run, keep: Keep) -> None:
    snapshot = keep()
    for goal, last in (("gateway", "qr-0cded1ee-8c"), ("metadata", "metadata proxy"), ("vm2", "vm2")):
        done = run("path", "vm1", "--from", snapshot, "--to", goal)
        assert done.returncode == 0, done.stdout
        assert f"    ok      {last}" in done.stdout


def test_a_node_missing_from_the_snapshot_is_said_and_the_status_is_2(run: Run, keep: Keep) -> None:
    def lost(nodes: dict[str, NodeResults]) -> None:
        nodes["controller"] = NodeResults(Node("controller"), failure="no answer from controller")

    done = run("path", "vm1", "--from", keep(change=lost))
    assert done.returncode == 2
    assert "unknown" in done.stdout
    assert "NOT KNOWN: whole as far as can be seen" in done.stdout
    assert "controller was not looked at (no answer from controller)" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("vm3",), "did you mean"),
        (("vm1", "--to", "vm9"), "no port 'vm9'"),
        (("vm1", "--to", "vm1"), "is where the path starts"),
        (("vm1", "--nodes", "a"), "leave out --inventory and --nodes"),
        (("vm1", "--format", "xml"), "--format"),
        ((), "PORT|INSTANCE|IP|MAC"),
    ],
)
def test_wrong_use_is_one_sentence_with_status_2(run: Run, keep: Keep, arguments: tuple[str, ...], said: str) -> None:
    done = run("path", *arguments, "--from", keep())
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_snapshot_that_is_not_there_is_said(run: Run) -> None:
    done = run("path", "vm1", "--from", "nowhere")
    assert done.returncode == 2
    assert "there is no snapshot at nowhere" in done.stderr


def test_names_from_a_node_are_never_obeyed_by_the_terminal(run: Run, keep: Keep) -> None:
    def hostile(nodes: dict[str, NodeResults]) -> None:
        key = ("libvirt.dumpxml", "instance-00000006")
        result = nodes["compute1"].results[key]
        changed = result.stdout.replace(b"<nova:name>vm1<", "<nova:name>vm1\u202e\u009b31m[red]<".encode())
        results = {**nodes["compute1"].results, key: replace(result, stdout=changed)}
        nodes["compute1"] = replace(nodes["compute1"], results=results)

    snapshot = keep(change=hostile)
    for form in ("terminal", "json"):
        done = run("path", "tap30d5603c-42", "--from", snapshot, "--format", form)
        assert done.returncode == 0, done.stderr
        assert "\u202e" not in done.stdout
        assert "\x9b" not in done.stdout
        assert "[red]" in done.stdout


def test_help_names_the_goals_and_the_exit_status(run: Run) -> None:
    done = run("path", "--help")
    assert done.returncode == 0
    assert "dhcp|gateway|metadata|PORT" in done.stdout
    assert "Exit status" in done.stdout

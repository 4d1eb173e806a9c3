"""What a look costs its node: the last place in every queue, a budget that ends it, and less where there is trouble."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stackdoctor.collect import frames
from stackdoctor.collect.agent import burden
from stackdoctor.collect.plan import Plan
from stackdoctor.model import Probe, Status

Ask = Callable[..., Any]
BUSY = ("sh", "-c", "while :; do :; done")


def test_whatever_it_runs_has_the_last_place_and_leaves_no_core_file(ask: Ask) -> None:
    talk = ask(
        Probe("nice", ("nice",)),
        Probe("disk", ("ionice",)),
        Probe("limits", ("cat", "/proc/self/limits")),
    )
    assert talk.one("nice").stdout == b"19\n"
    if talk.one("disk").status is Status.RAN and os.uname().machine in burden.IOPRIO_SET:
        assert talk.one("disk").stdout.strip() == b"idle"
    assert re.search(rb"^Max core file size +[01] +[01] ", talk.one("limits").stdout, re.MULTILINE)


def test_a_budget_of_processor_time_ends_what_runs_and_says_what_was_left_out(ask: Ask) -> None:
    plan = Plan((Probe("busy", BUSY, timeout=60.0), Probe("late", ("echo", "x"))), seconds=60.0, parallel=1, cpu=1.0)
    talk = ask(plan)
    assert (talk.one("busy").status, talk.one("busy").reason) == (
        Status.TIMED_OUT,
        "the node's budget of 1 s of processor time was used up",
    )
    assert talk.done["used_up"] == talk.one("busy").reason
    assert talk.done["left_out"] == ["late"]
    assert talk.done["cpu"] >= 1.0


def test_no_process_of_its_own_outlives_the_budget_unwatched(ask: Ask) -> None:
    talk = ask(Plan((Probe("limits", ("cat", "/proc/self/limits")),), seconds=20.0, cpu=7.0))
    assert re.search(rb"^Max cpu time +9 +11 ", talk.one("limits").stdout, re.MULTILINE)


def test_a_budget_of_bytes_ends_the_look_and_says_what_was_left_out(ask: Ask) -> None:
    plan = Plan(
        tuple(Probe(f"p{n}", ("head", "-c", "5000", "/dev/zero")) for n in range(4)),
        parallel=1,
        seconds=20,
        most_bytes=9000,
    )
    talk = ask(plan)
    assert [len(r.stdout) for r in talk.results] == [5000, 5000]
    assert talk.done["left_out"] == ["p2", "p3"]
    assert talk.done["used_up"] == "the node's budget of 9000 bytes was used up"
    assert 10000 < talk.done["bytes"] < 11500


def test_its_last_word_is_what_it_cost(ask: Ask) -> None:
    talk = ask(Probe("a", ("sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done")), Probe("b", ("echo", "x")))
    assert talk.done["commands"] == 2
    assert talk.done["cpu"] > 0.01
    assert talk.done["seconds"] > 0
    assert talk.done["bytes"] > 300
    assert (talk.done["used_up"], talk.done["sparing"], talk.done["left_out"]) == ("", "", [])


@pytest.mark.parametrize(
    ("loadavg", "meminfo", "stat", "said"),
    [
        ("16.1 3 3 1/99 5", "MemTotal: 1000 kB\nMemAvailable: 500 kB", "procs_blocked 0", "load 16.1 on 4 CPUs"),
        ("0.1 3 3 1/99 5", "MemTotal: 819200 kB\nMemAvailable: 20480 kB", "procs_blocked 0", "20 of 800 MiB of memory"),
        ("0.1 3 3 1/99 5", "MemTotal: 1000 kB\nMemAvailable: 500 kB", "procs_blocked 11", "11 processes in unint"),
        ("15.9 3 3 1/99 5", "MemTotal: 1000 kB\nMemAvailable: 31 kB", "procs_blocked 10", ""),
        ("0.1 3 3 1/99 5", "MemTotal: 1000 kB", "cpu 1 2", ""),
        ("garbage", "", "", ""),
    ],
)
def test_trouble_is_load_memory_or_what_waits_for_a_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, loadavg: str, meminfo: str, stat: str, said: str
) -> None:
    files = {"/proc/loadavg": loadavg, "/proc/meminfo": meminfo, "/proc/stat": stat}
    for path, content in files.items():
        (tmp_path / path.rpartition("/")[2]).write_text(content + "\n")
    opened = open
    monkeypatch.setattr("builtins.open", lambda path, mode="r": opened(tmp_path / path.rpartition("/")[2], mode))
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    found = burden.trouble()
    monkeypatch.undo()
    assert found.startswith(said)
    assert bool(found) == bool(said)


def test_a_node_in_trouble_is_asked_one_thing_at_a_time_and_nothing_costly(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any load is too high for this agent."""
    eager = frames.source().replace(b"HIGH_LOAD = 4.0", b"HIGH_LOAD = -1.0")
    monkeypatch.setattr(frames, "source", lambda modules: eager)
    first = Probe("first", ("sh", "-c", "sleep 0.3; date +%s.%N"))
    cheap = (first, replace(first, id="second", argv=("date", "+%s.%N")))
    plan = Plan((replace(first, id="dear", costly=True), *cheap), seconds=20.0, restraint=True)
    talk = ask(plan)
    assert talk.one("dear").status is Status.NOT_RUN
    assert talk.one("dear").reason.startswith("left out to spare the node: load ")
    assert float(talk.one("first").stdout) < float(talk.one("second").stdout)
    assert talk.done["left_out"] == ["dear"]
    assert talk.done["sparing"].startswith("load ")
    relaxed = ask(replace(plan, restraint=False))
    assert relaxed.one("dear").status is Status.RAN
    assert relaxed.done["sparing"] == ""

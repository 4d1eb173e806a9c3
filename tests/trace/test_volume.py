"""A volume's way to the disk in a guest, on recorded clouds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stackdoctor.errors import UsageError
from stackdoctor.model import NodeResults
from stackdoctor.snapshot.read import read_snapshot
from stackdoctor.trace.records import read_records
from stackdoctor.trace.steps import FAILED, MISSING, PROVEN, Trace
from stackdoctor.trace.volume import volume_id, volume_of, volume_trace

FIXTURES = Path(__file__).parents[2] / "fixtures"
PREFIX = "iqn.2010-10.org.openstack:volume-"


def recorded(case: str) -> tuple[tuple[NodeResults, ...], str]:
    nodes = read_snapshot(FIXTURES / case / "snapshot.tar.gz").nodes
    told = "".join(result.text for node in nodes for result in node.results.values())
    return nodes, volume_id(told[told.index(PREFIX) + len(PREFIX) :][:36])


def trace_of(nodes: tuple[NodeResults, ...], volume: str) -> Trace:
    return volume_trace(volume_of(nodes, volume), read_records(nodes, (volume,)))


@pytest.mark.parametrize(
    ("case", "step"),
    [
        ("iscsi-target-offline", "target is there"),
        ("iscsi-acl-missing", "initiators may log in"),
        ("iscsi-session-dropped", "session"),
    ],
)
def test_the_step_that_was_broken_is_where_it_stopped(case: str, step: str) -> None:
    trace = trace_of(*recorded(case))

    assert trace.stuck_at is not None
    assert (trace.stuck_at.name, trace.stuck_at.state) == (step, FAILED)


def test_an_attached_volume_is_whole() -> None:
    trace = trace_of(*recorded("healthy"))

    assert trace.whole
    assert trace.about["guest"].endswith("on compute1")


def test_a_session_without_a_disk_in_a_guest_is_missing_at_the_guest() -> None:
    nodes, volume = recorded("healthy")
    without = tuple(
        replace(n, results={k: v for k, v in n.results.items() if not k[0].startswith("libvirt")}) for n in nodes
    )
    trace = trace_of(without, volume)

    assert {step.name: step.state for step in trace.steps}["session"] == PROVEN
    assert trace.stuck_at is not None
    assert (trace.stuck_at.name, trace.stuck_at.state) == ("device on the host", MISSING) or (
        trace.stuck_at.name == "disk in the guest"
    )


def test_a_volume_that_nothing_knows_and_what_is_no_id_are_said() -> None:
    nodes, _ = recorded("healthy")
    with pytest.raises(UsageError, match="knows volume"):
        trace_of(nodes, "00000000-0000-0000-0000-000000000000")
    with pytest.raises(UsageError, match="no volume id"):
        volume_id("vol1")

"""The five steps of an RPC call, on recorded clouds and on what debug logs say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stackdoctor.errors import UsageError
from stackdoctor.model import Clock, Node, NodeResults, Result
from stackdoctor.snapshot.read import read_snapshot
from stackdoctor.trace.records import read_records
from stackdoctor.trace.rpc import STEPS, message_id, message_trace, server_trace, target_of, worst
from stackdoctor.trace.steps import FAILED, MISSING, PROVEN, UNKNOWN, Trace

FIXTURES = Path(__file__).parents[2] / "fixtures"
MESSAGE = "9e0c8b4df1b24d6a8ad6f1d63df9a001"
NOW = 1795380000.0

CALL = f"CALL msg_id: {MESSAGE} exchange 'nova' topic 'conductor'"
RECEIVED = f"received message msg_id: {MESSAGE} reply to reply_5d3f0c2a9f0e4b1b8f5f4f1f2f3f4f5f"
SENDING = f"sending reply msg_id: {MESSAGE} reply queue: reply_5d3f0c2a9f0e4b1b8f5f4f1f2f3f4f5f time elapsed: 0.02s"
GOT = f"received reply msg_id: {MESSAGE}"
TIMED_OUT = f"Timed out waiting for a reply to message ID {MESSAGE}"


def recorded(case: str) -> tuple[NodeResults, ...]:
    return read_snapshot(FIXTURES / case / "snapshot.tar.gz").nodes


def of(trace: Trace) -> list[str]:
    return [step.state for step in trace.steps]


def logged(node: str, service: str, *said: str) -> NodeResults:
    samples = [
        {
            "time": NOW + place,
            "line": place + 1,
            "offset": 0,
            "text": f"2026-11-22 20:00:00.000 7 DEBUG {service} [-] {text}",
        }
        for place, text in enumerate(said)
    ]
    hit = {
        "signature": "trace.record", "service": service, "path": f"/var/log/{service}.log", "keys": {},
        "count": len(samples), "first": NOW, "last": NOW + 9, "minutes": {}, "samples": samples,
    }  # fmt: skip
    found = {"since": NOW - 60, "until": NOW + 60, "grep": "gnu", "files": [], "hits": [hit] if samples else []}
    result = Result("logs.hits", "logs", stdout=json.dumps(found).encode())
    return NodeResults(Node(node), {("logs.hits", ""): result}, Clock(NOW))


def test_of_a_hung_conductor_step_three_fails_and_its_process_is_named() -> None:
    nodes = recorded("conductor-hung")
    trace = server_trace(nodes, *worst(nodes))

    assert of(trace) == [PROVEN, PROVEN, FAILED, UNKNOWN, FAILED]
    assert trace.stuck_at is not None
    assert (trace.stuck_at.service, trace.stuck_at.node) == ("nova-conductor", "controller")
    assert "stopped by a signal" in trace.stuck_at.text


def test_of_a_conductor_that_is_down_step_two_fails() -> None:
    nodes = recorded("conductor-stopped")
    trace = server_trace(nodes, *worst(nodes))

    assert of(trace)[:3] == [PROVEN, FAILED, MISSING]
    assert trace.stuck_at is trace.steps[1]


def test_the_server_of_one_host_is_the_one_that_hangs_there() -> None:
    nodes = recorded("compute-agent-hung")

    assert worst(nodes) == ("compute", "compute1")
    assert server_trace(nodes, "compute", "compute1").steps[2].state == FAILED
    assert server_trace(nodes, "compute", "compute2").steps[2].state == PROVEN
    assert server_trace(nodes, "compute.compute2", "").about["queue"] == "compute.compute2"


def test_a_broker_that_blocks_publishers_stops_the_first_step() -> None:
    nodes = recorded("rabbitmq-memory-alarm")

    assert server_trace(nodes, *worst(nodes)).stuck_at == server_trace(nodes, *worst(nodes)).steps[0]


def test_on_a_healthy_cloud_no_call_is_the_worst() -> None:
    with pytest.raises(UsageError, match="no call waits"):
        worst(recorded("healthy"))


def test_an_unknown_topic_is_refused_with_a_near_one() -> None:
    with pytest.raises(UsageError, match="Did you mean conductor"):
        server_trace(recorded("healthy"), "conducter", "")


def test_debug_logs_of_both_sides_prove_all_five_steps() -> None:
    nodes = [logged("compute1", "nova-compute", CALL, GOT), logged("controller", "nova-conductor", RECEIVED, SENDING)]
    records = read_records(nodes, (MESSAGE,))
    trace = message_trace(MESSAGE, records)

    assert trace.whole
    assert target_of(records) == "conductor"
    assert [step.node for step in trace.steps if step.node] == ["compute1", "controller", "controller", "compute1"]


def test_a_request_that_was_taken_and_never_answered_stops_before_the_reply() -> None:
    nodes = [logged("compute1", "nova-compute", CALL, TIMED_OUT), logged("controller", "nova-conductor", RECEIVED)]
    trace = message_trace(MESSAGE, read_records(nodes, (MESSAGE,)))

    assert of(trace) == [PROVEN, PROVEN, UNKNOWN, UNKNOWN, FAILED]
    assert trace.last_proven is trace.steps[1]
    assert trace.stuck_at is not None
    assert trace.stuck_at.name == STEPS[4]


def test_without_debug_logs_the_time_out_proves_that_it_was_sent_and_no_more() -> None:
    trace = message_trace(MESSAGE, read_records([logged("compute1", "nova-compute", TIMED_OUT)], (MESSAGE,)))

    assert of(trace) == [PROVEN, UNKNOWN, UNKNOWN, UNKNOWN, FAILED]


def test_a_message_that_no_log_names_and_what_is_no_message_id_are_said() -> None:
    with pytest.raises(UsageError, match="names message"):
        message_trace(MESSAGE, read_records([logged("compute1", "nova-compute")], (MESSAGE,)))
    with pytest.raises(UsageError, match="32 hexadecimal"):
        message_id("conductor")


def test_a_broker_that_could_not_be_asked_is_said() -> None:
    nodes = [replace(node, results={}, failure="no route to host") for node in recorded("healthy")]
    with pytest.raises(UsageError, match="no broker could be looked at"):
        server_trace(nodes, "conductor", "")

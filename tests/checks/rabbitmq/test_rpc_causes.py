"""Causes of failing RPC that the logs prove, each beside what looks like it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Look = Callable[..., Any]
Hit = tuple[str, str, dict[str, str]]

TIMEOUT: Hit = ("rpc-timeout", "nova-compute", {"topic": "conductor", "callee": "nova-conductor"})
STARVED: Hit = ("rmq-heartbeat-timeout", "rabbitmq", {"peer_ip": "192.0.2.20", "program": "nova-compute", "pid": "7"})
RESET: Hit = (
    "rpc-unreachable",
    "nova-compute",
    {"broker": "192.0.2.10", "port": "5672", "reason": "connection reset"},
)
CONFLICT: Hit = (
    "rpc-precondition-failed",
    "nova-conductor",
    {"argument": "durable", "queue": "conductor", "vhost": "/"},
)


@pytest.fixture
def causes(look: Look, address: Any, logged: Any) -> Callable[..., list[str]]:
    """``causes([controller's hits], [compute1's hits])``: the causes that are named."""

    def named(controller: list[Hit], compute1: list[Hit]) -> list[str]:
        seen = look(
            controller=address("192.0.2.10") | logged(*controller), compute1=address("192.0.2.20") | logged(*compute1)
        )
        return [cause for cause, _ in seen.causes]

    return named


def test_a_queue_with_other_properties_is_told_with_what_follows(causes: Any) -> None:
    assert causes([CONFLICT], [TIMEOUT]) == ["rmq-queue-args-conflict"]


def test_another_rpc_version_is_told(causes: Any) -> None:
    version: Hit = ("rpc-unsupported-version", "nova-compute", {"a": "5.1"})
    assert causes([], [version]) == ["rpc-version-pin"]


def test_notifications_to_kafka_that_fail_never_explain_a_time_out(causes: Any) -> None:
    kafka: Hit = ("kafka-produce-failed", "nova-compute", {})
    assert causes([], [kafka]) == ["kafka-notification-broken"]


def test_a_service_without_files_left_is_told_and_the_brokers_is_another_matter(causes: Any) -> None:
    assert causes([], [("too-many-open-files", "nova-compute", {})]) == ["fd-limit-service"]
    assert causes([("too-many-open-files", "rabbitmq-server", {})], []) == []


def test_a_process_that_comes_back_after_missed_heartbeats_was_starved(causes: Any) -> None:
    assert causes([STARVED], [RESET]) == ["rpc-heartbeat-starved"]


def test_missed_heartbeats_alone_are_no_cause(causes: Any) -> None:
    assert causes([STARVED], []) == []


def test_a_wsgi_worker_that_misses_heartbeats_is_none(causes: Any) -> None:
    idle: Hit = ("rmq-heartbeat-timeout", "rabbitmq", {"peer_ip": "192.0.2.20", "program": "uwsgi", "pid": "7"})
    again: Hit = ("rpc-unreachable", "uwsgi", {"broker": "192.0.2.10", "port": "5672", "reason": "connection reset"})
    assert causes([idle], [again]) == []


def test_a_busy_conductor_whose_callers_time_out_has_too_few_workers(
    look: Look, broker: Any, address: Any, logged: Any
) -> None:
    client = ("192.0.2.10", "nova-conductor", "conductor", 3)
    busy = broker(queues={"conductor": (0, 3, 1)}, clients=[client], said={"192.0.2.10": 840}).answers()
    seen = look(controller=busy | address("192.0.2.10"), compute1=logged(TIMEOUT))
    assert seen.causes == [("rpc-workers-exhausted", "controller")]
    assert look(controller=busy | address("192.0.2.10")).causes == []


def test_a_consumer_that_is_gone_for_want_of_heartbeats_hangs_where_its_process_runs(
    look: Look, broker: Any, address: Any, logged: Any, processes: Any, unit: Any
) -> None:
    conductor = "/usr/bin/python3 /usr/bin/nova-conductor --config-file=/etc/nova/nova.conf"
    missed: Hit = (
        "rmq-heartbeat-timeout",
        "rabbitmq",
        {"peer_ip": "192.0.2.10", "program": "nova-conductor", "pid": "9"},
    )
    left = broker(queues={"conductor": (5, 0, 0), "conductor.controller": (0, 0, 0)}).answers() | address("192.0.2.10")
    running = left | {"processes": processes(conductor, "Ss")} | unit("nova-conductor")
    hung = look(controller=running | logged(missed), compute1=logged(TIMEOUT))
    assert hung.causes == [("rpc-consumer-hung", "controller")]
    gone = left | {"processes": processes()} | unit("nova-conductor", "inactive", "dead") | logged(missed)
    assert look(controller=gone, compute1=logged(TIMEOUT)).causes != [("rpc-consumer-hung", "controller")]

"""What a broker runs out of, what fills it, and what its policies take away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Look = Callable[..., Any]

TIMEOUT = ("rpc-timeout", "nova-compute", {"topic": "conductor", "callee": "nova-conductor"})
MEMORY = {"node": "rabbit@controller", "resource": "memory", "type": "resource_limit"}
POLICIES = "vhost\tname\tpattern\tapply-to\tdefinition\tpriority\n"


def used(files: int, sockets: int) -> dict[str, Any]:
    descriptors = {"total_limit": 927, "total_used": files, "sockets_limit": 832, "sockets_used": sockets}
    return {"file_descriptors": descriptors}


def test_a_broker_without_a_socket_left_takes_no_new_client(look: Look, broker: Any, address: Any, logged: Any) -> None:
    waits = ("rpc-unreachable", "nova-compute", {"broker": "192.0.2.10", "port": "5672", "reason": "timed out"})
    seen = look(
        controller=broker(more=used(840, 832)).answers() | address("192.0.2.10"),
        compute1=address("192.0.2.20") | logged(waits),
    )
    assert seen.causes == [("rmq-fd-exhausted", "controller")]
    assert "rabbitmq.descriptors.exhausted" in seen.findings
    assert "log.rpc-unreachable" in seen.explained


def test_nearly_all_of_them_is_a_warning_and_half_is_nothing(look: Look, broker: Any) -> None:
    nearly = look(controller=broker(more=used(840, 831)).answers())
    assert nearly.causes == []
    assert {f.id for f in nearly.every} == {"rabbitmq.descriptors.low"}
    assert not look(controller=broker(more=used(400, 300)).answers()).every


def test_an_alarm_of_file_descriptors_is_enough(look: Look, broker: Any) -> None:
    alarm = {"node": "rabbit@controller", "resource": "file_descriptor_limit", "type": "file_descriptor_limit"}
    assert look(controller=broker(alarms=[alarm]).answers()).causes == [("rmq-fd-exhausted", "controller")]


def test_notifications_that_nobody_reads_are_behind_the_memory_alarm(look: Look, broker: Any) -> None:
    full = broker(queues={"notifications.info": (400_000, 0, 0)}, memory=600_000_000, alarms=[MEMORY])
    seen = look(controller=full.answers())
    assert [cause for cause, _ in seen.causes] == ["notifications-unconsumed"]
    assert "rabbitmq.queue.unconsumed" in seen.findings
    assert "rabbitmq.alarm.memory" in seen.explained


def test_a_memory_alarm_beside_a_small_queue_of_notifications_is_its_own(look: Look, broker: Any) -> None:
    small = broker(queues={"notifications.info": (400_000, 0, 0)}, memory=90_000_000, alarms=[MEMORY])
    seen = look(controller=small.answers())
    assert [cause for cause, _ in seen.causes] == ["rmq-memory-alarm"]


def test_many_notifications_that_somebody_reads_are_nothing(look: Look, broker: Any) -> None:
    assert not look(controller=broker(queues={"notifications.info": (400_000, 0, 1)}).answers()).every


@pytest.fixture
def ttl(broker: Any, logged: Any) -> Callable[..., dict[str, Any]]:
    def cloud(definition: str, queue: str = "conductor") -> dict[str, Any]:
        told = f"{POLICIES}/\tttl\t.*\tqueues\t{definition}\t0\n"
        one = broker(queues={queue: (0, 0, 1)}, policy="ttl", policies=told)
        return {"controller": one.answers(), "compute1": logged(TIMEOUT)}

    return cloud


def test_requests_that_expire_before_their_callers_give_up_are_told(look: Look, ttl: Any) -> None:
    seen = look(**ttl('{"message-ttl":5000}'))
    assert [cause for cause, _ in seen.causes] == ["rmq-message-ttl-too-short"]


@pytest.mark.parametrize("definition", ['{"message-ttl":600000}', '{"expires":3600000}', '{"ha-mode":"all"}'])
def test_policies_that_leave_requests_alone_are_nothing(look: Look, ttl: Any, definition: str) -> None:
    assert "rabbitmq.policy.short-ttl" not in look(**ttl(definition)).findings


def test_notifications_may_expire_as_soon_as_they_like(look: Look, ttl: Any) -> None:
    assert "rabbitmq.policy.short-ttl" not in look(**ttl('{"message-ttl":5000}', "notifications.info")).findings

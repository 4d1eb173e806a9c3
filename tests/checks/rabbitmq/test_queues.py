"""Queues that nobody serves: whose they are, and when they are nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from stackdoctor.model import Severity

Look = Callable[..., Any]

CONDUCTOR = "/usr/bin/python3 /usr/bin/nova-conductor --config-file=/etc/nova/nova.conf"
COMPUTE = "/usr/bin/python3 /usr/bin/nova-compute --config-file=/etc/nova/nova.conf"
TIMEOUT = ("rpc-timeout", "nova-compute", {"topic": "conductor", "callee": "nova-conductor"})
THREE = [("192.0.2.10", "nova-conductor", "conductor", 0), ("192.0.2.12", "nova-conductor", "conductor", 0)]


@pytest.fixture
def three(broker: Any, address: Any, processes: Any, logged: Any) -> Callable[..., dict[str, Any]]:
    """Conductors on three hosts, that on ctl2 holding messages and stopped or not; callers wait in vain."""

    def cloud(held: int, stat: str) -> dict[str, Any]:
        clients = [*THREE, ("192.0.2.11", "nova-conductor", "conductor", held)]
        seen = broker(queues={"conductor": (0, 4, 3)}, clients=clients).answers()
        runs = {"processes": processes(CONDUCTOR, "Ss")}
        return {
            "controller": seen | address("192.0.2.10") | runs,
            "ctl2": address("192.0.2.11") | {"processes": processes(CONDUCTOR, stat)},
            "ctl3": address("192.0.2.12") | runs,
            "compute1": address("192.0.2.20") | logged(TIMEOUT),
        }

    return cloud


def test_of_three_conductors_the_frozen_one_is_named_and_no_other(look: Look, three: Any) -> None:
    assert look(**three(4, "Ts")).causes == [("rpc-consumer-hung", "ctl2")]


def test_of_three_conductors_the_one_that_holds_the_messages_is_named(look: Look, three: Any) -> None:
    assert look(**three(4, "Ss")).causes == [("rpc-consumer-hung", "ctl2")]


def test_where_no_channel_is_seen_to_hold_them_only_the_stopped_process_tells(look: Look, three: Any) -> None:
    assert look(**three(0, "Ts")).causes == [("rpc-consumer-hung", "ctl2")]
    unclear = look(**three(0, "Ss"))
    assert unclear.causes == []
    assert unclear.findings["rabbitmq.queue.stuck"].keys["holds"] == "unclear"


def test_a_busy_service_is_a_warning_and_no_cause(look: Look, broker: Any, address: Any) -> None:
    busy = broker(queues={"conductor": (0, 3, 1)}, clients=[("192.0.2.10", "nova-conductor", "conductor", 3)])
    seen = look(controller=busy.answers() | address("192.0.2.10"))
    assert seen.causes == []
    assert str(seen.findings["rabbitmq.queue.stuck"].severity) == "warning"


@pytest.mark.parametrize(
    "name", ["reply_deadbeef", "compute_fanout_00aa", "notifications.info", "versioned_notifications.error"]
)
def test_what_nobody_waits_for_is_nothing(look: Look, broker: Any, name: str) -> None:
    assert not look(controller=broker(queues={name: (50000, 0, 0)}).answers()).every


def test_a_queue_of_a_host_that_left_is_a_warning(look: Look, broker: Any) -> None:
    seen = look(controller=broker(queues={"compute.oldhost": (7, 0, 0)}).answers())
    assert seen.causes == []
    assert str(seen.findings["rabbitmq.queue.no-consumer"].severity) == "warning"


def test_a_shared_queue_without_consumer_is_traced_to_where_the_server_is_stopped(
    look: Look, broker: Any, processes: Any
) -> None:
    server = "/usr/bin/python3 /usr/bin/neutron-server --config-file /etc/neutron/neutron.conf"
    seen = look(
        controller=broker(queues={"q-plugin": (5, 0, 0)}).answers(),
        ctl2={"processes": processes(server, "Ts")},
    )
    assert seen.causes == [("rpc-consumer-hung", "ctl2")]


def test_the_queue_that_a_server_of_old_left_does_not_make_it_the_culprit(
    look: Look, broker: Any, unit: Any, processes: Any
) -> None:
    left = broker(queues={"conductor": (5, 0, 0), "conductor.oldctl": (0, 0, 0)}).answers()
    seen = look(controller=left | unit("nova-conductor", "inactive", "dead") | {"processes": processes()})
    assert seen.causes == [("rpc-no-consumer", "controller")]


@pytest.mark.parametrize("queue", ["compute.compute1", "compute.compute1.example.com", "compute.COMPUTE1"])
def test_a_stopped_service_and_its_queue_are_one_whatever_the_host_is_called(
    look: Look, broker: Any, unit: Any, processes: Any, queue: str
) -> None:
    seen = look(
        controller=broker(queues={queue: (2, 0, 0)}).answers(),
        compute1=unit("nova-compute", "inactive", "dead") | {"processes": processes()},
    )
    assert seen.causes == [("service-process-down", "compute1")]
    assert {"service.down", "rabbitmq.queue.no-consumer"} <= seen.explained


def test_a_cinder_back_end_named_after_no_host_is_where_the_service_is_down(
    look: Look, broker: Any, unit: Any, processes: Any
) -> None:
    seen = look(
        controller=broker(queues={"cinder-volume.rbd:volumes@ceph.rbd:volumes": (2, 0, 0)}).answers(),
        storage=unit("cinder-volume", "failed", "failed") | {"processes": processes()},
    )
    assert seen.causes == [("service-process-down", "storage")]
    assert "rabbitmq.queue.no-consumer" in seen.explained


def test_a_service_that_is_being_restarted_is_left_in_peace_for_as_long_as_that_may_take(
    look: Look, broker: Any, unit: Any
) -> None:
    queue = broker(queues={"compute.compute1": (1, 0, 0)}).answers()
    now = look(controller=queue, compute1=unit("nova-compute", "deactivating", "stop-sigterm"))
    assert now.causes == []
    assert str(now.findings["rabbitmq.queue.no-consumer"].severity) == "info"
    since = {"StateChangeTimestamp": "Sun 2026-11-22 16:26:30 UTC"}
    for_long = look(controller=queue, compute1=unit("nova-compute", "activating", "start", **since))
    assert for_long.causes == [("rpc-no-consumer", "compute1")]


def test_the_queue_of_an_agent_that_was_taken_off_is_no_error(
    look: Look, broker: Any, unit: Any, processes: Any
) -> None:
    asked = broker(queues={"dhcp_agent.controller": (3, 0, 0)}).answers() | {"processes": processes()}
    off = look(controller=asked | unit("neutron-dhcp-agent", "inactive", "dead", "disabled"))
    assert off.findings["rabbitmq.queue.no-consumer"].severity is Severity.WARNING
    assert off.causes == []
    down = look(controller=asked | unit("neutron-dhcp-agent", "failed", "failed"))
    assert down.findings["rabbitmq.queue.no-consumer"].severity is Severity.ERROR


def test_a_hundred_virtual_hosts_and_twenty_thousand_queues_are_judged_in_seconds(look: Look, broker: Any) -> None:
    """One look at all of it, with one queue in one of the virtual hosts that nobody consumes."""
    queues = {f"compute.host{n:03}": (0, 0, 1) for n in range(200)}
    answers = broker(queues=queues).answers()
    table = answers.pop("rabbitmq.queues /")
    answers.pop("rabbitmq.queues /#2")
    consumers = answers.pop("rabbitmq.consumers /")
    answers["rabbitmq.vhosts"] = "name\n" + "".join(f"tenant{n}\n" for n in range(100))
    for n in range(100):
        lame = table.replace("compute.host007\t0\t0\t0\t1", "compute.host007\t9\t0\t9\t0") if n == 42 else table
        answers[f"rabbitmq.queues tenant{n}"] = answers[f"rabbitmq.queues tenant{n}#2"] = lame
        answers[f"rabbitmq.consumers tenant{n}"] = consumers
    began = time.monotonic()
    seen = look(controller=answers)
    assert {f.keys.get("vhost", "tenant42") for f in seen.every if f.id.startswith("rabbitmq.queue.")} == {"tenant42"}
    assert {f.keys["queue"] for f in seen.every if "queue" in f.keys} == {"compute.host007"}
    assert time.monotonic() - began < 30

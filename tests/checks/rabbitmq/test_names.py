"""Servers that wait where nobody asks, and clients whose replies have nowhere to go."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Look = Callable[..., Any]

REPLY = "reply_5d3f0c2a9f0e4b1b8f5f4f1f2f3f4f5f"
TIMEOUT = ("rpc-timeout", "nova-compute", {"topic": "conductor", "callee": "nova-conductor"})


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ("compute.compute1", "compute.compute1.example.com"),
        ("compute.compute1.example.com", "compute.compute1"),
        ("compute.compute1.old.example", "compute.compute1.new.example"),
    ],
)
def test_a_server_under_another_form_of_its_name_is_no_server_that_is_gone(
    look: Look, broker: Any, unit: Any, address: Any, asked: str, served: str
) -> None:
    queues = {asked: (2, 0, 0), served: (0, 0, 1)}
    seen = look(controller=broker(queues=queues).answers(), compute1=unit("nova-compute") | address("192.0.2.20"))
    assert [cause for cause, _ in seen.causes] == ["rpc-host-name-mismatch"]
    assert "rabbitmq.queue.no-consumer" in seen.explained


def test_an_old_queue_in_which_nothing_waits_is_a_leftover(look: Look, broker: Any) -> None:
    queues = {"compute.compute1": (0, 0, 0), "compute.compute1.example.com": (0, 0, 1)}
    assert not look(controller=broker(queues=queues).answers()).every


def test_two_hosts_whose_names_only_begin_alike_are_two(look: Look, broker: Any) -> None:
    queues = {"compute.compute1": (2, 0, 0), "compute.compute10.example.com": (0, 0, 1)}
    assert "rabbitmq.queue.other-name" not in look(controller=broker(queues=queues).answers()).findings


def test_a_service_alone_in_another_virtual_host_is_found(look: Look, broker: Any, address: Any, logged: Any) -> None:
    clients = [("192.0.2.20", "nova-compute", "compute", 0), ("192.0.2.21", "nova-compute", "compute", 0)]
    apart = broker(queues={"conductor": (0, 0, 1)}, clients=clients, vhost={"192.0.2.20": "//"})
    seen = look(
        controller=apart.answers() | address("192.0.2.10"),
        compute1=address("192.0.2.20") | logged(TIMEOUT),
        compute2=address("192.0.2.21"),
    )
    assert [cause for cause, _ in seen.causes] == ["rpc-wrong-vhost"]
    assert seen.findings["rabbitmq.vhost.apart"].keys["host"] == "compute1"


def test_a_cell_with_a_virtual_host_and_a_conductor_of_its_own_is_fine(look: Look, broker: Any) -> None:
    clients = [("192.0.2.20", "nova-compute", "compute", 0)]
    cells = broker(queues={"conductor": (0, 0, 1)}, clients=clients, vhost={"192.0.2.20": "cell2"}).answers()
    cells["rabbitmq.queues cell2"] = cells["rabbitmq.queues cell2#2"] = cells["rabbitmq.queues /"]
    assert not look(controller=cells).every


def test_a_service_with_another_virtual_host_for_its_notifications_is_at_home(
    look: Look, broker: Any, address: Any
) -> None:
    clients = [("192.0.2.20", "nova-compute", "compute", 0), ("192.0.2.21", "nova-compute", "compute", 0)]
    answers = broker(queues={"conductor": (0, 0, 1)}, clients=clients).answers()
    rows = answers["rabbitmq.connections"].splitlines(keepends=True)
    second = rows[1].replace(".17.100.2>", ".17.300.2>").replace("\topenstack\t/\t", "\topenstack\tnotifications\t")
    assert second != rows[1]
    answers["rabbitmq.connections"] = "".join([*rows, second])
    seen = look(controller=answers | address("192.0.2.10"), compute1=address("192.0.2.20"))
    assert "rabbitmq.vhost.apart" not in seen.findings


def test_a_refused_virtual_host_is_named(look: Look, address: Any, logged: Any) -> None:
    refused = ("rpc-vhost-not-allowed", "nova-compute", {"missing": "nova"})
    assert look(compute1=address("192.0.2.20") | logged(refused)).causes == [("rpc-wrong-vhost", "compute1")]


def dropping(logged: Any, seconds: float) -> dict[str, str]:
    scan = json.loads(logged(("rpc-drop-reply", "nova-conductor", {"queue": REPLY}))["logs.hits"])
    scan["hits"][0]["first"] = scan["hits"][0]["last"] - seconds
    return {"logs.hits": json.dumps(scan)}


def test_replies_that_are_dropped_for_minutes_have_a_client_that_waits(look: Look, broker: Any, logged: Any) -> None:
    seen = look(controller=broker().answers() | dropping(logged, 400), compute1=logged(TIMEOUT))
    assert [cause for cause, _ in seen.causes] == ["rpc-reply-queue-gone"]
    assert {"log.rpc-drop-reply", "log.rpc-timeout"} <= seen.explained


def test_replies_that_are_dropped_for_a_minute_are_those_of_a_client_that_ended(
    look: Look, broker: Any, logged: Any
) -> None:
    seen = look(controller=broker().answers() | dropping(logged, 55), compute1=logged(TIMEOUT))
    assert "rabbitmq.reply-queue.gone" not in seen.findings
    assert "rpc-reply-queue-gone" not in [cause for cause, _ in seen.causes]


def test_a_reply_queue_that_is_there_again_is_fine(look: Look, broker: Any, logged: Any) -> None:
    there = broker(queues={REPLY: (0, 0, 1)}).answers()
    assert "rabbitmq.reply-queue.gone" not in look(controller=there | dropping(logged, 400)).findings

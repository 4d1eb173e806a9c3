"""A consumer that hangs told from one that has much to do, by whether it acknowledges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Look = Callable[..., Any]

TIMEOUT = ("rpc-timeout", "nova-compute", {"topic": "conductor", "callee": "nova-conductor"})
CLIENT = ("192.0.2.10", "nova-conductor", "conductor", 3)


@pytest.fixture
def backlog(broker: Any, address: Any, logged: Any) -> Callable[..., dict[str, Any]]:
    """A conductor that holds three messages in both looks, a caller that timed out; what the conductor said between."""

    def cloud(said: dict[str, int]) -> dict[str, Any]:
        seen = broker(queues={"conductor": (0, 3, 1)}, clients=[CLIENT], said=said)
        return {
            "controller": seen.answers() | address("192.0.2.10"),
            "compute1": address("192.0.2.20") | logged(TIMEOUT),
        }

    return cloud


@pytest.mark.parametrize("octets", [0, 8, 16])
def test_one_that_sends_nothing_but_heartbeats_hangs(look: Look, backlog: Any, octets: int) -> None:
    seen = look(**backlog({"192.0.2.10": octets, "": 1}))
    assert seen.causes == [("rpc-consumer-hung", "controller")]
    assert seen.findings["rabbitmq.queue.stuck"].keys["acks"] == "none"


def test_one_that_acknowledges_is_busy_and_not_hung_though_a_call_timed_out(look: Look, backlog: Any) -> None:
    seen = look(**backlog({"192.0.2.10": 21}))
    assert ("rpc-consumer-hung", "controller") not in seen.causes
    assert "rabbitmq.queue.stuck" not in seen.findings
    assert str(seen.findings["rabbitmq.queue.behind"].severity) == "info"


def test_without_a_second_look_nothing_is_said_of_what_it_acknowledges(look: Look, backlog: Any) -> None:
    seen = look(**backlog({}))
    assert seen.findings["rabbitmq.queue.stuck"].keys["acks"] == "unknown"
    assert seen.causes == [("rpc-consumer-hung", "controller")]


def test_of_two_workers_on_one_host_one_that_is_silent_is_enough(look: Look, broker: Any, address: Any) -> None:
    both = [("192.0.2.10", "nova-conductor", "conductor", 2), ("192.0.2.11", "nova-conductor", "conductor", 2)]
    seen = look(
        controller=broker(queues={"conductor": (0, 4, 2)}, clients=both, said={"192.0.2.10": 2100}).answers()
        | address("192.0.2.10"),
        ctl2=address("192.0.2.11"),
    )
    stuck = seen.findings["rabbitmq.queue.stuck"].keys
    assert (stuck["host"], stuck["acks"]) == ("ctl2", "none")
    assert seen.findings["rabbitmq.queue.behind"].keys["host"] == "controller"

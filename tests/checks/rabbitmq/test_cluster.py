"""A cluster of three as RabbitMQ 3.10 showed it with the link of rabbit@ctl2 cut, healed, and with members stopped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Look = Callable[..., Any]

THREE = ("rabbit@ctl1", "rabbit@ctl2", "rabbit@ctl3")
MANY = ("rabbit@ctl1", "rabbit@ctl3")
TIMEOUT = ("rpc-timeout", "nova-compute", {"topic": "conductor", "callee": "nova-conductor"})
STOPPED = (
    64,
    "Error: this command requires the 'rabbit' app to be running on the target node."
    " Start it with 'rabbitmqctl start_app'.\nArguments given:\n\t-q status\n",
)
QUORUM = '[{"x-queue-type","quorum"}]'


@pytest.fixture
def member(broker: Any) -> Callable[..., dict[str, str]]:
    """``member("ctl1", running=MANY)``: what that member of the three answers."""

    def answers(host: str, **more: Any) -> dict[str, str]:
        return broker(name=f"rabbit@{host}", members=THREE, **more).answers()  # type: ignore[no-any-return]

    return answers


def test_members_that_do_not_count_each_other_are_partitioned(look: Look, member: Any, logged: Any) -> None:
    seen = look(
        ctl1=member("ctl1", running=MANY),
        ctl2=member("ctl2", running=("rabbit@ctl2",)),
        ctl3=member("ctl3", running=MANY),
        compute1=logged(TIMEOUT),
    )
    assert {cause for cause, _ in seen.causes} == {"rmq-partition"}
    assert "log.rpc-timeout" in seen.explained
    assert seen.findings["rabbitmq.cluster.partitioned"].keys["recorded"] == "no"


def test_a_partition_that_was_recorded_lasts_after_the_network_is_whole(look: Look, member: Any) -> None:
    recorded = {"rabbit@ctl1": ["rabbit@ctl2"], "rabbit@ctl3": ["rabbit@ctl2"]}
    seen = look(
        ctl1=member("ctl1", running=MANY, partitions=recorded),
        ctl2=member("ctl2", running=("rabbit@ctl2",), partitions={"rabbit@ctl2": list(MANY)}),
        ctl3=member("ctl3", running=MANY, partitions=recorded),
    )
    assert {cause for cause, _ in seen.causes} == {"rmq-partition"}
    assert seen.findings["rabbitmq.cluster.partitioned"].keys["recorded"] == "yes"


def test_a_member_that_the_others_miss_while_it_counts_them_has_just_started(look: Look, member: Any) -> None:
    seen = look(ctl1=member("ctl1", running=MANY), ctl2=member("ctl2"), ctl3=member("ctl3"))
    assert seen.causes == []
    assert not seen.findings


def test_a_member_that_is_stopped_is_no_partition(look: Look, member: Any) -> None:
    stopped = {"rabbitmq.status": STOPPED, "rabbitmq.databases": "rabbit@ctl2\n"}
    seen = look(ctl1=member("ctl1", running=MANY), ctl2=stopped, ctl3=member("ctl3", running=MANY))
    assert seen.causes == [("rmq-broker-down", "ctl2")]
    assert "rabbitmq.cluster.member-missing" in seen.explained


def test_a_member_that_paused_itself_says_so(look: Look, member: Any, logged: Any) -> None:
    stopped = {"rabbitmq.status": STOPPED, "rabbitmq.databases": "rabbit@ctl2\n"}
    paused = stopped | logged(("rmq-minority", "rabbitmq", {}))
    seen = look(ctl1=member("ctl1", running=MANY), ctl2=paused, ctl3=member("ctl3", running=MANY))
    assert seen.causes == [("rmq-minority-paused", "ctl2")]
    assert "rabbitmq.cluster.member-missing" in seen.explained


def test_a_pause_that_is_over_is_nothing(look: Look, member: Any, logged: Any) -> None:
    seen = look(
        ctl1=member("ctl1"), ctl2=member("ctl2") | logged(("rmq-minority", "rabbitmq", {})), ctl3=member("ctl3")
    )
    assert seen.causes == []


def test_queues_that_lie_on_a_member_that_is_not_looked_at_are_lost_with_it(look: Look, member: Any) -> None:
    seen = look(ctl1=member("ctl1", running=MANY, down={"scheduler": ("rabbit@ctl2", "[]")}))
    assert [cause for cause, _ in seen.causes] == ["rmq-ha-policy-mismatch"]
    assert {"rabbitmq.queue.home-down", "rabbitmq.cluster.member-missing"} <= seen.explained


def test_a_broker_that_is_down_explains_the_queues_that_lie_on_it(look: Look, member: Any) -> None:
    stopped = {"rabbitmq.status": STOPPED, "rabbitmq.databases": "rabbit@ctl2\n"}
    seen = look(ctl1=member("ctl1", running=MANY, down={"scheduler": ("rabbit@ctl2", "[]")}), ctl2=stopped)
    assert seen.causes == [("rmq-broker-down", "ctl2")]
    assert "rabbitmq.queue.home-down" in seen.explained


@pytest.mark.parametrize("queue", ["reply_deadbeef", "compute_fanout_00aa", "mine"])
def test_what_its_owner_makes_anew_is_not_missed(look: Look, member: Any, queue: str) -> None:
    seen = look(ctl1=member("ctl1", running=MANY, down={queue: ("rabbit@ctl2", "[]")}))
    assert "rabbitmq.queue.home-down" not in seen.findings


def test_a_quorum_queue_without_leader_is_named_though_most_members_run(look: Look, member: Any) -> None:
    seen = look(ctl1=member("ctl1", down={"conductor": ("rabbit@ctl1", QUORUM)}), ctl2=member("ctl2"))
    assert [cause for cause, _ in seen.causes] == ["rmq-quorum-no-leader"]
    assert "rabbitmq.queue.leaderless" in seen.findings
    assert "rabbitmq.queue.home-down" not in seen.findings


def test_a_classic_queue_that_is_down_has_no_leader_to_lose(look: Look, member: Any) -> None:
    seen = look(ctl1=member("ctl1", down={"conductor": ("rabbit@ctl1", "[]")}), ctl2=member("ctl2"))
    assert "rabbitmq.queue.leaderless" not in seen.findings

from __future__ import annotations

import time
from pathlib import Path

import pytest

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.rabbitmq import BrokerStatus, Counts, Queue, Queues
from stackdoctor.model import Node, NodeResults, Result, Status

SAMPLES = Path(__file__).parent / "samples"
PROBE = Queues.probes[0]


def answered(*answers: Result) -> NodeResults:
    return NodeResults(Node("controller"), {(answer.probe, answer.subject): answer for answer in answers})


def listed(text: str, subject: str = "/", **more: object) -> Result:
    return Result(PROBE.id, f"rabbitmqctl -q list_queues -p {subject}", subject, stdout=text.encode(), **more)  # type: ignore[arg-type]


def by_name(queues: Queues) -> dict[str, Queue]:
    return {queue.name: queue for queue in queues}


TABLE = (SAMPLES / "rabbitmq-queues-3.10.txt").read_text()

OLD = """Listing queues ...
compute.node-1.example.com\t0\t0\t0\t1
conductor\t3\t2\t5\t0
reply_5eb0cc377b514c0a82ce4ad20d6b88bf\t0\t0\t0\t1
...done.
"""


def test_a_hung_conductor_shows_as_unacknowledged_messages() -> None:
    conductor = by_name(Queues.parse(answered(listed(TABLE))))["conductor"]
    assert (conductor.ready, conductor.unacked, conductor.messages, conductor.consumers) == (0, 9, 9, 1)
    assert (conductor.kind, conductor.topic, conductor.service, conductor.vhost) == (
        "rpc",
        "conductor",
        "nova-conductor",
        "/",
    )
    assert conductor.evidence.line == "conductor\t0\t9\t9\t1\t164704\trunning"
    assert conductor.evidence.source == "rabbitmqctl -q list_queues -p /"
    assert conductor.memory == 164704
    assert str(conductor) == "conductor"


def test_json_says_the_same_as_the_table() -> None:
    rows = by_name(Queues.parse(answered(listed((SAMPLES / "rabbitmq-queues-3.10.json").read_text()))))
    conductor = rows["conductor"]
    assert (conductor.ready, conductor.unacked, conductor.messages, conductor.consumers) == (0, 9, 9, 1)
    assert conductor.evidence.line.startswith('{"name":"conductor"')
    assert rows["reply_47fa47f10751473d87122660ec49b988"].arguments == {"x-expires": 1800000}


def test_a_table_of_3_5_has_no_header_and_its_end_is_no_queue() -> None:
    queues = Queues.parse(answered(listed(OLD)))
    assert [queue.name for queue in queues][:2] == ["compute.node-1.example.com", "conductor"]
    assert len(queues) == 3
    assert by_name(queues)["conductor"].ready == 3


def test_arguments_and_owner_are_read_from_the_table() -> None:
    row = 'reply_a\t0\t0\t0\t1\t35256\trunning\t<rabbit@c1.1.7.0>\tfalse\ttrue\t[{"x-expires",1800000}]\tha-all\n'
    (queue,) = Queues.parse(answered(listed(row)))
    assert (queue.arguments, queue.node, queue.auto_delete, queue.policy) == (
        {"x-expires": 1800000},
        "rabbit@c1",
        True,
        "ha-all",
    )


def test_the_second_sample_tells_growing_from_draining_and_stuck() -> None:
    first = "a\t1\t0\t1\t0\nb\t5\t0\t5\t1\nc\t4\t0\t4\t1\nd\t0\t0\t0\t1\ngone\t1\t0\t1\t0\n"
    second = "a\t3\t0\t3\t0\nb\t2\t0\t2\t1\nc\t4\t0\t4\t1\nd\t0\t0\t0\t1\nnew\t9\t0\t9\t0\n"
    rows = by_name(Queues.parse(answered(listed(first), listed(second, "/#2"))))
    trends = {name: (row.growing, row.draining, row.stuck) for name, row in rows.items()}
    assert trends["a"] == (True, False, True)
    assert trends["b"] == (False, True, False)
    assert trends["c"] == (False, False, True)
    assert trends["d"] == (False, False, False)
    assert rows["a"].later == Counts(3, 0, 3, 0)
    assert rows["gone"].later is None
    assert "new" not in rows


def test_without_a_second_sample_nothing_is_said_of_the_trend() -> None:
    for again in ((), (listed("", "/#2", status=Status.TIMED_OUT),), (listed("garbage", "/#2"),)):
        (queue,) = Queues.parse(answered(listed("a\t1\t0\t1\t0\n"), *again))
        assert queue.later is None
        assert (queue.growing, queue.draining, queue.stuck) == (False, False, False)


def test_every_virtual_host_is_read_and_one_that_fails_is_named() -> None:
    queues = Queues.parse(
        answered(
            listed("a\t1\t0\t1\t0\n", "/"),
            listed("a\t2\t0\t2\t0\n", "heat #2"),
            Result(PROBE.id, "x", "bad", exit=70, stderr=b"Error: {badrpc,timeout}"),
            listed("", "slow", status=Status.TIMED_OUT, reason="ended after 30 s"),
        )
    )
    assert [(queue.vhost, queue.messages) for queue in queues] == [("/", 1), ("heat #2", 2)]
    assert len(queues.unread) == 2
    assert "badrpc" in queues.unread[0]
    assert queues.unread[1].startswith("slow: ")


def test_the_header_of_the_virtual_hosts_is_none_of_them_but_one_may_be_called_name() -> None:
    import re

    assert PROBE.each is not None
    output = "name\ttracing\n/\tfalse\na b\ttrue\nname\tfalse\n"
    found = [match[1] for line in output.splitlines() if (match := re.search(PROBE.each.pattern, line))]
    assert found == ["/", "a b", "name"]


def test_rpc_topics_are_those_of_servers_without_replies_and_fanouts() -> None:
    names = {queue.name for queue in Queues.parse(answered(listed(TABLE))).rpc_topics()}
    assert {"conductor", "conductor.controller", "compute.compute1", "cinder-volume.storage@filetgt"} <= names
    assert not any("_fanout_" in name or name.startswith("reply_") for name in names)


def test_a_queue_whose_process_is_down_has_no_counts() -> None:
    row = "conductor\t\t\t\t\t\tdown\t<rabbit@c1.1.7.0>\ttrue\tfalse\t[]\t\n"
    (queue,) = Queues.parse(answered(listed(row)))
    assert not queue.counted
    assert queue.state == "down"
    assert queue.messages == 0


def test_nothing_listed_is_no_queues() -> None:
    for text in ("", "Timeout: 60.0 seconds ...\nListing queues for vhost / ...\n", "[]", "[\n]\n"):
        assert len(Queues.parse(answered(listed(text)))) == 0


@pytest.mark.parametrize(
    "text",
    [
        "name\tmessages\nconductor\t3\n",
        "conductor 3 2 5 0\n",
        "conductor\tmany\t0\t1\t0\n",
        '[{"name":"a"}]',
        '[{"name":"a","messages_ready":0',
        "Error: something new\n",
    ],
)
def test_another_format_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        Queues.parse(answered(listed(text)))


def test_output_that_was_cut_is_not_read_as_all_of_it() -> None:
    with pytest.raises(CouldNotCheck, match="cut"):
        Queues.parse(answered(listed(TABLE, status=Status.TRUNCATED)))


def test_a_broker_that_does_not_answer_is_said_with_its_words() -> None:
    said = (SAMPLES / "rabbitmq-nodedown-3.10.txt").read_bytes()
    failed = Result(PROBE.id, "rabbitmqctl -q list_vhosts name tracing", exit=69, stderr=said)
    with pytest.raises(CouldNotCheck, match="unable to perform an operation on node 'rabbit@controller'"):
        Queues.parse(answered(failed))


def test_a_node_without_rabbitmqctl_has_no_queues_to_speak_of() -> None:
    with pytest.raises(NotApplicable):
        Queues.parse(answered(Result(PROBE.id, "rabbitmqctl", status=Status.MISSING, exit=None)))


def test_twenty_thousand_queues_are_read_in_seconds() -> None:
    text = "".join(
        f'reply_{n:032x}\t{n}\t0\t{n}\t1\t35256\trunning\t<rabbit@c1.1.{n}.0>\tfalse\tfalse\t[{{"x-expires",1800000}}]\t\n'
        for n in range(20_000)
    )
    began = time.perf_counter()
    queues = Queues.parse(answered(listed(text), listed(text, "/#2")))
    assert len(queues) == 20_000
    assert time.perf_counter() - began < 5.0


DOWN = b"Error: unable to perform an operation on node 'rabbit@n'. Please see diagnostics information."


def broker_that_does_not_answer(*databases: str) -> NodeResults:
    status, _, listing = BrokerStatus.probes
    return answered(
        Result(status.id, "rabbitmqctl -q status", exit=69, stderr=DOWN),
        Result(listing.id, "ls", stdout="\n".join(databases).encode()),
        Result(PROBE.id, "rabbitmqctl", status=Status.NOT_RUN, exit=None, reason="rabbitmq.status did not succeed"),
    )


def test_a_node_with_the_client_tools_only_has_no_queues_to_check() -> None:
    with pytest.raises(NotApplicable, match="no broker has run"):
        Queues.parse(broker_that_does_not_answer())


def test_the_queues_of_a_broker_that_is_down_could_not_be_checked() -> None:
    with pytest.raises(CouldNotCheck, match="does not answer"):
        Queues.parse(broker_that_does_not_answer("rabbit@controller"))


def test_of_a_hundred_virtual_hosts_those_that_were_not_asked_are_said() -> None:
    names = ["/", *(f"tenant{n}" for n in range(99))]
    listing = Result(
        Queues.probes[1].id,
        "rabbitmqctl -q list_vhosts name tracing",
        stdout=b"name\ttracing\n" + "".join(f"{name}\tfalse\n" for name in names).encode(),
    )
    asked = [listed("conductor\t0\t0\t0\t1\n", subject) for name in names[:24] for subject in (name, f"{name}#2")]
    found = Queues.parse(answered(listing, *asked))
    assert len(found) == 24
    assert [reason for _, reason in found.gaps] == [
        "virtual host tenant23 and 75 more were not asked: no more than 24 are"
    ]
    assert Queues.parse(answered(listing, *(listed("", name) for name in names))).gaps == ()

from __future__ import annotations

from pathlib import Path

import pytest

from stackdoctor.errors import CouldNotCheck, ParseError
from stackdoctor.facts.rabbitmq import Channels, Connections, Consumers, Queues, queue_holders
from stackdoctor.facts.rabbitmq_text import ErlangPid
from stackdoctor.model import Node, NodeResults, Result, Status

SAMPLES = Path(__file__).parent / "samples"

CONSUMERS = (SAMPLES / "rabbitmq-consumers-3.10.txt").read_text()
CHANNELS = (SAMPLES / "rabbitmq-channels-3.10.json").read_text()
CONNECTIONS = (SAMPLES / "rabbitmq-connections-3.10.json").read_text()

CONNECTION = (
    "<rabbit@controller.1795372628.813.0>\t192.168.199.10:42712 -> 192.168.199.10:5672\t192.168.199.10\t42712"
    '\topenstack\t/\trunning\t1\t0\t30\t1795372704060\t[{"product","py-amqp"},{"capabilities",[{"connection.blocked",true}]}'
    ',{"connection_name","nova-conductor:995:499a2985-a794-450b-8a72-9f676b85ff39"}]\n'
)
OLD_CONNECTION = (
    "<'rabbit@openstack-01'.2.652.0>\t10.0.0.7:42712 -> 10.0.0.5:5672\t10.0.0.7\t42712\tnova\t/\tblocked\t1\t0\t60"
    '\t[{"product","OpenStack"}, {"version","1.0"}]\n'
)


def answered(fact: type[Queues | Consumers | Channels | Connections], text: str, subject: str = "") -> NodeResults:
    probe = fact.probes[0]
    result = Result(probe.id, f"rabbitmqctl {probe.id}", subject, stdout=text.encode())
    return NodeResults(Node("controller"), {(probe.id, subject): result})


def queues(*names: str) -> Queues:
    return Queues.parse(answered(Queues, "".join(f"{name}\t0\t9\t9\t1\n" for name in names), "/"))


def test_who_holds_the_messages_is_found_across_tables_and_json() -> None:
    holders = queue_holders(
        queues("conductor", "compute.compute1", "nobody"),
        Consumers.parse(answered(Consumers, CONSUMERS, "/")),
        Channels.parse(answered(Channels, CHANNELS)),
        Connections.parse(answered(Connections, CONNECTIONS)),
    )
    (conductor,) = holders["conductor"]
    assert (conductor.program, conductor.program_pid, conductor.peer_host) == (
        "nova-conductor",
        39567,
        "192.168.199.10",
    )
    (compute,) = holders["compute.compute1"]
    assert (compute.program, compute.peer_host) == ("nova-compute", "192.168.199.20")
    assert holders["nobody"] == ()


def test_a_queue_with_several_consumers_has_each_of_their_connections() -> None:
    holders = queue_holders(
        queues("compute"),
        Consumers.parse(answered(Consumers, CONSUMERS, "/")),
        Channels.parse(answered(Channels, CHANNELS)),
        Connections.parse(answered(Connections, CONNECTIONS)),
    )
    assert sorted(connection.peer_host for connection in holders["compute"]) == ["192.168.199.20", "192.168.199.21"]


def clustered(node: str, host: str, pid: int) -> tuple[str, str, str]:
    connection = CONNECTION.replace("<rabbit@controller.1795372628.813.0>", f"<{node}.1.813.0>")
    connection = connection.replace("\t192.168.199.10\t", f"\t{host}\t").replace(":995:", f":{pid}:")
    return (
        f"conductor\t<{node}.1.822.0>\t1\ttrue\t0\t[]\n",
        f"<{node}.1.822.0>\t<{node}.1.813.0>\t3\t0\t0\n",
        connection,
    )


def test_in_a_cluster_the_same_numbers_on_two_nodes_are_two_processes() -> None:
    one, two = clustered("rabbit@c1", "192.0.2.1", 11), clustered("rabbit@c2", "192.0.2.2", 22)
    holders = queue_holders(
        queues("conductor"),
        Consumers.parse(answered(Consumers, two[0], "/")),
        Channels.parse(answered(Channels, one[1] + two[1])),
        Connections.parse(answered(Connections, one[2] + two[2])),
    )
    assert [connection.program_pid for connection in holders["conductor"]] == [22]


def test_a_process_of_another_node_with_the_same_numbers_is_not_taken_for_it() -> None:
    one, two = clustered("rabbit@c1", "192.0.2.1", 11), clustered("rabbit@c2", "192.0.2.2", 22)
    holders = queue_holders(
        queues("conductor"),
        Consumers.parse(answered(Consumers, two[0], "/")),
        Channels.parse(answered(Channels, one[1])),
        Connections.parse(answered(Connections, one[2])),
    )
    assert holders["conductor"] == ()


def test_where_json_hides_the_node_and_two_fit_none_is_named() -> None:
    one, two = clustered("rabbit@c1", "192.0.2.1", 11), clustered("rabbit@c2", "192.0.2.2", 22)
    channels = (
        '[{"pid":"#PID<1.822.0>","connection":"#PID<1.813.0>","consumer_count":1,'
        '"messages_unacknowledged":0,"prefetch_count":0}]'
    )
    holders = queue_holders(
        queues("conductor"),
        Consumers.parse(answered(Consumers, two[0], "/")),
        Channels.parse(answered(Channels, channels)),
        Connections.parse(answered(Connections, one[2] + two[2])),
    )
    assert holders["conductor"] == ()


def test_consumers_of_another_virtual_host_do_not_count() -> None:
    holders = queue_holders(
        queues("conductor"),
        Consumers.parse(answered(Consumers, CONSUMERS, "other")),
        Channels.parse(answered(Channels, CHANNELS)),
        Connections.parse(answered(Connections, CONNECTIONS)),
    )
    assert holders["conductor"] == ()


def test_a_connection_is_read_from_the_table() -> None:
    (connection,) = Connections.parse(answered(Connections, CONNECTION))
    assert connection.pid == ErlangPid("rabbit@controller", 813, 0)
    assert (connection.program, connection.program_pid) == ("nova-conductor", 995)
    assert (connection.state, connection.timeout, connection.peer_port) == ("running", 30, 42712)
    assert connection.connected_at == pytest.approx(1795372704.06)
    assert str(connection) == "nova-conductor on 192.168.199.10"
    assert not connection.blocked


def test_a_connection_of_3_5_has_no_name_of_its_program() -> None:
    (connection,) = Connections.parse(answered(Connections, OLD_CONNECTION))
    assert connection.pid.node == "rabbit@openstack-01"
    assert (connection.program, connection.program_pid, connection.connected_at) == ("", None, None)
    assert connection.blocked
    assert str(connection) == "10.0.0.7:42712 -> 10.0.0.5:5672"


def test_an_alarm_shows_in_the_state_of_those_who_publish() -> None:
    text = (SAMPLES / "rabbitmq-connections-blocked-3.10.json").read_text()
    connections = Connections.parse(answered(Connections, text))
    assert {connection.state for connection in connections} == {"blocking", "blocked"}
    assert all(connection.blocked for connection in connections)


def test_a_client_cannot_hide_others_by_what_it_calls_itself() -> None:
    odd = CONNECTION.replace('[{"product"', '[{"pro{{duct"').replace("499a2985", '"]}')
    connections = Connections.parse(answered(Connections, odd + CONNECTION))
    assert [connection.program for connection in connections] == ["", "nova-conductor"]


def test_channels_say_what_is_not_acknowledged() -> None:
    channels = Channels.parse(answered(Channels, CHANNELS))
    assert max(channel.unacked for channel in channels) == 9


def test_another_format_is_refused() -> None:
    with pytest.raises(ParseError):
        Consumers.parse(answered(Consumers, "conductor <rabbit@a.1.2.3> 1 true 0 []\n", "/"))
    with pytest.raises(ParseError):
        Channels.parse(answered(Channels, "pid\tuser\n<a.1.2.3>\tme\n"))
    with pytest.raises(ParseError):
        Consumers.parse(answered(Consumers, "conductor\tno pid\t1\ttrue\t0\t[]\n", "/"))


def test_a_list_that_failed_is_not_an_empty_one() -> None:
    probe = Connections.probes[0]
    failed = Result(probe.id, "rabbitmqctl", exit=69, stderr=b"Error: unable to perform an operation on node 'x'.")
    with pytest.raises(CouldNotCheck, match="unable"):
        Connections.parse(NodeResults(Node("n"), {(probe.id, ""): failed}))
    late = Result(probe.id, "rabbitmqctl", status=Status.TIMED_OUT, exit=None)
    with pytest.raises(CouldNotCheck, match="timed-out"):
        Connections.parse(NodeResults(Node("n"), {(probe.id, ""): late}))

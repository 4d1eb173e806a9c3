from __future__ import annotations

from pathlib import Path

import pytest

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.rabbitmq import BrokerStatus
from stackdoctor.model import Node, NodeResults, Result, Status

SAMPLES = Path(__file__).parent / "samples"
STATUS, CLUSTER, DATABASES = BrokerStatus.probes

NODEDOWN = (SAMPLES / "rabbitmq-nodedown-3.10.txt").read_text()

ERLANG_STATUS = """[{pid,5085},
 {running_applications,
     [{rabbit,"RabbitMQ","3.6.3"},
      {mnesia,"MNESIA  CXC 138 12","4.11"}]},
 {os,{unix,linux}},
 {erlang_version,
     "Erlang R16B03-1 (erts-5.10.4) [source] [64-bit] [smp:4:4] [async-threads:30] [hipe] [kernel-poll:true]\\n"},
 {memory,[{total,65179648},{connection_readers,0},{other_system,18227437}]},
 {alarms,[memory]},
 {listeners,[{clustering,25672,"::"},{amqp,5672,"::"}]},
 {vm_memory_high_watermark,0.4},
 {vm_memory_limit,1590132736},
 {disk_free_limit,50000000},
 {disk_free,40712921088},
 {file_descriptors,
     [{total_limit,924},{total_used,3},{sockets_limit,829},{sockets_used,1}]},
 {processes,[{limit,1048576},{used,180}]},
 {run_queue,0},
 {uptime,5590},
 {kernel,{net_ticktime,60}}]
"""
ERLANG_CLUSTER = """[{nodes,[{disc,['rabbit@overcloud-0','rabbit@overcloud-1']},{ram,[rabbit@edge]}]},
 {running_nodes,['rabbit@overcloud-1','rabbit@overcloud-0']},
 {cluster_name,<<"rabbit@overcloud-0">>},
 {partitions,[{'rabbit@overcloud-0',['rabbit@overcloud-1']}]},
 {alarms,[{'rabbit@overcloud-1',[disk]},{'rabbit@overcloud-0',[memory]}]}]
"""
MEMORY_ALARM = (
    '{"alarms":[{"node":"rabbit@broker1","resource":"memory","type":"resource_limit"}],'
    '"data_directory":"/var/lib/rabbitmq/mnesia/rabbit@broker1","disk_free":81746669568,"disk_free_limit":50000000,'
    '"file_descriptors":{"sockets_limit":832,"sockets_used":0,"total_limit":927,"total_used":4},'
    '"memory":{"strategy":"rss","total":{"erlang":67621280,"rss":125997056,"allocated":48807936}},'
    '"rabbitmq_version":"3.10.8","uptime":61,"vm_memory_high_watermark_limit":2527650}\n'
)
STOPPED_APP = """Error: this command requires the 'rabbit' app to be running on the target node. \
Start it with 'rabbitmqctl start_app'.
Arguments given:
\t-q status --formatter json
"""
NODEDOWN_3_6 = """Error: unable to connect to node rabbit@dprcclab002: nodedown

DIAGNOSTICS
===========

attempted to contact: [rabbit@dprcclab002]

rabbit@dprcclab002:
  * connected to epmd (port 4369) on dprcclab002
  * epmd reports: node 'rabbit' not running at all
                  no other nodes on dprcclab002
  * suggestion: start the node
"""
WRONG_COOKIE = """Error: unable to perform an operation on node 'rabbit@warp10'. Please see diagnostics information

rabbit@warp10:
  * connected to epmd (port 4369) on warp10
  * epmd reports node 'rabbit' uses port 25672 for inter-node and CLI tool traffic
  * TCP connection succeeded but Erlang distribution failed

  * Authentication failed (rejected by the remote node), please check the Erlang cookie
"""


def answered(status: str, cluster: str | None = None, databases: str = "") -> NodeResults:
    results = {(STATUS.id, ""): Result(STATUS.id, "rabbitmqctl -q status", stdout=status.encode())}
    if cluster is not None:
        results[CLUSTER.id, ""] = Result(CLUSTER.id, "rabbitmqctl -q cluster_status", stdout=cluster.encode())
    results[DATABASES.id, ""] = Result(DATABASES.id, "ls", stdout=databases.encode())
    return NodeResults(Node("controller"), results)


def failing(said: str, exit: int = 69, databases: str = "") -> NodeResults:
    failed = Result(STATUS.id, "rabbitmqctl -q status", exit=exit, stderr=said.encode())
    listing = Result(DATABASES.id, "ls", stdout=databases.encode())
    return NodeResults(Node("controller"), {(STATUS.id, ""): failed, (DATABASES.id, ""): listing})


def test_json_of_a_healthy_broker_is_read() -> None:
    status = BrokerStatus.parse(
        answered(
            (SAMPLES / "rabbitmq-status-3.10.json").read_text(),
            (SAMPLES / "rabbitmq-cluster-status-3.10.json").read_text(),
        )
    )
    assert status.answering
    assert (status.node, status.version, status.uptime) == ("rabbit@controller", "3.10.8", 2408)
    assert (status.memory_used, status.memory_limit) == (193589248, 1000000000)
    assert (status.disk_free, status.disk_limit) == (75681038336, 500000000)
    assert (status.descriptors_used, status.descriptors_limit) == (81, 16287)
    assert (status.sockets_used, status.sockets_limit) == (79, 14656)
    assert status.data_directory == "/var/lib/rabbitmq/mnesia/rabbit@controller"
    assert (status.nodes, status.running_nodes, status.partitions) == (("rabbit@controller",),) * 2 + ((),)
    assert status.alarms == ()
    assert '"disk_free_limit": 500000000' in status.evidence.line


def test_the_sections_for_people_are_read_with_their_alarm() -> None:
    status = BrokerStatus.parse(
        answered(
            (SAMPLES / "rabbitmq-status-3.10.txt").read_text(),
            (SAMPLES / "rabbitmq-cluster-status-3.10.txt").read_text(),
        )
    )
    (alarm,) = status.alarms
    assert (alarm.kind, alarm.node) == ("disk", "rabbit@controller")
    assert alarm.evidence.line == "Free disk space alarm on node rabbit@controller"
    assert (status.node, status.version) == ("rabbit@controller", "3.10.8")
    assert (status.memory_used, status.memory_limit) == (188200000, 1000000000)
    assert status.sockets_limit == 14656
    assert status.disk_free is not None
    assert status.disk_limit is not None
    assert status.disk_free < status.disk_limit
    assert status.running_nodes == ("rabbit@controller",)
    assert status.partitions == ()


def test_an_alarm_in_json_is_read() -> None:
    (alarm,) = BrokerStatus.parse(answered(MEMORY_ALARM)).alarms
    assert (alarm.kind, alarm.node) == ("memory", "rabbit@broker1")
    assert "rabbit@broker1" in alarm.evidence.line


def test_erlang_terms_of_a_partitioned_cluster_are_read() -> None:
    status = BrokerStatus.parse(answered(ERLANG_STATUS, ERLANG_CLUSTER, "rabbit@overcloud-0\nrabbit@overcloud-0.pid\n"))
    assert (status.node, status.version, status.uptime) == ("rabbit@overcloud-0", "3.6.3", 5590)
    assert (status.memory_used, status.memory_limit) == (65179648, 1590132736)
    assert (status.disk_free, status.disk_limit) == (40712921088, 50000000)
    assert (status.descriptors_used, status.sockets_limit) == (3, 829)
    assert status.nodes == ("rabbit@overcloud-0", "rabbit@overcloud-1", "rabbit@edge")
    assert status.running_nodes == ("rabbit@overcloud-1", "rabbit@overcloud-0")
    assert status.partitions == (("rabbit@overcloud-0", ("rabbit@overcloud-1",)),)
    assert {(alarm.kind, alarm.node) for alarm in status.alarms} == {
        ("memory", "rabbit@overcloud-0"),
        ("disk", "rabbit@overcloud-1"),
    }
    assert status.cluster_evidence is not None
    assert "partitions" in status.cluster_evidence.line


def test_partitions_are_read_in_every_dialect() -> None:
    lost = (("rabbit@a", ("rabbit@b", "rabbit@c")),)
    sections = (SAMPLES / "rabbitmq-cluster-status-3.10.txt").read_text()
    before, mark, after = sections.partition("Network Partitions\x1b[0m\n\n(none)")
    assert mark
    told = before + "Network Partitions\x1b[0m\n\nNode rabbit@a cannot communicate with rabbit@b, rabbit@c" + after
    json = '{"partitions":{"rabbit@a":["rabbit@b","rabbit@c"]},"running_nodes":["rabbit@a"]}'
    assert BrokerStatus.parse(answered(MEMORY_ALARM, told)).partitions == lost
    assert BrokerStatus.parse(answered(MEMORY_ALARM, json)).partitions == lost


def test_without_the_cluster_nothing_is_said_of_its_partitions() -> None:
    assert BrokerStatus.parse(answered(MEMORY_ALARM)).partitions is None


@pytest.mark.parametrize("said", [NODEDOWN, NODEDOWN_3_6, STOPPED_APP, "Error: {nodedown}", "Error: timed out"])
def test_a_broker_that_is_down_is_a_value(said: str) -> None:
    status = BrokerStatus.parse(failing(said, databases="rabbit@controller\nrabbit@controller-plugins-expand\n"))
    assert (status.answering, status.configured, status.node) == (False, True, "rabbit@controller")
    assert status.reason.startswith("Error")
    assert status.evidence.line == status.reason


def test_the_reason_says_what_epmd_knows() -> None:
    reason = BrokerStatus.parse(failing(NODEDOWN)).reason
    assert reason == (
        "Error: unable to perform an operation on node 'rabbit@controller' "
        "(epmd reports: node 'rabbit' not running at all)"
    )


def test_client_tools_without_a_broker_are_told_from_a_broker_that_is_down() -> None:
    assert not BrokerStatus.parse(failing(NODEDOWN)).configured


@pytest.mark.parametrize(
    "said",
    [
        "\nOnly root or rabbitmq should run rabbitmqctl\n",
        WRONG_COOKIE,
        "[error] Failed to create cookie file '/nonexistent/.erlang.cookie': enoent",
        "Error: something that nobody has seen",
    ],
)
def test_who_may_not_ask_does_not_say_that_the_broker_is_down(said: str) -> None:
    with pytest.raises(CouldNotCheck):
        BrokerStatus.parse(failing(said, exit=1))


@pytest.mark.parametrize("text", ["", "garbage", "{}", '{"a":1}', "[{a,b}]", "[{a,b}", '{"alarms":[1]}', "[1,2"])
def test_another_format_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        BrokerStatus.parse(answered(text))


def test_half_an_answer_is_refused() -> None:
    for name in ("rabbitmq-status-3.10.json", "rabbitmq-status-3.10.txt"):
        text = (SAMPLES / name).read_text()
        with pytest.raises(ParseError):
            BrokerStatus.parse(answered(text[: len(text) // 3]))
    with pytest.raises(ParseError):
        BrokerStatus.parse(answered(ERLANG_STATUS[: len(ERLANG_STATUS) // 2]))


def test_a_node_without_rabbitmqctl_is_no_broker() -> None:
    missing = Result(STATUS.id, "rabbitmqctl", status=Status.MISSING, exit=None)
    with pytest.raises(NotApplicable):
        BrokerStatus.parse(NodeResults(Node("n"), {(STATUS.id, ""): missing}))

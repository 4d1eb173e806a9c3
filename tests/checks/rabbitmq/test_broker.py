"""The broker: down, frozen, given up, and whose alarm it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stackdoctor.model import Status

Look = Callable[..., Any]

DOWN = (
    69,
    "Error: unable to perform an operation on node 'rabbit@controller'. Please see diagnostics information and"
    " suggestions below.\n\n * epmd reports: node 'rabbit' not running at all\n",
)
ALARM = {"node": "rabbit@ctl2", "resource": "memory", "type": "resource_limit"}


def test_a_broker_that_ran_here_and_does_not_answer_is_down(look: Look, unit: Any, processes: Any) -> None:
    asked = {"rabbitmq.status": DOWN, "rabbitmq.databases": "rabbit@controller\n", "processes": processes()}
    stopped = look(controller=asked | unit("rabbitmq-server", "inactive", "dead"))
    assert stopped.causes == [("rmq-broker-down", "controller")]


def test_a_broker_that_was_given_up_is_not_down(look: Look, unit: Any, processes: Any) -> None:
    asked = {"rabbitmq.status": DOWN, "rabbitmq.databases": "rabbit@controller\n", "processes": processes()}
    assert not look(compute1=asked | unit("rabbitmq-server", "inactive", "dead", "disabled")).every
    killed = look(compute1=asked | unit("rabbitmq-server", "failed", "failed", "disabled"))
    assert killed.causes == [("rmq-broker-down", "compute1")]


def test_a_disabled_broker_is_not_given_up_where_pacemaker_runs_it(look: Look, unit: Any, processes: Any) -> None:
    asked = {"rabbitmq.status": DOWN, "rabbitmq.databases": "rabbit@controller\n", "processes": processes()}
    units = "\n".join(
        [
            unit("rabbitmq-server", "inactive", "dead", "disabled")["services.systemd"],
            unit("pacemaker")["services.systemd"],
        ]
    )
    assert look(controller=asked | {"services.systemd": units}).causes == [("rmq-broker-down", "controller")]


def test_an_alarm_is_of_the_node_that_raised_it_with_its_own_numbers(look: Look, broker: Any) -> None:
    seen = look(controller=broker(alarms=[ALARM]).answers(), ctl2=broker(name="rabbit@ctl2", alarms=[ALARM]).answers())
    assert seen.causes == [("rmq-memory-alarm", "ctl2")]
    assert len(seen.every) == 1
    assert "used" in seen.findings["rabbitmq.alarm.memory"].keys


def test_an_alarm_of_a_node_that_was_not_asked_is_not_told_of_the_one_that_was(look: Look, broker: Any) -> None:
    seen = look(controller=broker(alarms=[ALARM]).answers())
    assert seen.causes == [("rmq-memory-alarm", "ctl2")]
    assert "used" not in seen.findings["rabbitmq.alarm.memory"].keys


def test_a_stranger_that_cannot_log_in_is_no_service_of_the_cloud(look: Look, address: Any, logged: Any) -> None:
    refused = ("rmq-login-refused", "rabbitmq-server", {"user": "monitoring", "peer_ip": "203.0.113.7"})
    assert look(controller=address("192.0.2.10") | logged(refused)).causes == []


def test_a_node_that_cannot_log_in_and_does_not_report_has_the_wrong_credentials(
    look: Look, address: Any, logged: Any
) -> None:
    refused = ("rmq-login-refused", "rabbitmq-server", {"user": "openstack", "peer_ip": "192.0.2.20"})
    dead = ("neutron-agent-down", "neutron-server", {"type": "Linux bridge agent", "host": "compute1"})
    seen = look(controller=address("192.0.2.10") | logged(refused, dead), compute1=address("192.0.2.20"))
    assert seen.causes == [("rpc-wrong-credentials", "compute1")]


def test_a_broker_whose_unit_is_masked_or_gone_was_given_up(look: Look, unit: Any, processes: Any) -> None:
    asked = {"rabbitmq.status": DOWN, "rabbitmq.databases": "rabbit@controller\n", "processes": processes()}
    asked |= {"services.docker": Status.MISSING, "services.podman": Status.MISSING}
    masked = unit("rabbitmq-server", "inactive", "dead", "masked", LoadState="masked")["services.systemd"]
    other = unit("nova-compute")["services.systemd"]
    assert not look(compute1=asked | {"services.systemd": f"{masked}\n{other}"}).every


def test_a_broker_with_clients_is_there_although_epmd_does_not_know_it(look: Look, unit: Any, processes: Any) -> None:
    beam = "/usr/lib/erlang/erts-13.1.5/bin/beam.smp -W w -- -root /usr/lib/erlang -noinput -s rabbit boot"
    asked = {
        "rabbitmq.status": DOWN,
        "rabbitmq.databases": "rabbit@controller\n",
        "processes": processes(beam),
        **unit("rabbitmq-server"),
        "sockets.tcp": "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n"
        'ESTAB 0 0 192.0.2.10:5672 192.0.2.20:40122 users:(("beam.smp",pid=396,fd=30))\n',
        "sockets.listening": "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n"
        'tcp LISTEN 0 128 *:5672 *:* users:(("beam.smp",pid=396,fd=20))\n',
    }
    assert "rabbitmq.broker.down" not in look(controller=asked).findings
    alone = asked | {"sockets.tcp": "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n"}
    assert "rabbitmq.broker.down" in look(controller=alone).findings


DISK = {"node": "rabbit@controller", "resource": "disk", "type": "resource_limit"}
CLIENTS = [("192.0.2.20", "nova-compute", "compute.compute1", 0), ("192.0.2.21", "nova-compute", "compute.compute2", 0)]


def test_a_disk_alarm_and_the_clients_that_it_blocks_are_one_cause(look: Look, broker: Any) -> None:
    answers = broker(alarms=[DISK], clients=CLIENTS, more={"disk_free": 40_000_000}).answers()
    answers["rabbitmq.connections"] = answers["rabbitmq.connections"].replace("\trunning\t", "\tblocked\t", 1)
    seen = look(controller=answers)
    assert seen.causes == [("rmq-disk-alarm", "controller")]
    assert seen.findings["rabbitmq.alarm.disk"].keys["free"] == "40000000"
    assert seen.findings["rabbitmq.connection.blocked"].message.startswith("1 of 2 connections")
    assert "rabbitmq.connection.blocked" in seen.explained


def test_connections_that_flow_control_slows_are_not_blocked(look: Look, broker: Any) -> None:
    answers = broker(clients=CLIENTS).answers()
    answers["rabbitmq.connections"] = answers["rabbitmq.connections"].replace("\trunning\t", "\tflow\t")
    assert not {"rabbitmq.alarm.disk", "rabbitmq.connection.blocked"} & look(controller=answers).findings.keys()

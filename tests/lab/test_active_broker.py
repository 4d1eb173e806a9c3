"""`stackdoctor test amqp`, `test rpc` and `trace rpc --live` against a real broker and real oslo.messaging servers."""

from __future__ import annotations

import os
import subprocess

import pytest
from lab.active_runs import assert_nothing_left, begun, broken_off, ran, traced, url
from lab.cloud import Cloud

pytestmark = pytest.mark.lab

URL = "STACKDOCTOR_TRANSPORT_URL"


def test_messages_go_through_a_healthy_broker_from_here_and_from_every_node(cloud: Cloud) -> None:
    here, status = ran(cloud, "test", "amqp")
    assert status == 0, here
    assert [o["where"] for o in here["outcomes"]] == ["here"]
    assert len(here["outcomes"][0]["values"]["deliver"]) == 10
    nodes, status = ran(cloud, "test", "amqp", "--from", "all")
    assert status == 0, nodes
    assert [o["where"] for o in nodes["outcomes"]] == ["controller", "compute1", "compute2"]


@pytest.mark.parametrize(
    ("password", "vhost", "says"),
    [
        ("wrong", "", "does not accept the password of openstack"),
        ("", "nowhere", "virtual host nowhere does not exist"),
    ],
)
def test_a_login_that_is_refused_says_why(cloud: Cloud, password: str, vhost: str, says: str) -> None:
    value, status = ran(cloud, "test", "amqp", environment={URL: url(cloud, password, vhost)})
    assert status == 1
    assert says in value["outcomes"][0]["says"]


def test_a_user_that_may_not_enter_the_virtual_host_is_told_apart_from_none(cloud: Cloud) -> None:
    cloud.broker("add_vhost", "closed")
    try:
        value, status = ran(cloud, "test", "amqp", environment={URL: url(cloud, vhost="closed")})
    finally:
        cloud.broker("delete_vhost", "closed")
    assert status == 1
    assert "may not be entered by openstack" in value["outcomes"][0]["says"]


def test_a_broker_with_a_memory_alarm_blocks(cloud: Cloud) -> None:
    cloud.memory_watermark("1MB")
    try:
        value, status = ran(cloud, "test", "amqp")
    finally:
        cloud.memory_watermark()
    assert status == 1
    assert "connection.blocked" in value["outcomes"][0]["says"]
    cloud.wait_until_healthy()


def test_a_frozen_broker_is_given_up_in_time(cloud: Cloud) -> None:
    cloud.signal_broker("STOP")
    try:
        process = begun(cloud, "test", "amqp")
        said, _ = process.communicate(timeout=60)
    finally:
        cloud.signal_broker("CONT")
    assert process.returncode == 1
    assert "does not speak AMQP" in said or "did not answer" in said
    cloud.wait_until_healthy()


def test_a_node_whose_way_to_the_broker_is_blocked_is_told_apart_from_the_others(cloud: Cloud) -> None:
    cloud.block_port("compute1", 5672)
    try:
        value, status = ran(cloud, "test", "amqp", "--from", "compute1", "--from", "compute2")
    finally:
        cloud.unblock_port("compute1", 5672)
    assert status == 1
    assert [o["state"] for o in value["outcomes"]] == ["failed", "ok"]
    cloud.wait_until_healthy()


def test_without_consent_nothing_is_sent(cloud: Cloud) -> None:
    process = begun(cloud, "test", "amqp")
    process.communicate(timeout=60)
    command = [word for word in process.args if word != "--yes"]  # type: ignore[union-attr]
    environment = {**os.environ, URL: url(cloud), "HOME": str(cloud.work)}
    refused = subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=environment, timeout=60
    )
    assert refused.returncode == 2
    assert "needs --yes" in refused.stderr
    assert cloud.password not in refused.stderr


SERVERS = {"compute.compute1", "compute.compute2", "conductor.controller", "scheduler.controller"}


def test_every_server_answers_a_ping_and_a_frozen_one_is_silent(cloud: Cloud) -> None:
    value, status = ran(cloud, "test", "rpc")
    assert status == 0, value
    assert {o["where"] for o in value["outcomes"]} == SERVERS
    assert all(o["says"].startswith("pong") for o in value["outcomes"])
    cloud.freeze("compute1", "nova-compute")
    try:
        value, status = ran(cloud, "test", "rpc", "--topic", "compute", "--wait", "3s")
        consumers = cloud.queues()["compute.compute1"]["consumers"]
    finally:
        cloud.thaw("compute1", "nova-compute")
    assert status == 1
    by_queue = {o["where"]: o for o in value["outcomes"]}
    assert by_queue["compute.compute2"]["state"] == "ok"
    assert by_queue["compute.compute1"]["state"] == "failed"
    says = by_queue["compute.compute1"]["says"]
    # on a busy machine the broker may have missed its heartbeats before it was asked
    assert "silent for 3 s" in says or (not consumers and "no server consumes" in says), says
    cloud.wait_until_healthy()


def test_a_queue_without_a_server_gets_no_message(cloud: Cloud) -> None:
    cloud.kill("compute1", "nova-compute")
    try:
        value, status = ran(cloud, "test", "rpc", "--topic", "compute.*")
        waiting = cloud.queues().get("compute.compute1", {"messages": 0})["messages"]
    finally:
        cloud.start("compute1", "nova-compute")
    assert status == 1
    dead = next(o for o in value["outcomes"] if o["where"] == "compute.compute1")
    assert "no server consumes this queue" in dead["says"]
    assert waiting == 0
    cloud.wait_until_healthy()


def test_calls_are_watched_live_and_the_tracer_is_off_afterwards(cloud: Cloud) -> None:
    value, status = ran(cloud, "trace", "rpc", "--topic", "conductor", "--live", "8s")
    assert status == 0, value
    assert value["gaps"] == []
    assert {kind["method"] for kind in value["rpc"]} == {"object_class_action_versions"}
    assert all(call["answered"] and call["taken"] for call in value["calls"][:-2])


def test_a_call_to_a_frozen_conductor_is_seen_live_without_a_reply(cloud: Cloud) -> None:
    cloud.freeze("controller", "nova-conductor")
    try:
        value, status = ran(cloud, "trace", "rpc", "--topic", "conductor", "--live", "12s", "--read-from", "compute1")
    finally:
        cloud.thaw("controller", "nova-conductor")
    assert status == 1, value
    assert value["late"]
    cloud.wait_until_healthy()


@pytest.mark.parametrize("number", [2, 9], ids=["Ctrl-C", "killed"])
def test_a_trace_that_is_broken_off_is_switched_off_on_the_node(cloud: Cloud, number: int) -> None:
    process = begun(cloud, "trace", "rpc", "--topic", "conductor", "--live", "100s")
    cloud.wait_until(lambda: traced(cloud) == "true", 60, "the tracer is on")
    broken_off(process, number)
    cloud.wait_until(lambda: traced(cloud) == "false", 30, "the tracer is off")
    assert_nothing_left(cloud)


def test_a_tracer_that_was_on_before_is_left_on(cloud: Cloud) -> None:
    cloud.broker("trace_on", "-p", "/")
    try:
        process = begun(cloud, "trace", "rpc", "--topic", "conductor", "--live", "5s")
        said, _ = process.communicate(timeout=60)
        assert traced(cloud) == "true"
    finally:
        cloud.broker("trace_off", "-p", "/")
    assert "on before" in said
    assert process.returncode == 0


def test_a_user_without_permission_on_the_tracer_is_told_so(cloud: Cloud) -> None:
    cloud.broker("add_user", "watcher", "watching")
    cloud.broker("set_permissions", "-p", "/", "watcher", "^$", "^$", "^$")
    try:
        where = url(cloud, "watching").replace("openstack", "watcher")
        value, status = ran(cloud, "trace", "rpc", "--topic", "conductor", "--live", "5s", environment={URL: where})
    finally:
        cloud.broker("delete_user", "watcher")
    assert status == 3
    assert "watcher may log in and may not do this" in value["unread"]

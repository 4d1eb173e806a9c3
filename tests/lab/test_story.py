"""Faults put into a real cloud, and what ``stackdoctor diagnose`` makes of each."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from lab.cloud import Cloud

pytestmark = pytest.mark.lab

COMPUTE_LOG = "/var/log/nova/nova-compute.log"
BROKER_LOG = "/var/log/rabbitmq/rabbit@controller.log"
TIMEOUT = r"ERROR .*MessagingTimeout: Timed out waiting for a reply to message ID"
UNREACHABLE = r"AMQP server on 198\.51\.100\.10:5672 is unreachable"
BLOCKED = "The broker has blocked the connection"
CONDUCTOR = ("controller", "nova-conductor")


@contextlib.contextmanager
def undone(cloud: Cloud, undo: Callable[[], object]) -> Iterator[None]:
    """Whatever the test says, the fault is undone and the cloud healthy again after it."""
    try:
        yield
    finally:
        undo()
        cloud.wait_until_healthy()


@contextlib.contextmanager
def frozen_conductor(cloud: Cloud) -> Iterator[None]:
    """nova-conductor stopped by a signal, once the calls of both compute nodes have timed out."""
    cloud.freeze(*CONDUCTOR)
    with undone(cloud, lambda: cloud.thaw(*CONDUCTOR)):
        for host in ("compute1", "compute2"):
            cloud.wait_for_log(host, COMPUTE_LOG, TIMEOUT)
        yield


def causes(report: dict[str, Any]) -> list[str]:
    return [diagnosis["cause"] for diagnosis in report["diagnoses"]]


def the_critical(report: dict[str, Any]) -> dict[str, Any]:
    """The one critical diagnosis, which is also the first."""
    critical = [diagnosis for diagnosis in report["diagnoses"] if diagnosis["severity"] == "critical"]
    assert critical == report["diagnoses"][:1], causes(report)
    diagnosis: dict[str, Any] = critical[0]
    return diagnosis


def assert_only(report: dict[str, Any], cause: str, host: str) -> dict[str, Any]:
    """The report has one diagnosis, this one, and it names the host."""
    assert causes(report) == [cause], report["diagnoses"]
    diagnosis: dict[str, Any] = report["diagnoses"][0]
    assert host in diagnosis["where"].values()
    assert diagnosis["evidence"]
    return diagnosis


def assert_hung_conductor(report: dict[str, Any]) -> None:
    diagnosis = the_critical(report)
    assert diagnosis["cause"] == "rpc-consumer-hung"
    assert {"controller", "nova-conductor"} <= set(diagnosis["where"].values())
    timed_out = {finding["node"] for finding in diagnosis["explains"]}
    assert {"compute1", "compute2"} <= timed_out
    sources = [(evidence["node"], evidence["source"]) for evidence in diagnosis["evidence"]]
    assert any("list_queues" in source for _, source in sources), sources
    assert any(node == "controller" and source.startswith(("ps", "/proc")) for node, source in sources), sources
    assert any(COMPUTE_LOG in source for _, source in sources), sources


def assert_healthy(report: dict[str, Any], exit_status: int) -> None:
    assert report["diagnoses"] == []
    assert exit_status == 0


def test_a_healthy_cloud_has_no_diagnosis(cloud: Cloud) -> None:
    report, exit_status = cloud.diagnose()
    assert_healthy(report, exit_status)
    assert {node["name"] for node in report["nodes"]} == {"controller", "compute1", "compute2"}


def test_the_password_of_the_transport_url_is_not_in_the_report(cloud: Cloud) -> None:
    report, _ = cloud.diagnose()
    assert cloud.password not in repr(report)


def test_a_frozen_conductor_is_the_one_critical_diagnosis(cloud: Cloud) -> None:
    with frozen_conductor(cloud):
        report, exit_status = cloud.diagnose()
    assert_hung_conductor(report)
    assert exit_status != 0


def test_a_conductor_that_was_thawed_is_no_diagnosis_though_the_logs_still_tell(cloud: Cloud) -> None:
    with frozen_conductor(cloud):
        pass
    assert_healthy(*cloud.diagnose())


def test_a_frozen_conductor_is_found_after_the_broker_dropped_its_connections(cloud: Cloud) -> None:
    with frozen_conductor(cloud):
        cloud.wait_for_log("controller", BROKER_LOG, "missed heartbeats from client")
        cloud.wait_until(lambda: not cloud.queues()["conductor"]["consumers"], what="conductor without consumers")
        report, _ = cloud.diagnose()
    assert_hung_conductor(report)


def test_a_killed_conductor_leaves_its_queue_without_consumer(cloud: Cloud) -> None:
    cloud.kill(*CONDUCTOR)
    with undone(cloud, lambda: cloud.start(*CONDUCTOR)):
        cloud.wait_for_log("compute1", COMPUTE_LOG, TIMEOUT)
        report, _ = cloud.diagnose()
    diagnosis = the_critical(report)
    assert diagnosis["cause"] in {"rpc-no-consumer", "service-process-down"}
    assert {"controller", "nova-conductor"} <= set(diagnosis["where"].values())


def test_a_memory_alarm_is_named(cloud: Cloud) -> None:
    cloud.memory_watermark("20MB")
    with undone(cloud, cloud.memory_watermark):
        cloud.wait_for_log("controller", BROKER_LOG, "memory resource limit alarm set")
        for host in ("compute1", "compute2"):
            cloud.wait_for_log(host, COMPUTE_LOG, BLOCKED)
        report, _ = cloud.diagnose()
    assert_only(report, "rmq-memory-alarm", "controller")


def test_a_disk_alarm_is_named(cloud: Cloud) -> None:
    cloud.disk_free_limit("900GB")
    with undone(cloud, cloud.disk_free_limit):
        cloud.wait_for_log("controller", BROKER_LOG, "disk resource limit alarm set")
        cloud.wait_for_log("compute1", COMPUTE_LOG, BLOCKED)
        report, _ = cloud.diagnose()
    assert_only(report, "rmq-disk-alarm", "controller")


def test_a_dropped_port_is_found_on_the_node_that_drops(cloud: Cloud) -> None:
    cloud.block_port("compute1", 5672)
    with undone(cloud, lambda: cloud.unblock_port("compute1", 5672)):
        cloud.wait_for_log("compute1", COMPUTE_LOG, UNREACHABLE)
        report, _ = cloud.diagnose()
    assert_only(report, "net-drop-to-broker", "compute1")


def test_a_dropped_port_is_found_between_two_attempts_to_connect(cloud: Cloud) -> None:
    def mend() -> None:
        cloud.unblock_port("compute1", 5672)
        cloud.configure("compute1", cloud.password)

    def attempts() -> str:
        return cloud.run("compute1", "ss", "-Htn", "state", "syn-sent", "dport = :5672").stdout

    cloud.configure("compute1", cloud.password, retry=600)
    cloud.wait_until_healthy()
    cloud.block_port("compute1", 5672)
    with undone(cloud, mend):
        cloud.wait_for_log("compute1", COMPUTE_LOG, rf"{UNREACHABLE}: timed out")
        cloud.wait_until(lambda: not attempts(), what="no attempt to connect")
        report, _ = cloud.diagnose()
    assert_only(report, "net-drop-to-broker", "compute1")


def test_a_stopped_broker_is_named(cloud: Cloud) -> None:
    cloud.stop_broker()
    with undone(cloud, cloud.start_broker):
        for host in ("compute1", "compute2"):
            cloud.wait_for_log(host, COMPUTE_LOG, rf"{UNREACHABLE}: .*Errno 111")
        report, _ = cloud.diagnose()
    assert_only(report, "rmq-broker-down", "controller")


def test_a_wrong_password_is_found_on_the_node_that_has_it(cloud: Cloud) -> None:
    cloud.configure("compute1", "another-one")
    with undone(cloud, lambda: cloud.configure("compute1", cloud.password)):
        cloud.wait_for_log("compute1", COMPUTE_LOG, "ACCESS_REFUSED")
        cloud.wait_for_log("controller", BROKER_LOG, "user 'openstack' - invalid credentials")
        report, _ = cloud.diagnose()
    assert_only(report, "rpc-wrong-credentials", "compute1")
    assert "another-one" not in repr(report)


def test_a_node_without_its_cable_is_unreachable(cloud: Cloud) -> None:
    cloud.link("compute2", "down")
    with undone(cloud, lambda: cloud.link("compute2", "up")):
        cloud.wait_for_log("controller", BROKER_LOG, "missed heartbeats from client")
        report, _ = cloud.diagnose("--timeout", "20")
    assert_only(report, "node-unreachable", "compute2")


def test_a_full_file_system_of_the_instances_is_found(cloud: Cloud) -> None:
    cloud.fill("compute2", "/var/lib/nova/instances")
    with undone(cloud, lambda: cloud.unfill("compute2", "/var/lib/nova/instances")):
        cloud.wait_for_log("compute2", COMPUTE_LOG, "No space left on device")
        report, _ = cloud.diagnose()
    assert_only(report, "disk-full-compute", "compute2")


def test_two_faults_give_two_diagnoses(cloud: Cloud) -> None:
    with frozen_conductor(cloud):
        cloud.block_port("compute2", 5672)
        with contextlib.ExitStack() as stack:
            stack.callback(cloud.unblock_port, "compute2", 5672)
            cloud.wait_for_log("compute2", COMPUTE_LOG, UNREACHABLE)
            report, _ = cloud.diagnose()
    assert sorted(causes(report)) == ["net-drop-to-broker", "rpc-consumer-hung"]
    where = {diagnosis["cause"]: set(diagnosis["where"].values()) for diagnosis in report["diagnoses"]}
    assert "compute2" in where["net-drop-to-broker"]
    assert {"controller", "nova-conductor"} <= where["rpc-consumer-hung"]

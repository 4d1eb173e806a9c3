"""A broker that hangs, and a consumer that hangs told from one that is busy, on a real RabbitMQ."""

from __future__ import annotations

import pytest
from lab.cloud import Cloud
from lab.test_story import BROKER_LOG, COMPUTE_LOG, CONDUCTOR, TIMEOUT, UNREACHABLE, assert_only, causes, undone

pytestmark = [pytest.mark.lab, pytest.mark.long]


def test_a_broker_stopped_by_a_signal_hangs_and_is_not_down(cloud: Cloud) -> None:
    cloud.signal_broker("STOP")
    with undone(cloud, lambda: cloud.signal_broker("CONT")):
        for host in ("compute1", "compute2"):
            cloud.wait_for_log(host, COMPUTE_LOG, UNREACHABLE)
        report, exit_status = cloud.diagnose()
    diagnosis = assert_only(report, "rmq-broker-hung", "controller")
    found = {finding["id"]: finding for finding in diagnosis["explains"]}
    assert found["rabbitmq.broker.unresponsive"]["keys"]["unread"] == "yes"
    assert "process.stopped" in found
    assert exit_status != 0


def test_a_conductor_that_takes_no_message_hangs_though_its_process_runs(cloud: Cloud) -> None:
    cloud.keep_conductor(600)
    with undone(cloud, cloud.release_conductor):
        for host in ("compute1", "compute2"):
            cloud.wait_for_log(host, COMPUTE_LOG, TIMEOUT)
        # its loop sends no heartbeats either: after two the broker closes the connection, and no consumer is left
        cloud.wait_for_log("controller", BROKER_LOG, "missed heartbeats from client")
        cloud.wait_until(lambda: not cloud.queues()["conductor"]["consumers"], what="conductor without consumers")
        report, _ = cloud.diagnose()
    diagnosis = assert_only(report, "rpc-consumer-hung", "controller")
    found = {finding["id"] for finding in diagnosis["explains"]}
    assert {"rabbitmq.queue.no-consumer", "log.rmq-heartbeat-timeout"} <= found
    assert "process.stopped" not in found


def test_a_busy_conductor_is_not_called_hung_though_its_callers_time_out(cloud: Cloud) -> None:
    cloud.keep_conductor(0.4)
    with undone(cloud, cloud.release_conductor), cloud.casts(each_second=12, at_once=60):
        cloud.wait_for_log("compute1", COMPUTE_LOG, TIMEOUT)
        report, _ = cloud.diagnose()
    assert "rpc-consumer-hung" not in causes(report)
    ids = {finding["id"] for finding in report["findings"]}
    assert "rabbitmq.queue.behind" in ids, ids
    assert "rabbitmq.queue.stuck" not in ids
    assert CONDUCTOR[0] in {f["keys"].get("host") for f in report["findings"] if f["id"] == "rabbitmq.queue.behind"}

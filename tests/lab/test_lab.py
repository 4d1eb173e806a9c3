"""The lab itself: its hosts are apart from this machine and from each other, and its broker serves the stand-ins."""

from __future__ import annotations

import pytest
from lab import hosts
from lab.cloud import ADDRESSES, SERVICES_OF, Cloud

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("host", ADDRESSES)
def test_each_host_answers_over_ssh_under_its_own_name(cloud: Cloud, host: str) -> None:
    answer = cloud.ssh(host, "hostname; cat /etc/hostname; id -un")
    assert answer.stdout.split() == [host, host, "root"], answer.stderr


@pytest.mark.parametrize("host", ADDRESSES)
def test_each_host_shows_its_own_processes_only(cloud: Cloud, host: str) -> None:
    commands = cloud.ssh(host, "ps -e -o args=").stdout.splitlines()
    services = [line for line in commands if "/usr/bin/nova-" in line]
    assert sorted(services) == [
        f"/usr/bin/python3 /usr/bin/{service} --config-file=/etc/nova/nova.conf --log-file=/var/log/nova/{service}.log"
        for service in SERVICES_OF[host]
    ]
    assert any("beam.smp" in line for line in commands) == (host == "controller")
    assert not any("pytest" in line for line in commands)


def test_a_host_keeps_what_it_writes_to_itself(cloud: Cloud) -> None:
    cloud.ssh("compute1", "touch /etc/only-here /usr/only-here /var/log/only-here")
    assert cloud.ssh("compute1", "ls /etc/only-here /usr/only-here /var/log/only-here").returncode == 0
    assert cloud.ssh("compute2", "ls -d /etc/only-here /usr/only-here /var/log/only-here").stdout == ""


def test_only_the_controller_has_the_programs_of_the_broker(cloud: Cloud) -> None:
    found = {host: cloud.ssh(host, "command -v rabbitmqctl docker").stdout.split() for host in ADDRESSES}
    assert found == {"controller": ["/usr/sbin/rabbitmqctl"], "compute1": [], "compute2": []}


@pytest.mark.parametrize(
    "queue", ["conductor", "conductor.controller", "scheduler", "compute.compute1", "compute.compute2"]
)
def test_a_service_consumes_its_queue(cloud: Cloud, queue: str) -> None:
    assert cloud.queues()[queue]["consumers"] == 1


def test_rabbitmqctl_works_for_root_over_ssh(cloud: Cloud) -> None:
    answer = cloud.ssh("controller", "rabbitmqctl -q list_connections user client_properties")
    assert answer.returncode == 0, answer.stderr
    for service in ("nova-conductor:", "nova-scheduler:", "nova-compute:"):
        assert service in answer.stdout


def test_the_calls_to_a_frozen_conductor_time_out_until_it_is_thawed(cloud: Cloud) -> None:
    timeout = "oslo_messaging.exceptions.MessagingTimeout: Timed out waiting for a reply to message ID"
    cloud.freeze("controller", "nova-conductor")
    try:
        log = "/var/log/nova/nova-compute.log"
        cloud.wait_for_log("compute1", log, "WARNING .* Lost connection to nova-conductor for reporting service status")
        task = r"Error during ComputeManager\.update_available_resource"
        cloud.wait_for_log("compute1", log, rf"ERROR .* {task}: {timeout}")
        state = cloud.run("controller", "ps", "-o", "stat=", "-p", str(cloud.process("controller", "nova-conductor")))
        assert state.stdout.startswith("T")
    finally:
        cloud.thaw("controller", "nova-conductor")
    cloud.wait_until_healthy()


def test_what_the_machine_lacks_for_the_lab_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "PROGRAMS", (*hosts.PROGRAMS, "no-such-program"))
    assert "no-such-program" in hosts.missing() or hosts.missing() == ("root",)

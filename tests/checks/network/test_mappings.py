"""The devices that linuxbridge_agent.ini names, against those that there are."""

from __future__ import annotations

from typing import Any

import pytest
from stackdoctor.checks.host.services import service_down
from stackdoctor.checks.network.mappings import local_ip_nowhere, mapping_to_nothing

from stackdoctor.diagnose.correlate import correlate
from stackdoctor.diagnose.playbook import load_playbooks
from stackdoctor.model import Severity

INI = "/etc/neutron/plugins/ml2/linuxbridge_agent.ini"
CONF = "[linux_bridge]\nphysical_interface_mappings = physnet1:{}\n\n[vxlan]\nlocal_ip = {}\nl2_population = True\n"
PS = "PID PPID USER STAT STARTED ELAPSED %CPU %MEM RSS NLWP WCHAN COMMAND\n"
AGENT = (
    "2105 1 neutron Ss Sun Nov 22 16:05:25 2026 2394 0.9 0.8 219620 3 poll"
    " /usr/bin/python3 /usr/bin/neutron-linuxbridge-agent --config-file=/etc/neutron/neutron.conf\n"
)
UNIT = (
    "Id=neutron-linuxbridge-agent.service\nLoadState=loaded\nActiveState={}\nSubState={}\nUnitFileState=enabled\n"
    "MainPID=0\nExecMainStatus=1\nNRestarts=0\n"
)

OTHER = "Id=cinder-volume.service\nLoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\n"


def configure(cloud: Any, device: str = "eth1", local: str = "192.168.200.20", runs: bool = True) -> None:
    cloud.say("compute1", "linuxbridge.conf", CONF.format(device, local), INI)
    cloud.say("compute1", "processes", PS + (AGENT if runs else ""))
    state = ("active", "running") if runs else ("inactive", "dead")
    cloud.say("compute1", "services.systemd", UNIT.format(*state))


@pytest.mark.parametrize("runs", [True, False])
def test_devices_and_an_address_that_are_there_are_healthy(cloud: Any, runs: bool) -> None:
    configure(cloud, runs=runs)
    assert not cloud.find(mapping_to_nothing, local_ip_nowhere)


@pytest.mark.parametrize(("runs", "severity"), [(False, Severity.ERROR), (True, Severity.WARNING)])
def test_a_device_that_is_not_there_is_found(cloud: Any, runs: bool, severity: Severity) -> None:
    configure(cloud, device="enp8s0", runs=runs)
    found = cloud.one(mapping_to_nothing, local_ip_nowhere)
    assert (found.keys["device"], found.keys["physical_network"], found.severity) == ("enp8s0", "physnet1", severity)
    named = [d.cause for d in correlate(load_playbooks(), cloud.examine(mapping_to_nothing)).diagnoses]
    assert named == ([] if runs else ["lb-physnet-mapping-wrong"])


def test_an_agent_that_ended_for_it_is_explained(cloud: Any) -> None:
    configure(cloud, device="enp8s0", runs=False)
    cloud.say("compute1", "services.systemd", UNIT.format("failed", "failed"))
    correlation = correlate(load_playbooks(), cloud.examine(mapping_to_nothing, service_down))
    assert [d.cause for d in correlation.diagnoses] == ["lb-physnet-mapping-wrong"]


def test_a_tunnel_address_that_is_nowhere_is_found(cloud: Any) -> None:
    configure(cloud, local="192.168.200.99", runs=False)
    found = cloud.one(mapping_to_nothing, local_ip_nowhere)
    assert (found.keys["ip"], found.severity) == ("192.168.200.99", Severity.ERROR)


@pytest.mark.parametrize("unit", ["disabled", "gone"])
def test_a_file_where_the_agent_is_not_meant_to_run_says_nothing(cloud: Any, unit: str) -> None:
    configure(cloud, device="enp8s0", local="192.168.200.99", runs=False)
    said = UNIT.format("inactive", "dead").replace("enabled", "disabled") if unit == "disabled" else OTHER
    cloud.say("compute1", "services.systemd", said)
    assert not cloud.find(mapping_to_nothing, local_ip_nowhere)

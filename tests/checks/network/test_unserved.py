"""A network of running guests that no DHCP agent took, and networks that are meant to be without DHCP."""

from __future__ import annotations

import json
from typing import Any

from stackdoctor.checks.network.unserved import unserved_network

from stackdoctor.diagnose.correlate import correlate
from stackdoctor.diagnose.playbook import load_playbooks

NETWORK = "8af4f28b-a650-4777-9df9-e50d1c68e83d"
NOW = 1795366000
LINE = (
    f"2026-11-22 16:31:00.123 3145 INFO neutron.db.agentschedulers_db [req-1] Failed to schedule network {NETWORK}, no"
    " eligible agents or it might be already scheduled by another server"
)


def say(cloud: Any, network: str = NETWORK) -> None:
    """neutron-server found no agent for the network."""
    log = "/var/log/neutron/neutron-server.log"
    file = {"path": log, "service": "neutron-server", "format": "oslo", "bytes": 900, "status": "read"}
    hit = {"signature": "dhcp-sched-failed", "service": "neutron-server", "path": log, "keys": {"a": network}}
    times = {"first": NOW - 60, "last": NOW - 60}
    hit |= {**times, "count": 1, "minutes": {str((NOW - 60) // 60): 1}}
    hit["samples"] = [{"time": NOW - 60, "line": 7, "offset": 0, "text": LINE}]
    scan = {"since": NOW - 900, "until": NOW, "grep": "gnu", "files": [{**file, **times}], "hits": [hit]}
    cloud.say("controller", "logs.hits", json.dumps(scan))


def without_server(cloud: Any) -> None:
    names = [line for line in cloud.text("controller", "netns.list").splitlines() if NETWORK not in line]
    cloud.say("controller", "netns.list", "\n".join(names) + "\n")
    cloud.forget("controller", "dnsmasq.files")
    cloud.say("controller", "dnsmasq.processes", "")


def test_a_network_that_no_agent_took_is_the_cause(cloud: Any) -> None:
    say(cloud)
    without_server(cloud)
    found = cloud.one(unserved_network)
    assert (found.keys["network"], found.count) == (NETWORK, 2)
    (diagnosis,) = correlate(load_playbooks(), cloud.examine(unserved_network)).diagnoses
    assert (diagnosis.cause, diagnosis.where["network"]) == ("dhcp-agent-not-scheduled", NETWORK)


def test_a_network_that_another_server_had_scheduled_is_healthy(cloud: Any) -> None:
    say(cloud)
    assert not cloud.find(unserved_network)


def test_a_network_without_dhcp_is_not_looked_for(cloud: Any) -> None:
    without_server(cloud)
    assert not cloud.find(unserved_network)


def test_a_network_without_a_running_guest_needs_none(cloud: Any) -> None:
    say(cloud, "c29dcc29-e6c3-4352-b243-df929c3e972b")
    without_server(cloud)
    assert not cloud.find(unserved_network)

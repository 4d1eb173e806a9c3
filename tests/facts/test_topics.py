from __future__ import annotations

import pytest

from stackdoctor.facts.topics import L2_AGENT, SERVICES, programs_of, purpose


@pytest.mark.parametrize(
    ("queue", "kind", "topic", "host", "service"),
    [
        ("conductor", "rpc", "conductor", "", "nova-conductor"),
        ("conductor.controller", "rpc-host", "conductor", "controller", "nova-conductor"),
        ("conductor_fanout_2dc452fa322941208e1f34b9e73a7ada", "fanout", "conductor", "", "nova-conductor"),
        ("compute.node-1.example.com", "rpc-host", "compute", "node-1.example.com", "nova-compute"),
        ("cinder-volume", "rpc", "cinder-volume", "", "cinder-volume"),
        ("cinder-volume.storage@filetgt", "rpc-host", "cinder-volume", "storage", "cinder-volume"),
        ("cinder-volume.storage@filetgt.storage", "rpc-host", "cinder-volume", "storage", "cinder-volume"),
        (
            "cinder-volume.s1.example.com@lvm.s1.example.com",
            "rpc-host",
            "cinder-volume",
            "s1.example.com",
            "cinder-volume",
        ),
        ("cinder-volume.storage@filetgt_fanout_fd10e6f0", "fanout", "cinder-volume", "storage", "cinder-volume"),
        ("dhcp_agent.controller", "rpc-host", "dhcp_agent", "controller", "neutron-dhcp-agent"),
        ("q-plugin", "rpc", "q-plugin", "", "neutron-server"),
        ("q-l3-plugin.controller", "rpc-host", "q-l3-plugin", "controller", "neutron-server"),
        ("q-agent-notifier-port-update", "rpc", "q-agent-notifier-port-update", "", L2_AGENT),
        (
            "q-agent-notifier-security_group-update.n1.x",
            "rpc-host",
            "q-agent-notifier-security_group-update",
            "n1.x",
            L2_AGENT,
        ),
        ("neutron-vo-Port-1.10", "rpc", "neutron-vo-Port-1.10", "", L2_AGENT),
        ("neutron-vo-Port-1.10_fanout_00", "fanout", "neutron-vo-Port-1.10", "", L2_AGENT),
        (
            "neutron-vo-SecurityGroupRule-1.1.compute1",
            "rpc-host",
            "neutron-vo-SecurityGroupRule-1.1",
            "compute1",
            L2_AGENT,
        ),
        ("ironic.conductor_manager.c1", "rpc-host", "ironic.conductor_manager", "c1", "ironic-conductor"),
        (
            "heat-engine-listener.8f3f1f0e-5a55-4d5b-9e39-4a2d7c1d3b11",
            "rpc-host",
            "heat-engine-listener",
            "",
            "heat-engine",
        ),
        ("reply_5eb0cc377b514c0a82ce4ad20d6b88bf", "reply", "", "", ""),
        ("reply_controller:nova-api:3", "reply", "", "", ""),
        ("notifications.info", "notification", "notifications.info", "", ""),
        ("versioned_notifications.error", "notification", "versioned_notifications.error", "", ""),
        ("notifications_designate.info", "notification", "notifications_designate.info", "", ""),
        ("metering.sample", "notification", "metering.sample", "", ""),
        ("something_fanout_1", "fanout", "something", "", ""),
        ("my.own.queue", "other", "", "", ""),
        ("computer", "other", "", "", ""),
        ("", "other", "", "", ""),
    ],
)
def test_a_queue_is_known_by_its_name(queue: str, kind: str, topic: str, host: str, service: str) -> None:
    found = purpose(queue)
    assert (found.kind, found.topic, found.host, found.service) == (kind, topic, host, service)


def test_cinders_back_end_is_told_from_its_host() -> None:
    assert purpose("cinder-volume.s1.example.com@lvm-1.s1.example.com").backend == "lvm-1"
    assert purpose("cinder-volume.storage@filetgt").backend == "filetgt"
    assert purpose("compute.storage").backend == ""


def test_no_topic_has_more_than_one_dot() -> None:
    assert max(topic.count(".") for topic in SERVICES) == 1


def test_the_layer_2_agent_is_one_of_several_programs() -> None:
    assert "neutron-linuxbridge-agent" in programs_of(L2_AGENT)
    assert programs_of("nova-conductor") == ("nova-conductor",)

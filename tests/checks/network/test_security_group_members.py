"""Sets of a security group's members that are not the same everywhere: who was not told."""

from __future__ import annotations

from typing import Any

import pytest
from stackdoctor.checks.network.security_group_members import differing_sets

from stackdoctor.diagnose.correlate import correlate
from stackdoctor.diagnose.playbook import load_playbooks
from stackdoctor.model import Severity

SETS = "create NIPv4b67a1897-bd4b-47fa-8d8a- hash:net family inet\n"
GUEST1, GUEST2, NOBODY, ELSEWHERE = "10.10.0.189", "10.10.0.167", "10.10.0.77", "10.99.0.5"


def members(cloud: Any, **of: tuple[str, ...]) -> None:
    for node, addresses in of.items():
        lines = "".join(f"add NIPv4b67a1897-bd4b-47fa-8d8a- {address}\n" for address in addresses)
        cloud.say(node, "ipset.save", SETS + lines)


def test_sets_with_the_same_members_are_healthy(cloud: Any) -> None:
    members(cloud, compute1=(GUEST1, GUEST2), compute2=(GUEST2, GUEST1))
    assert not cloud.find(differing_sets)


def test_a_set_without_a_running_guest_is_that_nodes_fault(cloud: Any) -> None:
    members(cloud, compute1=(GUEST1, GUEST2), compute2=(GUEST2,))
    found = cloud.one(differing_sets)
    assert (found.node, found.keys["ip"], found.severity) == ("compute2", GUEST1, Severity.ERROR)
    assert found.keys["agent"] == "neutron-linuxbridge-agent"


def test_an_address_that_no_port_has_is_the_fault_of_the_node_that_lists_it(cloud: Any) -> None:
    members(cloud, compute1=(GUEST1, GUEST2, NOBODY), compute2=(GUEST1, GUEST2))
    found = cloud.one(differing_sets)
    assert (found.node, found.keys["kind"], found.keys["ip"]) == ("compute1", "stale", NOBODY)


@pytest.mark.parametrize("address", [ELSEWHERE, "10.99.0.0/24", "2001:db8::5"])
def test_of_an_address_that_dhcp_does_not_serve_only_the_difference_is_known(cloud: Any, address: str) -> None:
    members(cloud, compute1=(GUEST1, address), compute2=(GUEST1,))
    found = cloud.one(differing_sets)
    assert (found.node, found.keys["kind"], found.severity) == ("compute2", "lacking", Severity.WARNING)


def test_the_cause_is_named_once_for_a_node_with_several_old_sets(cloud: Any) -> None:
    other = "create NIPv4c0ffee00-bd4b-47fa-8d8a- hash:net family inet\n"
    add = "add NIPv4b67a1897-bd4b-47fa-8d8a- {0}\nadd NIPv4c0ffee00-bd4b-47fa-8d8a- {0}\n"
    cloud.say("compute1", "ipset.save", SETS + other + add.format(GUEST1))
    cloud.say("compute2", "ipset.save", SETS + other)
    (diagnosis,) = correlate(load_playbooks(), cloud.examine(differing_sets)).diagnoses
    assert (diagnosis.cause, diagnosis.where["node"]) == ("secgroup-members-stale", "compute2")
    assert "set" not in diagnosis.where

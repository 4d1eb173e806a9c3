"""Floating addresses as Neutron has them, against what the recorded router does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stackdoctor.checks.believed.floating import floating_ip_left_over, floating_ip_not_wired

from stackdoctor.diagnose.correlate import correlate
from stackdoctor.diagnose.knowledge import load_knowledge
from stackdoctor.diagnose.runner import examine
from stackdoctor.model import Node, NodeResults, Result, Severity

SAMPLE = Path(__file__).parents[2] / "facts" / "samples" / "openstack" / "zed.json"
ROUTER = "c501d0eb-77af-42bd-970d-11e38055b813"
OTHER = "11111111-2222-4333-8444-555555555555"
NAMESPACE = f"qrouter-{ROUTER}"
CHECKS = (floating_ip_not_wired, floating_ip_left_over)
FLOATING, FIXED = "203.0.113.134", "10.10.0.189"


class Neutron:
    """What Neutron has: the recorded router and its floating address, to be changed."""

    def __init__(self, cloud: Any) -> None:
        self.cloud = cloud
        self.rows = {row["probe"]: row for row in json.loads(SAMPLE.read_text()) if not row["subject"]}
        self.ip = self.of("floatingips")[0]
        self.ip.update(router_id=ROUTER, floating_ip_address=FLOATING, fixed_ip_address=FIXED)
        self.router = self.of("routers")[0]
        self.router["id"] = ROUTER

    def of(self, probe: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.rows[f"api.network.{probe}"]["stdout"]["rows"]
        return rows

    def find(self) -> list[Any]:
        """What the two checks find."""
        results = {
            (probe, ""): Result(probe, row["command"], stdout=json.dumps(row["stdout"]).encode())
            for probe, row in self.rows.items()
        }
        self.cloud.nodes["api"] = NodeResults(Node("api"), results)
        found: list[Any] = self.cloud.find(*CHECKS)
        return found

    def causes(self) -> list[tuple[str, str]]:
        """The causes that are named for the whole cloud."""
        self.find()
        knowledge = load_knowledge()
        examined = examine(list(self.cloud.nodes.values()), knowledge.checks)
        return [(d.cause, d.where.get("ip", "")) for d in correlate(knowledge.playbooks, examined).diagnoses]


@pytest.fixture
def neutron(cloud: Any) -> Neutron:
    return Neutron(cloud)


def without_rules(cloud: Any) -> None:
    lines = cloud.text("controller", "iptables.netns", NAMESPACE).splitlines()
    kept = [line for line in lines if FLOATING not in line]
    cloud.say("controller", "iptables.netns", "\n".join(kept) + "\n", NAMESPACE)


def without_address(cloud: Any) -> None:
    def change(rows: list[Any]) -> list[Any]:
        for row in rows:
            row["addr_info"] = [a for a in row.get("addr_info", ()) if a.get("local") != FLOATING]
        return rows

    cloud.edit("controller", "addresses.netns", change, NAMESPACE)


def nothing(cloud: Any) -> None:
    without_rules(cloud)
    without_address(cloud)


def test_a_wired_floating_address_is_fine(neutron: Neutron) -> None:
    assert neutron.find() == []


@pytest.mark.parametrize(
    ("take", "missing"), [(without_rules, "rule"), (without_address, "address"), (nothing, "both")]
)
def test_what_is_missing_of_a_floating_address_is_said(
    neutron: Neutron, cloud: Any, take: Callable[[Any], None], missing: str
) -> None:
    take(cloud)
    (found,) = neutron.find()
    assert (found.node, found.keys["missing"], found.keys["ip"]) == ("controller", missing, FLOATING)
    assert ("l3-nat-missing", FLOATING) in neutron.causes()


def test_a_rule_that_leads_to_another_guest_is_found(neutron: Neutron) -> None:
    neutron.ip["fixed_ip_address"] = "10.10.0.28"
    (found,) = neutron.find()
    assert found.keys["missing"] == "wrong"
    assert "but to 10.10.0.189" in found.message


@pytest.mark.parametrize(
    ("ip", "router"),
    [
        ({"updated_at": "2026-11-22T22:13:30Z"}, {}),  # the agent is at it
        ({"status": "DOWN", "updated_at": None}, {}),  # an old Neutron, and the agent has not done it yet
        ({"port_id": None, "fixed_ip_address": None}, {}),  # port forwardings
        ({}, {"distributed": True}),
        ({}, {"admin_state_up": False}),
    ],
)
def test_a_floating_address_that_need_not_be_there_is_not_missed(
    neutron: Neutron, cloud: Any, ip: dict[str, Any], router: dict[str, Any]
) -> None:
    nothing(cloud)
    neutron.ip.update(ip)
    neutron.router.update(router)
    assert neutron.find() == []


def test_a_node_that_does_not_say_its_rules_proves_nothing(neutron: Neutron, cloud: Any) -> None:
    nothing(cloud)
    cloud.forget("controller", "iptables.netns")
    assert neutron.find() == []


def test_a_router_that_keeps_an_address_which_is_anothers_now_is_a_cause(neutron: Neutron) -> None:
    neutron.ip["router_id"] = OTHER
    (found,) = neutron.find()
    assert (found.id, found.keys["taken"], found.severity) == ("api.floating-ip.left-over", "yes", Severity.WARNING)
    assert ("l3-floating-left-over", FLOATING) in neutron.causes()


def test_an_address_that_was_given_back_just_now_or_is_gone_is_no_fault(neutron: Neutron) -> None:
    neutron.ip.update(router_id=None, port_id=None, fixed_ip_address=None)
    (found,) = neutron.find()
    assert found.keys["taken"] == "no"
    assert "l3-floating-left-over" not in {cause for cause, _ in neutron.causes()}
    neutron.ip["updated_at"] = "2026-11-22T22:13:30Z"
    assert neutron.find() == []
    neutron.of("floatingips").clear()
    (found,) = neutron.find()
    assert found.severity is Severity.INFO

"""Gateways that nobody answers for, and routers that are nowhere."""

from __future__ import annotations

import json
from typing import Any

import pytest
from stackdoctor.checks.network import bridging, gateways, overlay, routers, uplinks
from stackdoctor.checks.network.gateways import router_nowhere, unanswered_gateway

from stackdoctor.api import MARK
from stackdoctor.diagnose.correlate import Correlation, correlate
from stackdoctor.diagnose.playbook import load_playbooks
from stackdoctor.model import Severity

MODULES = (bridging, gateways, overlay, routers, uplinks)
CHECKS = [f for m in MODULES for f in vars(m).values() if hasattr(f, MARK) and f.__module__ == m.__name__]
QROUTER = "qrouter-c501d0eb-77af-42bd-970d-11e38055b813"
HOSTS = "/var/lib/neutron/dhcp/8af4f28b-a650-4777-9df9-e50d1c68e83d/host"
OPTS = HOSTS.removesuffix("host") + "opts"
GATEWAY_MAC = "fa:16:3e:97:6b:5c"


def causes(cloud: Any) -> Correlation:
    return correlate(load_playbooks(), cloud.examine(*CHECKS))


def silent(cloud: Any, state: str, mac: bool = False, used: int | None = 4) -> None:
    """The external gateway's entry in the router's neighbour table in another state, as ``ip -s -j neigh`` has it."""

    def change(rows: list[Any]) -> list[Any]:
        row = next(row for row in rows if row["dst"] == "203.0.113.1")
        row["state"] = [state]
        if used is not None:
            row |= {"used": used, "confirmed": 73, "updated": 1, "probes": 6}
        if not mac:
            del row["lladdr"]
        return rows

    cloud.edit("controller", "neighbours.netns", change, QROUTER)


def without_router(cloud: Any) -> None:
    """As after ``ip netns delete`` of the router's namespace."""
    names = [x for x in cloud.text("controller", "netns.list").splitlines() if not x.startswith(QROUTER)]
    cloud.say("controller", "netns.list", "\n".join(names) + "\n")
    inner = {row["address"] for row in json.loads(cloud.text("controller", "links.netns", QROUTER))}
    assert GATEWAY_MAC in inner
    for tap in ("tap0cded1ee-8c", "tap4f884770-38"):
        cloud.remove("controller", tap)


def test_a_healthy_cloud_has_no_finding(cloud: Any) -> None:
    examination = cloud.examine(unanswered_gateway, router_nowhere)
    assert not examination.findings
    assert "router.not-hosted" in {check for check, _ in examination.checked}


def test_a_gateway_that_nobody_answers_for_is_the_cause(cloud: Any) -> None:
    silent(cloud, "FAILED")
    found = cloud.one(unanswered_gateway)
    assert (found.node, found.keys["ip"], found.severity) == ("controller", "203.0.113.1", Severity.ERROR)
    (diagnosis,) = causes(cloud).diagnoses
    assert (diagnosis.cause, diagnosis.where["ip"]) == ("external-network-unreachable", "203.0.113.1")


def test_a_router_that_just_asks_is_no_error(cloud: Any) -> None:
    silent(cloud, "INCOMPLETE")
    assert cloud.one(unanswered_gateway).severity is Severity.WARNING
    assert not causes(cloud).diagnoses


@pytest.mark.parametrize("used", [121, 86400, None])
def test_a_failure_that_is_old_or_of_unknown_age_is_information(cloud: Any, used: int | None) -> None:
    silent(cloud, "FAILED", used=used)
    assert cloud.one(unanswered_gateway).severity is Severity.INFO
    assert not causes(cloud).diagnoses


@pytest.mark.parametrize("state", ["STALE", "DELAY", "PROBE", "FAILED"])
def test_a_gateway_that_once_answered_is_there(cloud: Any, state: str) -> None:
    silent(cloud, state, mac=True)
    assert not cloud.find(unanswered_gateway)


def test_a_gateway_port_off_its_bridge_is_the_cause_of_its_silence(cloud: Any) -> None:
    silent(cloud, "FAILED")
    cloud.link("controller", "tap4f884770-38", master=None)
    assert [d.cause for d in causes(cloud).diagnoses] == ["lb-tap-not-bridged"]


def test_an_external_interface_that_is_down_is_the_cause_of_its_silence(cloud: Any) -> None:
    silent(cloud, "FAILED")
    cloud.down("controller", "eth1")
    correlation = causes(cloud)
    assert [(d.cause, d.where["device"]) for d in correlation.diagnoses] == [("overlay-link-down", "eth1")]
    assert not correlation.unexplained


def test_another_networks_tunnel_that_is_down_is_not(cloud: Any) -> None:
    silent(cloud, "FAILED")
    cloud.down("controller", "vxlan-994")
    assert sorted(d.cause for d in causes(cloud).diagnoses) == ["external-network-unreachable", "overlay-link-down"]


def test_a_router_that_is_on_no_node_is_found(cloud: Any) -> None:
    without_router(cloud)
    found = cloud.one(router_nowhere)
    assert (found.keys["ip"], found.keys["mac"]) == ("10.10.0.1", GATEWAY_MAC)
    (diagnosis,) = causes(cloud).diagnoses
    assert (diagnosis.cause, diagnosis.where["mac"]) == ("l3-router-not-hosted", GATEWAY_MAC)


def test_a_gateway_that_is_no_routers_may_be_anywhere(cloud: Any) -> None:
    without_router(cloud)
    cloud.swap("controller", "dnsmasq.files", "169.254.169.254/32,10.10.0.1", "169.254.169.254/32,10.10.0.2", OPTS)
    assert not cloud.find(router_nowhere)


def test_a_router_may_be_on_a_node_that_is_not_in_the_inventory(cloud: Any) -> None:
    without_router(cloud)

    def further(rows: list[Any]) -> list[Any]:
        return [*rows, {**next(r for r in rows if r.get("dst")), "dst": "192.168.200.99"}]

    cloud.edit("compute1", "bridges.fdb", further)
    assert not cloud.find(router_nowhere)


def test_where_a_node_could_not_be_read_nothing_is_said(cloud: Any) -> None:
    without_router(cloud)
    cloud.forget("compute2", "links.host")
    assert not cloud.find(router_nowhere)

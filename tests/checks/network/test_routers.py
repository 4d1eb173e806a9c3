"""Routers without route, interface or address; and those that have none on purpose."""

from __future__ import annotations

import json

from stackdoctor.checks.network.routers import (
    down_interface,
    interface_without_address,
    missing_default_route,
    missing_interface,
)

ROUTER = "c501d0eb-77af-42bd-970d-11e38055b813"
NAMESPACE = f"qrouter-{ROUTER}"
CHECKS = (missing_default_route, down_interface, missing_interface, interface_without_address)


def routes_without_default(cloud, node: str, namespace: str) -> None:
    rows = [row for row in json.loads(cloud.text(node, "routes.netns", namespace)) if row["dst"] != "default"]
    cloud.say(node, "routes.netns", json.dumps(rows), namespace)


def without_address(cloud, device: str) -> None:
    rows = json.loads(cloud.text("controller", "addresses.netns", NAMESPACE))
    for row in rows:
        if row["ifname"] == device:
            row["addr_info"] = [a for a in row["addr_info"] if a["scope"] != "global"]
    cloud.say("controller", "addresses.netns", json.dumps(rows), NAMESPACE)


def make_highly_available(cloud) -> None:
    rows = json.loads(cloud.text("controller", "links.netns", NAMESPACE))
    rows.append({**rows[-1], "ifname": "ha-11111111-22", "ifindex": 9})
    cloud.say("controller", "links.netns", json.dumps(rows), NAMESPACE)


def second_router(cloud) -> None:
    """Another router of the same external network, on the same node."""
    other = "qrouter-00000000-0000-4000-8000-000000000002"
    probes = ("links.netns", "addresses.netns", "routes.netns", "iptables.netns", "netns.listen")
    cloud.add_namespace(
        "controller",
        other,
        {p: cloud.text("controller", p, NAMESPACE).replace("203.0.113.146", "203.0.113.147") for p in probes},
    )


def test_a_healthy_cloud_has_no_finding(cloud) -> None:
    assert cloud.find(*CHECKS) == []


def test_a_router_that_lost_its_default_route_is_found(cloud) -> None:
    routes_without_default(cloud, "controller", NAMESPACE)
    found = cloud.one(*CHECKS)
    assert (found.id, found.node, found.keys["router"]) == ("router.default-route.missing", "controller", ROUTER)


def test_one_router_of_two_that_lost_its_route_is_found(cloud) -> None:
    second_router(cloud)
    routes_without_default(cloud, "controller", NAMESPACE)
    assert cloud.one(*CHECKS).keys["router"] == ROUTER


def test_routers_of_an_external_subnet_without_gateway_have_none(cloud) -> None:
    second_router(cloud)
    routes_without_default(cloud, "controller", NAMESPACE)
    routes_without_default(cloud, "controller", "qrouter-00000000-0000-4000-8000-000000000002")
    assert cloud.find(*CHECKS) == []


def test_a_default_route_in_another_table_is_one(cloud) -> None:
    rows = json.loads(cloud.text("controller", "routes.netns", NAMESPACE))
    next(row for row in rows if row["dst"] == "default")["table"] = "16"
    cloud.say("controller", "routes.netns", json.dumps(rows), NAMESPACE)
    assert cloud.find(*CHECKS) == []


def test_a_router_without_gateway_needs_no_route(cloud) -> None:
    routes_without_default(cloud, "controller", NAMESPACE)
    for probe in ("links.netns", "addresses.netns"):
        rows = json.loads(cloud.text("controller", probe, NAMESPACE))
        cloud.say("controller", probe, json.dumps([r for r in rows if "qg-" not in str(r.get("ifname"))]), NAMESPACE)
    assert cloud.find(missing_default_route, down_interface, interface_without_address) == []


def test_the_standby_of_a_highly_available_router_has_neither_route_nor_address_nor_link(cloud) -> None:
    make_highly_available(cloud)
    routes_without_default(cloud, "controller", NAMESPACE)
    for device in ("qr-0cded1ee-8c", "qg-4f884770-38"):
        without_address(cloud, device)
    cloud.down("controller", "qg-4f884770-38", NAMESPACE)
    assert cloud.find(*CHECKS) == []


def test_the_active_one_of_a_highly_available_router_needs_its_route(cloud) -> None:
    make_highly_available(cloud)
    routes_without_default(cloud, "controller", NAMESPACE)
    assert cloud.one(*CHECKS).id == "router.default-route.missing"


def test_the_compute_side_of_a_distributed_router_has_no_gateway_of_its_own(cloud) -> None:
    texts = {p: cloud.text("controller", p, NAMESPACE) for p in ("links.netns", "addresses.netns", "routes.netns")}
    rows = [r for r in json.loads(texts["links.netns"]) if "qg-" not in r["ifname"]]
    addresses = [r for r in json.loads(texts["addresses.netns"]) if "qg-" not in str(r.get("ifname"))]
    cloud.add_namespace(
        "compute1",
        NAMESPACE,
        {"links.netns": json.dumps(rows), "addresses.netns": json.dumps(addresses), "routes.netns": "[]"},
    )
    assert cloud.find(missing_default_route, down_interface, interface_without_address) == []


def test_a_routers_interface_that_is_set_down_is_found(cloud) -> None:
    cloud.down("controller", "qr-0cded1ee-8c", NAMESPACE)
    found = cloud.one(*CHECKS)
    assert (found.id, found.keys["kind"]) == ("router.interface.down", "inner")


def test_a_gateway_interface_that_its_rules_name_and_that_is_gone_is_missing(cloud) -> None:
    cloud.remove("controller", "qg-4f884770-38", NAMESPACE)
    without_address(cloud, "qg-4f884770-38")
    found = cloud.one(*CHECKS)
    assert (found.id, found.keys["port"], found.keys["kind"]) == ("router.interface.missing", "4f884770-38", "gateway")


def test_an_inner_interface_without_address_is_found(cloud) -> None:
    without_address(cloud, "qr-0cded1ee-8c")
    assert cloud.one(*CHECKS).id == "router.interface.no-address"


def test_a_gateway_without_address_is_found_when_a_rule_translates_to_one(cloud) -> None:
    without_address(cloud, "qg-4f884770-38")
    assert cloud.one(*CHECKS).keys["kind"] == "gateway"


def test_a_gateway_in_a_network_without_subnet_has_no_address(cloud) -> None:
    without_address(cloud, "qg-4f884770-38")
    rules = [x for x in cloud.text("controller", "iptables.netns", NAMESPACE).splitlines() if "SNAT" not in x]
    cloud.say("controller", "iptables.netns", "\n".join(rules) + "\n", NAMESPACE)
    assert cloud.find(*CHECKS) == []

"""A real router broken in its namespace, and the cause that the tool names first."""

from __future__ import annotations

import pytest
from lab.cloud import Cloud
from lab.tenant_faults import assert_first, changed, in_router, run, undone
from lab.tenant_ports import EXTERNAL, EXTERNAL_GATEWAY, FLOATING, GATEWAY, ROUTER
from lab.tenant_router import start_metadata_proxy, stop_metadata_proxy, write_router_rules

from stackdoctor.facts.neutron_names import bridge, gateway_device, router_namespace, tap

pytestmark = pytest.mark.lab

HOST = "controller"
DEVICE = gateway_device(GATEWAY.id)
NAMESPACE = router_namespace(ROUTER)


def test_a_router_without_its_default_route_is_named(network: Cloud) -> None:
    enter = f"ip -n {NAMESPACE} route"
    with changed(network, HOST, f"{enter} delete default", f"{enter} add default via {EXTERNAL_GATEWAY} dev {DEVICE}"):
        assert_first(network, "router-route-missing", node=HOST, router=ROUTER)


def test_a_flushed_source_translation_is_named(network: Cloud) -> None:
    run(network, HOST, *in_router("iptables", "-t", "nat", "-F", "neutron-l3-agent-snat"))
    with undone(network, lambda: write_router_rules(network)):
        assert_first(network, "l3-nat-missing", node=HOST, router=ROUTER)


def test_a_floating_address_that_no_rule_translates_is_named(network: Cloud) -> None:
    run(network, HOST, *in_router("iptables", "-t", "nat", "-F", "neutron-l3-agent-PREROUTING"))
    with undone(network, lambda: write_router_rules(network)):
        assert_first(network, "l3-nat-missing", node=HOST, router=ROUTER, ip=FLOATING)


def test_a_floating_address_that_no_interface_has_is_named(network: Cloud) -> None:
    enter = f"ip -n {NAMESPACE} address"
    address = f"{FLOATING}/32 dev {DEVICE}"
    with changed(network, HOST, f"{enter} delete {address}", f"{enter} add {address}"):
        assert_first(network, "l3-nat-missing", node=HOST, router=ROUTER, ip=FLOATING)


def test_a_gateway_interface_that_is_set_down_is_named(network: Cloud) -> None:
    do = f"ip -n {NAMESPACE} link set {DEVICE} down"
    undo = (
        f"ip -n {NAMESPACE} link set {DEVICE} up;"
        f" ip -n {NAMESPACE} route replace default via {EXTERNAL_GATEWAY} dev {DEVICE}"
    )
    with changed(network, HOST, do, undo):
        assert_first(network, "dhcp-stale-namespace", node=HOST, namespace=NAMESPACE, device=DEVICE)


def test_a_gateway_that_nobody_answers_for_is_named(network: Cloud) -> None:
    address = f"{EXTERNAL_GATEWAY}/24 dev {bridge(EXTERNAL)}"
    do = f"ip address delete {address}; ip address add 203.0.113.250/24 dev {bridge(EXTERNAL)}"
    undo = f"ip address delete 203.0.113.250/24 dev {bridge(EXTERNAL)}; ip address add {address}"
    with changed(network, HOST, do, f"{undo}; ip -n {NAMESPACE} neigh flush all"):
        run(network, HOST, *in_router("ip", "neigh", "flush", "all"))
        network.run(HOST, *in_router("busybox", "ping", "-c", "4", "-W", "1", EXTERNAL_GATEWAY))
        assert_first(network, "external-network-unreachable", node=HOST, ip=EXTERNAL_GATEWAY)


def test_a_gateway_port_off_its_bridge_is_the_cause_of_its_silence(network: Cloud) -> None:
    device = tap(GATEWAY.id)
    undo = f"ip link set {device} master {bridge(EXTERNAL)}; ip -n {NAMESPACE} neigh flush all"
    with changed(network, HOST, f"ip link set {device} nomaster", undo):
        run(network, HOST, *in_router("ip", "neigh", "flush", "all"))
        network.run(HOST, *in_router("busybox", "ping", "-c", "4", "-W", "1", EXTERNAL_GATEWAY))
        assert_first(network, "lb-tap-not-bridged", node=HOST, device=device)


def test_a_killed_metadata_proxy_is_named(network: Cloud) -> None:
    stop_metadata_proxy(network)
    with undone(network, lambda: start_metadata_proxy(network)):
        assert_first(network, "metadata-proxy-missing", node=HOST, router=ROUTER)

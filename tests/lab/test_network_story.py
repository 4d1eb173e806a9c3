"""Faults put into a real tenant network, and what ``stackdoctor diagnose`` makes of each."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from lab import tenant_network as tenant
from lab.cloud import ADDRESSES, Cloud
from lab.tenant_network import INSTANCES, NET, PAIR, ROUTER

from stackdoctor.facts.neutron_names import (
    bridge,
    gateway_device,
    router_namespace,
    tap,
    vxlan_device,
)

pytestmark = pytest.mark.lab

TUNNEL = vxlan_device(NET.vni)


@pytest.fixture(scope="module")
def built(running_cloud: Cloud) -> Iterator[Cloud]:
    """The lab's cloud with the tenant network in it."""
    lacking = tenant.missing()
    if lacking:
        pytest.skip(f"tests/lab needs {'; '.join(lacking)}")
    with tenant.tenant_network_up(running_cloud):
        running_cloud.wait_until_healthy()
        running_cloud.wait_until_quiet()
        yield running_cloud


@pytest.fixture
def cloud(built: Cloud) -> Cloud:
    """The cloud with its tenant network, healthy, with the logs counted from now."""
    built.mark()
    return built


@contextlib.contextmanager
def undone(cloud: Cloud, undo: Callable[[], object]) -> Iterator[None]:
    """Whatever the test says, the fault is undone and instances get their leases; then the tool must find nothing."""
    try:
        yield
    finally:
        undo()
        for host, port in INSTANCES.items():
            cloud.wait_until(lambda h=host, a=port.address: tenant.lease(cloud, h) == a, 30, f"{host}'s lease")
    assert_healthy(*cloud.diagnose())


def causes(report: dict[str, Any]) -> list[str]:
    return [diagnosis["cause"] for diagnosis in report["diagnoses"]]


def assert_healthy(report: dict[str, Any], exit_status: int) -> None:
    assert report["diagnoses"] == []
    assert exit_status == 0


def assert_first(report: dict[str, Any], cause: str, **where: str) -> None:
    """The first diagnosis, and the only critical one, is this one at this place, with evidence from that node."""
    first = report["diagnoses"][0] if report["diagnoses"] else {"cause": "none"}
    assert first["cause"] == cause, report["diagnoses"]
    assert where.items() <= first["where"].items(), first["where"]
    assert where["node"] in {evidence["node"] for evidence in first["evidence"]}
    critical = [diagnosis["cause"] for diagnosis in report["diagnoses"] if diagnosis["severity"] == "critical"]
    assert critical == [cause]


def run(cloud: Cloud, host: str, *argv: str) -> None:
    ran = cloud.run(host, *argv)
    assert ran.returncode == 0, ran.stderr


def in_router(*argv: str) -> tuple[str, ...]:
    return tenant.in_namespace(router_namespace(ROUTER), *argv)


def from_instance(cloud: Cloud, host: str, *argv: str) -> bool:
    """Whether the command succeeds in the instance."""
    return cloud.run(host, *tenant.in_namespace(tenant.instance_namespace(INSTANCES[host]), *argv)).returncode == 0


def ping(cloud: Cloud, host: str, address: str, size: int = 56) -> bool:
    return from_instance(cloud, host, "busybox", "ping", "-c", "1", "-W", "2", "-s", str(size), address)


def test_a_healthy_network_has_no_diagnosis_and_serves_its_instances(cloud: Cloud) -> None:
    for host, port in INSTANCES.items():
        assert tenant.lease(cloud, host) == port.address
    assert ping(cloud, "compute1", INSTANCES["compute2"].address)
    assert ping(cloud, "compute1", tenant.EXTERNAL_GATEWAY)
    assert from_instance(cloud, "compute1", "busybox", "wget", "-qO", "/dev/null", "http://169.254.169.254/")
    assert_healthy(*cloud.diagnose())


def test_a_killed_dnsmasq_is_named(cloud: Cloud) -> None:
    tenant.stop_dnsmasq(cloud, NET, "controller")
    with undone(cloud, lambda: tenant.start_dnsmasq(cloud, NET, "controller")):
        assert tenant.lease(cloud, "compute1") == ""
        report, exit_status = cloud.diagnose()
        assert_first(report, "dhcp-dnsmasq-dead", node="controller", network=NET.id)
        assert exit_status != 0


def test_a_dhcp_tap_off_its_bridge_is_named(cloud: Cloud) -> None:
    device = tap(NET.dhcp[0].id)
    run(cloud, "controller", "ip", "link", "set", device, "nomaster")
    restore = ("ip", "link", "set", device, "master", bridge(NET.id))
    with undone(cloud, lambda: run(cloud, "controller", *restore)):
        assert tenant.lease(cloud, "compute1") == ""
        report, _ = cloud.diagnose()
        assert_first(report, "lb-tap-not-bridged", node="controller", device=device, network=NET.id)


def test_a_tunnel_that_is_down_is_found_on_its_node(cloud: Cloud) -> None:
    assert ping(cloud, "compute1", INSTANCES["compute2"].address)
    run(cloud, "compute1", "ip", "link", "set", TUNNEL, "down")
    with undone(cloud, lambda: run(cloud, "compute1", "ip", "link", "set", TUNNEL, "up")):
        assert not ping(cloud, "compute1", INSTANCES["compute2"].address)
        report, _ = cloud.diagnose()
        assert_first(report, "overlay-link-down", node="compute1", device=TUNNEL)


def test_an_underlay_too_narrow_for_the_network_is_found(cloud: Cloud) -> None:
    run(cloud, "compute1", "ip", "link", "set", "eth0", "mtu", "1400")
    with undone(cloud, lambda: run(cloud, "compute1", "ip", "link", "set", "eth0", "mtu", "1500")):
        assert ping(cloud, "compute1", INSTANCES["compute2"].address)
        assert not ping(cloud, "compute1", INSTANCES["compute2"].address, tenant.MTU - 28)
        report, _ = cloud.diagnose()
        assert_first(report, "mtu-blackhole", node="compute1", device="eth0", mtu="1400")


def test_a_router_without_its_default_route_is_named(cloud: Cloud) -> None:
    route = ("via", tenant.EXTERNAL_GATEWAY, "dev", gateway_device(tenant.GATEWAY.id))
    run(cloud, "controller", *in_router("ip", "route", "delete", "default"))
    with undone(cloud, lambda: run(cloud, "controller", *in_router("ip", "route", "add", "default", *route))):
        report, _ = cloud.diagnose()
        assert_first(report, "router-route-missing", node="controller", router=ROUTER)


def test_a_flushed_source_translation_is_named(cloud: Cloud) -> None:
    run(cloud, "controller", *in_router("iptables", "-t", "nat", "-F", "neutron-l3-agent-snat"))
    with undone(cloud, lambda: tenant.write_router_rules(cloud)):
        report, _ = cloud.diagnose()
        assert_first(report, "l3-nat-missing", node="controller", router=ROUTER)


def test_a_killed_metadata_proxy_is_named(cloud: Cloud) -> None:
    tenant.stop_metadata_proxy(cloud)
    with undone(cloud, lambda: tenant.start_metadata_proxy(cloud)):
        report, _ = cloud.diagnose()
        assert_first(report, "metadata-proxy-missing", node="controller", router=ROUTER)


def test_a_peer_that_is_not_flooded_to_is_found_on_the_node_that_lost_it(cloud: Cloud) -> None:
    entry = (tenant.FLOOD, "dev", vxlan_device(PAIR.vni), "dst", ADDRESSES["compute2"])
    run(cloud, "controller", "bridge", "fdb", "delete", *entry)
    with undone(cloud, lambda: run(cloud, "controller", "bridge", "fdb", "append", *entry)):
        report, _ = cloud.diagnose()
        assert_first(report, "vtep-fdb-missing", node="controller", peer="compute2", device=vxlan_device(PAIR.vni))


def test_two_faults_give_two_diagnoses(cloud: Cloud) -> None:
    def undo() -> None:
        tenant.start_dnsmasq(cloud, NET, "controller")
        run(cloud, "compute2", "ip", "link", "set", TUNNEL, "up")

    tenant.stop_dnsmasq(cloud, NET, "controller")
    run(cloud, "compute2", "ip", "link", "set", TUNNEL, "down")
    with undone(cloud, undo):
        report, _ = cloud.diagnose()
    where = {diagnosis["cause"]: diagnosis["where"] for diagnosis in report["diagnoses"]}
    assert sorted(causes(report)) == ["dhcp-dnsmasq-dead", "overlay-link-down"]
    assert where["dhcp-dnsmasq-dead"]["node"] == "controller"
    assert where["overlay-link-down"]["node"] == "compute2"

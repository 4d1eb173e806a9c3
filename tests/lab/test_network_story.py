"""A real tenant network, healthy and with faults in its wiring, and what ``stackdoctor diagnose`` makes of each."""

from __future__ import annotations

import pytest
from lab.cloud import ADDRESSES, Cloud
from lab.tenant_dhcp import start_dnsmasq, stop_dnsmasq
from lab.tenant_faults import assert_first, assert_healthy, causes, changed, run, undone
from lab.tenant_instances import GUEST, INSTANCE_ID, instance_namespace, lease, ping
from lab.tenant_network import FLOOD, add_tunnel
from lab.tenant_ports import EXTERNAL_GATEWAY, INSTANCES, MTU, NET, PAIR, in_namespace

from stackdoctor.facts.neutron_names import bridge, tap, vxlan_device

pytestmark = pytest.mark.lab

TUNNEL = vxlan_device(NET.vni)
GUEST_TAP = tap(INSTANCES[GUEST].id)
NEIGHBOUR = INSTANCES["compute2"]


def test_a_healthy_network_has_no_diagnosis_and_serves_its_instances(network: Cloud) -> None:
    for host, port in INSTANCES.items():
        assert lease(network, host) == port.address
    assert ping(network, GUEST, NEIGHBOUR.address)
    assert ping(network, "compute2", INSTANCES[GUEST].address)
    assert ping(network, "compute2", EXTERNAL_GATEWAY)
    ask = ("busybox", "wget", "-qO", "/dev/null", "http://169.254.169.254/")
    assert network.run("compute2", *in_namespace(instance_namespace(NEIGHBOUR), *ask)).returncode == 0
    assert_healthy(*network.diagnose())


def test_a_guests_tap_off_its_bridge_is_named_with_its_instance(network: Cloud) -> None:
    with changed(
        network,
        GUEST,
        f"ip link set {GUEST_TAP} nomaster",
        f"ip link set {GUEST_TAP} master {bridge(NET.id)}",
    ):
        assert lease(network, GUEST) == ""
        assert_first(network, "lb-tap-not-bridged", node=GUEST, device=GUEST_TAP, network=NET.id, instance=INSTANCE_ID)


def test_a_dhcp_tap_off_its_bridge_is_named(network: Cloud) -> None:
    device = tap(NET.dhcp[0].id)
    mend = f"ip link set {device} master {bridge(NET.id)}"
    with changed(network, "controller", f"ip link set {device} nomaster", mend):
        assert lease(network, GUEST) == ""
        assert_first(network, "lb-tap-not-bridged", node="controller", device=device, network=NET.id)


def test_a_tunnel_that_is_down_is_found_on_its_node(network: Cloud) -> None:
    with changed(network, GUEST, f"ip link set {TUNNEL} down", f"ip link set {TUNNEL} up"):
        assert not ping(network, GUEST, NEIGHBOUR.address)
        assert_first(network, "overlay-link-down", node=GUEST, device=TUNNEL)


def test_a_tunnel_that_is_gone_is_found_on_its_node(network: Cloud) -> None:
    run(network, GUEST, "ip", "link", "delete", TUNNEL)
    with undone(network, lambda: add_tunnel(network, NET, GUEST)):
        assert lease(network, GUEST) == ""
        assert_first(network, "overlay-link-down", node=GUEST, device=TUNNEL)


@pytest.mark.parametrize("direction", ["INPUT", "OUTPUT"])
def test_a_firewall_that_drops_the_tunnels_packets_is_named(network: Cloud, direction: str) -> None:
    rule = f"{direction} -p udp --dport 8472 -j DROP"
    with changed(network, GUEST, f"iptables -I {rule}", f"iptables -D {rule}"):
        assert lease(network, GUEST) == ""
        assert_first(network, "dhcp-request-lost-fabric", node=GUEST, chain=direction)


def test_an_underlay_too_narrow_for_the_network_is_found(network: Cloud) -> None:
    with changed(network, "compute2", "ip link set eth0 mtu 1400", "ip link set eth0 mtu 1500"):
        assert ping(network, "compute2", INSTANCES[GUEST].address)
        assert not ping(network, "compute2", INSTANCES[GUEST].address, MTU - 28)
        assert_first(network, "mtu-blackhole", node="compute2", device="eth0", mtu="1400")


def test_a_peer_that_is_not_flooded_to_is_found_on_the_node_that_lost_it(network: Cloud) -> None:
    entry = f"{FLOOD} dev {vxlan_device(PAIR.vni)} dst {ADDRESSES['compute2']}"
    with changed(network, "controller", f"bridge fdb delete {entry}", f"bridge fdb append {entry}"):
        assert_first(network, "vtep-fdb-missing", node="controller", peer="compute2", device=vxlan_device(PAIR.vni))


def test_an_address_that_another_guest_uses_is_named(network: Cloud) -> None:
    enter = f"ip -n {instance_namespace(NEIGHBOUR)} address"
    own, address = INSTANCES[GUEST].address, f"{INSTANCES[GUEST].address}/24 dev eth0"
    with changed(network, "compute2", f"{enter} add {address}", f"{enter} delete {address}"):
        assert_first(network, "duplicate-ip", node="compute2", ip=own, mac=NEIGHBOUR.mac, network=NET.id[:11])


def test_what_deleted_networks_left_behind_is_a_note_and_no_diagnosis(network: Cloud) -> None:
    network.run("controller", "ip", "netns", "add", "qdhcp-00000000-0000-4000-8000-000000000000")
    network.run(GUEST, "ip", "tuntap", "add", "tapdeadbeef-00", "mode", "tap")
    try:
        report, _ = network.diagnose()
    finally:
        network.run("controller", "ip", "netns", "delete", "qdhcp-00000000-0000-4000-8000-000000000000")
        network.run(GUEST, "ip", "link", "delete", "tapdeadbeef-00")
    assert {"network.orphan.namespace", "network.orphan.tap"} <= {finding["id"] for finding in report["findings"]}
    assert causes(report) == []


def test_two_faults_give_two_diagnoses(network: Cloud) -> None:
    def undo() -> None:
        start_dnsmasq(network, NET, "controller")
        run(network, "compute2", "ip", "link", "set", TUNNEL, "up")

    stop_dnsmasq(network, NET, "controller")
    run(network, "compute2", "ip", "link", "set", TUNNEL, "down")
    with undone(network, undo):
        report, _ = network.diagnose()
    where = {diagnosis["cause"]: diagnosis["where"] for diagnosis in report["diagnoses"]}
    assert sorted(causes(report)) == ["dhcp-dnsmasq-dead", "overlay-link-down"]
    assert where["dhcp-dnsmasq-dead"]["node"] == "controller"
    assert where["overlay-link-down"]["node"] == "compute2"

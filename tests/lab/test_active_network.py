"""`stackdoctor test dhcp`, `ping`, `mtu` and `metadata` against the lab's real tenant network."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator

import pytest
from lab.active_runs import assert_nothing_left, begun, broken_off, ran
from lab.cloud import Cloud
from lab.tenant_dhcp import start_dnsmasq, state_of, stop_dnsmasq
from lab.tenant_instances import GUEST
from lab.tenant_ports import INSTANCES, NET, PAIR, in_namespace
from lab.tenant_router import start_metadata_proxy, stop_metadata_proxy

from stackdoctor.facts.neutron_names import bridge, dhcp_namespace, tap

pytestmark = pytest.mark.lab

PORT = INSTANCES[GUEST]
SERVER = "controller"


def test_the_dhcp_server_offers_and_no_lease_is_made(network: Cloud) -> None:
    leases = state_of(network, NET, SERVER) / "leases"
    before = leases.read_text()
    value, status = ran(network, "test", "dhcp", NET.id)
    assert status == 0, value
    (offer,) = value["outcomes"][0]["values"]["offers"]
    assert offer["server"] == NET.dhcp[0].address
    assert offer["lease"] == 120
    assert sorted(line.split()[1:3] for line in leases.read_text().splitlines()) == sorted(
        line.split()[1:3] for line in before.splitlines()
    )


def test_a_port_is_offered_its_own_address(network: Cloud) -> None:
    value, status = ran(network, "test", "dhcp", PORT.mac)
    assert status == 0, value
    assert [o["address"] for o in value["outcomes"][0]["values"]["offers"]] == [PORT.address]


def test_the_dead_one_of_two_dhcp_servers_is_named(network: Cloud) -> None:
    value, status = ran(network, "test", "dhcp", PAIR.id)
    assert status == 0, value
    assert len(value["outcomes"][0]["values"]["offers"]) == 2
    stop_dnsmasq(network, PAIR, "compute2")
    try:
        value, status = ran(network, "test", "dhcp", PAIR.id, "--node", "controller")
    finally:
        start_dnsmasq(network, PAIR, "compute2")
    assert status == 1
    assert "silent" in value["outcomes"][0]["says"]


def test_a_dead_dhcp_server_makes_no_offer(network: Cloud) -> None:
    stop_dnsmasq(network, NET, SERVER)
    try:
        value, status = ran(network, "test", "dhcp", NET.id, "--seconds", "3")
    finally:
        start_dnsmasq(network, NET, SERVER)
    assert status == 1
    assert value["outcomes"][0]["says"].startswith("no offer for ")


@contextlib.contextmanager
def rogue(cloud: Cloud) -> Iterator[None]:
    """A DHCP server in the network that is not Neutron's."""
    cloud.run(SERVER, "ip", "netns", "add", "rogue")
    cloud.run(SERVER, "ip", "link", "add", "tap-rogue", "type", "veth", "peer", "name", "r0", "netns", "rogue")
    cloud.run(SERVER, "ip", "link", "set", "tap-rogue", "mtu", "1450", "master", bridge(NET.id), "up")
    cloud.run(SERVER, "ip", "-n", "rogue", "address", "add", f"{NET.prefix}.250/24", "dev", "r0")
    cloud.run(SERVER, "ip", "-n", "rogue", "link", "set", "r0", "up")
    argv = ("--conf-file=/dev/null", "--port=0", f"--dhcp-range={NET.prefix}.200,{NET.prefix}.210,60s")
    serve = in_namespace("rogue", "dnsmasq", *argv, "--pid-file=/run/rogue.pid", "--dhcp-leasefile=/run/rogue.leases")
    subprocess.run(cloud.hosts[SERVER].enter(*serve), check=True, capture_output=True, timeout=30)
    try:
        yield
    finally:
        cloud.run(SERVER, "sh", "-c", "kill $(cat /run/rogue.pid); ip netns delete rogue; ip link delete tap-rogue")


def test_a_second_server_that_is_not_neutrons_is_named(network: Cloud) -> None:
    with rogue(network):
        value, status = ran(network, "test", "dhcp", NET.id, "--seconds", "6")
    assert status == 1, value
    assert "none of the network's" in value["outcomes"][0]["says"]
    assert f"{NET.prefix}.250" in value["outcomes"][0]["says"]


@pytest.mark.parametrize("number", [2, 9], ids=["Ctrl-C", "killed"])
def test_a_broken_off_discover_leaves_nothing(network: Cloud, number: int) -> None:
    stop_dnsmasq(network, NET, SERVER)
    try:
        process = begun(network, "test", "dhcp", NET.id, "--seconds", "30")
        links = ("sh", "-c", "ls /sys/class/net | grep '^sd-'")
        network.wait_until(lambda: network.run(SERVER, *links).stdout, 60, "the veth pair")
        broken_off(process, number)
        assert_nothing_left(network)
    finally:
        start_dnsmasq(network, NET, SERVER)


def test_a_guest_answers_from_its_dhcp_server_and_from_its_router(network: Cloud) -> None:
    for place in ("qdhcp", "qrouter"):
        value, status = ran(network, "test", "ping", PORT.address, "--from", place)
        assert status == 0, value
        assert PORT.mac in value["outcomes"][0]["says"]
        assert place in value["outcomes"][0]["where"]


def test_a_guest_that_drops_icmp_is_told_apart_from_one_that_is_off(network: Cloud) -> None:
    device = tap(PORT.id)
    rule = ("FORWARD", "-m", "physdev", "--physdev-out", device, "--physdev-is-bridged", "-p", "icmp", "-j", "DROP")
    network.run(GUEST, "iptables", "-I", *rule)
    try:
        value, status = ran(network, "test", "ping", PORT.mac)
    finally:
        network.run(GUEST, "iptables", "-D", *rule)
    assert status == 1
    assert "does not answer ICMP but ARP" in value["outcomes"][0]["says"]
    network.run(GUEST, "ip", "link", "set", device, "nomaster")
    try:
        value, status = ran(network, "test", "ping", PORT.mac)
    finally:
        network.run(GUEST, "ip", "link", "set", device, "master", bridge(NET.id))
    assert status == 1
    assert "neither ICMP nor ARP" in value["outcomes"][0]["says"]


def test_an_mtu_hole_is_measured(network: Cloud) -> None:
    value, status = ran(network, "test", "mtu", PORT.mac)
    assert status == 0, value
    assert value["outcomes"][0]["values"]["largest"] == 1450
    device = tap(PORT.id)
    network.run(GUEST, "ip", "link", "set", device, "mtu", "1300")
    try:
        value, status = ran(network, "test", "mtu", PORT.mac)
    finally:
        network.run(GUEST, "ip", "link", "set", device, "mtu", "1450")
    assert status == 1
    assert value["outcomes"][0]["values"]["largest"] == 1300


def test_the_underlay_carries_the_tunnels_packets_until_a_link_is_made_smaller(network: Cloud) -> None:
    value, status = ran(network, "test", "mtu", PORT.mac, "--underlay")
    assert status == 0, value
    assert value["outcomes"][0]["values"]["largest"] == 1500
    network.run(GUEST, "ip", "link", "set", "eth0", "mtu", "1400")
    try:
        value, status = ran(network, "test", "mtu", PORT.mac, "--underlay")
    finally:
        network.run(GUEST, "ip", "link", "set", "eth0", "mtu", "1500")
    assert status == 1
    assert value["outcomes"][0]["values"]["needed"] == 1500
    # veth lets a packet of four bytes more in, for a VLAN tag
    assert 1400 <= value["outcomes"][0]["values"]["largest"] <= 1404


def test_the_metadata_proxy_answers_and_a_dead_one_does_not(network: Cloud) -> None:
    value, status = ran(network, "test", "metadata", NET.id)
    assert status == 0, value
    assert "404" in value["outcomes"][0]["says"]
    stop_metadata_proxy(network)
    try:
        value, status = ran(network, "test", "metadata", NET.id)
    finally:
        start_metadata_proxy(network)
    assert status == 1
    assert "nothing takes connections" in value["outcomes"][0]["says"]


def test_a_namespace_that_is_not_there_could_not_be_run(network: Cloud) -> None:
    value, status = ran(network, "test", "ping", PORT.address, "--from", f"controller:{dhcp_namespace('0' * 36)}")
    assert status == 3
    assert "no such namespace" in value["outcomes"][0]["says"]

"""Packets followed over real hops: real tcpdump over real sshd, with what drops them put in between."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
from collections.abc import Iterator

import pytest
from lab.captures import all_listen, begin, capture, flow, tcpdumps
from lab.cloud import ADDRESSES, Cloud
from lab.tenant_faults import in_router, run
from lab.tenant_instances import GUEST, lease, order
from lab.tenant_ports import INNER, INSTANCES, NET

from stackdoctor.facts.neutron_names import dhcp_device, dhcp_namespace, tap, vxlan_device

pytestmark = pytest.mark.lab

PORT = INSTANCES[GUEST]
TAP = f"{GUEST}:{tap(PORT.id)}"
HERE, THERE = f"{GUEST}:{vxlan_device(NET.vni)}", f"controller:{vxlan_device(NET.vni)}"
OUT, IN = f"{GUEST}:eth0", "controller:eth0"
SERVER = f"controller:{dhcp_namespace(NET.id)}/{dhcp_device(NET.dhcp[0].id)}"
TO_DHCP = [TAP, HERE, OUT, IN, THERE, SERVER]
TENANT = ("--filter", "arp or icmp or udp port 67 or udp port 68 or udp port 8472")


@contextlib.contextmanager
def rule(cloud: Cloud, host: str, *words: str) -> Iterator[None]:
    """An iptables rule at the top of its chain; ``host`` empty: in the switch between the hosts."""
    enter = ["ip", "netns", "exec", cloud.fabric] if not host else cloud.hosts[host].enter()
    subprocess.run([*enter, "iptables", "-I", *words], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run([*enter, "iptables", "-D", *words], check=True, capture_output=True)


def test_a_dhcp_exchange_is_seen_whole_on_every_hop_and_what_changes_is_told(network: Cloud) -> None:
    # without ARP: the router's for the other guest goes from the controller to compute2, and not this way
    only = ("--filter", "udp port 67 or udp port 68 or udp port 8472")
    report, status = capture(network, TO_DHCP, lambda: lease(network, GUEST), *only)

    for kind, way in (("Discover", "forward"), ("Offer", "back"), ("Request", "forward"), ("Ack", "back")):
        found = flow(report, f"DHCP {kind}", way)
        assert found["lost_after"] is None, found
        assert min(found["counts"]) >= 1, found["counts"]
    (packet, *_) = flow(report, "DHCP Discover", "forward")["packets"]
    assert [hop["hop"] for hop in packet["seen"]] == TO_DHCP
    times = [hop["time"] for hop in packet["seen"]]
    assert max(times) - min(times) < 1, "captures of two hosts on one clock, as far as it can be measured over SSH"
    assert packet["what"] == f"DHCP Discover of {PORT.mac}"
    assert any(change.startswith(f"in vxlan {NET.vni} from {ADDRESSES[GUEST]} to") for change in packet["changes"])
    assert status == 0, [row for row in report["flows"] if row["lost_after"]]


def test_an_offer_that_a_chain_of_the_compute_node_drops_is_last_seen_before_it(network: Cloud) -> None:
    drop = ("FORWARD", "-m", "physdev", "--physdev-is-bridged", "-p", "udp", "--sport", "67", "-j", "DROP")
    with rule(network, GUEST, *drop):
        report, status = capture(network, TO_DHCP, lambda: lease(network, GUEST), *TENANT)

    assert flow(report, "DHCP Discover", "forward")["lost_after"] is None
    offer = flow(report, "DHCP Offer", "back")
    assert offer["lost_after"] == HERE
    assert offer["counts"][0] == 0
    assert status == 1


def test_a_tunnel_that_is_dropped_one_way_is_lost_between_the_interfaces_under_it(network: Cloud) -> None:
    way = ("-s", ADDRESSES[GUEST], "-d", ADDRESSES["controller"])
    with rule(network, "", "FORWARD", "-p", "udp", "--dport", "8472", *way, "-j", "DROP"):

        def both_ways() -> None:
            lease(network, GUEST)
            network.run("controller", *in_router("busybox", "ping", "-c", "1", "-W", "1", PORT.address))

        run(network, "controller", *in_router("ip", "neigh", "flush", "all"))
        report, status = capture(network, TO_DHCP, both_ways, *TENANT)

    assert flow(report, "DHCP Discover", "forward")["lost_after"] == OUT
    asked = [p for row in report["flows"] for p in row["packets"] if f"asks for {PORT.address}" in p["what"]]
    assert any({hop["hop"] for hop in p["seen"]} >= set(TO_DHCP[:5]) for p in asked), "the other way is open"
    assert status == 1


def test_a_hole_in_the_mtu_lets_small_packets_through_and_loses_large_ones(network: Cloud) -> None:
    lease(network, GUEST)
    hops = [TAP, HERE, OUT, IN, THERE]

    def pings() -> None:
        order(network, "ping", address=INNER.address)
        order(network, "ping", address=INNER.address, size=1400)

    # a switch of MTU 1450 between hosts of 1500
    large_frames = ("FORWARD", "-p", "udp", "--dport", "8472", "-m", "length", "--length", "1451:65535", "-j", "DROP")
    with rule(network, "", *large_frames):
        report, _ = capture(network, hops, pings, *TENANT)

    request = flow(report, "ping request", "forward")
    small, large = sorted(request["packets"], key=lambda packet: int(packet["what"].split()[-2]))
    assert small["arrived"]
    assert not large["arrived"]
    assert large["seen"][-1]["hop"] == OUT
    assert flow(report, "ping reply", "back")["lost_after"] is None


def test_arp_is_followed_both_ways_through_the_tunnel(network: Cloud) -> None:
    lease(network, GUEST)
    report, _ = capture(network, [TAP, HERE, THERE], lambda: order(network, "ping", address=INNER.address), *TENANT)

    asked = flow(report, "ARP request", "forward")["packets"]
    assert any(packet["arrived"] and f"asks for {INNER.address}" in packet["what"] for packet in asked)
    answered = flow(report, "ARP reply", "back")["packets"]
    assert any(packet["arrived"] and f"{INNER.address} is {INNER.mac}" in packet["what"] for packet in answered)


def test_the_hops_of_a_path_are_not_blamed_for_packets_that_leave_it(network: Cloud) -> None:
    """The guest's pings go to the router, by the first hops of the way to the DHCP server and not by its last."""

    def both() -> None:
        lease(network, GUEST)
        order(network, "ping", address=INNER.address)

    path = ("--path", PORT.id, "--to", "dhcp")
    report, status = capture(network, [], both, *path, listening=len(TO_DHCP) + 1)
    assert {row["kind"].split()[0] for row in report["flows"]} <= {"DHCP", "ARP"}
    assert flow(report, "DHCP Discover", "forward")["packets"][0]["arrived"]
    assert status == 0, [row for row in report["flows"] if row["lost_after"]]

    drop = ("FORWARD", "-m", "physdev", "--physdev-is-bridged", "-p", "udp", "--sport", "67", "-j", "DROP")
    with rule(network, GUEST, *drop):
        report, status = capture(network, [], both, *path, listening=len(TO_DHCP) + 1)
    assert flow(report, "DHCP Offer", "back")["lost_after"] == HERE
    assert status == 1


def test_a_dhcp_exchange_is_traced_live_to_the_hop_where_the_offer_is_lost(network: Cloud) -> None:
    """By the packets themselves, whatever logs and rules tell."""
    hops = len(TO_DHCP) + 1
    arguments = ("trace", "dhcp", PORT.id, "--live", "8s", "-i", str(network.inventory), "--yes", "--format", "json")
    drop = ("FORWARD", "-m", "physdev", "--physdev-is-bridged", "-p", "udp", "--sport", "67", "-j", "DROP")
    with rule(network, GUEST, *drop), begin(network, *arguments) as tool:
        network.wait_until(lambda: len(tcpdumps(network)) >= hops or tool.poll() is not None, 40, "all tcpdumps")
        network.wait_until(lambda: tool.poll() is not None or all_listen(network, hops), 20, "tcpdumps that listen")
        lease(network, GUEST)
        said, told = tool.communicate(timeout=120)
    trace = json.loads(said)
    steps = {step["name"]: step for step in trace["steps"]}
    assert steps["server sends OFFER"]["state"] == "proven", told
    assert steps["server sends OFFER"]["evidence"][0]["source"].startswith("tcpdump on ")
    lost = steps["the answer gets to the guest"]
    assert (lost["state"], lost["node"]) == ("failed", GUEST)
    assert lost["text"].endswith(f"last seen on {HERE}")
    assert tool.returncode == 1


def test_a_node_without_tcpdump_is_told_with_the_package_and_loses_nothing(network: Cloud) -> None:
    run(network, "controller", "mv", "/usr/bin/tcpdump", "/usr/bin/tcpdump.away")
    try:
        report, status = capture(network, TO_DHCP, lambda: lease(network, GUEST), *TENANT, listening=3)
    finally:
        run(network, "controller", "mv", "/usr/bin/tcpdump.away", "/usr/bin/tcpdump")

    assert [hop["unread"] for hop in report["hops"][:3]] == [None] * 3
    for hop in report["hops"][3:]:
        assert "package tcpdump" in hop["unread"]
    discover = flow(report, "DHCP Discover", "forward")
    assert discover["lost_after"] is None, "a hop that was not looked at loses nothing"
    assert status == 0


def test_a_namespace_and_an_interface_that_are_gone_are_told(network: Cloud) -> None:
    gone = ["controller:qdhcp-00000000-0000-0000-0000-000000000000/ns-0", f"{GUEST}:tap00000000-00"]
    report, status = capture(network, [*gone, OUT], lambda: None, "--seconds", "3s", listening=1)

    assert "no such namespace" in report["hops"][0]["unread"]
    assert "no such interface" in report["hops"][1]["unread"]
    assert report["hops"][2]["unread"] is None
    assert status == 0


def test_where_nothing_can_be_captured_the_exit_status_says_so(network: Cloud) -> None:
    _, status = capture(network, [f"{GUEST}:tap00000000-00"], lambda: None, "--seconds", "2s", listening=0)
    assert status == 3


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_tcpdump_outlives_the_tool(network: Cloud, how: signal.Signals) -> None:
    named = ["--on", TAP, "--on", OUT, "--on", SERVER]
    with begin(network, "capture", *named, "-i", str(network.inventory), "--yes", "-q", "--seconds", "300s") as tool:
        network.wait_until(lambda: len(tcpdumps(network)) >= 3, 40, "three tcpdumps")
        tool.send_signal(how)
        tool.communicate(timeout=60)

    def left() -> list[list[str]]:
        return [argv for host in network.hosts.values() for argv in host.processes().values() if "tcpdump" in argv]

    network.wait_until(lambda: not left(), 20, "no tcpdump left, nor the timeout around it")

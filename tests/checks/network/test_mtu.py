"""Devices that are too narrow for a network's packets, and clouds that are narrow on purpose."""

from __future__ import annotations

from stackdoctor.checks.network.mtu import too_small_device

from stackdoctor.model import Severity

QDHCP = "qdhcp-8af4f28b-a650-4777-9df9-e50d1c68e83d"


def test_a_healthy_cloud_has_no_finding(cloud) -> None:
    assert cloud.find(too_small_device) == []


def test_an_underlay_that_is_narrower_than_the_others_is_found(cloud) -> None:
    cloud.link("compute1", "eth2", mtu=1400)
    found = cloud.one(too_small_device)
    assert (found.node, found.severity, found.keys["device"]) == ("compute1", Severity.ERROR, "eth2")
    assert (found.keys["mtu"], found.keys["needed"]) == ("1400", "1500")


def test_an_underlay_that_just_fits_is_wide_enough(cloud) -> None:
    cloud.link("compute1", "eth2", mtu=1500)
    assert cloud.find(too_small_device) == []


def test_underlays_that_are_all_alike_are_a_warning(cloud) -> None:
    for node in cloud.nodes:
        cloud.link(node, "eth2", mtu=1450)
    assert {f.severity for f in cloud.find(too_small_device)} == {Severity.WARNING}


def test_a_tunnel_device_that_is_narrower_than_what_guests_were_told_is_found(cloud) -> None:
    cloud.link("compute2", "vxlan-994", mtu=1350)
    found = cloud.one(too_small_device)
    assert (found.node, found.keys["role"]) == ("compute2", "uplink")


def test_a_tap_that_is_narrower_than_the_others_is_found(cloud) -> None:
    cloud.link("compute1", "tap30d5603c-42", mtu=1000)
    assert cloud.one(too_small_device).keys["device"] == "tap30d5603c-42"


def test_the_inner_end_of_a_pair_counts_as_well(cloud) -> None:
    cloud.link("controller", "ns-af0c69a5-3e", QDHCP, mtu=1000)
    assert cloud.one(too_small_device).keys["device"] == "ns-af0c69a5-3e"


def test_without_what_dnsmasq_tells_the_widest_tunnel_is_the_measure(cloud) -> None:
    cloud.swap("controller", "dnsmasq.processes", "--dhcp-option-force=option:mtu,1450", "--no-ping")
    assert cloud.find(too_small_device) == []
    cloud.link("compute1", "eth2", mtu=1400)
    assert cloud.one(too_small_device).keys["needed"] == "1500"


def test_ipv6_needs_twenty_bytes_more(cloud) -> None:
    for node in cloud.nodes:
        cloud.link(node, "eth2", mtu=1500)
        text = cloud.text(node, "links.host")
        cloud.say(node, "links.host", text.replace('"local": "192.168.200.', '"local6": "fd00::'))
    assert {f.keys["needed"] for f in cloud.find(too_small_device)} == {"1520"}


def test_taps_of_an_older_cloud_that_are_wider_are_no_fault(cloud) -> None:
    for node, tap in (("compute1", "tap30d5603c-42"), ("compute2", "tap2a890d5f-e4")):
        cloud.link(node, tap, mtu=1500)
    assert cloud.find(too_small_device) == []

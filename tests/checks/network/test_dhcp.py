"""DHCP servers: dead, stopped, in a lost namespace, without interface or address; and all the ways to be well."""

from __future__ import annotations

import pytest
from stackdoctor.checks.network.dhcp import (
    dead_dnsmasq,
    dnsmasq_outside_its_namespace,
    down_interface,
    interface_without_address,
    missing_interface,
    missing_namespace,
)

from stackdoctor.model import Severity

NETWORK = "8af4f28b-a650-4777-9df9-e50d1c68e83d"
NAMESPACE = f"qdhcp-{NETWORK}"
FILES = f"/var/lib/neutron/dhcp/{NETWORK}"
CHECKS = (
    dead_dnsmasq,
    dnsmasq_outside_its_namespace,
    missing_namespace,
    missing_interface,
    down_interface,
    interface_without_address,
)


def kill_dnsmasq(cloud) -> None:
    cloud.say("controller", "dnsmasq.processes", "")
    sockets = cloud.text("controller", "netns.listen", NAMESPACE).splitlines()
    cloud.say("controller", "netns.listen", sockets[0], NAMESPACE)
    cloud.say("controller", "netns.pids", "", NAMESPACE)


def test_a_healthy_cloud_has_no_finding(cloud) -> None:
    assert cloud.find(*CHECKS) == []


def test_a_dnsmasq_that_was_killed_is_dead(cloud) -> None:
    kill_dnsmasq(cloud)
    found = cloud.one(*CHECKS)
    assert (found.id, found.severity, found.node) == ("dhcp.dnsmasq.dead", Severity.ERROR, "controller")
    assert found.keys["network"] == NETWORK
    assert found.keys["port"] == "af0c69a5-3e"
    assert "3364 is gone" in found.message


def test_a_stopped_dnsmasq_is_dead_though_its_socket_is_there(cloud) -> None:
    cloud.swap("controller", "dnsmasq.processes", "3364 S ", "3364 T ")
    assert "state T" in cloud.one(*CHECKS).message


def test_a_dnsmasq_that_only_listens_is_not_dead(cloud) -> None:
    cloud.say("controller", "dnsmasq.processes", "")  # another program name, a wrapper, a container
    assert cloud.find(dead_dnsmasq) == []


def test_a_network_that_another_node_serves_too_is_degraded(cloud) -> None:
    for probe, subject in list(cloud.nodes["controller"].results):
        if probe.startswith("dnsmasq"):
            cloud.say("compute1", probe, cloud.text("controller", probe, subject), subject)
    cloud.forget("compute1", "netns.pids")
    kill_dnsmasq(cloud)
    assert cloud.one(dead_dnsmasq).severity is Severity.WARNING


def test_the_empty_directory_of_a_network_without_dhcp_is_no_dead_server(cloud) -> None:
    kill_dnsmasq(cloud)
    for file in ("pid", "interface"):
        cloud.say("controller", "dnsmasq.files", "", f"{FILES}/{file}")
    assert cloud.find(dead_dnsmasq) == []


def test_a_leftover_directory_without_namespace_is_no_dead_server(cloud) -> None:
    kill_dnsmasq(cloud)
    cloud.swap("controller", "netns.list", f"{NAMESPACE} (id: 1)\n", "")
    assert cloud.find(dead_dnsmasq) == []


def test_nothing_is_said_where_processes_could_not_be_listed(cloud) -> None:
    kill_dnsmasq(cloud)
    cloud.forget("controller", "dnsmasq.processes")
    assert cloud.find(dead_dnsmasq) == []


def test_a_dnsmasq_in_a_deleted_namespace_is_outside(cloud) -> None:
    sockets = cloud.text("controller", "netns.listen", NAMESPACE).splitlines()
    cloud.say("controller", "netns.listen", sockets[0], NAMESPACE)
    cloud.say("controller", "netns.pids", "", NAMESPACE)
    assert cloud.one(*CHECKS).id == "dhcp.dnsmasq.outside"


def test_a_lost_namespace_is_an_error_where_nothing_serves_its_guests(cloud) -> None:
    kill_dnsmasq(cloud)
    cloud.swap("controller", "netns.list", f"{NAMESPACE} (id: 1)\n", "")
    found = cloud.one(*CHECKS)
    assert (found.id, found.severity) == ("dhcp.namespace.missing", Severity.ERROR)


def test_a_lost_name_of_a_namespace_that_still_serves_is_a_warning(cloud) -> None:
    cloud.swap("controller", "netns.list", f"{NAMESPACE} (id: 1)\n", "")
    assert cloud.one(missing_namespace).severity is Severity.WARNING


def test_namespaces_that_an_agent_just_started_has_not_made_yet_are_no_error(cloud) -> None:
    kill_dnsmasq(cloud)
    cloud.swap("controller", "netns.list", f"{NAMESPACE} (id: 1)\n", "")
    processes = cloud.text("controller", "processes")
    age = next(line.split()[9] for line in processes.splitlines() if "neutron-dhcp-agent" in line)
    cloud.say("controller", "processes", processes.replace(f" {age} ", " 20 "))
    assert cloud.one(missing_namespace).severity is Severity.WARNING


def test_a_cloud_without_dhcp_namespaces_of_old_misses_none(cloud) -> None:
    cloud.swap("controller", "netns.list", f"{NAMESPACE} (id: 1)\n", "")
    cloud.add_link("controller", ifname="ns-af0c69a5-3e")
    assert cloud.find(*CHECKS) == []


def test_a_dhcp_interface_that_is_gone_is_missing(cloud) -> None:
    cloud.remove("controller", "ns-af0c69a5-3e", NAMESPACE)
    assert [f.id for f in cloud.find(missing_interface, down_interface)] == ["dhcp.interface.missing"]


def test_a_dhcp_interface_that_is_set_down_is_down(cloud) -> None:
    cloud.down("controller", "ns-af0c69a5-3e", NAMESPACE)
    assert cloud.one(*CHECKS).id == "dhcp.interface.down"


def test_an_interface_of_open_vswitch_is_the_dhcp_interface_as_well(cloud) -> None:
    cloud.link("controller", "ns-af0c69a5-3e", NAMESPACE, ifname="tapaf0c69a5-3e")
    assert cloud.find(missing_interface, down_interface) == []


def test_a_dhcp_interface_without_the_subnets_address_cannot_answer(cloud) -> None:
    cloud.swap("controller", "addresses.netns", '"local":"10.10.0.2"', '"local":"192.0.2.2"', NAMESPACE)
    assert cloud.one(*CHECKS).id == "dhcp.interface.address"


def test_one_subnet_of_several_is_enough(cloud) -> None:
    more = "--dhcp-range=set:subnet-1,198.51.100.0,static,255.255.255.0,120s --dhcp-option-force"
    cloud.swap("controller", "dnsmasq.processes", "--dhcp-option-force", more)
    assert cloud.find(interface_without_address) == []


@pytest.mark.parametrize("value", ["set:tag0,10.10.0.0,static,86400s", "set:subnet-1,fd00::,static,64,120s", ""])
def test_ranges_without_a_mask_say_nothing_about_addresses(cloud, value: str) -> None:
    cloud.swap("controller", "addresses.netns", '"local":"10.10.0.2"', '"local":"192.0.2.2"', NAMESPACE)
    process = cloud.text("controller", "dnsmasq.processes")
    words = [w if not w.startswith("--dhcp-range") else f"--dhcp-range={value}" for w in process.split(" ")]
    cloud.say("controller", "dnsmasq.processes", " ".join(words))
    assert cloud.find(interface_without_address) == []

"""Guests that dnsmasq does not know, and leases that are another's."""

from __future__ import annotations

from stackdoctor.checks.network.dhcp_guests import (
    exhausted_pool,
    expired_leases,
    lease_of_another_station,
    lease_without_entry,
    missing_host,
)

from stackdoctor.model import Severity

NETWORK = "8af4f28b-a650-4777-9df9-e50d1c68e83d"
HOSTS = f"/var/lib/neutron/dhcp/{NETWORK}/host"
LEASES = f"/var/lib/neutron/dhcp/{NETWORK}/leases"
ENTRY = "fa:16:3e:1c:77:97,host-10-10-0-189.openstacklocal,10.10.0.189\n"
CHECKS = (missing_host, lease_of_another_station, exhausted_pool)
LEASE_CHECKS = (lease_of_another_station, lease_without_entry, expired_leases)


def test_a_healthy_cloud_has_no_finding(cloud) -> None:
    assert cloud.find(*CHECKS, *LEASE_CHECKS[1:]) == []


def test_a_guest_without_entry_is_an_error_when_its_address_is_in_a_served_subnet(cloud) -> None:
    cloud.swap("controller", "dnsmasq.files", ENTRY, "", HOSTS)
    found = cloud.one(*CHECKS)
    assert (found.id, found.severity, found.node) == ("dhcp.host.missing", Severity.ERROR, "controller")
    assert found.keys["mac"] == "fa:16:3e:1c:77:97"
    assert found.keys["ip"] == "10.10.0.189"
    assert found.keys["compute"] == "compute1"


def test_a_guest_in_a_subnet_without_dhcp_needs_no_entry(cloud) -> None:
    cloud.swap("controller", "dnsmasq.files", ENTRY, "", HOSTS)
    cloud.swap("compute1", "iptables.save", "10.10.0.189/32", "192.0.2.189/32")
    assert cloud.find(*CHECKS) == []


def test_a_guest_whose_address_is_not_known_is_a_warning(cloud) -> None:
    cloud.swap("controller", "dnsmasq.files", ENTRY, "", HOSTS)
    cloud.forget("compute1", "iptables.save")
    assert cloud.one(*CHECKS).severity is Severity.WARNING


def test_a_guest_that_does_not_run_needs_no_entry(cloud) -> None:
    cloud.swap("controller", "dnsmasq.files", ENTRY, "", HOSTS)
    cloud.swap("compute1", "libvirt.list", "running", "paused")
    assert cloud.find(*CHECKS) == []


def test_an_entry_that_gives_options_only_is_an_entry(cloud) -> None:
    cloud.swap("controller", "dnsmasq.files", ENTRY, "fa:16:3e:1c:77:97,set:port-30d5603c\n", HOSTS)
    assert cloud.find(*CHECKS) == []


def test_a_guest_on_the_bridge_of_another_network_is_not_this_servers(cloud) -> None:
    cloud.swap("controller", "dnsmasq.files", ENTRY, "", HOSTS)
    cloud.swap("compute1", "libvirt.dumpxml", "brq8af4f28b-a6", "brq0b39e40c-e5", "instance-00000006")
    assert cloud.find(*CHECKS) == []


def test_a_lease_of_another_station_is_a_warning(cloud) -> None:
    cloud.swap("controller", "dnsmasq.files", "fa:16:3e:1c:77:97 10.10.0.189", "fa:16:3e:00:00:01 10.10.0.189", LEASES)
    found = cloud.one(*CHECKS)
    assert (found.id, found.severity) == ("dhcp.lease.other-mac", Severity.WARNING)


def test_a_lease_that_neutron_wrote_blocks_as_well(cloud) -> None:
    # dnsmasq 2.90 with this line: "not using configured address ... because it is leased to fa:16:3e:00:00:99"
    cloud.say("controller", "dnsmasq.files", "0 fa:16:3e:00:00:99 10.10.0.189 * *\n", LEASES)
    assert cloud.one(*CHECKS).id == "dhcp.lease.other-mac"


def test_a_lease_that_is_over_is_nobodys(cloud) -> None:
    # dnsmasq 2.90 with such a line offers the address to its owner
    over = int(cloud.nodes["controller"].clock.now) - 300
    lease = f"{over} fa:16:3e:00:00:01 10.10.0.189 host 01:fa:16:3e:00:00:01\n"
    cloud.say("controller", "dnsmasq.files", lease, LEASES)
    assert cloud.find(*LEASE_CHECKS) == []


def test_leases_that_ended_long_ago_are_information(cloud) -> None:
    over = int(cloud.nodes["controller"].clock.now) - 601
    cloud.say("controller", "dnsmasq.files", f"{over} fa:16:3e:1c:77:97 10.10.0.189 host *\n", LEASES)
    found = cloud.one(*LEASE_CHECKS)
    assert (found.id, found.severity, found.keys["network"]) == ("dhcp.lease.expired", Severity.INFO, NETWORK)
    cloud.say("controller", "dnsmasq.processes", "")  # nobody is there to take them out
    assert "dhcp.lease.expired" not in {f.id for f in cloud.find(*LEASE_CHECKS)}


def test_a_lease_of_an_address_without_entry_is_left_over(cloud) -> None:
    lease = "0 fa:16:3e:00:00:99 10.10.0.77 host-10-10-0-77 01:fa:16:3e:00:00:99\n"
    cloud.say("controller", "dnsmasq.files", lease, LEASES)
    found = cloud.one(*LEASE_CHECKS)
    assert (found.id, found.severity) == ("dhcp.lease.left-over", Severity.INFO)
    assert (found.keys["ip"], found.keys["mac"]) == ("10.10.0.77", "fa:16:3e:00:00:99")
    cloud.say("controller", "dnsmasq.files", "0 1478502 fd00::77 host 00:01:00:01\n", LEASES)
    assert cloud.find(*LEASE_CHECKS) == []


def test_a_pool_is_exhausted_when_guests_are_left_over(cloud) -> None:
    cloud.swap("controller", "dnsmasq.processes", "--dhcp-lease-max=256", "--dhcp-lease-max=2")
    assert cloud.one(*CHECKS).id == "dhcp.pool.exhausted"


def test_a_pool_that_is_just_used_up_is_no_fault(cloud) -> None:
    cloud.swap("controller", "dnsmasq.processes", "--dhcp-lease-max=256", "--dhcp-lease-max=3")
    cloud.swap("controller", "dnsmasq.files", ENTRY, ENTRY, HOSTS)
    assert cloud.find(exhausted_pool) == []

"""DHCP of a real tenant network broken in every way that can be made, and the cause that the tool names first."""

from __future__ import annotations

import pytest
from lab.cloud import Cloud
from lab.tenant_dhcp import start_dnsmasq, state_of, stop_dnsmasq, write_file
from lab.tenant_faults import assert_first, changed, run, undone
from lab.tenant_instances import GUEST, lease, order
from lab.tenant_ports import INSTANCES, NET

from stackdoctor.facts.neutron_names import dhcp_device, dhcp_namespace

pytestmark = pytest.mark.lab

PORT = INSTANCES[GUEST]
SERVER = "controller"
NAMESPACE, DEVICE = dhcp_namespace(NET.id), dhcp_device(NET.dhcp[0].id)


def test_a_killed_dnsmasq_is_named(network: Cloud) -> None:
    stop_dnsmasq(network, NET, SERVER)
    with undone(network, lambda: start_dnsmasq(network, NET, SERVER)):
        assert lease(network, GUEST) == ""
        assert_first(network, "dhcp-dnsmasq-dead", node=SERVER, network=NET.id)


def test_a_dhcp_interface_that_is_set_down_is_named(network: Cloud) -> None:
    enter = f"ip -n {NAMESPACE} link set {DEVICE}"
    with changed(network, SERVER, f"{enter} down", f"{enter} up"):
        assert lease(network, GUEST) == ""
        assert_first(network, "dhcp-stale-namespace", node=SERVER, namespace=NAMESPACE, device=DEVICE)


def test_a_dhcp_interface_that_has_lost_its_address_is_named(network: Cloud) -> None:
    address = f"{NET.dhcp[0].address}/24 dev {DEVICE}"
    enter = f"ip -n {NAMESPACE} address"
    with changed(network, SERVER, f"{enter} delete {address}", f"{enter} add {address}"):
        assert lease(network, GUEST) == ""
        assert_first(network, "dhcp-stale-namespace", node=SERVER, namespace=NAMESPACE, device=DEVICE)


def without_lease(network: Cloud) -> None:
    """dnsmasq starts anew with no lease: it gives again what it gave before the fault otherwise."""
    stop_dnsmasq(network, NET, SERVER)
    (state_of(network, NET, SERVER) / "leases").write_text("")
    start_dnsmasq(network, NET, SERVER)


def test_a_guest_that_the_host_file_does_not_list_is_named(network: Cloud) -> None:
    before = (state_of(network, NET, SERVER) / "host").read_text()
    lines = [line for line in before.splitlines(keepends=True) if PORT.mac not in line]
    write_file(network, NET, SERVER, "host", "".join(lines))
    without_lease(network)
    with undone(network, lambda: write_file(network, NET, SERVER, "host", before)):
        assert order(network, "lease")["seen"] == []
        assert_first(network, "dhcp-host-entry-missing", node=SERVER, mac=PORT.mac)


def test_a_guest_that_is_given_another_address_than_it_may_use_is_named(network: Cloud) -> None:
    before = (state_of(network, NET, SERVER) / "host").read_text()
    write_file(network, NET, SERVER, "host", before.replace(PORT.address, "10.10.0.99"))
    without_lease(network)

    def undo() -> None:
        write_file(network, NET, SERVER, "host", before)
        without_lease(network)

    with undone(network, undo):
        assert_first(network, "antispoof-drop", node=GUEST)


def test_an_address_that_is_leased_to_another_station_is_named(network: Cloud) -> None:
    stop_dnsmasq(network, NET, SERVER)
    until = run(network, SERVER, "date", "-d", "+1 hour", "+%s").strip()
    foreign = f"{until} fa:16:3e:00:00:99 {PORT.address} * *\n"
    (state_of(network, NET, SERVER) / "leases").write_text(foreign)
    start_dnsmasq(network, NET, SERVER)
    with undone(network, lambda: without_lease(network)):
        assert lease(network, GUEST) == ""
        assert_first(network, "dhcp-lease-stale", node=SERVER, ip=PORT.address, mac=PORT.mac)


def test_a_pool_without_a_lease_left_is_named(network: Cloud) -> None:
    stop_dnsmasq(network, NET, SERVER)
    (state_of(network, NET, SERVER) / "leases").write_text("")
    start_dnsmasq(network, NET, SERVER, most=1)

    def undo() -> None:
        stop_dnsmasq(network, NET, SERVER)
        start_dnsmasq(network, NET, SERVER)

    with undone(network, undo):
        assert lease(network, "compute2") == INSTANCES["compute2"].address
        assert lease(network, GUEST) == ""
        assert_first(network, "dhcp-lease-exhausted", node=SERVER, network=NET.id)


def test_a_second_dhcp_server_on_the_networks_bridge_is_named(network: Cloud) -> None:
    do = (
        "ip netns add pxe; ip link add pxe0 type veth peer name eth0 netns pxe;"
        f" ip link set pxe0 master brq{NET.id[:11]} up; ip -n pxe link set eth0 up;"
        " ip -n pxe address add 10.10.0.66/24 dev eth0;"
        " ip netns exec pxe dnsmasq --conf-file=/dev/null --port=0 --interface=eth0 --bind-interfaces"
        " --dhcp-range=10.10.0.70,10.10.0.80,2m --pid-file=/run/pxe.pid --dhcp-leasefile=/run/pxe.leases"
    )
    undo = "kill -KILL $(ip netns pids pxe); ip link delete pxe0; ip netns delete pxe"
    with changed(network, "compute2", do, undo):
        assert_first(network, "dhcp-rogue-server", node="compute2", device="pxe0")

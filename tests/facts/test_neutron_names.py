import pytest

from stackdoctor.facts import neutron_names as names

PORT = "584e904e-a1f3-4a55-9b1c-7c7b84a2a1f0"
NETWORK = "152a4a85-dc52-4c62-9bbd-742eb4f7b8fa"


def test_every_device_of_a_port_leads_back_to_its_id() -> None:
    makers = (
        names.tap,
        names.hybrid_bridge,
        names.hybrid_bridge_side,
        names.hybrid_ovs_side,
        names.dhcp_device,
        names.router_device,
        names.gateway_device,
    )
    for make in makers:
        device = make(PORT)
        assert len(device) == 14
        assert names.port_prefix_of(device) == "584e904e-a1"
        assert names.is_port_of(device, PORT)
        assert not names.is_port_of(device, NETWORK)


@pytest.mark.parametrize("name", ["eth0", "tap0", "brq152a4a85-dc", "tap584e904e-a1x", "TAP584e904e-a1", "", "vnet3"])
def test_other_devices_belong_to_no_port(name: str) -> None:
    assert names.port_prefix_of(name) is None


def test_a_network_bridge_leads_back_to_the_network() -> None:
    assert names.bridge(NETWORK) == "brq152a4a85-dc"
    assert names.network_prefix_of("brq152a4a85-dc") == "152a4a85-dc"
    assert names.network_prefix_of("br-int") is None


def test_a_chain_name_holds_ten_characters_of_the_port() -> None:
    assert names.chain(PORT, "s") == "neutron-linuxbri-s584e904e-a"
    assert names.chain(PORT, "i", names.OPENVSWITCH_CHAINS) == "neutron-openvswi-i584e904e-a"
    assert len(names.chain(PORT, "i")) <= 28
    assert names.port_chain_of("neutron-linuxbri-sg-chain") is None


def test_a_long_parent_of_a_vlan_is_hashed_as_neutron_does_it() -> None:
    # neutron's own docstring: mix_interface.1 and mix_iHASHED.1111 are of one interface
    assert names.vlan_device("mix_interface", 1) == "mix_interface.1"
    assert names.vlan_device("mix_interface", 1111).startswith("mix_")
    assert len(names.vlan_device("mix_interface", 1111)) == 15
    assert names.vlan_device("eth0", 4094) == "eth0.4094"


def test_namespaces_tell_what_they_are() -> None:
    assert names.namespace_kind(names.dhcp_namespace(NETWORK)) == ("qdhcp", NETWORK)
    assert names.namespace_kind(names.router_namespace(PORT)) == ("qrouter", PORT)
    assert names.namespace_kind(names.snat_namespace(PORT)) == ("snat", PORT)
    assert names.namespace_kind("rogue") == ("", "")

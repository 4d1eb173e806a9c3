import pytest

from stackdoctor.errors import ParseError
from stackdoctor.facts.addresses import HOST_ADDRESSES, Addresses, parse_json_addresses, parse_text_addresses
from stackdoctor.facts.namespaces import NETNS_LIST

ROUTER = "qrouter-f1adb446-114b-43f7-9837-0317aface683"


def test_the_text_form_says_the_same_as_the_json_form(network_sample) -> None:
    from_json = parse_json_addresses(network_sample("ip-addr-json"), "")
    assert from_json == parse_text_addresses(network_sample("ip-addr"), "")
    assert len(from_json) == 10


def test_addresses_are_found_by_device_and_by_address(recorded_node) -> None:
    found = Addresses.parse(recorded_node("healthy.controller"))
    (gateway,) = [a for a in found.on("qr-a76e7b2a-1a", ROUTER) if a.interface.version == 4]
    assert str(gateway.interface) == "10.10.0.1/24"
    assert found.holding("10.10.0.1") == (gateway,)
    assert gateway.evidence.line == "inet 10.10.0.1/24 scope global dev qr-a76e7b2a-1a"
    assert ROUTER in gateway.evidence.source
    assert any(a.ip == "192.168.199.100" for a in found.within())


def test_a_duplicate_ipv6_address_is_marked() -> None:
    row = (
        '[{"ifname":"eth0","addr_info":[{"family":"inet6","local":"2001:db8::1","prefixlen":64,"scope":"global",'
        '"tentative":true,"dadfailed":true}]}]'
    )
    text = "2: eth0: <UP> mtu 1500\n    inet6 2001:db8::1/64 scope global tentative dadfailed \n"
    (from_json,), (from_text,) = parse_json_addresses(row, ""), parse_text_addresses(text, "")
    assert from_json.flags == from_text.flags == {"tentative", "dadfailed"}


def test_a_point_to_point_address_has_a_peer() -> None:
    text = "5: ppp0: <UP> mtu 1492\n    inet 192.0.2.1 peer 192.0.2.2/32 scope global ppp0\n"
    row = (
        '[{"ifname":"ppp0","addr_info":[{"local":"192.0.2.1","address":"192.0.2.2","prefixlen":32,"scope":"global"}]}]'
    )
    (from_text,), (from_json,) = parse_text_addresses(text, ""), parse_json_addresses(row, "")
    assert (str(from_text.interface), from_text.peer) == ("192.0.2.1/32", "192.0.2.2")
    assert (from_json.interface, from_json.peer) == (from_text.interface, from_text.peer)


def test_the_label_of_an_alias_is_kept() -> None:
    (row,) = parse_text_addresses("2: eth0: <UP> mtu 1\n    inet 192.0.2.9/24 scope global secondary eth0:1\n", "")
    assert (row.label, row.flags) == ("eth0:1", {"secondary"})


@pytest.mark.parametrize(
    "printed",
    [
        '[{"ifname":"eth0","addr_info":[{"local":"300.0.0.1","prefixlen":24}]}]',
        '[{"ifname":"eth0","addr_info":[{"local":"192.0.2.1"}]}]',
        '[{"ifname":"eth0","addr_info":{}}]',
        "2: eth0: <UP> mtu 1\n    inet nonsense scope global eth0\n",
    ],
)
def test_what_is_no_address_is_refused(printed: str, answer, answered_node) -> None:
    with pytest.raises(ParseError):
        Addresses.parse(answered_node(answer(NETNS_LIST), answer(HOST_ADDRESSES, printed)))

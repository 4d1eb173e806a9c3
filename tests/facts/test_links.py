from dataclasses import replace

import pytest

from stackdoctor.errors import CouldNotCheck, ParseError
from stackdoctor.facts.links import HOST_LINKS, NETNS_LINKS, Links, parse_json_links, parse_text_links
from stackdoctor.facts.namespaces import NETNS_LIST
from stackdoctor.model import Status

ROUTER = "qrouter-f1adb446-114b-43f7-9837-0317aface683"


def test_the_text_form_says_the_same_as_the_json_form(network_sample) -> None:
    from_json = parse_json_links(network_sample("ip-link-json"), "")
    from_text = parse_text_links(network_sample("ip-link"), "")
    assert len(from_json) == len(from_text) == 10
    for one, other in zip(from_json, from_text, strict=True):
        known = {"rx": None, "tx": None, "peer_namespace": "", "peer_netnsid": None}
        assert replace(one, **known) == replace(other, **known)
    assert {link.name: link.peer_namespace for link in from_text}["tapaf0c69a5-3e"].startswith("qdhcp-8af4f28b")


def test_a_tunnel_device_is_described(network_sample) -> None:
    tunnel = parse_text_links(network_sample("ip-link-2014"), "")[3]
    assert (tunnel.vxlan.vni, tunnel.vxlan.group, tunnel.vxlan.device, tunnel.vxlan.port) == (
        65,
        "224.0.0.1",
        "eth0",
        8472,
    )


def test_text_of_2014_is_read(network_sample) -> None:
    links = {link.name: link for link in parse_text_links(network_sample("ip-link-2014"), "")}
    assert (links["eth0"].rx.dropped, links["eth0"].rx.errors, links["eth0"].tx.dropped) == (5, 1, 2)
    assert (links["eth0"].kind, links["eth0"].mac) == ("", "52:54:00:aa:bb:cc")
    vlan = links["eth0.101"]
    assert (vlan.kind, vlan.vlan, vlan.parent, vlan.master) == ("vlan", 101, "eth0", "brq152a4a85-dc")
    tap = links["tap584e904e-a1"]
    assert (tap.kind, tap.up, tap.lower_up, tap.master, tap.rx) == ("tun", True, False, "", None)
    assert (links["sit0"].parent, links["sit0"].mac) == ("", "")


def test_a_vlan_in_json_names_its_parent() -> None:
    (link,) = parse_json_links(
        '[{"ifindex":9,"link":"eth0","ifname":"eth0.101","flags":["UP","LOWER_UP"],"mtu":1500,"operstate":"UP",'
        '"linkinfo":{"info_kind":"vlan","info_data":{"protocol":"802.1Q","id":101,"flags":["REORDER_HDR"]}}}]',
        "",
    )
    assert (link.vlan, link.parent, link.peer_index, link.rx) == (101, "eth0", None, None)


def test_every_veth_of_a_network_node_finds_its_other_end(recorded_node) -> None:
    links = Links.parse(recorded_node("healthy.controller"))
    inside = links.named("qr-a76e7b2a-1a", ROUTER)
    outside = links.named("tapa76e7b2a-1a")
    assert links.peer(inside) is outside
    assert links.peer(outside) is inside
    assert outside.peer_namespace == ROUTER
    assert links.peer(links.named("eth0")) is None
    assert links.peer(links.named("brqc29dcc29-e6")) is None


def test_the_other_end_is_found_without_namespace_numbers(recorded_node) -> None:
    """The kernel gives a namespace its number when a link into it is first printed, after the list."""
    node = recorded_node("healthy.controller")
    key = ("netns.list", "")
    bare = "".join(f"{line.split()[0]}\n" for line in node.results[key].text.splitlines())
    node = replace(node, results={**node.results, key: replace(node.results[key], stdout=bare.encode())})
    links = Links.parse(node)
    assert links.named("tapa76e7b2a-1a").peer_namespace == ""
    assert links.peer(links.named("tapa76e7b2a-1a")) is links.named("qr-a76e7b2a-1a", ROUTER)


def test_the_kernels_word_decides_where_two_namespaces_have_the_same_indexes(answer, answered_node) -> None:
    """Every router's first interface has index 2, so that pairs of indexes repeat."""

    def veth(index: int, name: str, peer: int, netnsid: int) -> str:
        rest = '"flags":[],"mtu":1500,"linkinfo":{"info_kind":"veth"}'
        return f'{{"ifindex":{index},"ifname":"{name}","link_index":{peer},"link_netnsid":{netnsid},{rest}}}'

    lo = '{"ifindex":1,"ifname":"lo","flags":[],"mtu":65536}'
    node = answered_node(
        answer(NETNS_LIST, "a (id: 0)\nb (id: 1)\n"),
        answer(HOST_LINKS, f"[{lo},{veth(7, 'tap-a', 2, 0)}]"),
        answer(NETNS_LINKS, f"[{lo},{veth(2, 'qr-a', 7, 0)}]", "a"),
        answer(NETNS_LINKS, f"[{lo},{veth(2, 'eth0', 7, 5)}]", "b"),
    )
    links = Links.parse(node)
    assert links.peer(links.named("tap-a")) is links.named("qr-a", "a")
    assert links.peer(links.named("qr-a", "a")) is links.named("tap-a")
    assert links.peer(links.named("eth0", "b")) is None


def test_a_veth_pair_in_one_namespace_finds_itself() -> None:
    rows = (
        '[{"ifindex":4,"link":"qvb584e904e-a1","ifname":"qvo584e904e-a1","flags":[],"mtu":1500,'
        '"linkinfo":{"info_kind":"veth"}},'
        '{"ifindex":5,"link":"qvo584e904e-a1","ifname":"qvb584e904e-a1","flags":[],"mtu":1500,'
        '"linkinfo":{"info_kind":"veth"}}]'
    )
    pair = parse_json_links(rows, "")
    assert Links(pair).peer(pair[0]) is pair[1]


def test_a_tap_off_its_bridge_has_no_master(recorded_node) -> None:
    links = Links.parse(recorded_node("vm-tap-off-bridge.compute1"))
    tap = next(link for link in links.links if link.name.startswith("tap"))
    assert (tap.kind, tap.master, tap.up, tap.lower_up, tap.port_state) == ("tun", "", True, True, "")
    assert [link.name for link in links.ports("brq8af4f28b-a6")] == ["vxlan-994"]


def test_a_dhcp_tap_off_its_bridge_has_no_master(recorded_node) -> None:
    links = Links.parse(recorded_node("dhcp-tap-off-bridge.controller"))
    assert links.named("tapaf0c69a5-3e").master == ""
    assert links.named("tap0cded1ee-8c").master == "brq8af4f28b-a6"


def test_a_tunnel_that_was_set_down_is_down(recorded_node) -> None:
    tunnel = Links.parse(recorded_node("vxlan-down-on-compute.compute1")).named("vxlan-994")
    assert (tunnel.up, tunnel.vxlan.local, tunnel.port_state) == (False, "192.168.200.20", "disabled")


def test_a_small_underlay_mtu_shows(recorded_node) -> None:
    links = Links.parse(recorded_node("mtu-mismatch.compute1"))
    tunnel = links.named("vxlan-994")
    assert (links.named(tunnel.vxlan.device).mtu, tunnel.mtu) == (1400, 1450)


def test_evidence_is_one_line_that_says_where(recorded_node) -> None:
    shown = Links.parse(recorded_node("vxlan-down-on-compute.compute1")).named("vxlan-994").evidence
    assert shown.node == "compute1"
    assert shown.source == "ip -j -d -s link"
    assert shown.line.startswith("8: vxlan-994: <BROADCAST,MULTICAST> mtu 1450 master brq8af4f28b-a6 state DOWN vxlan")


def test_a_namespace_that_does_not_answer_is_told(answer, answered_node) -> None:
    lo = '[{"ifindex":1,"ifname":"lo","flags":[],"mtu":65536}]'
    node = answered_node(
        answer(NETNS_LIST, "a\nb\n"),
        answer(HOST_LINKS, lo),
        answer(NETNS_LINKS, lo, "a"),
        answer(NETNS_LINKS, "", "b", status=Status.TIMED_OUT),
    )
    links = Links.parse(node)
    assert [link.namespace for link in links.links] == ["", "a"]
    assert "timed-out" in links.absent["b"]


@pytest.mark.parametrize("printed", ["", "[]", "no such thing\n", "   link/ether\n", "1: lo: <UP> state UP\n"])
def test_an_answer_without_a_loopback_is_refused(printed: str, answer, answered_node) -> None:
    with pytest.raises(ParseError):
        Links.parse(answered_node(answer(NETNS_LIST, ""), answer(HOST_LINKS, printed)))


def test_a_failing_command_is_told_with_its_words(answer, answered_node) -> None:
    node = answered_node(answer(NETNS_LIST), answer(HOST_LINKS, exit=1, error="Cannot bind netlink socket"))
    with pytest.raises(CouldNotCheck, match="Cannot bind netlink socket"):
        Links.parse(node)


def test_counters_that_do_not_fit_their_heading_are_refused() -> None:
    with pytest.raises(ParseError):
        parse_text_links(
            "1: lo: <UP> mtu 1 state UP\n    link/loopback 00\n    RX: bytes packets errors\n    1 2\n", ""
        )

"""The graph of interfaces, from recorded nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stackdoctor.errors import UsageError
from stackdoctor.facts.iptables import Iptables
from stackdoctor.facts.libvirt import Domains
from stackdoctor.facts.links import Links
from stackdoctor.model import NodeResults, Status
from stackdoctor.trace.endpoints import endpoints, find
from stackdoctor.trace.wiring import FACTS, Wiring

Nodes = dict[str, NodeResults]
NETWORK = "8af4f28b-a650-4777-9df9-e50d1c68e83d"
ROUTER = "qrouter-c501d0eb-77af-42bd-970d-11e38055b813"
MAC1, MAC2 = "fa:16:3e:1c:77:97", "fa:16:3e:e6:a9:90"


@pytest.fixture
def healthy(cloud: Callable[[], Nodes], wired: Callable[[Nodes], Wiring]) -> Wiring:
    return wired(cloud())


def test_a_veth_pair_is_joined_between_the_host_and_a_namespace(healthy: Wiring) -> None:
    site = healthy.sites["controller"]
    tap = site.link("tap0cded1ee-8c")
    assert tap is not None
    inner = site.peer(tap)
    assert inner is not None
    assert (inner.name, inner.namespace) == ("qr-0cded1ee-8c", ROUTER)
    assert site.peer(inner) == tap


def test_a_bridge_has_its_ports_and_among_them_the_way_out_of_the_node(healthy: Wiring) -> None:
    site = healthy.sites["compute1"]
    assert {link.name for link in site.ports("brq8af4f28b-a6")} == {"tap30d5603c-42", "vxlan-994"}
    assert [link.name for link in site.uplinks("brq8af4f28b-a6")] == ["vxlan-994"]


def test_a_physical_interface_that_is_a_veth_of_a_nested_host_is_a_way_out_too(healthy: Wiring) -> None:
    site = healthy.sites["controller"]
    (qg,) = [end for end in endpoints(healthy) if end.owner == "external"]
    tap = site.link(qg.device)
    assert tap is not None
    assert [link.name for link in site.uplinks(tap.master)] == ["eth1"]


def test_a_tunnel_is_joined_with_its_underlay_and_with_the_other_nodes_by_its_identifier(healthy: Wiring) -> None:
    ends = {site.name: (site.tunnel_address(link), site.below(link)) for site, link in healthy.tunnel_ends(994)}
    assert {name: (address, below.name) for name, (address, below) in ends.items() if below} == {
        "controller": ("192.168.200.10", "eth2"),
        "compute1": ("192.168.200.20", "eth2"),
        "compute2": ("192.168.200.21", "eth2"),
    }
    found = healthy.tunnel_site(994, "192.168.200.21")
    assert found is not None
    assert found.name == "compute2"
    assert healthy.tunnel_site(995, "192.168.200.21") is None


def test_a_vlan_device_is_joined_with_what_is_below_it(
    cloud: Callable[[], Nodes], wired: Callable[[Nodes], Wiring], said: Callable[..., None]
) -> None:
    nodes = cloud()

    def as_vlan(rows: list[dict[str, Any]]) -> None:
        row = next(r for r in rows if r.get("ifname") == "vxlan-994")
        row.update(ifname="eth1.101", link="eth1")
        row["linkinfo"].update(info_kind="vlan", info_data={"protocol": "802.1Q", "id": 101})

    said(nodes, "compute1", "links.host", as_vlan)
    site = wired(nodes).sites["compute1"]
    (uplink,) = site.uplinks("brq8af4f28b-a6")
    below = site.below(uplink)
    assert (uplink.name, uplink.vlan, below.name if below else "") == ("eth1.101", 101, "eth1")


def test_ends_are_guests_and_the_ports_of_dhcp_servers_and_routers_with_their_networks(healthy: Wiring) -> None:
    found = {(end.owner, end.node, end.mac, end.addresses, end.network) for end in endpoints(healthy)}
    assert ("instance", "compute1", MAC1, ("10.10.0.189",), NETWORK) in found
    assert ("instance", "compute2", MAC2, ("10.10.0.167",), NETWORK) in found
    assert ("router", "controller", "fa:16:3e:97:6b:5c", ("10.10.0.1",), NETWORK) in found
    assert {owner for owner, *_ in found} == {"instance", "dhcp", "router", "external"}


@pytest.mark.parametrize(
    "name",
    [
        "vm1",
        "instance-00000006",
        "30d5603c",
        "30d5603c-42d1-4a55-9b1c-7c7b84a2a1f0",
        "tap30d5603c-42",
        "compute1:tap30d5603c-42",
        "FA:16:3E:1C:77:97",
        "10.10.0.189",
        "203.0.113.134",
    ],
)
def test_a_port_is_found_by_whatever_it_is_called(healthy: Wiring, name: str) -> None:
    assert find(healthy, name).mac == MAC1


def test_a_port_in_a_namespace_is_found_by_its_device_there(healthy: Wiring) -> None:
    assert find(healthy, "qr-0cded1ee-8c").device == "tap0cded1ee-8c"


def test_a_name_of_nobody_is_refused_with_near_ones(healthy: Wiring) -> None:
    with pytest.raises(UsageError, match=r"did you mean.*vm1"):
        find(healthy, "vm3")


def test_a_name_of_several_is_refused_with_all_of_them(
    cloud: Callable[[], Nodes], wired: Callable[[Nodes], Wiring]
) -> None:
    nodes = cloud()
    key = ("libvirt.dumpxml", "instance-00000007")
    result = nodes["compute2"].results[key]
    twin = replace(result, stdout=result.stdout.replace(b"<nova:name>vm2<", b"<nova:name>vm1<"))
    nodes["compute2"] = replace(nodes["compute2"], results={**nodes["compute2"].results, key: twin})
    with pytest.raises(UsageError, match=r"names 2 ports: tap30d5603c-42 on compute1.*tap2a890d5f-e4 on compute2"):
        find(wired(nodes), "vm1")


def test_a_guest_on_a_node_that_was_not_looked_at_is_known_by_its_dhcp_server(
    cloud: Callable[[], Nodes], wired: Callable[[Nodes], Wiring]
) -> None:
    nodes = cloud()
    del nodes["compute1"]
    end = find(wired(nodes), "10.10.0.189")
    assert (end.node, end.mac, end.network) == ("", MAC1, NETWORK)


def test_an_unknown_name_is_said_with_the_nodes_that_were_not_looked_at(
    cloud: Callable[[], Nodes], wired: Callable[[Nodes], Wiring]
) -> None:
    nodes = cloud()
    nodes["compute1"] = NodeResults(nodes["compute1"].node, failure="no answer from compute1")
    with pytest.raises(UsageError, match=r"compute1 was not looked at \(no answer from compute1\)"):
        find(wired(nodes), "vm1")


def test_a_fact_that_could_not_be_read_says_why_and_one_that_cannot_be_there_too(healthy: Wiring) -> None:
    controller = healthy.sites["controller"]
    assert controller.fact(Links) is not None
    assert controller.why_not(Links) == ""
    assert controller.fact(Iptables) is not None
    broken = Wiring.of([NodeResults(controller.results.node, failure="no route")]).sites["controller"]
    assert (broken.fact(Domains), broken.why_not(Domains), broken.could_have(Domains)) == (None, "no route", True)


def test_every_command_that_a_path_needs_is_among_the_listed_ones() -> None:
    from stackdoctor.diagnose.knowledge import Knowledge

    plan = Knowledge((), (), ()).plan(since=60.0, seconds=10.0, facts=FACTS)
    asked = {probe.id for probe in plan.probes}
    assert {probe.id for fact in FACTS for probe in fact.probes} <= asked
    assert plan.logs is None


def test_a_namespace_that_vanished_is_closed_and_takes_nothing_from_the_others(
    cloud: Callable[[], Nodes], wired: Callable[[Nodes], Wiring]
) -> None:
    nodes = cloud()
    namespace = f"qdhcp-{NETWORK}"
    results = dict(nodes["controller"].results)
    gone = results["links.netns", namespace]
    results["links.netns", namespace] = replace(
        gone, status=Status.RAN, exit=1, stdout=b"", stderr=b'Cannot open network namespace "qdhcp": No such file\n'
    )
    nodes["controller"] = replace(nodes["controller"], results=results)
    site = wired(nodes).sites["controller"]
    assert "No such file" in site.unseen(namespace)
    assert site.unseen(ROUTER) == ""
    assert list(site.closed) == [namespace]


def test_a_pair_into_a_namespace_is_no_way_out_whatever_it_is_called(
    cloud: Callable[[], Nodes], wired: Callable[[Nodes], Wiring], said: Callable[..., None]
) -> None:
    nodes = cloud()

    def renamed(rows: list[dict[str, Any]]) -> None:
        next(r for r in rows if r.get("ifname") == "tapaf0c69a5-3e")["ifname"] = "to-dhcp"

    said(nodes, "controller", "links.host", renamed)
    assert [link.name for link in wired(nodes).sites["controller"].uplinks("brq8af4f28b-a6")] == ["vxlan-994"]


def test_a_ports_tap_is_no_way_out_even_where_its_namespace_is_not_known(
    cloud: Callable[[], Nodes], wired: Callable[[Nodes], Wiring]
) -> None:
    nodes = cloud()
    results = {key: result for key, result in nodes["controller"].results.items() if key[0] != "netns.list"}
    nodes["controller"] = replace(nodes["controller"], results=results)
    assert [link.name for link in wired(nodes).sites["controller"].uplinks("brq8af4f28b-a6")] == ["vxlan-994"]

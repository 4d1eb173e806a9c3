import pytest

from stackdoctor.errors import ParseError
from stackdoctor.facts.namespaces import NETNS_LIST
from stackdoctor.facts.routes import HOST_ROUTES, Routes, parse_json_routes, parse_text_routes

ROUTER = "qrouter-f1adb446-114b-43f7-9837-0317aface683"


def test_the_text_form_says_the_same_as_the_json_form(network_sample) -> None:
    from_json = parse_json_routes(network_sample("ip-route-json"), "")
    assert from_json == parse_text_routes(network_sample("ip-route"), "")
    assert len(from_json) == 27


def test_a_router_has_its_default_route(recorded_node) -> None:
    routes = Routes.parse(recorded_node("healthy.controller"))
    default = routes.default(ROUTER)
    assert (default.gateway, default.device) == ("203.0.113.1", "qg-e20a775d-5f")
    assert default.evidence.line == "default via 203.0.113.1 dev qg-e20a775d-5f proto static"
    assert routes.default(ROUTER, version=6) is None


def test_a_router_that_lost_its_default_route_has_none(recorded_node) -> None:
    routes = Routes.parse(recorded_node("qrouter-gateway-missing.controller"))
    (router,) = {r.namespace for r in routes.routes if r.namespace.startswith("qrouter-")}
    assert routes.default(router) is None
    assert len(routes.within(router)) == 2
    assert routes.default() is not None


def test_the_longest_prefix_wins_then_the_lowest_metric() -> None:
    text = (
        "default via 192.0.2.1 dev eth0 metric 100\ndefault via 192.0.2.2 dev eth1 metric 50\n"
        "198.51.100.0/24 dev eth2 scope link\nblackhole 198.51.100.128/25\n"
        "203.0.113.0/24 via 192.0.2.3 dev eth0 table 16\n"
    )
    routes = Routes(parse_text_routes(text, ""))
    assert routes.best("198.51.100.9").device == "eth2"
    assert routes.best("198.51.100.200").kind == "blackhole"
    assert routes.best("203.0.113.9").gateway == "192.0.2.2"
    assert routes.best("203.0.113.9", table="16").gateway == "192.0.2.3"
    assert routes.best("2001:db8::1") is None
    with pytest.raises(ValueError, match="does not appear"):
        routes.best("nonsense")


def test_the_family_of_a_default_route_is_found_out() -> None:
    text = (
        "default dev ppp0 scope link metric 100\ndefault via fe80::1 dev eth0 proto ra metric 1024\n"
        "unreachable default dev lo proto kernel metric 4294967295 error -101 pref medium\n"
        "default via inet6 fe80::2 dev eth0\n"
    )
    four, six, none, mixed = parse_text_routes(text, "")
    assert [r.destination.version for r in (four, six, none)] == [4, 6, 6]
    assert mixed.gateway == "fe80::2"
    rows = parse_json_routes(
        '[{"dst":"default","dev":"tun0","scope":"link","flags":[]},{"dst":"default","dev":"e","pref":"medium","flags":[]}]',
        "",
    )
    assert [r.destination.version for r in rows] == [4, 6]


def test_a_multipath_route_has_its_ways_in_both_forms() -> None:
    text = "default proto static metric 100 \n"
    text += "\tnexthop via 192.0.2.1 dev eth0 weight 1 \n\tnexthop via 192.0.2.2 dev eth1 weight 2 linkdown\n"
    row = (
        '[{"dst":"default","protocol":"static","metric":100,"flags":[],"nexthops":['
        '{"gateway":"192.0.2.1","dev":"eth0","weight":1,"flags":[]},{"gateway":"192.0.2.2","dev":"eth1","weight":2,"flags":["linkdown"]}]}]'
    )
    (from_text,), (from_json,) = parse_text_routes(text, ""), parse_json_routes(row, "")
    assert from_text.nexthops == from_json.nexthops
    assert [(hop.gateway, hop.device, hop.weight) for hop in from_text.nexthops] == [
        ("192.0.2.1", "eth0", 1),
        ("192.0.2.2", "eth1", 2),
    ]
    assert (from_text.gateway, from_text.device, from_text.flags) == ("", "", frozenset())


def test_a_dead_route_is_marked() -> None:
    (row,) = parse_text_routes("10.10.0.0/24 dev eth0 proto kernel scope link src 10.10.0.2 linkdown\n", "")
    assert row.flags == {"linkdown"}


def test_routes_of_2014_are_read() -> None:
    old = "local ::1 via :: dev lo  table local  proto none  metric 0 \n"
    old += "local 127.0.0.1 dev lo  table local  proto kernel  scope host  src 127.0.0.1 \n"
    rows = parse_text_routes(old, "")
    assert [(r.kind, str(r.destination), r.table) for r in rows] == [
        ("local", "::1/128", "local"),
        ("local", "127.0.0.1/32", "local"),
    ]


@pytest.mark.parametrize(
    "printed", ["nonsense dev eth0", "unicast", '[{"dst":"x"}]', '[{"dst":"default","flags":1}]', "{}"]
)
def test_what_is_no_route_is_refused(printed: str, answer, answered_node) -> None:
    with pytest.raises(ParseError):
        Routes.parse(answered_node(answer(NETNS_LIST), answer(HOST_ROUTES, printed)))

from dataclasses import replace

import pytest

from stackdoctor.errors import ParseError
from stackdoctor.facts.namespaces import NETNS_LIST
from stackdoctor.facts.neighbours import (
    HOST_NEIGHBOURS,
    Neighbours,
    NeighbourTable,
    parse_json_neighbours,
    parse_text_neighbours,
)


def test_the_text_form_says_the_same_as_the_json_form(network_sample) -> None:
    from_json = parse_json_neighbours(network_sample("ip-neigh-json"), "")
    from_text = parse_text_neighbours(network_sample("ip-neigh"), "")
    assert [replace(n, state="") for n in from_json] == [replace(n, state="", idle=None) for n in from_text]
    assert {n.state for n in from_text} <= {"REACHABLE", "DELAY"}


def test_a_rogue_station_shows_in_the_routers_table(recorded_node) -> None:
    found = Neighbours.parse(recorded_node("duplicate-ip.controller"))
    router = {n.namespace for n in found.neighbours if n.namespace.startswith("qrouter-")}.pop()
    rogue = [n for n in found.neighbours if n.mac == "02:00:00:00:66:66"]
    assert {n.namespace for n in rogue} >= {router}
    assert rogue[0].evidence.line.startswith(f"{rogue[0].address} dev {rogue[0].device} lladdr 02:00:00:00:66:66")
    assert found.of(rogue[0].address, router) == (rogue[0],)


def test_an_answer_that_never_came_has_no_station() -> None:
    rows = parse_text_neighbours(
        "10.10.0.9 dev qr-1  FAILED\n10.10.0.8 dev qr-1  INCOMPLETE\nfe80::1 dev eth0 router STALE\n", ""
    )
    assert [(n.mac, n.state, n.router) for n in rows] == [
        ("", "FAILED", False),
        ("", "INCOMPLETE", False),
        ("", "STALE", True),
    ]
    (row,) = parse_json_neighbours('[{"dst":"10.10.0.9","dev":"qr-1","state":["FAILED"]}]', "")
    assert (row.mac, row.state) == ("", "FAILED")


def test_when_a_failure_was_last_wanted_is_told_by_both_forms() -> None:
    # iproute2 6.1.0, in a namespace where nobody answers
    (text,) = parse_text_neighbours("192.0.2.7 dev v0  used 6/66/3probes 6 FAILED \n", "")
    (row,) = parse_json_neighbours(
        '[{"dst":"192.0.2.7","dev":"v0","used":6,"confirmed":66,"updated":3,"probes":6,"state":["FAILED"]}]', ""
    )
    assert text == row
    assert (row.idle, row.state, row.line) == (6, "FAILED", "192.0.2.7 dev v0 wanted 6 s ago FAILED")


def test_an_empty_table_is_a_value(answer, answered_node) -> None:
    for nothing in ("", "[]", "[ ]\n"):
        assert Neighbours.parse(answered_node(answer(NETNS_LIST), answer(HOST_NEIGHBOURS, nothing))).neighbours == ()


@pytest.mark.parametrize(
    "printed", ["nonsense", "x dev eth0 STALE", '[{"dst":"x","dev":"e"}]', '[{"dst":"::1","state":1}]']
)
def test_what_is_no_neighbour_is_refused(printed: str, answer, answered_node) -> None:
    with pytest.raises(ParseError):
        Neighbours.parse(answered_node(answer(NETNS_LIST), answer(HOST_NEIGHBOURS, printed)))


def test_the_table_of_all_namespaces_is_counted_by_the_kernel(answered_node, answer) -> None:
    # Linux 6.1, /proc/net/stat/arp_cache: one row for each CPU, the same number of entries in all
    stat = "entries  allocs   destroys hash_grows\n" + 2 * "00000036 00000182 00000142 00000001\n"
    table, limit = NeighbourTable.probes
    found = NeighbourTable.parse(answered_node(answer(table, stat), answer(limit, "1024\n")))
    assert (found.entries, found.limit) == (54, 1024)


@pytest.mark.parametrize(("stat", "most"), [("", "1024"), ("entries\nzz\n", "1024"), ("entries\n36\n", "none")])
def test_what_is_no_table_is_an_error(answered_node, answer, stat: str, most: str) -> None:
    table, limit = NeighbourTable.probes
    with pytest.raises(ParseError):
        NeighbourTable.parse(answered_node(answer(table, stat), answer(limit, most)))

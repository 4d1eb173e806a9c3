"""Huge pages (files of Linux) and virtual functions (lines as iproute2 ip/ipaddress.c prints them)."""

from __future__ import annotations

import json

import pytest

from stackdoctor.errors import NotApplicable, ParseError
from stackdoctor.facts.hugepages import HUGEPAGES, HugePages
from stackdoctor.facts.links import HOST_LINKS
from stackdoctor.facts.sriov import SRIOV, Sriov
from stackdoctor.model import Node, NodeResults, Result, Status

POOL = "/sys/devices/system/node/node{}/hugepages/hugepages-{}kB/{}_hugepages"
CARD = "/sys/class/net/{}/device/sriov_{}"
TEXT = """\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN mode DEFAULT group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00 promiscuity 0
4: enp5s0f0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP mode DEFAULT group default qlen 1000
    link/ether 3c:fd:fe:00:00:01 brd ff:ff:ff:ff:ff:ff promiscuity 0
    vf 0     link/ether fa:16:3e:1c:77:97 brd ff:ff:ff:ff:ff:ff, vlan 101, spoof checking on, link-state auto, trust off
    vf 1 MAC fa:16:3e:2a:5c:02, spoof checking off, link-state disable, trust on
"""


def pages(*files: tuple[int, int, str, str]) -> NodeResults:
    results = {}
    for numa, size, name, content in files:
        path = POOL.format(numa, size, name)
        results[HUGEPAGES.id, path] = Result(HUGEPAGES.id, path, path, stdout=content.encode())
    return NodeResults(Node("n"), results)


def test_pools_are_read_by_numa_node_and_size() -> None:
    found = HugePages.parse(
        pages(
            (0, 2048, "nr", "512\n"), (0, 2048, "free", "12\n"), (1, 1048576, "nr", "8\n"), (1, 1048576, "free", "0\n")
        )
    )
    assert [(p.node, p.named, p.total, p.free) for p in found.reserved] == [(0, "2 MiB", 512, 12), (1, "1 GiB", 8, 0)]
    assert found.pools[1].evidence.line == "node1 hugepages-1048576kB: nr_hugepages 8, free_hugepages 0"


def test_half_a_pool_is_refused_and_no_pool_is_nothing_to_look_at() -> None:
    with pytest.raises(ParseError):
        HugePages.parse(pages((0, 2048, "nr", "512\n")))
    with pytest.raises(ParseError):
        HugePages.parse(pages((0, 2048, "nr", "many\n")))
    missing = Result(HUGEPAGES.id, "x", status=Status.MISSING, exit=None)
    with pytest.raises(NotApplicable):
        HugePages.parse(NodeResults(Node("n"), {(HUGEPAGES.id, ""): missing}))


def card(links: str, made: str, total: str) -> NodeResults:
    results = {(HOST_LINKS.id, ""): Result(HOST_LINKS.id, "ip -d -s link", stdout=links.encode())}
    for name, content in (("numvfs", made), ("totalvfs", total)):
        path = CARD.format("enp5s0f0", name)
        results[SRIOV.id, path] = Result(SRIOV.id, path, path, stdout=content.encode())
    return NodeResults(Node("n"), results)


def as_json() -> str:
    functions = [
        {"vf": 0, "address": "fa:16:3e:1c:77:97", "vlan_list": [{"vlan": 101}], "spoofchk": True, "link_state": "auto",
         "trust": False},
        {"vf": 1, "mac": "fa:16:3e:2a:5c:02", "spoofchk": False, "link_state": "disable", "trust": True},
    ]  # fmt: skip
    flags = ["BROADCAST", "UP", "LOWER_UP"]
    return json.dumps([{"ifname": "enp5s0f0", "flags": flags, "vfinfo_list": functions}])


@pytest.mark.parametrize("links", [TEXT, as_json()])
def test_functions_are_read_from_both_forms(links: str) -> None:
    (found,) = Sriov.parse(card(links, "2\n", "64\n")).cards
    assert (found.name, found.made, found.total, found.up, found.carrier) == ("enp5s0f0", 2, 64, True, True)
    assert [(f.number, f.mac, f.vlan, f.link, f.spoof_check, f.trust) for f in found.functions] == [
        (0, "fa:16:3e:1c:77:97", 101, "auto", True, False),
        (1, "fa:16:3e:2a:5c:02", None, "disable", False, True),
    ]


def test_a_card_that_has_no_functions_to_give_is_nothing_to_look_at() -> None:
    with pytest.raises(NotApplicable):
        Sriov.parse(card(TEXT, "0\n", "0\n"))

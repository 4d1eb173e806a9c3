"""ipset save, and who is in which set."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackdoctor.errors import CouldNotCheck, ParseError
from stackdoctor.facts.fact import Fact
from stackdoctor.facts.ipset import IpSets, Value
from stackdoctor.model import Node, NodeResults, Result

SAMPLES = Path(__file__).parent / "samples"
# As ipset 7.17 prints it.
SETS = IpSets.of(
    """\
create s1 hash:ip,port family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0x30dc419c
add s1 10.0.0.1,udp:82
add s1 10.0.0.1,tcp:80
add s1 10.0.0.1,icmp:echo-request
create ns hash:net family inet hashsize 1024 maxelem 65536 timeout 0 comment bucketsize 12 initval 0x6e764d97
add ns 10.0.0.0/8 timeout 0 comment "nomatch b"
add ns 10.1.0.0/16 timeout 0 nomatch
create bp bitmap:port range 0-100
add bp 5
create nn hash:net,iface family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0xa8063dca
add nn 10.0.0.0/8,physdev:eth0
add nn 192.0.2.0/24,eth0
create hn hash:ip family inet hashsize 1024 maxelem 65536 netmask 24 bucketsize 12 initval 0x3cd78cb0
add hn 192.0.2.0
create bm bitmap:ip,mac range 10.0.0.0-10.0.0.255
add bm 10.0.0.1
add bm 10.0.0.2,02:00:00:00:00:01
create macs hash:mac hashsize 1024 maxelem 65536
add macs FA:16:3E:1C:77:97
create six hash:net family inet6 hashsize 1024 maxelem 65536
add six 2001:db8::/32
create pair hash:net,net family inet hashsize 1024 maxelem 65536
add pair 10.0.0.0/8,192.0.2.0/24
add pair 10.1.0.0/16,192.0.2.0/24 nomatch
create ls list:set size 8
add ls ns
add ls s1
create loop list:set size 8
add loop loop
"""
)


def test_the_sets_of_a_compute_node_are_read() -> None:
    text = (SAMPLES / "ipset-save.txt").read_text()
    fact = IpSets.parse(
        NodeResults(Node("c"), {("ipset.save", ""): Result("ipset.save", "ipset save", stdout=text.encode())})
    )
    assert isinstance(fact, Fact)
    name = "NIPv4b67a1897-bd4b-47fa-8d8a-"
    assert (fact.sets[name].type, fact.sets[name].members) == ("hash:net", ("10.10.0.167", "10.10.0.189"))
    assert fact.contains(name, "10.10.0.167") is True
    assert fact.contains(name, "10.10.0.168") is False
    assert fact.contains("NIPv6b67a1897-bd4b-47fa-8d8a-", "10.10.0.167") is False


@pytest.mark.parametrize(
    ("name", "address", "answer"),
    [
        ("ns", "10.2.0.1", True),
        ("ns", "10.1.0.1", False),
        ("ns", "11.0.0.1", False),
        ("hn", "192.0.2.77", True),
        ("hn", "192.0.3.77", False),
        ("six", "2001:db8::9", True),
        ("six", "10.0.0.1", False),
        ("ls", "10.2.0.1", True),
        ("ls", "10.0.0.1", True),
        ("ls", "11.0.0.1", False),
        ("s1", "10.0.0.1", None),
        ("s1", "10.0.0.9", False),
        ("absent", "10.0.0.1", None),
        ("loop", "10.0.0.1", None),
    ],
)
def test_an_address_is_in_a_set_or_not_or_it_cannot_be_said(name: str, address: str, answer: bool | None) -> None:
    assert SETS.contains(name, address) is answer


def of(**values: Value) -> object:
    known = {k: ipaddress.ip_address(str(v)) if k in ("ip", "ip1") else v for k, v in values.items()}
    return lambda i, kind: known.get("ip1" if kind == "ip" and i else kind)


@pytest.mark.parametrize(
    ("name", "values", "answer"),
    [
        ("s1", {"ip": "10.0.0.1", "port": ("tcp", 80)}, True),
        ("s1", {"ip": "10.0.0.1", "port": ("udp", 80)}, False),
        ("s1", {"ip": "10.0.0.1", "port": ("icmp", 0)}, None),
        ("bp", {"port": ("udp", 5)}, True),
        ("bp", {"port": ("sctp", 5)}, False),
        ("nn", {"ip": "192.0.2.1", "iface": "eth0"}, True),
        ("nn", {"ip": "192.0.2.1", "iface": "eth1"}, False),
        ("nn", {"ip": "10.0.0.1", "iface": "eth0"}, None),
        ("bm", {"ip": "10.0.0.1", "mac": "02:00:00:00:00:09"}, True),
        ("bm", {"ip": "10.0.0.2", "mac": "02:00:00:00:00:09"}, False),
        ("macs", {"mac": "fa:16:3e:1c:77:97"}, True),
        ("pair", {"ip": "10.2.0.1", "ip1": "192.0.2.1"}, True),
        ("pair", {"ip": "10.1.0.1", "ip1": "192.0.2.1"}, False),
        ("pair", {"ip": "10.1.0.1"}, None),
    ],
)
def test_sets_of_several_dimensions_are_asked_in_all(name: str, values: dict[str, Value], answer: bool | None) -> None:
    assert SETS.test(name, of(**values), 3) is answer  # type: ignore[arg-type]


def test_a_set_that_is_asked_in_too_few_dimensions_holds_nothing() -> None:
    assert SETS.test("s1", of(ip="10.0.0.1", port=("tcp", 80)), 1) is False  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["add S 10.0.0.1\n", "create S\n", "-N S iphash\n", "create S nethash\n"])
def test_what_is_not_ipset_save_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        IpSets.of(text)


def test_a_member_in_an_unknown_form_leaves_the_answer_open() -> None:
    sets = IpSets.of("create S hash:net family inet\nadd S 10.0.0.0/99\n")
    assert sets.contains("S", "10.0.0.1") is None


def test_a_refusal_of_the_kernel_is_told() -> None:
    refused = Result(
        "ipset.save", "ipset save", exit=1, stderr=b"ipset v7.17: Kernel error received: Operation not permitted"
    )
    with pytest.raises(CouldNotCheck, match="Operation not permitted"):
        IpSets.parse(NodeResults(Node("c"), {("ipset.save", ""): refused}))


@given(st.integers(0, 2**32 - 1), st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 32)), max_size=8))
def test_the_longest_prefix_decides_as_in_python(address: int, nets: list[tuple[int, int]]) -> None:
    networks = {ipaddress.ip_network((n, length), strict=False): i % 2 == 0 for i, (n, length) in enumerate(nets)}
    lines = [f"add S {net}" + ("" if member else " nomatch") for net, member in networks.items()]
    sets = IpSets.of("\n".join(["create S hash:net family inet", *lines, ""]))
    holding = [net for net in networks if ipaddress.ip_address(address) in net]
    best = max(holding, key=lambda net: net.prefixlen, default=None)
    assert sets.contains("S", ipaddress.ip_address(address)) is (best is not None and networks[best])

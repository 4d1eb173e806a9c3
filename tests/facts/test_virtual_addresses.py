"""Virtual addresses from a keepalived.conf that keepalived 2.2.7 ran with, and from Pacemaker's IPaddr2 resources."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.keepalived import parse_keepalived
from stackdoctor.facts.pacemaker import PACEMAKER_STATUS
from stackdoctor.facts.virtual_addresses import CLUSTER_ADDRESSES, KEEPALIVED_CONF, VirtualAddresses
from stackdoctor.model import Status

CLUSTER = Path(__file__).parent / "samples" / "cluster"
CONF = (CLUSTER / "keepalived.conf").read_text()


def test_the_addresses_of_an_instance_are_read(answer, answered_node) -> None:
    node = answered_node(
        answer(KEEPALIVED_CONF, CONF, subject="/etc/keepalived/keepalived.conf"),
        answer(PACEMAKER_STATUS, status=Status.MISSING),
    )
    found = VirtualAddresses.parse(node)
    assert [(a.ip, a.manager, a.name, a.interface, a.priority) for a in found] == [
        ("192.0.2.100", "keepalived", "VI_1", "eth0", 102),
        ("192.0.2.110", "keepalived", "VI_1", "eth0", 102),
    ]


def test_those_of_pacemaker_are_read(answer, answered_node) -> None:
    node = answered_node(
        answer(KEEPALIVED_CONF, status=Status.MISSING),
        answer(PACEMAKER_STATUS, "<pacemaker-result/>"),
        answer(CLUSTER_ADDRESSES, (CLUSTER / "cib-healthy.xml").read_text()),
    )
    assert [(a.ip, a.manager, a.name) for a in VirtualAddresses.parse(node)] == [
        ("192.0.2.100", "pacemaker", "vip_internal"),
        ("192.0.2.101", "pacemaker", "vip_public"),
    ]


def test_one_alone_is_printed_without_a_list_around_it(answer, answered_node) -> None:
    alone = '<primitive id="vip" type="IPaddr2"><instance_attributes id="a">'
    alone += '<nvpair id="b" name="ip" value="192.0.2.9"/></instance_attributes></primitive>'
    node = answered_node(
        answer(KEEPALIVED_CONF, status=Status.MISSING),
        answer(PACEMAKER_STATUS, "<pacemaker-result/>"),
        answer(CLUSTER_ADDRESSES, alone),
    )
    assert [a.ip for a in VirtualAddresses.parse(node)] == ["192.0.2.9"]


def test_a_cluster_without_any_has_none(answer, answered_node) -> None:
    said = "Call cib_query failed: No such device or address"
    node = answered_node(
        answer(KEEPALIVED_CONF, status=Status.MISSING),
        answer(PACEMAKER_STATUS, "<pacemaker-result/>"),
        answer(CLUSTER_ADDRESSES, exit=105, error=said),
    )
    assert VirtualAddresses.parse(node).rows == ()


def test_a_node_with_neither_is_not_asked_further(answer, answered_node) -> None:
    missing = [answer(probe, status=Status.MISSING) for probe in (KEEPALIVED_CONF, PACEMAKER_STATUS)]
    with pytest.raises(NotApplicable):
        VirtualAddresses.parse(answered_node(*missing))


def test_a_file_that_may_not_be_read_is_told(answer, answered_node) -> None:
    denied = answer(KEEPALIVED_CONF, subject="/etc/keepalived/keepalived.conf", status=Status.DENIED)
    with pytest.raises(CouldNotCheck):
        VirtualAddresses.parse(answered_node(denied, answer(PACEMAKER_STATUS, status=Status.MISSING)))


def test_peers_and_excluded_addresses_count_and_comments_do_not() -> None:
    (instance,) = parse_keepalived(
        "vrrp_instance a {\n unicast_peer {\n 192.0.2.12\n }\n virtual_ipaddress_excluded {\n 2001:db8::9/64\n }\n"
        " virtual_ipaddress {\n 192.0.2.4 dev eth1 label eth1:1#one\n # 192.0.2.2\n ! 192.0.2.3\n }\n}\n"
    )
    assert (instance.peers, instance.addresses) == (("192.0.2.12",), ("2001:db8::9", "192.0.2.4"))


@pytest.mark.parametrize("text", ["vrrp_instance a {\n", "}\n", "a {" * 30])
def test_braces_that_do_not_match_are_refused(text) -> None:
    with pytest.raises(ParseError):
        parse_keepalived(text)

"""Nodes named on the command line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackdoctor.errors import UsageError
from stackdoctor.inventory.nodelist import Address, parse_address, parse_nodes


def test_names_users_ports_and_ipv6_addresses_are_understood() -> None:
    nodes = parse_nodes("a, b,user@c:2222,[2001:db8::1]:23,2001:db8::2,root@192.0.2.1")
    assert [(n.name, n.address, n.port, n.user, n.named) for n in nodes] == [
        ("a", "a", 22, "", True),
        ("b", "b", 22, "", True),
        ("c", "c", 2222, "user", True),
        ("2001:db8::1", "2001:db8::1", 23, "", False),
        ("2001:db8::2", "2001:db8::2", 22, "", False),
        ("192.0.2.1", "192.0.2.1", 22, "root", False),
    ]


def test_several_ports_of_one_host_are_several_nodes_that_await_their_names() -> None:
    nodes = parse_nodes("gate:2201,gate:2202")
    assert [(n.name, n.named) for n in nodes] == [("gate:2201", False), ("gate:2202", False)]


def test_a_user_may_contain_an_at_sign() -> None:
    assert parse_address("op@example.org@bastion") == Address("bastion", "op@example.org")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty entry"),
        ("a,,b", "number 2 of 3"),
        ("a,", "number 2 of 2"),
        ("a:", "port ''"),
        ("a:ssh", "port 'ssh'"),
        ("a:0", "port '0'"),
        ("a:65536", "port '65536'"),
        ("a:²", "port"),
        ("@a", "no user"),
        ("user@", "no host"),
        (":22", "no host"),
        ("a:b:c", "neither host:port nor an IPv6"),
        ("[::1", "IPv6 address is written"),
        ("[::1]22", "IPv6 address is written"),
        ("[a]:22", "not an IPv6 address"),
        ("a b", "cannot be the name"),
        ("-oProxyCommand=x", "cannot be the name"),
        ("a,a", "2 times"),
        ("a,a:22", "2 times"),
    ],
)
def test_what_cannot_be_a_node_is_refused_with_the_reason(text: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_nodes(text)
    assert problem in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_either_nodes_or_a_usage_error(text: str) -> None:
    try:
        nodes = parse_nodes(text)
    except UsageError:
        return
    assert len({node.name for node in nodes}) == len(nodes)

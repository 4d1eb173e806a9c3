from collections.abc import Callable
from dataclasses import replace

import pytest

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.links import Links
from stackdoctor.facts.namespaces import (
    NETNS_LIST,
    NETNS_PIDS,
    NETNS_SOCKETS,
    Listeners,
    NamespaceProcesses,
    Namespaces,
    answers,
    parse_namespaces,
)
from stackdoctor.facts.neighbours import Neighbours
from stackdoctor.facts.routes import Routes
from stackdoctor.model import NodeResults, Result, Status

DHCP = "qdhcp-c29dcc29-e6c3-4352-b243-df929c3e972b"
ROUTER = "qrouter-f1adb446-114b-43f7-9837-0317aface683"


def test_the_namespaces_of_a_network_node_are_named_by_kind(recorded_node) -> None:
    found = Namespaces.parse(recorded_node("healthy.controller"))
    assert [n.name for n in found.of_kind("qdhcp")] == [DHCP]
    assert found.named(ROUTER).object_id == "f1adb446-114b-43f7-9837-0317aface683"
    assert found.named(ROUTER).id is not None
    assert found.named("qrouter-x") is None


def test_a_node_without_namespaces_has_none() -> None:
    assert parse_namespaces("") == ()


def test_a_namespace_that_neutron_did_not_make_has_no_kind(recorded_node) -> None:
    (rogue,) = Namespaces.parse(recorded_node("duplicate-ip.compute2")).namespaces
    assert (rogue.name, rogue.kind, rogue.object_id) == ("rogue", "", "")


def test_a_stale_mount_is_no_namespace() -> None:
    assert parse_namespaces(
        "RTNETLINK answers: Invalid argument\nError: Peer netns reference is invalid.\nqdhcp-1\n"
    ) == (("qdhcp-1", None),)


def test_other_text_is_refused() -> None:
    with pytest.raises(ParseError):
        parse_namespaces("usage: ip netns list or so\n")


def test_dnsmasq_and_the_metadata_proxy_listen_in_their_namespaces(recorded_node) -> None:
    found = Listeners.parse(recorded_node("healthy.controller"))
    dhcp = [s for s in found.within(DHCP) if s.protocol == "udp" and s.port == 67]
    assert [(s.address, s.process) for s in dhcp] == [("0.0.0.0", "dnsmasq")]
    (proxy,) = found.within(ROUTER)
    assert (proxy.protocol, proxy.address, proxy.port, proxy.process) == ("tcp", "*", 9697, "haproxy")
    assert "LISTEN" in proxy.evidence.line
    scoped = [s for s in found.within(DHCP) if s.interface]
    assert {s.interface for s in scoped} == {"ns-da146156-92"}
    assert {s.address for s in scoped} >= {"fe80::a9fe:a9fe"}


def test_a_dead_dnsmasq_leaves_its_namespace_silent(recorded_node) -> None:
    found = Listeners.parse(recorded_node("dnsmasq-killed.controller"))
    assert found.absent == {}
    assert [s.port for s in found.listeners] == [9697]


def test_sockets_of_an_old_ss_are_read(answer, answered_node) -> None:
    old = (
        "Netid  State      Recv-Q Send-Q     Local Address:Port       Peer Address:Port \n"
        'udp    UNCONN     0      0                      *:67                    *:*      users:(("dnsmasq",3690,4))\n'
        "tcp    LISTEN     0      5                    ::1:53                   :::*      \n"
        'tcp    LISTEN     0      5      fe80::1%ns-af0c69a5-3e:53              :::*     users:(("dnsmasq",3690,9))\n'
    )
    node = answered_node(answer(NETNS_LIST, "qdhcp-1\n"), answer(NETNS_SOCKETS, old, "qdhcp-1"))
    found = Listeners.parse(node).listeners
    assert [(s.address, s.port, s.interface, s.process, s.pid) for s in found] == [
        ("*", 67, "", "dnsmasq", 3690),
        ("::1", 53, "", "", None),
        ("fe80::1", 53, "ns-af0c69a5-3e", "dnsmasq", 3690),
    ]


def test_a_table_with_other_columns_is_refused(answer, answered_node) -> None:
    node = answered_node(answer(NETNS_LIST, "a\n"), answer(NETNS_SOCKETS, "State Recv-Q Send-Q\nLISTEN 0 1\n", "a"))
    with pytest.raises(ParseError):
        Listeners.parse(node)


def test_processes_are_listed_by_namespace(recorded_node) -> None:
    found = NamespaceProcesses.parse(recorded_node("healthy.controller"))
    assert set(found.pids) == {DHCP, ROUTER}
    assert all(len(pids) == 1 for pids in found.pids.values())


def test_one_namespace_that_cannot_be_entered_takes_nothing_from_the_others(answer, answered_node) -> None:
    broken = 'setting the network namespace "b" failed: Invalid argument'
    node = answered_node(
        answer(NETNS_LIST, "a (id: 0)\nb\nc\n"),
        answer(NETNS_PIDS, "17\n18\n", "a"),
        answer(NETNS_PIDS, "", "b", exit=255, error=broken),
    )
    found = NamespaceProcesses.parse(node)
    assert found.pids == {"a": (17, 18)}
    assert broken in found.absent["b"]
    assert found.absent["c"] == "not asked"


def test_namespaces_that_nobody_could_enter_are_not_a_silent_node(answer, answered_node) -> None:
    node = answered_node(answer(NETNS_LIST, "a\n"), answer(NETNS_PIDS, "", "a", status=Status.DENIED))
    with pytest.raises(CouldNotCheck, match="denied"):
        NamespaceProcesses.parse(node)


def test_a_node_without_iproute2_has_no_such_fact(answer, answered_node) -> None:
    with pytest.raises(NotApplicable):
        Namespaces.parse(answered_node(answer(NETNS_LIST, status=Status.MISSING)))


def test_a_host_whose_namespaces_cannot_be_listed_still_answers_for_itself(answer, answered_node) -> None:
    node = answered_node(answer(NETNS_LIST, exit=1, error="permission"), answer(NETNS_PIDS, "1\n"))
    read = answers(node, NETNS_SOCKETS, NETNS_PIDS)
    assert [name for name, _, _ in read.said] == [""]
    assert "permission" in read.absent["*"]


@pytest.mark.parametrize("fact", [Links, Addresses, Routes, Neighbours, Listeners], ids=lambda f: f.__name__)
def test_a_namespace_that_went_away_before_it_was_entered_is_said_and_the_others_are_read(
    recorded_node: Callable[[str], NodeResults], fact: type
) -> None:
    node = recorded_node("healthy.controller")
    gone = next(name for _, name in node.results if name.startswith("qdhcp-"))
    inside = next(p.id for p in fact.probes if p.each is not None)
    said = f'Cannot open network namespace "{gone}": No such file or directory\n'.encode()
    results = {**node.results, (inside, gone): Result(inside, f"ip netns exec {gone}", gone, exit=1, stderr=said)}
    whole, rest = fact.parse(node), fact.parse(replace(node, results=results))
    assert whole.gaps == ()
    ((glob, why),) = rest.gaps
    assert glob == "dhcp.*"
    assert gone in why
    assert "No such file or directory" in why

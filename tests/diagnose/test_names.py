"""A node has one name, whatever logs, queues and sockets call it."""

from __future__ import annotations

from dataclasses import replace

from stackdoctor.diagnose.names import NodeNames, known_of, name_the_silent
from stackdoctor.facts.addresses import HOST_ADDRESSES
from stackdoctor.facts.host import HostsFile
from stackdoctor.model import Node, NodeResults, Probe, Result

HOSTS = "127.0.0.1 localhost\n192.0.2.10 ctl.example.com ctl\n192.0.2.21 compute2.example.com compute2\n"
ADDRESSES = (
    '[{"ifindex":2,"ifname":"eth0","flags":["UP"],"mtu":1500,"operstate":"UP","addr_info":'
    '[{"family":"inet","local":"%s","prefixlen":24,"scope":"global"},'
    '{"family":"inet","local":"192.0.2.100","prefixlen":32,"scope":"global"}]}]'
)


def answered(name: str, address: str, *, named: bool = True) -> NodeResults:
    answers: list[tuple[Probe, str]] = [(HostsFile.probes[0], HOSTS), (HOST_ADDRESSES, ADDRESSES % address)]
    results = {(p.id, ""): Result(p.id, p.id, stdout=text.encode()) for p, text in answers}
    return NodeResults(Node(name, address, named=named), results, hostname=f"{name}.example.com")


def named(nodes: list[NodeResults]) -> NodeNames:
    return NodeNames.of(map(known_of, nodes))


SILENT = NodeResults(Node("192.0.2.21", "192.0.2.21", named=False), failure="no answer from 192.0.2.21")


def test_host_names_addresses_and_hosts_entries_lead_to_the_node() -> None:
    names = named([answered("controller", "192.0.2.10")])
    for alias in ("controller", "Controller.example.com", "192.0.2.10", "192.0.2.100", "ctl.example.com", "ctl"):
        assert names.name(alias) == "controller"
    assert names.name("192.0.2.99") == "192.0.2.99"


def test_an_address_that_two_nodes_have_names_neither() -> None:
    names = named([answered("a", "192.0.2.10"), answered("b", "192.0.2.11")])
    assert names.name("192.0.2.100") == "192.0.2.100"
    assert names.name("192.0.2.10") == "a"


def test_only_keys_that_name_hosts_are_renamed() -> None:
    names = named([answered("controller", "192.0.2.10")])
    assert names.canonical({"host": "ctl", "topic": "ctl"}) == {"host": "controller", "topic": "ctl"}


def test_a_node_that_does_not_answer_is_called_as_the_others_call_it() -> None:
    answers = [answered("ctl", "192.0.2.10"), SILENT]
    nodes = name_the_silent(map(known_of, answers))
    assert [node.name for node in nodes] == ["ctl", "compute2"]
    called = [replace(results, node=node) for results, node in zip(answers, nodes, strict=True)]
    assert named(called).name("compute2.example.com") == "compute2"


def test_a_given_name_is_kept() -> None:
    given = NodeResults(Node("mine", "192.0.2.21"), failure="no answer")
    assert name_the_silent(map(known_of, [answered("ctl", "192.0.2.10"), given]))[1].name == "mine"


def test_the_host_in_a_brokers_or_a_back_ends_name_is_the_node() -> None:
    names = named([answered("controller", "192.0.2.10")])
    assert names.name("rabbit@controller") == "controller"
    assert names.name("controller@lvm") == "controller"
    assert names.name("rabbit@elsewhere") == "rabbit@elsewhere"


def test_a_name_with_a_domain_is_the_node_of_its_first_part_unless_that_has_another_domain() -> None:
    plain = named([NodeResults(Node("compute1", "192.0.2.21"))])
    assert plain.name("compute1.example.com") == "compute1"
    with_domain = named([NodeResults(Node("compute1.example.com", "192.0.2.21"))])
    assert with_domain.name("compute1.example.net") == "compute1.example.net"
    assert plain.name("192.0.2.99") == "192.0.2.99"

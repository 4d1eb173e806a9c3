"""What sets one of several nodes apart, on recorded real clouds with two computes, and with a third made of one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stackdoctor.diagnose.peers import PeerTrait, compare_peers, neutral
from stackdoctor.errors import UsageError
from stackdoctor.model import NodeResults, Result
from stackdoctor.snapshot.read import read_snapshot

FIXTURES = Path(__file__).parents[2] / "fixtures"


def recorded(case: str) -> tuple[NodeResults, ...]:
    return read_snapshot(FIXTURES / case / "snapshot.tar.gz").nodes


def differences(nodes: tuple[NodeResults, ...], wanted: str = "") -> tuple[PeerTrait, ...]:
    (group,) = compare_peers(nodes, wanted)
    return group.differences


@pytest.mark.parametrize("case", ["healthy", "healthy-busy", "healthy-after-restart", "benign-backlog-drains"])
def test_healthy_siblings_are_set_alike_but_for_what_is_their_own(case: str) -> None:
    (group,) = compare_peers(recorded(case))
    assert (group.roles, group.nodes, group.differences, group.not_compared) == (
        *("compute", ("compute1", "compute2")),
        *((), ()),
    )


@pytest.mark.parametrize(
    ("case", "kind", "name", "line"),
    [
        ("mtu-mismatch", "interface", "eth2", "mtu 1400"),
        ("compute-agent-hung", "process", "nova-compute", "stopped by a signal"),
        ("vxlan-down-on-compute", "interface", "vxlan-{id}", "down"),
        ("rabbitmq-blocked-from-compute1", "chain", "iptables filter OUTPUT", "-p tcp -m tcp --dport 5672 -j DROP"),
        (
            *("sg-dhcp-reply-dropped", "chain", "iptables filter neutron-linuxbri-i{id}"),
            "-p udp -m udp --sport 67 --dport 68 -j DROP",
        ),
    ],
)
def test_a_fault_of_one_of_two_computes_is_the_one_difference(case: str, kind: str, name: str, line: str) -> None:
    (found,) = differences(recorded(case))
    assert (found.kind, found.name, found.usual) == (kind, name, None)
    assert line in (found.lines["compute1"] or ())
    assert line not in (found.lines["compute2"] or ())


def test_what_a_node_lacks_is_seen_as_well() -> None:
    (found,) = differences(recorded("security-group-chain-missing"))
    assert found.name == "iptables filter neutron-linuxbri-sg-chain"
    assert len(found.lines["compute2"] or ()) == len(found.lines["compute1"] or ()) + 1
    (found,) = differences(recorded("vm-tap-off-bridge"))
    assert (found.name, found.lines["compute2"]) == ("tap{id}", ("mtu 1450", "up", "on brq{id}"))


def third(nodes: tuple[NodeResults, ...]) -> tuple[NodeResults, ...]:
    """Another sibling, which has what compute2 has under a name of its own."""
    (two,) = [n for n in nodes if n.node.name == "compute2"]

    def renamed(result: Result) -> Result:
        if result.probe == "host.hosts":
            return result
        return replace(result, stdout=result.stdout.replace(b"compute2", b"compute3"))

    results = {key: renamed(result) for key, result in two.results.items()}
    return (*nodes, replace(two, node=replace(two.node, name="compute3"), hostname="compute3", results=results))


def test_of_three_the_majority_is_usual_and_the_other_is_odd() -> None:
    nodes = third(recorded("mtu-mismatch"))
    (found,) = differences(nodes)
    assert (found.odd, "mtu 1600" in (found.usual or ())) == (("compute1",), True)
    assert differences(nodes, "compute1") == (found,)
    assert differences(nodes, "compute3") == ()
    assert differences(nodes, "compute") == (found,)


def test_another_broker_in_the_configuration_is_a_difference_and_the_own_address_is_none() -> None:
    def moved(result: Result) -> Result:
        if result.probe != "services.config":
            return result
        return replace(result, stdout=result.stdout.replace(b"@192.168.199.10:5672", b"@192.168.199.77:5672"))

    nodes = tuple(
        replace(n, results={k: moved(r) for k, r in n.results.items()}) if n.node.name == "compute1" else n
        for n in recorded("healthy")
    )
    found = differences(nodes)
    assert {d.kind for d in found} == {"configuration"}
    assert {d.name.partition("]")[2].strip() for d in found} == {"transport_url"}


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("storage", "has no sibling of its role"),
        ("network", "controller is the only node of the role network"),
        ("copmute", "did you mean compute"),
        ("zzz", "there are broker, compute"),
    ],
)
def test_nobody_to_compare_with_is_said(wanted: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        compare_peers(recorded("healthy"), wanted)


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        (
            '-m comment --comment "Set zone for 12c9d12-a3" -j CT --zone 4097',
            '-m comment --comment "Set zone for {id}" -j CT --zone {id}',
        ),
        ("qdhcp-c29dcc29-e6c3-4352-b243-df929c3e972b", "qdhcp-{id}"),
        ("NIPv4b4c906cb-ac84-4651-b253- src", "NIPv4{id} src"),
        ("neutron-linuxbri-s712c9d12-a", "neutron-linuxbri-s{id}"),
        ("fa:16:3e:2e:02:e7", "{mac}"),
        ("dead-beef 1500 eth2", "dead-beef 1500 eth2"),
        ("python3-nova 3:26.1.0-4", "python3-nova 3:26.1.0-4"),
    ],
)
def test_ids_stand_for_what_they_are_and_words_for_themselves(text: str, bare: str) -> None:
    assert neutral(text) == bare

"""One instance as it is named, and what is broken elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackdoctor.errors import UsageError
from stackdoctor.model import NodeResults
from stackdoctor.snapshot.read import read_snapshot
from stackdoctor.trace.guest import guest_at, guest_named

FIXTURE = Path(__file__).parents[2] / "fixtures" / "dnsmasq-killed" / "snapshot.tar.gz"
VM1 = "0505d6dc-5650-4848-9bae-9cb19f60cb29"
NETWORK = "c29dcc29-e6c3-4352-b243-df929c3e972b"


@pytest.fixture(scope="module")
def nodes() -> tuple[NodeResults, ...]:
    return tuple(read_snapshot(FIXTURE).nodes)


@pytest.mark.parametrize(
    "what", ["vm1", VM1, "0505d6dc", "instance-00000001", "10.10.0.28", "fa:16:3e:2e:02:E7", "tap712c9d12-a3"]
)
def test_an_instance_is_known_by_all_of_its_names(nodes: tuple[NodeResults, ...], what: str) -> None:
    guest = guest_named(what, nodes)
    assert (guest.id, guest.name, guest.state) == (VM1, "vm1", "running")


def test_a_name_that_no_node_knows_is_refused_with_the_near_ones(nodes: tuple[NodeResults, ...]) -> None:
    with pytest.raises(UsageError, match="Did you mean vm"):
        guest_named("vm7", nodes)


def test_a_whole_id_without_a_domain_is_an_instance_that_is_absent(nodes: tuple[NodeResults, ...]) -> None:
    guest = guest_named("82185d16-105b-4286-bff4-2776ac8cecd8", nodes)
    assert (guest.state, guest.cards, guest.apart) == ("absent", (), frozenset())


def test_what_fills_in_the_commands_about_it(nodes: tuple[NodeResults, ...]) -> None:
    values = guest_named("vm1", nodes).values
    assert values["guest"] == "vm1"
    assert (values["ip"], values["host"], values["network"], values["peer"]) == (
        "10.10.0.28",
        "compute1",
        NETWORK,
        "vm2",
    )


@pytest.mark.parametrize(
    ("where", "may"),
    [
        ({"node": "controller", "network": NETWORK}, True),
        ({"node": "controller", "network": NETWORK[:11]}, True),
        ({"node": "controller", "network": "11111111-e6"}, False),
        ({"node": "compute1", "device": "tap712c9d12-a3"}, True),
        ({"node": "compute1", "device": "tap3784735a-05"}, False),
        ({"node": "compute1", "device": "vxlan-822"}, True),
        ({"node": "compute2", "service": "neutron-linuxbridge-agent"}, False),
        ({"node": "controller", "ip": "10.10.0.128"}, False),
        ({"node": "controller", "instance": "82185d16-105b-4286-bff4-2776ac8cecd8"}, False),
        ({}, True),
    ],
)
def test_what_is_broken_may_hit_it_unless_it_is_anothers(
    nodes: tuple[NodeResults, ...], where: dict[str, str], may: bool
) -> None:
    assert guest_named("vm1", nodes).may_be_hit_by(where) is may


def test_the_place_of_a_cause_leads_to_the_instance_there(nodes: tuple[NodeResults, ...]) -> None:
    at = guest_at({"node": "compute2", "device": "tap3784735a-05"}, nodes)
    assert at is not None
    assert at.name == "vm2"
    assert guest_at({"node": "controller", "network": NETWORK}, nodes) is not None
    assert guest_at({"node": "controller"}, nodes) is None

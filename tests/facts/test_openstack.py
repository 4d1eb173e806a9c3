"""What a Zed cloud's APIs answered, as facts; and answers that are none."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.openstack_answers import chosen
from stackdoctor.facts.openstack_endpoints import ApiLogin, Endpoints
from stackdoctor.facts.openstack_network import Hosting, Networks, Ports, Routers
from stackdoctor.facts.openstack_placement import ResourceProviders
from stackdoctor.facts.openstack_quotas import Quotas
from stackdoctor.facts.openstack_servers import Hypervisors, Servers
from stackdoctor.facts.openstack_services import ComputeServices, NetworkAgents, VolumeServices
from stackdoctor.facts.openstack_volumes import VolumeAttachments, Volumes
from stackdoctor.model import Cloud, Node, NodeResults, Result, Status

SAMPLE = Path(__file__).parent / "samples" / "openstack" / "zed.json"
FACTS: tuple[Any, ...] = (
    *(ApiLogin, ComputeServices, Endpoints, Hosting, Hypervisors, NetworkAgents, Networks, Ports),
    *(Quotas, ResourceProviders, Routers, Servers, VolumeAttachments, VolumeServices, Volumes),
)


def answers(**changed: Any) -> NodeResults:
    """The recorded cloud's answers; ``changed`` are other bodies or results, dots and dashes written as ``_``."""
    results = {}
    for row in json.loads(SAMPLE.read_text()):
        name = row["probe"].replace(".", "_").replace("-", "_")
        value = changed.get(name, row["stdout"])
        if isinstance(value, Result):
            result = value
        else:
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            result = Result(row["probe"], row["command"], row["subject"], exit=row["exit"], stdout=body)
        results[row["probe"], row["subject"]] = result
    return NodeResults(Node("api"), results)


def test_services_are_up_on_their_hosts_and_say_how_long_ago_they_reported() -> None:
    services = {(s.binary, s.host): s for s in ComputeServices.parse(answers())}
    compute = services["nova-compute", "compute1"]
    assert compute.up
    assert compute.enabled
    assert compute.silent == pytest.approx(3.0, abs=1)
    volume = next(s for s in VolumeServices.parse(answers()) if s.binary == "cinder-volume")
    assert (volume.host, volume.backend) == ("storage", "filetgt")
    kinds = {s.kind for s in NetworkAgents.parse(answers())}
    assert {"DHCP agent", "L3 agent", "Linux bridge agent"} <= kinds


def test_servers_and_what_else_nova_knew_of_late() -> None:
    servers = Servers.parse(answers())
    vm1 = next(s for s in servers if s.name == "vm1")
    assert vm1.settled
    assert vm1.host == "compute1"
    assert servers.lacks("00000000-0000-4000-8000-000000000000")
    assert not servers.lacks(vm1.id)
    assert not servers.lacks("92e2a07b-1928-45f4-8a91-6e97b940bb80")  # deleted within the hour
    blind = Servers.parse(
        answers(api_compute_servers_recent=Result("api.compute.servers-recent", "", status=Status.DENIED))
    )
    assert not blind.lacks("00000000-0000-4000-8000-000000000000")


def test_ports_networks_and_who_hosts_them() -> None:
    network = next(n for n in Networks.parse(answers()) if not n.external)
    assert network.dhcp
    assert network.free is not None
    assert network.free > 0
    guest = next(p for p in Ports.parse(answers()) if p.of_server)
    assert (guest.status, guest.vif, guest.network) == ("ACTIVE", "bridge", network.id)
    hosting = Hosting.parse(answers())
    assert hosting.networks is not None
    assert hosting.routers is not None
    agents = {a.id: a for a in NetworkAgents.parse(answers())}
    assert {agents[a].kind for a in hosting.networks[network.id]} == {"DHCP agent"}
    (router,) = Routers.parse(answers()).rows
    assert router.gateway
    assert router.id in hosting.routers


def test_providers_have_capacity_and_allocations() -> None:
    providers = ResourceProviders.parse(answers())
    assert providers.whole
    assert {p.name for p in providers if p.computes} == {"compute1", "compute2"}
    first = providers.rows[0]
    assert first.capacity is not None
    assert first.capacity["VCPU"] == 8.0
    assert {h.id for h in Hypervisors.parse(answers())} == {p.id for p in providers}


def test_nothing_asked_is_not_applicable_and_no_token_could_not_be_checked() -> None:
    with pytest.raises(NotApplicable):
        ComputeServices.parse(NodeResults(Node("compute1")))
    source = Result("api.source", "token", status=Status.MISSING, reason="there is no openrc here")
    with pytest.raises(NotApplicable):
        ComputeServices.parse(NodeResults(Node("compute1"), {("api.source", ""): source}))
    refused = Result("api.source", "token", status=Status.DENIED, reason="HTTP 401", stdout=b'{"rows": [{}]}')
    with pytest.raises(CouldNotCheck, match="HTTP 401"):
        ComputeServices.parse(NodeResults(Node("controller"), {("api.source", ""): refused}))


def test_a_row_of_another_form_is_refused() -> None:
    for body in (b"{}", b'{"rows": [{"binary": "nova-compute"}]}', b'{"rows": [3]}', b"null", b"<html>"):
        with pytest.raises(ParseError):
            ComputeServices.parse(answers(api_compute_services=body))


def test_of_several_sources_a_complete_one_is_chosen() -> None:
    whole, part = ComputeServices((), True), ComputeServices((), False)
    assert chosen(Cloud({"b": whole, "a": part})) is whole
    assert chosen(Cloud({"b": whole, "c": ComputeServices((), True)})) is whole
    assert chosen(None) is None


LEAF = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
BODY = st.recursive(
    LEAF, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner))
)


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.__name__)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_change_of_an_answer_is_a_value_or_a_reason(fact: Any, data: st.DataObject) -> None:
    changed: dict[str, Any] = {}
    for row in json.loads(SAMPLE.read_text()):
        if row["probe"] not in {p.id for p in fact.probes}:
            continue
        body = row["stdout"]
        if body["rows"] and data.draw(st.booleans()):
            victim = data.draw(st.sampled_from(body["rows"]))
            key = data.draw(st.sampled_from(sorted(victim)))
            victim[key] = data.draw(BODY)
        elif data.draw(st.booleans()):
            body = data.draw(BODY)
        changed[row["probe"].replace(".", "_").replace("-", "_")] = body
    with contextlib.suppress(CouldNotCheck, NotApplicable):
        repr(fact.parse(answers(**changed)))


def test_quotas_are_those_of_each_project_and_a_service_that_does_not_say_is_a_gap() -> None:
    admin = {(q.service, q.resource): q for q in Quotas.parse(answers()) if q.name == "admin"}
    assert (admin["nova", "instances"].limit, admin["nova", "instances"].used) == (10, 2)
    assert (admin["neutron", "port"].limit, admin["neutron", "port"].used) == (500, 4)
    assert (admin["cinder", "gigabytes"].limit, admin["cinder", "gigabytes"].used) == (1000, 1)
    assert not any(quota.full for quota in admin.values())
    silent = Result("api.volume.quotas", "GET", status=Status.TIMED_OUT, reason="no answer in time")
    old = Result("api.network.quotas", "GET", status=Status.MISSING, reason="HTTP 404")
    part = Quotas.parse(answers(api_volume_quotas=silent, api_network_quotas=old))
    assert {quota.service for quota in part} == {"nova"}
    assert part.gaps == (("api.quota.*", "cinder: GET: no answer in time"),)

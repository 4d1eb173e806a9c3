"""The boot of an instance, on recorded logs of one that became active and of one whose port was never wired."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stackdoctor.errors import UsageError
from stackdoctor.model import Clock, Node, NodeResults, Result, Status
from stackdoctor.trace.boot import boot_requests, boot_trace
from stackdoctor.trace.named import instance_named
from stackdoctor.trace.records import read_records
from stackdoctor.trace.request import last_request, request_trace
from stackdoctor.trace.steps import FAILED, IMPLIED, MISSING, PROVEN

SAMPLES = Path(__file__).parent / "samples"
ACTIVE, ITS_REQUEST = "92e2a07b-1928-45f4-8a91-6e97b940bb80", "req-d98cb285-fb44-40b1-8360-4ebc54e9dca3"
UNPLUGGED, ITS_OWN = "05e7bd68-9531-475d-8e52-9d02c24b0f2d", "req-56ff56bb-b68b-4802-8a93-487be52e0ada"


def cloud(name: str) -> list[NodeResults]:
    return [
        NodeResults(
            Node(row["node"]),
            {
                (r["probe"], r["subject"]): Result(
                    r["probe"], r["command"], r["subject"], Status(r["status"]), r["exit"], r["stdout"].encode()
                )
                for r in row["results"]
            },
            Clock(row["now"], row["offset"]),
            row["node"],
        )
        for row in json.loads((SAMPLES / f"{name}.json").read_text())
    ]


def states(nodes: list[NodeResults], instance: str, request: str) -> dict[str, str]:
    uuid, name, domains = instance_named(instance, lambda facts: nodes)
    trace = boot_trace(uuid, name, read_records(nodes, (instance, request)), domains)
    return {step.name: step.state for step in trace.steps}


def test_of_an_active_instance_every_step_is_proven_or_implied() -> None:
    found = states(cloud("boot-active"), ACTIVE, ITS_REQUEST)

    assert set(found.values()) == {PROVEN, IMPLIED}
    assert found["API takes the request"] == PROVEN
    assert found["placement holds the resources"] == PROVEN
    assert found["scheduler picks a host"] == IMPLIED
    assert found["domain runs"] == PROVEN


def test_a_port_that_is_never_wired_is_where_the_boot_stopped() -> None:
    nodes = cloud("boot-unplugged")
    uuid, name, domains = instance_named(UNPLUGGED, lambda facts: nodes)
    trace = boot_trace(uuid, name, read_records(nodes, (UNPLUGGED, ITS_OWN)), domains)

    assert trace.last_proven is not None
    assert trace.last_proven.name == "libvirt starts the domain"
    assert trace.stuck_at is not None
    assert trace.stuck_at.name == "Neutron says that the port is wired"
    assert trace.stuck_at.state == FAILED
    assert trace.stuck_at.node == "compute2"
    assert trace.about["host"] == "compute2"
    assert f"stackdoctor path {UNPLUGGED} --to dhcp" in trace.tell_more
    assert trace.steps[-1].state == MISSING


def test_the_request_that_built_it_is_read_off_the_records_of_the_instance() -> None:
    records = read_records(cloud("boot-active"), (ACTIVE,))

    assert ITS_REQUEST in boot_requests(records)


def test_a_step_without_a_record_after_the_last_proven_one_is_missing_and_not_implied() -> None:
    nodes = [node for node in cloud("boot-active") if node.node.name == "controller"]
    found = states(nodes, ACTIVE, ITS_REQUEST)

    assert found["placement holds the resources"] == PROVEN
    assert found["compute claims it"] in (MISSING, IMPLIED)
    assert found["instance is active"] == MISSING


def test_a_snapshot_that_was_not_made_for_it_says_so() -> None:
    nodes = [
        replace(
            node,
            results={
                key: replace(result, stdout=result.stdout.replace(b"trace.record", b"nova-vif-timeout"))
                for key, result in node.results.items()
            },
        )
        for node in cloud("boot-unplugged")
    ]
    records = read_records(nodes, (UNPLUGGED,))
    trace = boot_trace(UNPLUGGED, "", records, ())

    assert not records.complete
    assert trace.tell_more[0].startswith("the same without --from")


def test_a_request_is_followed_through_the_services_in_order_of_time() -> None:
    trace = request_trace(ITS_REQUEST, read_records(cloud("boot-active"), (ITS_REQUEST,)))
    services = [step.service for step in trace.steps]

    assert services.index("nova-api") < services.index("nova-conductor") < services.index("nova-compute")
    assert trace.about["call"] == "POST /v2.1/servers → 202"
    assert trace.stuck_at is None
    assert [step.time for step in trace.steps] == sorted(step.time or 0 for step in trace.steps)


def test_a_request_that_went_wrong_names_the_service_and_the_error() -> None:
    trace = request_trace(ITS_OWN, read_records(cloud("boot-unplugged"), (ITS_OWN,)))

    assert trace.stuck_at is not None
    assert (trace.stuck_at.service, trace.stuck_at.node) == ("nova-compute", "compute2")
    assert "failed to spawn" in trace.stuck_at.text


def test_of_an_instance_the_last_request_that_changed_it_is_followed() -> None:
    assert last_request(ACTIVE, read_records(cloud("boot-active"), (ACTIVE,))) == ITS_REQUEST


def test_a_clock_that_is_ahead_does_not_change_the_order() -> None:
    nodes = [
        replace(node, clock=Clock(node.clock.now, node.clock.offset + 3600.0))
        if node.node.name == "compute1" and node.clock
        else node
        for node in cloud("boot-active")
    ]
    ahead = request_trace(ITS_REQUEST, read_records(nodes, (ITS_REQUEST,)))

    # the same records under a clock that is said to be an hour ahead are an hour earlier
    assert ahead.steps[0].service == "nova-compute"


def test_an_unknown_request_and_an_unknown_name_are_said() -> None:
    nodes = cloud("boot-active")
    with pytest.raises(UsageError, match="look further back"):
        request_trace("req-00000000-0000-0000-0000-000000000000", read_records(nodes, ("req-00000000",)))
    with pytest.raises(UsageError, match="Did you mean tracer4"):
        instance_named("tracer", lambda facts: nodes)

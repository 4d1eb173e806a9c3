"""A guest's DHCP exchange, by the hops of its packets and by what dnsmasq logged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stackdoctor.model import NodeResults, Result
from stackdoctor.snapshot.read import read_snapshot
from stackdoctor.trace.dhcp import dhcp_trace
from stackdoctor.trace.endpoints import find
from stackdoctor.trace.path import paths
from stackdoctor.trace.records import read_records
from stackdoctor.trace.steps import FAILED, IMPLIED, MISSING, PROVEN, UNKNOWN, Trace
from stackdoctor.trace.wiring import Wiring

FIXTURES = Path(__file__).parents[2] / "fixtures"
NOW = 1795380000.0


def recorded(case: str, *logged: str) -> tuple[NodeResults, ...]:
    nodes = read_snapshot(FIXTURES / case / "snapshot.tar.gz").nodes
    return tuple(_with_log(node, logged if node.node.name == "controller" else ()) for node in nodes)


def _with_log(node: NodeResults, said: tuple[str, ...]) -> NodeResults:
    samples = [
        {
            "time": NOW + place,
            "line": place + 1,
            "offset": 0,
            "text": f"Nov 22 20:00:0{place} controller dnsmasq-dhcp[7]: {text}",
        }
        for place, text in enumerate(said)
    ]
    hit = {
        "signature": "trace.record", "service": "syslog", "path": "/var/log/syslog", "keys": {}, "count": len(samples),
        "first": NOW, "last": NOW + 9, "minutes": {}, "samples": samples,
    }  # fmt: skip
    found = {"since": NOW - 60, "until": NOW + 60, "grep": "gnu", "files": [], "hits": [hit] if samples else []}
    result = Result("logs.hits", "logs", stdout=json.dumps(found).encode())
    return replace(node, results={**node.results, ("logs.hits", ""): result})


def trace_of(nodes: tuple[NodeResults, ...]) -> Trace:
    wiring = Wiring.of(nodes)
    guest = find(wiring, "vm1")
    return dhcp_trace(wiring, guest, paths(wiring, guest, "dhcp")[0], read_records(nodes, (guest.mac,)))


def states(trace: Trace) -> dict[str, str]:
    return {step.name: step.state for step in trace.steps}


MAC = "fa:16:3e:2e:02:e7"
DISCOVER = f"DHCPDISCOVER(ns-5ba1ae77-54) {MAC} no address available"
OFFER = f"DHCPOFFER(ns-5ba1ae77-54) 10.10.0.28 {MAC}"
REQUEST = f"DHCPREQUEST(ns-5ba1ae77-54) 10.10.0.28 {MAC}"
ACK = f"DHCPACK(ns-5ba1ae77-54) 10.10.0.28 {MAC} host-10-10-0-28"
NAK = f"DHCPNAK(ns-5ba1ae77-54) 10.10.0.28 {MAC} address not available"


@pytest.mark.parametrize(
    ("case", "step", "node"),
    [
        ("vm-tap-off-bridge", "guest sends DISCOVER", "compute1"),
        ("vxlan-down-on-compute", "it gets to the DHCP server", "compute1"),
        ("dnsmasq-killed", "DHCP server runs and knows the port", "controller"),
        ("dhcp-tap-off-bridge", "it gets to the DHCP server", "controller"),
        ("sg-dhcp-reply-dropped", "the answer gets to the guest", "compute1"),
    ],
)
def test_the_hop_that_was_broken_is_where_it_stopped(case: str, step: str, node: str) -> None:
    trace = trace_of(recorded(case))

    assert trace.stuck_at is not None
    assert (trace.stuck_at.name, trace.stuck_at.state, trace.stuck_at.node) == (step, FAILED, node)


def test_a_lease_and_whole_hops_prove_the_exchange() -> None:
    assert trace_of(recorded("healthy")).whole


def test_four_messages_prove_it_message_by_message() -> None:
    found = states(trace_of(recorded("healthy", DISCOVER.partition(" no ")[0], OFFER, REQUEST, ACK)))

    assert [found[f"server sends {word}"] for word in ("OFFER", "ACK")] == [PROVEN, PROVEN]
    assert found["guest sends REQUEST"] == PROVEN


def test_discovers_without_an_offer_stop_at_the_server() -> None:
    trace = trace_of(recorded("healthy", DISCOVER, DISCOVER))

    assert trace.stuck_at is not None
    assert trace.stuck_at.name == "server sends OFFER"
    assert "2 DISCOVER and no OFFER" in trace.stuck_at.text
    assert "no address available" in trace.stuck_at.text


def test_offers_that_nobody_takes_up_did_not_get_to_the_guest() -> None:
    found = states(trace_of(recorded("sg-dhcp-reply-dropped", DISCOVER.partition(" no ")[0], OFFER)))

    assert found["server sends OFFER"] == PROVEN
    assert found["guest sends REQUEST"] in (MISSING, IMPLIED)
    assert found["the answer gets to the guest"] == FAILED


def test_a_refusal_is_a_failure() -> None:
    assert states(trace_of(recorded("healthy", REQUEST, NAK)))["server sends ACK"] == FAILED


def test_a_lease_from_before_does_not_prove_what_is_behind_the_break() -> None:
    found = states(trace_of(recorded("vm-tap-off-bridge")))

    assert found["server sends OFFER"] == UNKNOWN
    assert found["guest sends REQUEST"] == UNKNOWN

"""The demo is collected by the ordinary collection, over real SSH."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from stackdoctor.collect.plan import LogPattern, LogScan, LogSource, Plan
from stackdoctor.collect.run import Options, collect
from stackdoctor.demo.replay import NOT_RECORDED
from stackdoctor.demo.server import serve
from stackdoctor.model import Clock, Node, NodeResults, Probe, Result, Status

LINKS = Probe("ip.link", ("ip", "-details", "link"))
QUEUES = Probe("rabbitmq.queues", ("rabbitmqctl", "list_queues"), again_after=3.0)
PATTERN = LogPattern("rpc-timeout", ("nova-*",), "MessagingTimeout", "MessagingTimeout")
LOGS = LogScan(3600.0, (LogSource("", "oslo", ("/var/log/nova/*.log",)),), (PATTERN,))
RECORDED = 1_795_366_296.5


def recorded(name: str, offset: float = 0.0) -> NodeResults:
    results = [
        Result("ip.link", "ip -details link", stdout=b"1: lo: <LOOPBACK>\n" * 9000, started=RECORDED, seconds=0.02),
        Result("rabbitmq.queues", "rabbitmqctl list_queues", stdout=b"conductor 4\n", started=RECORDED),
        Result("rabbitmq.queues", "rabbitmqctl list_queues", "#2", Status.TIMED_OUT, None, stderr=b"slow\n"),
        Result("logs.hits", "grep", stdout=b'{"hits": []}'),
        Result("ps", "ps", stdout=b"not asked for"),
    ]
    clock = Clock(RECORDED + offset, offset, 0.001, 7200, "CEST")
    return NodeResults(Node(name, f"{name}.example.org"), {(r.probe, r.subject): r for r in results}, clock, name)


def reach(cloud_known_hosts: str, tmp_path: Path) -> Options:
    return Options(known_hosts=cloud_known_hosts, ssh_config=str(tmp_path / "none"))


def test_four_nodes_are_collected_as_they_were_recorded_in_less_than_three_seconds(tmp_path: Path) -> None:
    cloud = [recorded(name) for name in ("controller", "compute1", "compute2", "storage")]
    begun = time.monotonic()
    with serve(cloud) as demo:
        found = collect(demo.nodes, Plan((LINKS, QUEUES), LOGS), reach(demo.known_hosts, tmp_path))
    assert time.monotonic() - begun < 3.0
    for was, now in zip(cloud, found, strict=True):
        assert now.failure == ""
        assert (now.node.name, now.hostname) == (was.node.name, was.hostname)
        assert now.results == {key: value for key, value in was.results.items() if key[0] != "ps"}


def test_the_clocks_go_on_from_the_recording_and_differ_as_they_did(tmp_path: Path) -> None:
    with serve([recorded("controller"), recorded("compute1", offset=90.0)]) as demo:
        controller, compute = collect(demo.nodes, Plan((LINKS,)), reach(demo.known_hosts, tmp_path))
    assert controller.clock is not None
    assert compute.clock is not None
    assert 0.0 <= controller.clock.now - RECORDED < 10.0
    assert compute.clock.offset - controller.clock.offset == pytest.approx(90.0, abs=1.0)
    assert (compute.clock.utc_offset, compute.clock.zone) == (7200, "CEST")


def test_what_was_not_recorded_is_not_run_and_says_so(tmp_path: Path) -> None:
    with serve([recorded("controller")]) as demo:
        [found] = collect(demo.nodes, Plan((LINKS, Probe("df", ("df",)))), reach(demo.known_hosts, tmp_path))
    result = found.results["df", ""]
    assert (result.status, result.reason) == (Status.NOT_RUN, NOT_RECORDED)


def test_a_node_that_was_not_reached_refuses_connections(tmp_path: Path) -> None:
    lost = NodeResults(Node("compute1", "192.0.2.20"), failure="no answer")
    with serve([recorded("controller"), lost]) as demo:
        controller, compute = collect(demo.nodes, Plan((LINKS,)), reach(demo.known_hosts, tmp_path))
    assert controller.failure == ""
    assert "refuses connections" in compute.failure


def test_nothing_of_it_stays_behind() -> None:
    with serve([recorded("controller")]) as demo:
        folder = Path(demo.known_hosts).parent
        assert folder.stat().st_mode & 0o777 == 0o700
        assert Path(demo.nodes[0].key).stat().st_mode & 0o777 == 0o600
    assert not folder.exists()

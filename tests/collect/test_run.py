"""Many nodes at once: none waits for another, none spoils another, and Ctrl-C ends all."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stackdoctor.collect.plan import Plan
from stackdoctor.collect.run import (
    Event,
    Interrupted,
    NodeDone,
    NodeStarted,
    Options,
    ProbeDone,
    collect,
)
from stackdoctor.demo.server import DemoCloud, serve
from stackdoctor.errors import UsageError
from stackdoctor.model import Clock, Node, NodeResults, Probe, Result

LINKS = Probe("ip.link", ("ip", "link"))
ROUTES = Probe("ip.route", ("ip", "route"))
PLAN = Plan((LINKS, ROUTES), seconds=5.0)


def recorded(name: str, hostname: str = "") -> NodeResults:
    results = [Result("ip.link", "ip link", stdout=name.encode()), Result("ip.route", "ip route", stdout=b"default")]
    return NodeResults(Node(name), {(r.probe, r.subject): r for r in results}, Clock(1000.0), hostname or name)


@pytest.fixture
def cloud() -> Iterator[DemoCloud]:
    with serve([recorded("controller"), recorded("compute1")]) as demo:
        yield demo


@pytest.fixture
def silent() -> Iterator[Node]:
    """A node whose port takes connections, and nothing else."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield Node("silent", "127.0.0.1", listener.getsockname()[1], jump="none")


def options(cloud: DemoCloud | None, **given: object) -> Options:
    known = cloud.known_hosts if cloud else "/nonexistent/known_hosts"
    return replace(Options(known_hosts=known, ssh_config="/nonexistent/config"), **given)  # type: ignore[arg-type]


def test_results_come_in_the_order_of_the_nodes(cloud: DemoCloud) -> None:
    nodes = (*cloud.nodes, *reversed(cloud.nodes))
    found = collect(nodes, PLAN, options(cloud))
    assert [r.one(LINKS).text for r in found] == ["controller", "compute1", "compute1", "controller"]


def test_no_nodes_give_no_results() -> None:
    assert collect([], PLAN, options(None)) == []


def test_a_hanging_node_costs_its_own_time_and_the_others_are_done_before(cloud: DemoCloud, silent: Node) -> None:
    done: list[str] = []
    begun = time.monotonic()
    found = collect(
        [silent, *cloud.nodes],
        PLAN,
        options(cloud, timeout=1.5),
        lambda event: done.append(event.node.name) if isinstance(event, NodeDone) else None,
    )
    assert time.monotonic() - begun < 5.0
    assert done[-1] == "silent"
    assert [bool(r.failure) for r in found] == [True, False, False]


def test_a_node_is_handed_on_while_others_have_not_answered_and_what_comes_back_is_held(cloud: DemoCloud) -> None:
    told: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent = Node("silent", "127.0.0.1", listener.getsockname()[1], jump="none")

        def keep(results: NodeResults) -> NodeResults:
            told.append(f"kept {results.node.name}")
            if results.results and len(told) == 2:
                listener.close()  # the silent one ends only now
            return replace(results, failure="handed on")

        def on_event(event: Event) -> None:
            if isinstance(event, NodeDone) and event.node == silent:
                told.append("silent is done")

        found = collect([silent, *cloud.nodes], PLAN, options(cloud, timeout=10.0), on_event, keep)
    assert sorted(told[:2]) == ["kept compute1", "kept controller"]
    assert told[2:] == ["silent is done", "kept silent"]
    assert [(r.node.name, r.failure) for r in found] == [
        (name, "handed on") for name in ("silent", "controller", "compute1")
    ]


def test_one_worker_is_enough_for_many_nodes(cloud: DemoCloud) -> None:
    found = collect(cloud.nodes * 3, PLAN, options(cloud, parallel=1))
    assert {r.failure for r in found} == {""}


def test_events_tell_the_story_of_each_node_in_the_calling_thread(cloud: DemoCloud) -> None:
    events: list[Event] = []
    threads = set()

    def note(event: Event) -> None:
        threads.add(threading.current_thread())
        events.append(event)

    collect(cloud.nodes[:1], PLAN, options(cloud), note)
    node = cloud.nodes[0]
    assert events[:3] == [NodeStarted(node), ProbeDone(node, "ip.link", 1, 2), ProbeDone(node, "ip.route", 2, 2)]
    assert isinstance(events[3], NodeDone)
    assert events[3].failure == ""
    assert threads == {threading.main_thread()}


def test_a_broken_ssh_configuration_is_the_user_s_error_and_not_the_nodes(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Host *\n Port none\n")
    with pytest.raises(UsageError):
        collect([Node("a", "192.0.2.1")], PLAN, options(None, ssh_config=str(tmp_path / "config")))


def test_ctrl_c_keeps_what_was_answered_and_ends_the_rest(cloud: DemoCloud, silent: Node) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, NodeDone) and event.node.name == "controller":
            signal.raise_signal(signal.SIGINT)

    begun = time.monotonic()
    with pytest.raises(Interrupted) as caught:
        collect([cloud.nodes[0], silent], PLAN, options(cloud, timeout=30.0), interrupt)
    assert time.monotonic() - begun < 5.0
    controller, hanging = caught.value.partial
    assert controller.one(LINKS).text == "controller"
    assert hanging.failure == "the collection was interrupted"


def test_ctrl_c_also_ends_nodes_that_had_not_begun(cloud: DemoCloud, silent: Node) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, NodeStarted):
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        collect([silent, *cloud.nodes], PLAN, options(cloud, timeout=30.0, parallel=1), interrupt)
    assert [r.failure for r in caught.value.partial] == ["the collection was interrupted"] * 3


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-OpenSSH_9.2\r\n"])
def test_the_interpreter_ends_at_once_after_ctrl_c(greeting: bytes) -> None:
    program = """
import sys
from stackdoctor.collect.run import Interrupted, Options, collect
from stackdoctor.collect.plan import Plan
from stackdoctor.model import Node
try:
    collect([Node("a", "127.0.0.1", int(sys.argv[1]), jump="none")], Plan(()), Options(timeout=60.0, ssh_config=""))
except Interrupted:
    sys.exit(7)
"""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "-c", program, str(listener.getsockname()[1])]
        with subprocess.Popen(command) as process:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(greeting)
                if greeting:
                    received = b""
                    while len(received) < 300:  # its own greeting, and the begin of its key exchange
                        received += connection.recv(1024)
                process.send_signal(signal.SIGINT)
                assert process.wait(10.0) == 7


def named(*given: tuple[str, str, bool]) -> list[str]:
    """The names after collection of nodes with a name, an own host name, and whether the name was given."""
    cloud = [recorded(name, hostname) for name, hostname, _ in given]
    with serve(cloud) as demo:
        nodes = [replace(node, named=fixed) for node, (_, _, fixed) in zip(demo.nodes, given, strict=True)]
        return [r.node.name for r in collect(nodes, PLAN, options(demo))]


def test_a_node_known_by_its_address_is_called_by_its_own_name() -> None:
    assert named(("192.0.2.10", "controller", False), ("c1", "compute1", True)) == ["controller", "c1"]


def test_a_host_name_that_two_nodes_claim_names_neither() -> None:
    given = (("192.0.2.1", "node", False), ("192.0.2.2", "node", False), ("192.0.2.3", "db", False), ("db", "x", True))
    assert named(*given) == ["192.0.2.1", "192.0.2.2", "192.0.2.3", "db"]


@pytest.mark.parametrize("hostname", ["../../etc/passwd", "\x1b[2Jname", "localhost", "a b"])
def test_a_host_name_that_is_none_names_nothing(hostname: str) -> None:
    assert named(("192.0.2.1", hostname, False)) == ["192.0.2.1"]

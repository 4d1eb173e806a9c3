"""Nodes are looked at and judged by workers, and the verdict is the one that one process comes to."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import pickle
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackdoctor.collect.executors import executors
from stackdoctor.collect.run import Event, HostKeyAdded, NodeDone, Options, collect
from stackdoctor.demo.server import DemoCloud, serve
from stackdoctor.diagnose.analyse import analyse
from stackdoctor.diagnose.knowledge import Knowledge, load_knowledge
from stackdoctor.diagnose.part import Part, light, part_of
from stackdoctor.diagnose.roles import with_roles
from stackdoctor.diagnose.shards import Shard, look_at, look_by_shards, shards_of
from stackdoctor.errors import UsageError
from stackdoctor.model import Node, NodeResults
from stackdoctor.report.as_json import to_json
from stackdoctor.report.make import make_report
from stackdoctor.snapshot.format import Snapshot
from stackdoctor.snapshot.read import read_snapshot

FIXTURES = Path(__file__).parents[2] / "fixtures"
BROKEN = FIXTURES / "compound-conductor-and-vxlan" / "snapshot.tar.gz"


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return load_knowledge()


@pytest.fixture(scope="module")
def recorded() -> Snapshot:
    return read_snapshot(BROKEN)


@pytest.fixture(scope="module")
def cloud(recorded: Snapshot) -> Iterator[DemoCloud]:
    with serve([n for n in recorded.nodes if n.node.address]) as served:
        yield served


def whole(cloud: DemoCloud, knowledge: Knowledge, **given: Any) -> Shard:
    plan = replace(knowledge.plan(since=1800.0, seconds=60.0), apis=())
    options = Options(timeout=30.0, known_hosts=cloud.known_hosts, ssh_config="")
    return Shard(cloud.nodes, plan, options, checks=frozenset(check.id for check in knowledge.checks), **given)


def one_by_one(shard: Shard) -> list[Shard]:
    return [replace(shard, nodes=(node,), site=node.site) for node in shard.nodes]


def said(nodes: Sequence[NodeResults], knowledge: Knowledge, parts: Sequence[Part] = ()) -> str:
    """The report, but for the times of the look and of the clocks."""
    snapshot = Snapshot(tuple(nodes), started=0.0, seconds=0.0, tool="stackdoctor")
    text = to_json(make_report(snapshot, analyse(snapshot, knowledge, judged=parts)))
    text = re.sub(r'"(seconds|cpu|first|last|clock_offset)": [-\d.e]+', r'"\1": 0', text)
    return re.sub(r"\d\d:\d\d:\d\d(\.\d+)?Z", "00:00:00Z", text)


def by_threads(cloud: DemoCloud, knowledge: Knowledge) -> str:
    shard = whole(cloud, knowledge)
    answered = collect(shard.nodes, shard.plan, shard.options)
    return said(list(map(with_roles, answered)), knowledge)


@contextmanager
def processes(number: int) -> Iterator[Callable[[str], concurrent.futures.Executor]]:
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(number, mp_context=context) as pool:
        yield lambda site: pool


def test_processes_come_to_the_verdict_of_threads(cloud: DemoCloud, knowledge: Knowledge) -> None:
    with processes(2) as near:
        parts = look_by_shards(one_by_one(whole(cloud, knowledge)), near, knowledge.checks)
    assert not any(result.stdout for part in parts for result in part.results.results.values())
    text = said([part.results for part in parts], knowledge, parts)
    assert "rpc-no-consumer" in text
    assert text == by_threads(cloud, knowledge)


def test_every_recorded_node_may_travel(knowledge: Knowledge) -> None:
    for file in sorted(FIXTURES.glob("*/snapshot.tar.gz"))[::6]:
        for results in read_snapshot(file).nodes:
            part = light(part_of(results, knowledge.checks))
            assert pickle.loads(pickle.dumps(part)) == part


def test_what_nodes_printed_comes_when_it_is_wanted(cloud: DemoCloud, knowledge: Knowledge) -> None:
    [shard, *_] = one_by_one(whole(cloud, knowledge, raw=True))
    [part] = look_at(shard).parts
    assert any(result.stdout for result in part.results.results.values())


def test_a_worker_tells_of_its_nodes_and_of_keys_that_it_came_to_trust(
    cloud: DemoCloud, knowledge: Knowledge, tmp_path: Path
) -> None:
    events: list[Event] = []
    shard = whole(cloud, knowledge)
    options = replace(shard.options, known_hosts=str(tmp_path / "known_hosts"), accept_new=True)
    with processes(1) as near:
        look_by_shards([replace(shard, options=options)], near, knowledge.checks, events.append)
    assert [type(event) for event in events].count(HostKeyAdded) == len(cloud.nodes)
    assert [type(event) for event in events].count(NodeDone) == len(cloud.nodes)


def test_a_worker_that_dies_is_a_failure_of_its_nodes(cloud: DemoCloud, knowledge: Knowledge) -> None:
    class Dying(concurrent.futures.Executor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[Any]:
            future: concurrent.futures.Future[Any] = concurrent.futures.Future()
            future.set_exception(OSError(5, "gone"))
            return future

    shard = whole(cloud, knowledge)
    parts = look_by_shards([shard], lambda site: Dying(), knowledge.checks)
    assert {part.results.failure for part in parts} == {"its worker failed: gone"}
    assert "its worker failed: gone" in said([part.results for part in parts], knowledge, parts)


def test_a_worker_of_another_version_refuses(cloud: DemoCloud, knowledge: Knowledge) -> None:
    with pytest.raises(ValueError, match=r"and this is 0\.0: install the same"):
        look_at(whole(cloud, knowledge, version="0.0"))


def test_a_shard_has_nodes_of_one_site_only() -> None:
    nodes = tuple(Node(f"n{k}", f"192.0.2.{k}", site="paris" if k % 2 else "") for k in range(60))
    knowledge = Knowledge((), (), ())
    shards = list(shards_of(Shard(nodes, knowledge.plan(since=60.0, seconds=10.0), Options())))
    assert [(shard.site, len(shard.nodes)) for shard in shards] == [("", 25), ("", 5), ("paris", 25), ("paris", 5)]


def test_two_nodes_of_one_name_in_two_shards_are_not_taken_for_one(recorded: Snapshot, knowledge: Knowledge) -> None:
    [twin] = [n for n in recorded.nodes if n.node.name == "compute1"]
    with serve([twin, twin]) as served:
        nodes = tuple(replace(node, name=node.address, named=False) for node in served.nodes)
        shard = replace(whole(served, knowledge), nodes=nodes)
        with processes(1) as near:
            parts = look_by_shards(one_by_one(shard), near, knowledge.checks)
    assert [part.results.failure for part in parts] == ["", "it calls itself compute1, as another node does: name both"]
    assert len({part.results.node.name for part in parts}) == 2


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ("ray://localhost", "known are threads, processes:N, dask://HOST:PORT"),
        ("processes:0", "known are"),
        ("dask://", "known are"),
        ("dask://127.0.0.1:1", "no Dask scheduler answers at tcp://127.0.0.1:1"),
    ],
)
def test_an_executor_that_is_not_there_is_said(where: str, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if "dask" in where:
        pytest.importorskip("distributed", reason="distributed is not installed")
        monkeypatch.setattr("stackdoctor.collect.executors._PATIENCE", 0.5)
    with pytest.raises(UsageError, match=re.escape(sentence)), executors(where, ()):
        pass


@pytest.fixture(scope="module")
def dask() -> Iterator[Any]:
    """A scheduler and two workers, each a process: one of the site paris."""
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    cluster = distributed.SpecCluster(
        scheduler={"cls": distributed.Scheduler, "options": {"dashboard": False, "host": "127.0.0.1"}},
        workers={
            name: {"cls": distributed.Nanny, "options": {"nthreads": 1, "resources": resources, "host": "127.0.0.1"}}
            for name, resources in (("a", {"paris": 2}), ("b", {"rome": 2}))
        },
    )
    with cluster:
        yield cluster


def address(cluster: Any) -> str:
    return "dask://" + str(cluster.scheduler_address).removeprefix("tcp://")


def test_dask_workers_come_to_the_verdict_of_threads(dask: Any, cloud: DemoCloud, knowledge: Knowledge) -> None:
    with executors(address(dask), {"", "paris"}) as near:
        nodes = tuple(replace(node, site="paris" if k % 2 else "") for k, node in enumerate(cloud.nodes))
        shards = one_by_one(replace(whole(cloud, knowledge), nodes=nodes))
        parts = look_by_shards(shards, near, knowledge.checks)
    assert said([part.results for part in parts], knowledge, parts) == by_threads(cloud, knowledge)


def test_a_site_without_a_worker_is_said(dask: Any) -> None:
    sentence = "no worker for the site berlin: start one with --resources 'berlin=4'"
    with pytest.raises(UsageError, match=sentence), executors(address(dask), {"berlin"}):
        pass


def test_the_nodes_of_a_killed_dask_worker_are_looked_at_by_another(
    dask: Any, cloud: DemoCloud, knowledge: Knowledge
) -> None:
    killed: list[int] = []

    def kill_the_other(event: Event) -> None:
        """The first node is done: the worker that still has work dies."""
        if isinstance(event, NodeDone) and not killed:
            busy = [worker for worker in dask.scheduler.workers.values() if worker.processing]
            killed.append(dask.workers[busy[0].name if busy else "a"].pid)
            os.kill(killed[0], signal.SIGKILL)

    with executors(address(dask), ()) as near:
        parts = look_by_shards(one_by_one(whole(cloud, knowledge)), near, knowledge.checks, kill_the_other)
    assert killed
    assert said([part.results for part in parts], knowledge, parts) == by_threads(cloud, knowledge)

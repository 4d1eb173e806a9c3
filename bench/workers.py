"""Nodes shared out among two Dask workers on this machine, against one process: `python bench/workers.py 1000`.

Where the workers stand near their nodes, what a worker does is done elsewhere: what counts is what is left for the
machine that the operator sits at, and what comes over its network.
"""

from __future__ import annotations

import contextlib
import importlib.util
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from cloud import FORKS, STACKDOCTOR
from fleet import Fleet, fleet, free_port
from measure import RUNS, Series, Taken, environment, interleaved, run, series
from outcome import Outcome, Reach, figure, keep
from probes import Questions, questions

from stackdoctor.diagnose.knowledge import load_knowledge
from stackdoctor.diagnose.part import light, part_of
from stackdoctor.diagnose.shards import Share
from stackdoctor.snapshot.read import read_snapshot

__all__ = ["main"]

WORKERS = 2
RECORDED = Path(__file__).parents[1] / "fixtures" / "healthy" / "snapshot.tar.gz"


def main() -> None:
    """Measure every size of the command line."""
    asked = questions()
    for size in map(int, sys.argv[1:] or ["100"]):
        with fleet(size) as cloud:
            keep(f"workers-{size}", _outcomes(cloud, asked))


def _outcomes(cloud: Fleet, asked: Questions) -> Iterator[Outcome]:
    what = f"{len(cloud.hosts)} hosts over {WORKERS} Dask workers"
    if importlib.util.find_spec("distributed") is None:
        yield Outcome(what, "one process", Reach(1.0), skipped="distributed is not installed")
        return
    with _dask() as address:
        taken = interleaved(
            {"workers": lambda: _look(cloud, asked, address), "threads": lambda: _look(cloud, asked, "threads")},
            min(RUNS, 3),
        )
    ours, theirs = taken["workers"], taken["threads"]
    for name, unit, reach in (("wall", "s", 1.0), ("cpu", "s", 1.0), ("peak_mib", "MiB", 1.0)):
        values = [series([getattr(t, name) for t in side]) for side in (ours, theirs)]
        shown = {"wall": "wall time", "cpu": "processor time of the client", "peak_mib": "memory of the client"}[name]
        yield figure(f"{what}, {shown}", "one process", Reach(reach), *values, unit=unit)
    whole, sent = _travels()
    yield figure(
        "a compute node's part, as a worker sends it", "its raw answers", Reach(1.0), sent, whole, unit="bytes"
    )


def _look(cloud: Fleet, asked: Questions, executor: str) -> Taken:
    return run(
        [
            *(STACKDOCTOR, "diagnose", "--inventory", str(cloud.inventory), "--ssh-config", str(cloud.config)),
            *("--known-hosts", str(cloud.known_hosts), "--parallel", str(FORKS), "--quiet", "--format", "json"),
            *("--executor", executor, *asked.options),
        ],
        allowed=(0, 1),
    )


@contextlib.contextmanager
def _dask() -> Iterator[str]:
    place = f"127.0.0.1:{free_port()}"
    host, _, port = place.partition(":")
    scheduler, worker = ([sys.executable, "-m", f"distributed.cli.dask_{each}"] for each in ("scheduler", "worker"))
    commands = [[*scheduler, "--host", host, "--port", port, "--no-dashboard"]]
    commands += [[*worker, f"tcp://{place}", "--nthreads", "1", "--no-dashboard"]] * WORKERS
    with contextlib.ExitStack() as stack:
        for command in commands:
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            # elsewhere: `-m` would find the sources of this directory, which are no installed package
            process = stack.enter_context(subprocess.Popen(command, env=environment(), cwd="/", **quiet))
            stack.callback(process.terminate)
        from distributed import Client

        with Client(f"tcp://{place}", timeout=30) as client:
            client.wait_for_workers(WORKERS, timeout=60)
        yield f"dask://{place}"


def _travels() -> tuple[Series, Series]:
    """Bytes of a recorded compute node's answers, and of its part."""
    checks = load_knowledge().checks
    computes = [n for n in read_snapshot(RECORDED).nodes if "compute" in n.node.roles]
    raw = [sum(len(r.stdout) + len(r.stderr) for r in n.results.values()) for n in computes]
    sent = [len(pickle.dumps(Share((light(part_of(n, checks)),), ()))) for n in computes]
    return series(raw), series(sent)


if __name__ == "__main__":
    main()

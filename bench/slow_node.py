"""Row 15: one node of fifty that is thirty seconds late, against the same nodes without it.

``python bench/slow_node.py 50 30 20`` takes the nodes, the seconds, and the time-out of each node, which should be more
than all the others need on this one machine.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from cloud import FORKS
from fleet import Fleet, fleet
from measure import RUNS, series
from outcome import Outcome, Reach, figure, keep
from probes import questions
from round_trips import relay

from stackdoctor.collect.plan import Plan
from stackdoctor.collect.run import Event, NodeDone, Options, collect
from stackdoctor.model import Node

__all__ = ["main"]

SLACK = 2.0
SLOW = "slow"


@dataclass(frozen=True)
class Looked:
    """Seconds until the last of the quick nodes was done, and until all were."""

    quick: float
    all: float


def main() -> None:
    """Measure with and without it."""
    size, seconds, timeout = (int(word) for word in (*sys.argv[1:4], *("50", "30", "20")[len(sys.argv) - 1 :]))
    plan = questions().plan
    with fleet(size) as cloud, relay(cloud.port, 2.0 * seconds) as late:
        nodes = [Node(host, host, cloud.port, key=str(cloud.key)) for host in cloud.hosts]
        slow = Node(SLOW, cloud.hosts[-1], late, key=str(cloud.key))
        _look(cloud, nodes, plan, timeout)
        turns = [
            (_look(cloud, [*nodes[:-1], slow], plan, timeout), _look(cloud, nodes, plan, timeout)) for _ in range(RUNS)
        ]
    keep("slow-node", _outcomes(turns, size, seconds, timeout))


def _outcomes(turns: Sequence[tuple[Looked, Looked]], size: int, seconds: int, timeout: float) -> list[Outcome]:
    what = f"{size} nodes of which one is {seconds} s late"
    with_it, without = ([turn[side] for turn in turns] for side in (0, 1))
    quick = [series([looked.quick for looked in side]) for side in (with_it, without)]
    return [
        figure(f"{what}, the others done after", "without it", Reach(1.1), *quick),
        figure(f"{what}, all done after", "", Reach(timeout + SLACK, "s"), series([looked.all for looked in with_it])),
    ]


def _look(cloud: Fleet, nodes: Sequence[Node], plan: Plan, timeout: float) -> Looked:
    done: dict[str, float] = {}
    began = time.monotonic()

    def note(event: Event) -> None:
        if isinstance(event, NodeDone):
            done[event.node.name] = time.monotonic() - began

    options = Options(timeout, FORKS, str(cloud.known_hosts), ssh_config=str(cloud.config))
    collect(nodes, plan, options, note)
    return Looked(max(at for name, at in done.items() if name != SLOW), max(done.values()))


if __name__ == "__main__":
    main()

"""Row 12: how correlation grows with the findings, with every playbook: `python bench/correlate.py [FINDINGS]`.

The findings are made from the playbooks themselves: one fault in two hundred findings, every cause in turn, each on
a node of its own; the rest are symptoms that playbooks explain, on all nodes, one in ten of them past.  They are
measured for n, 2n and 4n findings (25,000, 50,000 and 100,000 without an argument).
"""

from __future__ import annotations

import gc
import random
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from measure import RUNS, Series, series
from outcome import Outcome, Reach, figure, keep

from stackdoctor.cli.main import COLLECT_GARBAGE
from stackdoctor.diagnose.correlate import correlate
from stackdoctor.diagnose.knowledge import load_knowledge
from stackdoctor.diagnose.pattern import Pattern, Term
from stackdoctor.diagnose.playbook import Playbook
from stackdoctor.diagnose.runner import Examination
from stackdoctor.model import Evidence, Finding, Severity

STARTED = 1_800_000_000.0
EACH = 200
TWICE = Reach(2.2)
HOSTS = ("host", "node")


def main() -> None:
    """Measure the three sizes."""
    gc.set_threshold(*COLLECT_GARBAGE)  # as in the command
    smallest = int(sys.argv[1]) if len(sys.argv) > 1 else 25_000
    keep("correlate", _outcomes(load_knowledge().playbooks, (smallest, 2 * smallest, 4 * smallest)))


def _outcomes(playbooks: tuple[Playbook, ...], sizes: tuple[int, ...]) -> Iterator[Outcome]:
    taken = _measured(playbooks, sizes)
    for half, size in pairwise(sizes):
        what = f"{size} findings and {len(playbooks)} playbooks, processor time"
        yield figure(what, f"{half} findings", TWICE, taken[size], taken[half])


def _measured(playbooks: tuple[Playbook, ...], sizes: tuple[int, ...]) -> dict[int, Series]:
    """Each size in turn: the machine is not always as fast."""
    examinations = {size: Examination(tuple(synthetic(playbooks, size)), (), frozenset()) for size in sizes}
    taken: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(RUNS):
        for size, examination in examinations.items():
            gc.collect()  # what was made before it is not its to look through
            began = time.process_time()
            correlate(playbooks, examination)
            taken[size].append(time.process_time() - began)
    return {size: series(seconds) for size, seconds in taken.items()}


def synthetic(playbooks: tuple[Playbook, ...], size: int) -> Iterator[Finding]:
    """``size`` findings, the same at every call."""
    chance = random.Random(size)
    nodes = [f"node{number}" for number in range(max(size // 100, 1))]
    made = 0
    for fault in range(size // EACH):
        playbook = playbooks[fault % len(playbooks)]
        binding = _binding(playbook, nodes[fault % len(nodes)], fault)
        for clause in playbook.when:
            yield _finding(clause[0], binding, Severity.ERROR, chance)
            made += 1
    symptoms = [p for playbook in playbooks for p in (*playbook.because, *playbook.explains) if "*" not in p.finding]
    while made < size:
        playbook_node = chance.choice(nodes)
        pattern = chance.choice(symptoms)
        binding = {
            name: playbook_node if name in HOSTS else f"{name}{chance.randrange(size)}" for name in pattern.variables
        }
        past = pattern.finding.startswith("log.") and chance.random() < 0.1
        yield _finding(pattern, binding, Severity.WARNING, chance, past=past)
        made += 1


def _binding(playbook: Playbook, node: str, number: int) -> dict[str, str]:
    return {
        name: node if name in HOSTS else f"{name}{number}"
        for clause in playbook.when
        for pattern in clause
        for name in pattern.variables
    }


def _finding(
    pattern: Pattern, binding: dict[str, str], severity: Severity, chance: random.Random, *, past: bool = False
) -> Finding:
    keys: dict[str, Any] = {key: _value(term, binding) for key, term in pattern.terms if not term.negated}
    keys.pop("severity", None)
    node = keys.pop("node", keys.get("host", binding.get("host", "node0")))
    last = STARTED - (chance.uniform(300, 1800) if past else chance.uniform(0, 100))
    first = last - chance.uniform(0, 60)
    if pattern.finding.startswith("log."):
        keys["state"] = "past" if past else "now"
    evidence = Evidence(node, "/var/log/some.log:1", f"{pattern.finding} {sorted(keys.items())}")
    return Finding(
        keys.pop("subject", "subject"),
        f"{pattern.finding} on {node}",
        node=node,
        id=pattern.finding,
        severity=Severity.INFO if past else severity,
        evidence=evidence,
        first=first,
        last=last,
        episodes=((first, last),),
        **keys,
    )


def _value(term: Term, binding: dict[str, str]) -> str:
    if term.variable:
        return binding.get(term.variable, "other")
    if term.comparison is not None:
        return str(term.comparison[1] + (1 if ">" in term.comparison[0] else -1))
    return term.globs[0].replace("*", "x")


if __name__ == "__main__":
    main()

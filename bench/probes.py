"""The same questions on both sides: forty probes of real checks, and a shell script of the same commands."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stackdoctor.collect.plan import Plan
from stackdoctor.diagnose.knowledge import Knowledge, load_knowledge
from stackdoctor.model import Probe

__all__ = ["PROBES", "Questions", "questions"]

PROBES = 40
LISTED = Path(__file__).with_name("probes.txt")


@dataclass(frozen=True)
class Questions:
    """``checks`` by id, the plan that they make, and ``script``: the same commands for one ``sh``."""

    checks: tuple[str, ...]
    plan: Plan
    script: str

    @property
    def options(self) -> tuple[str, ...]:
        """The options of ``stackdoctor diagnose`` that select them."""
        return tuple(word for check in self.checks for word in ("--check", check))


def questions(count: int = PROBES) -> Questions:
    """The checks that need nothing but the first ``count`` probes of probes.txt, which no new check changes.

    A probe that waits for another's answer, asks a daemon or an API, reads logs, or is spared a busy node, is none of
    them: a script would have to be told.  Raises RuntimeError where they are not the questions of any checks.
    """
    asked = frozenset(LISTED.read_text(encoding="ascii").split()[:count])
    knowledge = load_knowledge()
    chosen = [check for check in knowledge.checks if {p.id for n in check.needs for p in n.fact.probes} <= asked]
    plan = Knowledge(tuple(chosen), (), knowledge.playbooks).plan(since=1800.0, seconds=60.0)
    if lacking := asked.symmetric_difference(probe.id for probe in plan.probes):
        raise RuntimeError(f"{LISTED.name}: no checks ask for these: {' '.join(sorted(lacking))}")
    return Questions(tuple(check.id for check in chosen), plan, script_of(plan.probes))


def script_of(probes: Iterable[Probe]) -> str:
    """One line a probe: the first form whose program is here, or its files."""
    lines = ["export LC_ALL=C PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"]
    for probe in probes:
        if probe.files:
            lines.append(f"cat {' '.join(probe.files)} 2>/dev/null")
            continue
        argv = next((form for form in (probe.argv, *probe.otherwise) if shutil.which(form[0])), None)
        if argv is None:
            continue
        environment = " ".join(f"{name}={shlex.quote(value)}" for name, value in probe.env)
        words = " ".join('"$each"' if word == "{each}" else shlex.quote(word) for word in argv)
        command = f"{environment} {words} 2>&1".strip()
        if probe.each is not None:
            listed = shlex.join(probe.each.argv)
            command = f"for each in $({listed} 2>&1 | sed 's/ .*//'); do {command}; done"
        lines.append(command)
    return "\n".join(lines) + "\n"

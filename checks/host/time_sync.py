"""Clocks that nobody keeps."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.time_sync import TimeSync

SETTLED = 900
"""Seconds after its start by which such a program has heard its servers, if they answer."""

FAR = 1.0
"""Seconds off the true time that a program which slews would take hours for."""


@check("host.clock.unsynchronised", severity=Severity.WARNING)
def not_synchronised(cloud: Cloud[TimeSync], processes: Cloud[Processes] | None) -> Iterator[Finding]:
    """The program that keeps the node's clock has no time server that answers, or is seconds off: the clock drifts.

    It says nothing yet about how far this clock is from the others' (host.clock.skew is that).  In the first quarter
    of an hour after its start it may not have heard its servers yet.
    """
    for node, sync in cloud:
        if _age(node, sync.program, processes) < SETTLED:
            continue
        if sync.synchronised is False:
            why = "is not synchronised"
        elif sync.unheard:
            why = f"gets no answer from {', '.join(s.address for s in sync.sources[:3])}"
        elif sync.offset is not None and abs(sync.offset) > FAR:
            why = f"is {abs(sync.offset):.1f} s off its server's time"
        else:
            continue
        yield Finding(sync, f"{sync.program} on {node} {why}", node=node, host=node, program=sync.program)


def _age(node: str, program: str, processes: Cloud[Processes] | None) -> int:
    found = processes.facts.get(node) if processes is not None else None
    return min((process.age for process in found.of(program)), default=SETTLED) if found is not None else SETTLED

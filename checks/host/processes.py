"""Processes that are there and do nothing."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.processes import Process, Processes
from stackdoctor.facts.topics import is_rpc_server


@check("process.stopped", severity=Severity.ERROR)
def stopped_process(processes: Processes) -> Iterator[Finding]:
    """A service's process is stopped by a signal or a debugger: its unit is active, and it does nothing."""
    for service, own in _by_service(processes).items():
        stopped = [p for p in own if p.stopped]
        if stopped:
            yield Finding(
                service,
                f"{service}: {len(stopped)} of {len(own)} processes are stopped (state {stopped[0].stat},"
                f" pid {', '.join(str(p.pid) for p in stopped[:5])})",
                evidence=stopped[0].evidence,
                count=len(stopped),
                service=service,
                host=stopped[0].evidence.node,
                pid=stopped[0].pid,
                rpc="yes" if is_rpc_server(service) else "no",
                all="yes" if len(stopped) == len(own) else "no",
            )


def _by_service(processes: Processes) -> dict[str, list[Process]]:
    found: dict[str, list[Process]] = {}
    for process in processes:
        if process.service and not process.zombie:
            found.setdefault(process.service, []).append(process)
    return found

"""Processes that are there and do nothing."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.processes import Process, Processes
from stackdoctor.facts.service_names import is_of_the_cloud
from stackdoctor.facts.services import Services
from stackdoctor.facts.topics import is_rpc_server


@check("process.stopped", severity=Severity.ERROR)
def stopped_process(processes: Processes, services: Services | None) -> Iterator[Finding]:
    """A service's process is stopped by a signal or a debugger, or its container is paused.

    Its unit or container is active, and it does nothing.
    """
    stopped_services = set()
    for service, own in _by_service(processes).items():
        stopped = [p for p in own if p.stopped]
        if stopped:
            stopped_services.add(service)
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
    for container in services or ():
        if container.sub == "paused" and container.name not in stopped_services and is_of_the_cloud(container.name):
            yield Finding(
                container.name,
                f"{container.name}: the container {container.unit} is paused",
                evidence=container.evidence,
                service=container.name,
                host=container.evidence.node,
                rpc="yes" if is_rpc_server(container.name) else "no",
                all="yes",
            )


def _by_service(processes: Processes) -> dict[str, list[Process]]:
    found: dict[str, list[Process]] = {}
    for process in processes:
        if process.service and not process.zombie:
            found.setdefault(process.service, []).append(process)
    return found

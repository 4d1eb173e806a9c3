"""Keystone, whether it runs by itself or in a web server."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.logs import LogHits
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.services import Services


@check("keystone.down", severity=Severity.ERROR)
def keystone_down(services: Services, processes: Processes, hits: LogHits | None) -> Iterator[Finding]:
    """Keystone belongs on this node and no process of it is there.

    Its own service ended, or the web server that it runs in: that Keystone is served by it is known from its log.
    """
    if any(not p.zombie for p in processes.of("keystone")):
        return
    if any(unit.active == "active" for unit in services.of("keystone")):
        return
    logs = hits is not None and any(file.service.startswith("keystone") for file in hits.files)
    web = services.of("apache2") if logs and not services.of("keystone") else ()
    in_server = web if not any(unit.active == "active" for unit in web) else ()
    for unit in (*services.of("keystone"), *in_server):
        if unit.down:
            yield Finding(
                "Keystone",
                f"Keystone does not run: {unit.unit} is {unit.active} ({unit.sub})",
                evidence=unit.evidence,
                first=unit.since,
                host=unit.evidence.node,
                service=unit.name,
                unit=unit.unit,
            )
            return

"""The way of samples into Gnocchi."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.services import Services
from stackdoctor.facts.telemetry import Pipelines

AGENTS = ("ceilometer-agent-notification", "ceilometer-polling", "ceilometer-agent-central", "ceilometer-agent-compute")


@check("telemetry.metricd.absent", severity=Severity.WARNING)
def metricd_absent(
    pipelines: Cloud[Pipelines], processes: Cloud[Processes], services: Cloud[Services]
) -> Iterator[Finding]:
    """Ceilometer sends samples to Gnocchi, and no gnocchi-metricd runs on any node, though one is installed.

    Measures pile up unprocessed: metrics have gaps, and alarms go to insufficient data.  Nothing is said where a
    node could not be looked at.
    """
    if any(absence.applicable for absence in processes.absent.values()):
        return
    if any(not p.zombie for _, rows in processes for p in rows.of("gnocchi-metricd")):
        return
    installed = [(node, unit) for node, rows in services for unit in rows.of("gnocchi-metricd")]
    for node, own in pipelines:
        publisher = own.of("gnocchi")
        rows = processes.facts.get(node)
        agent = rows is not None and any(not p.zombie for a in AGENTS for p in rows.of(a))
        if publisher is not None and agent and installed:
            where, unit = installed[0]
            yield Finding(
                "gnocchi-metricd",
                f"{node} publishes samples to gnocchi, and gnocchi-metricd runs nowhere: {unit.unit} on {where} is"
                f" {unit.active}",
                node=where,
                evidence=(publisher.evidence, unit.evidence),
                service="gnocchi-metricd",
                host=where,
            )
            return

"""APIs that take requests which nobody carries out."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.services import Service, Services

WORKERS = (
    ("nova-api", "nova-scheduler"),
    ("nova-api", "nova-conductor"),
    ("cinder-api", "cinder-scheduler"),
    ("heat-api", "heat-engine"),
    ("manila-api", "manila-scheduler"),
    ("magnum-api", "magnum-conductor"),
    ("octavia-api", "octavia-worker"),
    ("designate-api", "designate-central"),
    ("ironic-api", "ironic-conductor"),
    ("masakari-api", "masakari-engine"),
    ("aodh-api", "aodh-evaluator"),
    ("gnocchi-api", "gnocchi-metricd"),
)
"""An API, and a service without which its requests stay where they are."""


@check("service.worker.absent", severity=Severity.WARNING)
def worker_absent(processes: Cloud[Processes], services: Cloud[Services]) -> Iterator[Finding]:
    """An API runs, and what carries out its requests is installed and runs on none of the nodes.

    Its unit is neither enabled nor has it failed, so that nothing starts it.  Nothing is said where a node could
    not be looked at: it may run there.
    """
    if any(absence.applicable for absence in (*processes.absent.values(), *services.absent.values())):
        return
    for api, worker in WORKERS:
        apis = [node for node, rows in processes if _alive(rows, api)]
        if not apis or any(_alive(rows, worker) for _, rows in processes):
            continue
        units = [(node, unit) for node, rows in services for unit in rows.of(worker)]
        if units and not any(unit.active == "active" or unit.down for _, unit in units):
            yield _finding(worker, api, apis[0], *units[0])


def _alive(rows: Processes, service: str) -> bool:
    return any(not p.zombie for p in rows.of(service))


def _finding(worker: str, api: str, where: str, node: str, unit: Service) -> Finding:
    return Finding(
        worker,
        f"{api} runs on {where} and {worker} on no node: {unit.unit} on {node} is {unit.active} and not enabled",
        node=node,
        evidence=unit.evidence,
        service=worker,
        host=node,
        unit=unit.unit,
    )

"""Services that should run and do not."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.service_names import is_of_the_cloud
from stackdoctor.facts.services import Service, Services

ONCE = re.compile(
    r".*[-_](?:bootstrap|db[-_]sync|init(?:[-_].*)?|map[-_]cell0|ensure[-_].*|statedir.*|wait[-_]for[-_].*"
    r"|discover[-_]hosts|fix[-_]perms|ownership|upgrade|online[-_]migrations?|ovs[-_]bridge|copy[-_]rings|setup[-_]srv"
    r"|rsync[-_]fix|run[-_]once|(?:chown|permissions|prepare|migrate|config|setup|check|test)(?:[-_].*)?)"
)
"""Containers that Kolla and TripleO run once and leave behind."""

PUT_ASIDE = re.compile(r".*[-_](?:old|bak|orig)")
"""Containers that an operator renamed and keeps for the way back."""


@check("service.down", severity=Severity.ERROR)
def service_down(services: Services, processes: Processes | None) -> Iterator[Finding]:
    """A service of the cloud is enabled, or ran before, and is not running now, or ends each time it is started.

    A unit whose service runs all the same (by another manager, in a container) is left out, and a container
    that did its work once.
    """
    for service in services:
        if not (service.down or _keeps_ending(service)) or not is_of_the_cloud(service.name) or _was_for_once(service):
            continue
        if any(other.active == "active" for other in services.of(service.name)):
            continue
        if processes is not None and any(not p.zombie for p in processes.of(service.name)):
            continue
        yield Finding(
            service.unit,
            f"{service.unit} is {service.active} ({service.sub})"
            + (f", exit status {service.exit_status}" if service.exit_status else ""),
            evidence=service.evidence,
            first=service.since,
            service=service.name,
            host=service.evidence.node,
            unit=service.unit,
            failed="yes" if service.active == "failed" else "no",
        )


def _keeps_ending(service: Service) -> bool:
    return service.flapping and service.active == "activating" and (service.restarts or 0) >= 3


def _was_for_once(service: Service) -> bool:
    if service.manager == "systemd":
        return False
    name = service.unit[:200]
    return bool(PUT_ASIDE.fullmatch(name)) or (service.exit_status == 0 and bool(ONCE.fullmatch(name)))

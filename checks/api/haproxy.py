"""Back ends that haproxy took out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackdoctor.api import Cloud, Evidence, Finding, Severity, check
from stackdoctor.facts.logs import LogHit, LogHits
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.services import Services

SERVICES = (
    ("keystone|identity", "keystone"),
    ("metadata", "nova-api-metadata"),
    ("novnc|vnc|spice|console", "nova-novncproxy"),
    ("placement", "placement-api"),
    ("nova|compute", "nova-api"),
    ("neutron|network", "neutron-server"),
    ("cinder|volume|block", "cinder-api"),
    ("glance.*registry", "glance-registry"),
    ("glance|image", "glance-api"),
    ("cfn", "heat-api-cfn"),
    ("heat|orchestration", "heat-api"),
    ("horizon|dashboard", "horizon"),
    ("mysql|maria|galera|percona", "mysql"),
    ("rabbit|amqp", "rabbitmq-server"),
    ("memcache", "memcached"),
    ("octavia|load-?balancer", "octavia-api"),
    ("barbican|key-?manager", "barbican-api"),
    ("designate|dns", "designate-api"),
    ("manila|share", "manila-api"),
    ("magnum", "magnum-api"),
    ("ironic|baremetal", "ironic-api"),
    ("aodh|alarm", "aodh-api"),
    ("gnocchi|metric", "gnocchi-api"),
)
"""What the names of back ends say, in the order of asking; every operator has his own."""

UNKNOWN = "unknown"


def service_of(backend: str) -> str:
    """The service behind a back end, empty where its name does not say.

    >>> service_of("keystone_back"), service_of("nova-metadata-api"), service_of("galera"), service_of("www")
    ('keystone', 'nova-api-metadata', 'mysql', '')
    """
    return next((service for words, service in SERVICES if re.search(words, backend[:200].lower())), "")


@check("haproxy.backend.down", severity=Severity.ERROR)
def backend_down(
    cloud: Cloud[LogHits], services: Cloud[Services] | None, processes: Cloud[Processes] | None
) -> Iterator[Finding]:
    """haproxy has no server left for an API and answers 503: none came back since it said so.

    What it said before it was started or reloaded last does not count, nor does a single server that is out while
    others serve.
    """
    for node, hits in cloud:
        lost: dict[str, LogHit] = {}
        for hit in hits.of("haproxy-no-server"):
            backend = hit.keys.get("backend", "")
            if backend and (backend not in lost or hit.last > lost[backend].last):
                lost[backend] = hit
        for backend, hit in sorted(lost.items()):
            back = [h.last for h in hits.of("haproxy-server-up") if h.keys.get("backend") == backend]
            if max(back, default=0.0) > hit.last or _started(node, hits, processes) > hit.last:
                continue
            servers = [h for h in hits.of("haproxy-server-down") if h.keys.get("backend") == backend]
            last = max(servers, key=lambda h: h.last, default=None)
            service = service_of(backend)
            yield Finding(
                backend,
                f"haproxy on {node} has no server left for {backend}: every request gets a 503",
                node=node,
                evidence=_shown(hit, last),
                first=hit.first,
                last=hit.last,
                backend=backend,
                service=service or UNKNOWN,
                target_host=last.keys.get("server") if last is not None else None,
                reason=last.keys.get("reason") if last is not None else None,
                process=_process(service, services, processes),
            )


def _shown(hit: LogHit, server: LogHit | None) -> tuple[Evidence, ...]:
    return (hit.evidence, server.evidence) if server is not None else (hit.evidence,)


def _started(node: str, hits: LogHits, processes: Cloud[Processes] | None) -> float:
    """When haproxy's youngest process began: a reload makes one."""
    own = processes.facts[node].of("haproxy") if processes is not None and node in processes.facts else ()
    return max((hits.until - process.age for process in own), default=0.0)


def _process(service: str, services: Cloud[Services] | None, processes: Cloud[Processes] | None) -> str:
    """Whether the service behind it is there: ended, running, or unknown."""
    if not service:
        return UNKNOWN
    running = any(any(not p.zombie for p in found.of(service)) for _, found in processes or ())
    ended = any(any(s.down for s in found.of(service)) for _, found in services or ())
    return "running" if running else "ended" if ended else UNKNOWN

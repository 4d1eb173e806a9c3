"""The boot of an instance, from the API's answer to a running domain: which steps the logs and the nodes prove."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from stackdoctor.facts.libvirt import Domain
from stackdoctor.model import Evidence
from stackdoctor.trace.records import LogRecord, Records, requests_in
from stackdoctor.trace.steps import FAILED, MISSING, PROVEN, UNKNOWN, Step, Trace, implied

__all__ = ["boot_requests", "boot_trace"]


@dataclass(frozen=True)
class Stage:
    """A step of the boot flow: whose log shows it, by which words, and by which that it failed.

    ``silent``: at the default log level a success leaves no line; only a later step shows it.
    ``optional``: not every boot has it.
    """

    name: str
    services: str
    done: str
    failed: str = ""
    silent: bool = False
    optional: bool = False


STAGES = (
    Stage(
        "API takes the request",
        r"nova-api|nova-api-wsgi|nova-osapi.*",
        r'"POST /\S*servers\S*(?: HTTP/1\.\d)?" (?:status: )?202',
        r'"POST /\S*servers\S*(?: HTTP/1\.\d)?" (?:status: )?[45]\d\d',
    ),
    Stage(
        "conductor builds the request",
        r"nova-conductor|nova-super-conductor",
        r"(?i)schedul|build",
        r"Failed to (?:compute_task_build_instances|schedule)|MessagingTimeout|No valid host",
        silent=True,
    ),
    Stage(
        "placement has candidates",
        r"placement.*",
        r'"GET /\S*allocation_candidates\S* ?(?:HTTP/1\.\d)?" status: 200',
        r'"GET /\S*allocation_candidates\S* ?(?:HTTP/1\.\d)?" status: [45]\d\d',
        optional=True,
    ),
    Stage(
        "scheduler picks a host",
        r"nova-scheduler",
        r"(?i)selected host|weighed",
        r"returned 0 hosts|Got no allocation candidates|No valid host|No weighed hosts",
        silent=True,
    ),
    Stage(
        "placement holds the resources",
        r"placement.*",
        r'"PUT /\S*allocations/\S+ ?(?:HTTP/1\.\d)?" status: 20\d',
        r'"PUT /\S*allocations/\S+ ?(?:HTTP/1\.\d)?" status: [45]\d\d',
        optional=True,
    ),
    Stage(
        "compute claims it",
        r"nova-compute",
        r"Claim successful",
        r"ComputeResourcesUnavailable|Insufficient compute resources|Claim failed",
    ),
    Stage(
        "compute makes the disk",
        r"nova-compute",
        r"Creating image",
        r"ImageNotFound|ImageUnacceptable|Image \S+ could not be found|GlanceConnectionFailed|No space left",
    ),
    Stage(
        "Neutron has the port",
        r"neutron-server|neutron-api",
        r'"(?:POST /\S*ports\S*|PUT /\S*ports/\S+) ?(?:HTTP/1\.\d)?" status: 20\d',
        r"Failed to bind port|PortBindingFailed|No more IP addresses|Quota exceeded",
    ),
    Stage(
        "Cinder gives the volume",
        r"cinder-api|cinder-volume",
        r'"(?:POST|PUT) /\S*attachments\S* ?(?:HTTP/1\.\d)?" (?:status: )?20\d|Initialize volume connection completed',
        r'"(?:POST|PUT) /\S*attachments\S* ?(?:HTTP/1\.\d)?" (?:status: )?5\d\d|Unable to \w+ connection',
        optional=True,
    ),
    Stage("compute plugs the interface", r"nova-compute", r"Successfully plugged vif", r"Failed to plug vif"),
    Stage(
        "libvirt starts the domain",
        r"nova-compute",
        r"VM Started|Instance (?:running|is running)",
        r"Error (?:launching|starting) |libvirtError|Failed to start libvirt guest",
    ),
    Stage(
        "Neutron says that the port is wired",
        r"nova-api.*|nova-compute",
        r"network-vif-plugged|VM Resumed",
        r"Timeout waiting for \[?.*network-vif-plugged|VirtualInterfaceCreateException",
    ),
    Stage(
        "instance is active",
        r"nova-compute",
        r"Instance spawned successfully|Took [\d.]+ seconds to build instance",
        r"Instance failed to spawn|Build of instance \S+ (?:aborted|was re-scheduled)|Failed to build and run",
    ),
)
"""nova/api/openstack/requestlog.py, conductor/manager.py, scheduler/manager.py, compute/{manager,claims}.py,
virt/libvirt/driver.py; placement/requestlog.py; neutron's wsgi.  Of the second last, an INFO line of nova-api
(`Creating event network-vif-plugged:PORT for instance`) tells; the wait is nova-compute's."""


BUILDS = r"Claim successful|Creating image|build instance|failed to spawn|\"PUT /\S*allocations/|schedul|No valid host"
MOST_REQUESTS = 5


def boot_requests(records: Records) -> tuple[str, ...]:
    """The ids of the requests that built the instance which ``records`` name; empty where none says so."""
    building = [r for r in records.records if re.search(BUILDS, r.message)]
    return requests_in(building)[:MOST_REQUESTS]


def boot_trace(instance: str, name: str, records: Records, domains: Iterable[tuple[str, Domain]]) -> Trace:
    """The way of ``instance`` (a UUID) through its boot.  ``domains`` are those that nodes have of it."""
    steps = [step for stage in STAGES if (step := _step(stage, records)) is not None]
    running = tuple(domains)
    steps.append(_domain(running))
    done = implied(steps)
    about = {"instance": instance, **({"name": name} if name else {})}
    hosts = [r.node for r in records.of(r"nova-compute", "Claim successful")] or [node for node, _ in running]
    if hosts:
        about["host"] = hosts[-1]
    return Trace("boot", name or instance, done, tuple(_tell_more(instance, done, records)), records.gaps, about)


def _step(stage: Stage, records: Records) -> Step | None:
    said = records.of(stage.services)
    failed = next((r for r in said if stage.failed and re.search(stage.failed, r.message + _error(r))), None)
    if failed is not None:
        return _from(stage, FAILED, failed)
    done = next((r for r in said if re.search(stage.done, r.message)), None)
    if done is not None:
        return _from(stage, PROVEN, done)
    if stage.optional:
        return None
    if stage.silent or not records.complete:
        return Step(stage.name, UNKNOWN, "no record of it, which its success does not leave" if stage.silent else "")
    return Step(stage.name, MISSING, "no record of it in the logs of this time")


def _error(record: LogRecord) -> str:
    """The exception at the end of a traceback."""
    return "\n" + record.text.rstrip().rsplit("\n", 1)[-1] if record.failed else ""


def _from(stage: Stage, state: str, record: LogRecord) -> Step:
    return Step(
        stage.name,
        state,
        record.message,
        record.node,
        record.service,
        record.time,
        (Evidence(record.node, record.evidence.source, record.evidence.line),),
    )


def _domain(domains: tuple[tuple[str, Domain], ...]) -> Step:
    name = "domain runs"
    if not domains:
        return Step(name, MISSING, "no node that was looked at has a domain of it")
    node, domain = domains[0]
    if len(domains) > 1:
        nodes = ", ".join(node for node, _ in domains)
        return Step(name, FAILED, f"several nodes have a domain of it: {nodes}", evidence=(domain.evidence,))
    state = PROVEN if domain.running else FAILED
    return Step(name, state, f"{domain.name} is {domain.state or 'running'}", node, "libvirt", None, (domain.evidence,))


def _tell_more(instance: str, steps: tuple[Step, ...], records: Records) -> Iterable[str]:
    stuck = Trace("boot", instance, steps).stuck_at
    if not records.complete:
        yield "the same without --from: a snapshot keeps only records that a log signature matches"
    elif not records.records:
        yield "a longer --since: no log of this time names the instance"
    if stuck is not None and "wired" in stuck.name:
        yield f"stackdoctor path {instance} --to dhcp"
    if stuck is not None:
        yield "stackdoctor diagnose: the cause, if it still holds"

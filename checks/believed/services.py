"""Services and agents: what the APIs believe of them, and what their hosts show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stackdoctor.checks.rabbitmq.hosts import Hosts

from stackdoctor.api import Cloud, Evidence, Finding, Severity, check
from stackdoctor.facts.host import HostsFile
from stackdoctor.facts.nova_config import NovaConfig
from stackdoctor.facts.openstack_answers import chosen
from stackdoctor.facts.openstack_servers import Hypervisors
from stackdoctor.facts.openstack_services import BelievedService, ComputeServices, NetworkAgents, VolumeServices
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.reach import Reach
from stackdoctor.facts.services import Services

LEFT_BEHIND = 7 * 86400.0
"""A service that has been silent for so long is one that was taken away and never deleted."""

SETTLED = 180
"""Seconds after which a service that was started has reported."""

REGISTERED = frozenset(
    (
        *("nova-compute", "nova-conductor", "nova-scheduler"),
        *("neutron-linuxbridge-agent", "neutron-openvswitch-agent", "neutron-dhcp-agent", "neutron-l3-agent"),
        "neutron-metadata-agent",
    )
)
"""Programs that put themselves into a list of services under the name of their host."""


class Real:
    """What the nodes show of the services that the APIs list."""

    def __init__(
        self,
        reach: Cloud[Reach],
        files: Cloud[HostsFile] | None,
        processes: Cloud[Processes] | None,
        services: Cloud[Services] | None,
    ) -> None:
        self.hosts = Hosts(reach, files, services, processes, None)
        self._silent = {node: found for node, found in reach if found.silent}
        self._processes = processes.facts if processes is not None else {}
        self._services = services.facts if services is not None else {}

    def state(self, service: BelievedService) -> tuple[str, tuple[Evidence, ...]]:
        """unreachable, running, stopped, not-running or unknown; and what shows it."""
        node = self.hosts.node(service.host)
        if node is None:
            return "unknown", ()
        if node in self._silent:
            return "unreachable", (self._silent[node].evidence,)
        if node not in self._processes:
            return "unknown", ()
        own = [p for p in self._processes[node].of(service.binary) if not p.zombie]
        if own:
            return ("stopped" if all(p.stopped for p in own) else "running"), (own[0].evidence,)
        known = self._services[node].of(service.binary) if node in self._services else ()
        down = [unit for unit in known if unit.active in ("inactive", "failed")]
        if down and len(down) == len(known):
            return "not-running", (down[0].evidence,)
        return "unknown", ()


@check("api.compute-service.down", severity=Severity.ERROR)
def compute_service_down(
    believed: Cloud[ComputeServices],
    reach: Cloud[Reach],
    files: Cloud[HostsFile] | None,
    processes: Cloud[Processes] | None,
    services: Cloud[Services] | None,
) -> Iterator[Finding]:
    """Nova takes an enabled service for dead: it has not reported within service_down_time (60 s by default).

    Its ``process`` says what its own host shows: one that runs and is down cannot report, or its clock is off.
    A warning where it has been silent for a week: it was taken away and never deleted.
    """
    yield from _down(chosen(believed), Real(reach, files, processes, services), "nova")


@check("api.network-agent.down", severity=Severity.ERROR)
def network_agent_down(
    believed: Cloud[NetworkAgents],
    reach: Cloud[Reach],
    files: Cloud[HostsFile] | None,
    processes: Cloud[Processes] | None,
    services: Cloud[Services] | None,
) -> Iterator[Finding]:
    """Neutron takes an agent for dead: it has not reported within agent_down_time (75 s by default).

    No port is bound on its host, no network or router is scheduled to it; what it set up goes on working.
    """
    yield from _down(chosen(believed), Real(reach, files, processes, services), "neutron")


@check("api.volume-service.down", severity=Severity.ERROR)
def volume_service_down(
    believed: Cloud[VolumeServices],
    reach: Cloud[Reach],
    files: Cloud[HostsFile] | None,
    processes: Cloud[Processes] | None,
    services: Cloud[Services] | None,
) -> Iterator[Finding]:
    """Cinder takes an enabled service for dead: it has not reported within service_down_time (60 s by default)."""
    yield from _down(chosen(believed), Real(reach, files, processes, services), "cinder")


Believed = ComputeServices | NetworkAgents | VolumeServices

REPORTS_BY = {"nova-compute": "nova-conductor"}
"""Who writes a service's report into the database where it does not do so itself: nova-compute has no access."""


def _down(believed: Believed | None, real: Real, system: str) -> Iterator[Finding]:
    for service in believed or ():
        if service.up or not service.enabled or service.forced_down:
            continue
        process, shown = real.state(service)
        stale = service.silent is None or service.silent > LEFT_BEHIND
        silent = "never" if service.silent is None else f"{service.silent:.0f} s ago"
        yield Finding(
            service,
            f"{service} is taken for dead: it last reported {silent}"
            + ("; its process runs" if process == "running" else ""),
            node=real.hosts.node(service.host) or "",
            severity=Severity.WARNING if stale and process != "running" else None,
            evidence=(service.evidence, *shown),
            system=system,
            service=service.binary,
            agent=service.binary,
            host=service.host,
            backend=service.backend or None,
            type=service.kind or None,
            via="neutron-server" if system == "neutron" else REPORTS_BY.get(service.binary, "database"),
            process=process,
            stale="yes" if stale else "no",
        )


@check("api.service.disabled", severity=Severity.INFO)
def service_disabled(
    compute: Cloud[ComputeServices], volume: Cloud[VolumeServices] | None, agents: Cloud[NetworkAgents] | None
) -> Iterator[Finding]:
    """A service was disabled or forced down, by the administrator or (AUTO) by itself: nothing is scheduled to it.

    A warning where Nova did it: libvirt was lost, or builds failed one after the other.
    """
    for believed in (chosen(compute), chosen(volume), chosen(agents)):
        for service in believed or ():
            if service.enabled and not service.forced_down:
                continue
            by_itself = service.reason.startswith("AUTO")
            yield Finding(
                service,
                f"{service} is {'forced down' if service.forced_down else 'disabled'}"
                + (f": {service.reason[:200]}" if service.reason else ""),
                severity=Severity.WARNING if by_itself else None,
                service=service.binary,
                host=service.host,
                auto="yes" if by_itself else "no",
            )


@check("api.service.up-but-dead", severity=Severity.WARNING)
def service_up_but_dead(
    compute: Cloud[ComputeServices],
    volume: Cloud[VolumeServices] | None,
    agents: Cloud[NetworkAgents] | None,
    reach: Cloud[Reach],
    files: Cloud[HostsFile] | None,
    processes: Cloud[Processes] | None,
    services: Cloud[Services] | None,
) -> Iterator[Finding]:
    """An API lists a service as up whose host is silent or whose process is stopped or gone.

    It is believed for as long as service_down_time or agent_down_time lasts; work goes to it in vain until then.
    """
    real = Real(reach, files, processes, services)
    for believed in (chosen(compute), chosen(volume), chosen(agents)):
        for service in believed or ():
            process, shown = real.state(service) if service.up else ("", ())
            if process in ("unreachable", "stopped", "not-running"):
                yield Finding(
                    service,
                    f"{service} is listed as up, and is {process} there",
                    node=real.hosts.node(service.host) or "",
                    evidence=(service.evidence, *shown),
                    service=service.binary,
                    agent=service.binary,
                    host=service.host,
                    process=process,
                )


@check("api.service.unknown", severity=Severity.WARNING)
def service_unknown(
    compute: Cloud[ComputeServices],
    agents: Cloud[NetworkAgents],
    reach: Cloud[Reach],
    files: Cloud[HostsFile] | None,
    processes: Cloud[Processes],
) -> Iterator[Finding]:
    """A service runs on a node, and no API lists it there: its row was deleted, or it reports to another control plane.

    Where a service of that kind is listed on a host that is none of the nodes looked at, it may be the same under
    another name (``host`` in its configuration), and nothing is said.
    """
    hosts = Hosts(reach, files, None, processes, None)
    listed: dict[str, set[str | None]] = {}
    for row in (*_rows(chosen(compute)), *_rows(chosen(agents))):
        listed.setdefault(row.binary, set()).add(hosts.node(row.host))
    for node, found in processes:
        for binary in sorted(REGISTERED & {p.service for p in found if p.age > SETTLED and not p.zombie}):
            nodes = listed.get(binary, set())
            if None not in nodes and node not in nodes:
                process = found.of(binary)[0]
                yield Finding(
                    process,
                    f"{binary} runs on {node}, and is not listed there",
                    node=node,
                    service=binary,
                    host=node,
                )


def _rows(believed: ComputeServices | NetworkAgents | None) -> Iterable[BelievedService]:
    return believed.rows if believed is not None else ()


@check("api.hypervisor.missing", severity=Severity.ERROR)
def hypervisor_missing(
    compute: Cloud[ComputeServices],
    hypervisors: Cloud[Hypervisors],
    reach: Cloud[Reach],
    files: Cloud[HostsFile] | None,
    processes: Cloud[Processes],
    configs: Cloud[NovaConfig] | None,
) -> Iterator[Finding]:
    """nova-compute reports, and Nova lists no hypervisor of its host: nothing can be scheduled there.

    The host was not mapped into a cell (nova-manage cell_v2 discover_hosts), or nova-compute could not make its
    compute node and resource provider.  A nova-compute for bare metal may well have nothing to look after.
    """
    known, hosts = chosen(hypervisors), Hosts(reach, files, None, processes, None)
    if known is None or not known.complete or not all(h.host for h in known):
        return
    there = {h.host.lower() for h in known}
    for service in chosen(compute) or ():
        node = hosts.node(service.host)
        own = processes.facts[node].of("nova-compute") if node in processes.facts else ()
        config = configs.facts.get(node or "") if configs is not None else None
        if config is not None and not config.libvirt:
            continue
        settled = any(p.age > SETTLED for p in own)
        if service.binary == "nova-compute" and service.up and settled and service.host.lower() not in there:
            yield Finding(
                service,
                f"nova-compute on {service.host} is up, and there is no hypervisor of that host",
                node=node or "",
                service="nova-compute",
                host=service.host,
            )

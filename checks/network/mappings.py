"""The devices that the Linux bridge agent is told to use."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.checks.network.segments import Interfaces

from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.links import Links
from stackdoctor.facts.linuxbridge_conf import LinuxBridgeConf
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.services import Services

AGENT = "neutron-linuxbridge-agent"


@check("bridge.mapping.missing", severity=Severity.WARNING)
def mapping_to_nothing(
    conf: LinuxBridgeConf, links: Links, processes: Processes | None, services: Services | None
) -> Iterator[Finding]:
    """The agent's configuration names a device for a physical network that the node does not have.

    The agent ends at its start with that configuration, and is an error while it is not running; one that runs was
    started before the file, or the interface, was changed.  Nodes where the agent neither runs nor is meant to are
    left out: the file comes with a package and says nothing there.
    """
    interfaces = Interfaces(links)
    runs = _runs(processes)
    for mapping in conf.mappings if _belongs(runs, services) else ():
        if interfaces.named(mapping.device) is None:
            yield Finding(
                mapping,
                f"{mapping.option} names {mapping.device} for {mapping.physical_network}, which is not on the node",
                severity=Severity.ERROR if runs is False else None,
                host=mapping.evidence.node,
                device=mapping.device,
                physical_network=mapping.physical_network,
                running={True: "yes", False: "no", None: "unknown"}[runs],
                agent=AGENT,
            )


@check("bridge.local-ip.missing", severity=Severity.WARNING)
def local_ip_nowhere(
    conf: LinuxBridgeConf, addresses: Addresses, processes: Processes | None, services: Services | None
) -> Iterator[Finding]:
    """The agent's tunnel address (local_ip) is on no interface of the node: it ends at its start.

    An error while it is not running.  Nodes where it neither runs nor is meant to are left out.
    """
    runs = _runs(processes)
    if not conf.local_ip or not _belongs(runs, services):
        return
    if not any(not a.namespace for a in addresses.holding(conf.local_ip)):
        yield Finding(
            conf.local_ip,
            f"local_ip {conf.local_ip} of the Linux bridge agent is on no interface of the node",
            severity=Severity.ERROR if runs is False else None,
            evidence=conf.evidence,
            host=conf.evidence.node,
            ip=conf.local_ip,
            running={True: "yes", False: "no", None: "unknown"}[runs],
            agent=AGENT,
        )


def _belongs(runs: bool | None, services: Services | None) -> bool:
    """Whether the agent runs here, or is a unit or container that should."""
    return bool(runs) or (services is not None and services.meant(AGENT))


def _runs(processes: Processes | None) -> bool | None:
    return None if processes is None else any(not process.zombie for process in processes.of(AGENT))

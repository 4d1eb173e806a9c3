"""The hosts that a cloud's own lists name: of compute services, network agents and volume services."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.openstack_services import ComputeServices, NetworkAgents, VolumeServices
from stackdoctor.model import NodeResults

__all__ = ["LISTS", "CloudHosts", "hosts_listed"]

List: TypeAlias = type[ComputeServices] | type[NetworkAgents] | type[VolumeServices]
LISTS: Mapping[str, List] = {
    "compute services": ComputeServices,
    "network agents": NetworkAgents,
    "volume services": VolumeServices,
}
"""The lists by what operators call them."""


@dataclass(frozen=True)
class CloudHosts:
    """``programs`` are those listed on each host, by the host's name; ``problems`` say which list could not be read."""

    programs: Mapping[str, frozenset[str]]
    problems: tuple[str, ...]


def hosts_listed(answered: Iterable[NodeResults]) -> CloudHosts:
    """What the first of ``answered`` that has credentials says.

    A host that one service calls by its short name and another by its full one is one host, called by the longer.
    Nothing is listed where nobody had credentials.
    """
    programs: dict[str, set[str]] = {}
    problems: list[str] = []
    for results in answered:
        for what, kind in LISTS.items():
            try:
                for service in kind.parse(results):
                    programs.setdefault(service.host, set()).add(service.binary)
            except NotApplicable:
                continue
            except CouldNotCheck as error:
                problems.append(f"the list of {what} could not be read: {error}")
        if programs:
            break
    return CloudHosts(_merged(programs), tuple(dict.fromkeys(problems)))


def _merged(programs: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    full: dict[str, list[str]] = {}
    for host in programs:
        if "." in host:
            full.setdefault(host.partition(".")[0].lower(), []).append(host)
    found: dict[str, set[str]] = {}
    for host, listed in programs.items():
        longer = [] if "." in host else full.get(host.lower(), [])
        found.setdefault(longer[0] if len(longer) == 1 else host, set()).update(listed)
    return {host: frozenset(listed) for host, listed in sorted(found.items())}

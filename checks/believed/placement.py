"""Placement's providers and allocations, against Nova's hypervisors and servers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.openstack_answers import chosen
from stackdoctor.facts.openstack_placement import ResourceProvider, ResourceProviders
from stackdoctor.facts.openstack_servers import Hypervisor, Hypervisors, Servers

SETTLED = 120.0
VIRTUAL = ("QEMU", "KVM", "xen", "VMware vCenter Server")


@check("api.allocation.no-instance", severity=Severity.WARNING)
def allocation_without_instance(providers: Cloud[ResourceProviders], servers: Cloud[Servers]) -> Iterator[Finding]:
    """Placement counts resources as used by a consumer that is neither a server nor a migration that goes on.

    What failed migrations and evacuations leave behind: it is counted although nothing runs, until no host has room.
    """
    known = chosen(servers)
    if known is None or known.migrations is None:
        return
    for provider in chosen(providers) or ():
        if not provider.computes:
            continue
        leaked = {
            consumer: held
            for consumer, held in (provider.allocations or {}).items()
            if known.lacks(consumer) and consumer not in known.migrations
        }
        if leaked:
            held: Counter[str] = Counter()
            for resources in leaked.values():
                held.update(resources)
            amount = ", ".join(f"{name} {count}" for name, count in sorted(held.items()))
            yield Finding(
                provider,
                f"{len(leaked)} consumers hold {amount} of {provider.name}, and Nova knows none of them:"
                f" {', '.join(sorted(leaked)[:3])}",
                count=len(leaked),
                provider=provider.id,
                host=provider.name,
                instance=min(leaked),
            )


@check("api.instance.no-allocation", severity=Severity.WARNING)
def instance_without_allocation(
    providers: Cloud[ResourceProviders], servers: Cloud[Servers], hypervisors: Cloud[Hypervisors]
) -> Iterator[Finding]:
    """A running server holds nothing of any resource provider: its host will be filled beyond what it has."""
    every = chosen(providers)
    if every is None or not every.whole:
        return
    consumers = {consumer for provider in every for consumer in provider.allocations or ()}
    hosts = {h.host for h in chosen(hypervisors) or () if h.kind in VIRTUAL}
    for server in chosen(servers) or ():
        if server.settled and server.idle > SETTLED and server.host in hosts and server.id not in consumers:
            yield Finding(
                server,
                f"{server} runs on {server.host} and has no allocation in Placement",
                instance=server.id,
                host=server.host,
            )


@check("api.provider.missing", severity=Severity.ERROR)
def provider_missing(providers: Cloud[ResourceProviders], hypervisors: Cloud[Hypervisors]) -> Iterator[Finding]:
    """An enabled hypervisor that is up has no resource provider: the scheduler never considers it.

    ``conflict`` says that there is one of its name with another id: the host was installed anew or renamed, and
    Placement refuses a second one of that name.
    """
    every = chosen(providers)
    if every is None or not every.complete:
        return
    ids = {provider.id for provider in every}
    named = {provider.name: provider for provider in every}
    for hypervisor in chosen(hypervisors) or ():
        other = named.get(hypervisor.name)
        there = hypervisor.id in ids or (other is not None and hypervisor.id.isdigit())
        if hypervisor.up and hypervisor.enabled and not there:
            yield Finding(
                hypervisor,
                f"{hypervisor} ({hypervisor.id}) has no resource provider"
                + (f"; {other.id} has its name" if other is not None else ""),
                evidence=(hypervisor.evidence, *((other.evidence,) if other is not None else ())),
                host=hypervisor.host or hypervisor.name,
                provider=other.id if other is not None else None,
                conflict="yes" if other is not None else "no",
            )


@check("api.provider.no-inventory", severity=Severity.ERROR)
def provider_without_inventory(
    providers: Cloud[ResourceProviders], hypervisors: Cloud[Hypervisors]
) -> Iterator[Finding]:
    """The resource provider of an enabled hypervisor that is up has neither processors nor memory to give."""
    rows = chosen(providers)
    by_id: dict[str, ResourceProvider] = {provider.id: provider for provider in rows or ()}
    for hypervisor in chosen(hypervisors) or ():
        provider = by_id.get(hypervisor.id)
        if provider is None or provider.capacity is None or not _computes(hypervisor):
            continue
        if "MEMORY_MB" not in provider.capacity:
            yield Finding(
                provider,
                f"{provider} has no memory to give (its inventory: {', '.join(provider.capacity) or 'empty'})",
                provider=provider.id,
                host=hypervisor.host or hypervisor.name,
            )


def _computes(hypervisor: Hypervisor) -> bool:
    return hypervisor.up and hypervisor.enabled and hypervisor.kind in VIRTUAL


@check("api.provider.leftover", severity=Severity.INFO)
def provider_leftover(providers: Cloud[ResourceProviders], hypervisors: Cloud[Hypervisors]) -> Iterator[Finding]:
    """A resource provider with memory belongs to no hypervisor: a compute host was removed, its provider was not."""
    known = chosen(hypervisors)
    if known is None or not known.complete:
        return
    ids, names = {h.id for h in known}, {h.name for h in known}
    for provider in chosen(providers) or ():
        if provider.computes and provider.id not in ids and provider.name not in names:
            yield Finding(
                provider,
                f"{provider} ({provider.id}) belongs to no hypervisor"
                + (f", and {len(provider.allocations)} consumers hold of it" if provider.allocations else ""),
                provider=provider.id,
                host=provider.name,
            )

"""Galera: whether the nodes of the database's cluster serve, and see each other."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.mysql import Galera, Mysql


def _members(cloud: Cloud[Mysql]) -> Iterator[tuple[str, Galera]]:
    """Each member that answers once, under its own host name."""
    seen: set[str] = set()
    for node, database in cloud:
        name = database.hostname or node
        if database.galera is not None and name.lower() not in seen:
            seen.add(name.lower())
            yield name, database.galera


@check("galera.non-primary", severity=Severity.CRITICAL)
def not_in_the_primary_component(cloud: Cloud[Mysql]) -> Iterator[Finding]:
    """This member lost the majority of its cluster and answers every query with error 1047."""
    for host, galera in _members(cloud):
        if not galera.primary:
            status = galera.cluster_status or "unknown"
            yield Finding(
                galera,
                f"Galera on {host} is not in the primary component (wsrep_cluster_status {status})",
                node=host,
                host=host,
                status=status,
                size=galera.size,
            )


@check("galera.not-synced", severity=Severity.WARNING)
def not_synchronized(cloud: Cloud[Mysql]) -> Iterator[Finding]:
    """This member is in the cluster and is not synchronized: it hands its data to another, or gets it."""
    for host, galera in _members(cloud):
        if galera.primary and galera.state != "Synced":
            yield Finding(
                galera,
                f"Galera on {host} is {galera.state or 'in an unknown state'}, not Synced",
                node=host,
                severity=None if galera.ready else Severity.ERROR,
                host=host,
                state_of_node=galera.state,
            )


@check("galera.members.missing", severity=Severity.WARNING)
def fewer_members_than_servers(cloud: Cloud[Mysql]) -> Iterator[Finding]:
    """A member of the primary component counts fewer members than there are Galera servers that answer."""
    members = list(_members(cloud))
    for host, galera in members:
        if galera.primary and galera.size is not None and galera.size < len(members):
            yield Finding(
                galera,
                f"Galera on {host} has {galera.size} members, and {len(members)} servers answer",
                node=host,
                host=host,
                size=galera.size,
                servers=len(members),
            )

"""What the cloud's own tables say is stuck (asked only with --database)."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.database_state import DatabaseRow, DatabaseState

LATE = 75
"""Seconds without a report by which Nova (service_down_time 60) and Neutron (agent_down_time 75) call one dead."""

STUCK = 900
LEFT_OVER = 86400
"""Seconds: what has not reported for a day is the record of something that was taken away, as a rule."""

LONG = 60
SETTLING = 300
SILENT = frozenset(("nova-osapi_compute", "nova-metadata", "nova-console", "nova-consoleauth"))
"""Services of Nova that write their record when they start and, under a web server, not again."""


def _rows(cloud: Cloud[DatabaseState], table: str, *identity: str) -> Iterator[tuple[str, DatabaseRow]]:
    """The node that told and the row, each once: the members of a cluster have the same tables."""
    told: set[tuple[str, ...]] = set()
    for _, state in cloud:
        for row in state.rows(table):
            key = tuple(row[column] for column in identity)
            if key not in told:
                told.add(key)
                yield state.server, row


def _own(cloud: Cloud[DatabaseState], table: str) -> Iterator[tuple[str, DatabaseRow]]:
    """What each server tells of itself, once."""
    told: set[str] = set()
    for _, state in cloud:
        if state.server.lower() not in told:
            told.add(state.server.lower())
            for row in state.rows(table):
                yield state.server, row


def _reports(cloud: Cloud[DatabaseState], table: str) -> Iterator[Finding]:
    for server, row in _rows(cloud, table, "host", "service"):
        if row.age > LATE and row["service"] not in SILENT:
            yield Finding(
                f"{row['service']} on {row['host']}",
                f"{row['service']} on {row['host']} last reported {row.age} s ago, says the database",
                node=server,
                severity=Severity.INFO if row.age > LEFT_OVER else None,
                evidence=row.evidence,
                service=row["service"],
                host=row["host"],
                age=row.age,
            )


@check("database.nova.service-down", severity=Severity.WARNING)
def nova_service_down(cloud: Cloud[DatabaseState]) -> Iterator[Finding]:
    """A service of Nova that is enabled has not reported for longer than service_down_time: nothing is sent to it."""
    yield from _reports(cloud, "nova-services")


@check("database.neutron.agent-down", severity=Severity.WARNING)
def neutron_agent_down(cloud: Cloud[DatabaseState]) -> Iterator[Finding]:
    """An agent of Neutron that is enabled has not reported for longer than agent_down_time: no port is bound to it."""
    yield from _reports(cloud, "neutron-agents")


@check("database.instance.stuck", severity=Severity.WARNING)
def instance_stuck(cloud: Cloud[DatabaseState]) -> Iterator[Finding]:
    """An instance has been in the middle of something (task_state, or building) for a quarter of an hour.

    What was to end it was lost: the message, or the service that worked on it.  One in error is told as information.
    """
    for server, row in _rows(cloud, "nova-instances", "uuid"):
        doing = row["task_state"] or (row["vm_state"] if row["vm_state"] == "building" else "")
        if doing and row.age <= STUCK:
            continue
        state = f"has been {doing} for {row.age} s" if doing else "is in error"
        yield Finding(
            row["uuid"],
            f"instance {row['uuid']} {state}, says the database",
            node=server,
            severity=None if doing else Severity.INFO,
            evidence=row.evidence,
            instance=row["uuid"],
            host=row["host"] or None,
            task_state=row["task_state"] or None,
            vm_state=row["vm_state"],
        )


@check("database.volume.stuck", severity=Severity.WARNING)
def volume_stuck(cloud: Cloud[DatabaseState]) -> Iterator[Finding]:
    """A volume has been in the middle of something (creating, attaching, detaching ...) for a quarter of an hour.

    One in error is told as information.
    """
    for server, row in _rows(cloud, "cinder-volumes", "volume"):
        failed = row["status"].startswith("error")
        if not failed and row.age <= STUCK:
            continue
        yield Finding(
            row["volume"],
            f"volume {row['volume']} is {row['status']} since {row.age} s, says the database",
            node=server,
            severity=Severity.INFO if failed else None,
            evidence=row.evidence,
            volume=row["volume"],
            status=row["status"],
            backend=row["host"] or None,
        )


@check("database.attachment.mismatch", severity=Severity.WARNING)
def attachment_mismatch(cloud: Cloud[DatabaseState]) -> Iterator[Finding]:
    """Nova and Cinder disagree for minutes whether an instance has a volume: attaching or detaching was cut off.

    Information where only Cinder has it: the volume may have been attached without Nova.
    """
    sides = (
        ("nova-volumes", "Nova has volume {0} in instance {1}, and Cinder has no attachment of it", "cinder"),
        ("cinder-attachments", "Cinder has volume {0} attached to instance {1}, and Nova does not know of it", "nova"),
    )
    for table, message, missing in sides:
        for server, row in _rows(cloud, table, "volume", "instance"):
            if row.age > SETTLING:
                yield Finding(
                    row["volume"],
                    message.format(row["volume"], row["instance"]),
                    node=server,
                    severity=Severity.INFO if missing == "nova" else None,
                    evidence=row.evidence,
                    volume=row["volume"],
                    instance=row["instance"],
                    host=row["host"] or None,
                    missing=missing,
                )


@check("database.port.binding-failed", severity=Severity.WARNING)
def binding_failed(cloud: Cloud[DatabaseState]) -> Iterator[Finding]:
    """No mechanism driver could bind the port to its host: the agent there was dead, or has no such network."""
    for server, row in _rows(cloud, "neutron-bindings", "port", "host"):
        yield Finding(
            row["port"],
            f"port {row['port']} could not be bound to {row['host'] or 'a host'}, says the database",
            node=server,
            severity=None if row["host"] else Severity.INFO,
            evidence=row.evidence,
            port_id=row["port"],
            port=row["port"][:11],
            host=row["host"] or None,
            owner=row["owner"] or None,
        )


@check("database.query.long", severity=Severity.WARNING)
def long_query(cloud: Cloud[DatabaseState]) -> Iterator[Finding]:
    """A statement has run for more than a minute: what waits for its tables or rows waits as long."""
    for server, row in _own(cloud, "queries"):
        if row.age > LONG:
            yield _query(server, row, f"a statement of {row['user']} has run for {row.age} s ({row['state']})")


@check("database.transaction.long", severity=Severity.WARNING)
def long_transaction(cloud: Cloud[DatabaseState]) -> Iterator[Finding]:
    """A transaction has held locks on rows for more than a minute, or waits for those of another one.

    Its client hangs in the middle of its work, or was lost; what needs the rows gets error 1205 after 50 s.
    """
    for server, row in _own(cloud, "transactions"):
        waits = row["state"] == "LOCK WAIT"
        if row.age > LONG and (waits or (row["locked"] or "0") != "0"):
            does = "waits for a lock" if waits else f"holds locks on {row['locked']} rows"
            yield _query(server, row, f"a transaction of {row['user']} {does} for {row.age} s")


def _query(server: str, row: DatabaseRow, message: str) -> Finding:
    return Finding(
        f"connection {row['id']}",
        f"{message}, from {row['client'] or 'this host'} in {row['database'] or 'no database'}",
        node=server,
        evidence=row.evidence,
        host=server,
        user=row["user"],
        client=row["client"] or None,
        database=row["database"] or None,
        age=row.age,
    )

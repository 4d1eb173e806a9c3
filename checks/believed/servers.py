"""Servers in ERROR, and servers that something has been done to for too long."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.openstack_answers import chosen
from stackdoctor.facts.openstack_servers import Servers

RECENT = 3600.0
"""An ERROR of the last hour is worth a warning; an older one is history that nobody cleaned up."""

LONG = (
    ("image", 6 * 3600.0),
    ("shelving", 6 * 3600.0),
    ("migrating", 6 * 3600.0),
    ("resize", 6 * 3600.0),
    ("rebuild", 3600.0),
    ("rescu", 3600.0),
    ("unshelving", 3600.0),
    ("spawning", 1800.0),
    ("block_device_mapping", 1800.0),
    ("networking", 900.0),
)
"""Tasks that copy disks or wait for others take their time; of all others ten minutes are far too long."""

OTHERWISE = 600.0


@check("api.server.error", severity=Severity.WARNING)
def server_error(servers: Cloud[Servers]) -> Iterator[Finding]:
    """A server is in ERROR: a build, a move or a deletion failed.  Information where that is an hour ago."""
    for server in chosen(servers) or ():
        if server.status == "ERROR":
            yield Finding(
                server,
                f"{server} is in ERROR" + (f": {server.fault[:200]}" if server.fault else ""),
                severity=None if server.idle < RECENT else Severity.INFO,
                node=server.evidence.node,
                instance=server.id,
                host=server.host or None,
                fault=server.fault[:200] or None,
            )


@check("api.server.stuck", severity=Severity.WARNING)
def server_stuck(servers: Cloud[Servers]) -> Iterator[Finding]:
    """A server has been in a task (scheduling, spawning, deleting, powering-off ...) for too long.

    Whoever was at it has lost it: its message was never read or never answered, or its service was restarted.
    Copying a disk may take hours and is given them.
    """
    for server in chosen(servers) or ():
        building = server.status == "BUILD" and not server.task
        if not server.task and not building:
            continue
        limit = next((seconds for task, seconds in LONG if server.task.startswith(task)), OTHERWISE)
        if server.idle > limit:
            task = server.task or "BUILD"
            yield Finding(
                server,
                f"{server} has been in {task} for {server.idle / 60:.0f} min",
                node=server.evidence.node,
                instance=server.id,
                host=server.host or None,
                task=task,
            )

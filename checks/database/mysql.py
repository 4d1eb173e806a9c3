"""MySQL or MariaDB: whether it answers, and whether it takes more clients."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.checks.host.connections import no_answer

from stackdoctor.api import Cloud, Evidence, Finding, Severity, check
from stackdoctor.facts.logs import LogHits
from stackdoctor.facts.mysql import Mysql
from stackdoctor.facts.processes import Process, Processes
from stackdoctor.facts.services import Services
from stackdoctor.facts.sockets import Sockets

PORT = 3306
NEARLY = 0.9
SILENT = "ERROR 2013"  # connected, and the server never greeted
DAEMONS = ("mysqld", "mariadbd", "mysqld_safe", "mariadbd-safe")
RECYCLE = 3600
OFTEN = 4
SPREAD = 60.0
"""Seconds: connections that are lost at one instant were lost by a restart or a failover."""
OWN = ("mysqld", "mariadbd")
SERVERS = ("mysqld", "mariadbd", "docker-proxy", "conmon", "rootlessport", "")


@check("mysql.down", severity=Severity.CRITICAL)
def database_down(
    services: Services, processes: Processes | None, sockets: Sockets | None, database: Mysql | None
) -> Iterator[Finding]:
    """The database that belongs on this node is not there or serves nobody.

    Its service ended (enabled, or it ran since the boot, and no process of it is left), or its process is there
    and neither listens nor greets.  A node that has the client only is left out, and so is a server that listens
    where the client of this node does not look (its socket is in a container).
    """
    units = services.of("mysql")
    running = processes is not None and any(_is_server(p) for p in processes.of("mysql"))
    active = any(unit.active == "active" for unit in units)
    ended = next((unit for unit in units if unit.down), None)
    if ended is not None and not running and not active:
        seen: list[Evidence] = [ended.evidence]
        if database is not None and not database.running:
            seen.append(database.evidence)
        said = f"{ended.unit} is {ended.active} ({ended.sub})"
        yield Finding(
            "MySQL",
            f"the database does not run: {said}",
            evidence=tuple(seen),
            host=ended.evidence.node,
            service="mysql",
            why="ended",
        )
    elif (running or active) and database is not None and not database.running and _serves_nobody(database, sockets):
        yield Finding(
            database,
            f"the database runs and serves nobody: {database.evidence.line}",
            host=database.evidence.node,
            service="mysql",
            why="silent" if SILENT in database.evidence.line else "not listening",
        )


def _is_server(process: Process) -> bool:
    """Whether it is the server: its client, which this look runs itself, is called after it."""
    program = process.args[:4096].partition(" ")[0].rpartition("/")[2]
    return program in DAEMONS and not process.zombie


def _serves_nobody(database: Mysql, sockets: Sockets | None) -> bool:
    if SILENT in database.evidence.line:
        return True
    if sockets is None or any(s.program in SERVERS for s in sockets.listening(PORT)):
        return False
    # behind a balancer on the same node it has another port
    return not any(s.program in OWN and s.protocol == "tcp" for s in sockets.listeners)


def _servers(cloud: Cloud[Mysql]) -> Iterator[tuple[str, Mysql]]:
    """Each server that answers once: clients of several nodes may reach the same one."""
    seen: set[str] = set()
    for node, database in cloud:
        name = database.hostname or node
        if database.running and not database.refused and name.lower() not in seen:
            seen.add(name.lower())
            yield name, database


@check("mysql.connections.exhausted", severity=Severity.ERROR)
def no_connection_left(cloud: Cloud[Mysql], processes: Cloud[Processes] | None) -> Iterator[Finding]:
    """The database has as many clients as max_connections allows and refuses others with error 1040.

    One connection above the limit is kept for administrators, which is how the counters can still be read.
    """
    homes = {node for node, found in processes or () if any(_is_server(p) for p in found.of("mysql"))}
    for node, database in cloud:
        if database.refused and (node in homes or not homes):
            message = f"the database refuses clients: {database.refused}"
            yield Finding(database, message, node=node, host=node)
    for host, database in _servers(cloud):
        used, limit = database.threads_connected, database.max_connections
        if used is not None and limit is not None and used >= limit - 1:
            yield _connections(host, database)


@check("mysql.connections.high", severity=Severity.WARNING)
def few_connections_left(cloud: Cloud[Mysql]) -> Iterator[Finding]:
    """The database has used up nine tenths of max_connections."""
    for host, database in _servers(cloud):
        used, limit = database.threads_connected, database.max_connections
        if used is not None and limit is not None and NEARLY * limit <= used < limit - 1:
            yield _connections(host, database)


def _connections(host: str, database: Mysql) -> Finding:
    used, limit = database.threads_connected, database.max_connections
    message = f"{used} clients are connected to the database, max_connections is {limit}"
    return Finding(database, message, node=host, host=host, used=used, limit=limit)


@check("mysql.connection.unanswered", severity=Severity.ERROR)
def unanswered_connection(sockets: Sockets) -> Iterator[Finding]:
    """A service waits for the database to answer its connection, or what it sent there: packets are lost on the way.

    A database that is down refuses at once; silence comes from a firewall, a route, or a host that is down.
    """
    yield from no_answer(sockets, PORT, "the database")


@check("mysql.idle-cut", severity=Severity.WARNING)
def idle_connections_are_cut(cloud: Cloud[Mysql], hits: Cloud[LogHits]) -> Iterator[Finding]:
    """Services find their connections cut (2006, 2013), and the server's wait_timeout is shorter than they keep them.

    oslo.db renews a connection after an hour (connection_recycle_time 3600) unless it is told otherwise.
    """
    lost = [
        hit
        for _, found in hits
        for hit in found.of("db-lost")
        if hit.keys.get("code") in ("2006", "2013") and hit.last - hit.first > SPREAD and hit.count >= OFTEN
    ]
    if not lost:
        return
    for host, database in _servers(cloud):
        if database.wait_timeout is not None and database.wait_timeout < RECYCLE:
            yield Finding(
                database,
                f"idle clients of the database are cut after {database.wait_timeout} s (wait_timeout), and"
                f" {lost[0].service} on {lost[0].node} found {lost[0].count} of its connections cut",
                node=host,
                evidence=(database.evidence, lost[0].evidence),
                host=host,
                wait_timeout=database.wait_timeout,
            )

"""The database server's own counters and settings, asked through the node's client and its defaults.

    >>> parse_variables("Variable_name\\tValue\\nThreads_connected\\t46\\nBinlog_snapshot_file\\t\\n")
    {'threads_connected': '46', 'binlog_snapshot_file': ''}

From the MariaDB and MySQL manuals (SHOW STATUS, server status and system variables) and the Galera manual (wsrep_*).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.answers import integer, output
from stackdoctor.model import Evidence, NodeResults, Probe, Result, Status

__all__ = ["CLIENT", "MYSQL_STATUS", "MYSQL_VARIABLES", "Galera", "Mysql", "parse_variables"]

SETTINGS = ("hostname", "version", "max_connections", "wsrep_on", "wait_timeout")
CLIENT = ("mysql", "--batch", "--connect-timeout=5", "-e")
MYSQL_STATUS = Probe(
    "mysql.status", (*CLIENT, "SHOW GLOBAL STATUS"), root=True, container="mariadb|mysql", timeout=10.0
)
MYSQL_VARIABLES = Probe(
    "mysql.variables",
    (*CLIENT, f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({', '.join(repr(name) for name in SETTINGS)})"),
    root=True,
    container="mariadb|mysql",
    timeout=10.0,
)

ERROR = re.compile(r"^ERROR ([0-9]{4,5})\b.{0,300}", re.MULTILINE)
NO_SERVER = frozenset(("2002", "2003", "2013"))  # nobody at the socket, at the port, or lost while greeting
TOO_MANY = "1040"


@dataclass(frozen=True)
class Galera:
    """A cluster node's view: ``wsrep_cluster_status Primary``, ``wsrep_local_state_comment Synced``."""

    cluster_status: str
    state: str
    size: int | None
    ready: bool
    connected: bool
    evidence: Evidence
    cluster: str = ""  # wsrep_cluster_state_uuid: the same on all members of one cluster

    def __str__(self) -> str:
        return "Galera"

    @property
    def primary(self) -> bool:
        """Whether this node is in the part of the cluster that takes queries."""
        return self.cluster_status == "Primary"


@dataclass(frozen=True)
class Mysql:
    """The server that this node's client reaches by default.

    ``running`` is False where no server answers (``ERROR 2002 (HY000): Can't connect to local server through
    socket``), also on nodes that have the client only.  ``refused`` is the server's answer where it runs and
    takes no more clients (``ERROR 1040 (HY000): Too many connections``).  The counters are None where not told;
    ``uptime`` is seconds.  ``hostname`` is the server's own, which tells when the client goes to another node.
    """

    running: bool
    refused: str
    hostname: str
    version: str
    threads_connected: int | None
    threads_running: int | None
    max_used_connections: int | None
    max_connections: int | None
    refused_connections: int | None  # Connection_errors_max_connections, since the start
    aborted_connects: int | None
    aborted_clients: int | None
    uptime: int | None
    galera: Galera | None
    evidence: Evidence
    absent: str = ""
    wait_timeout: int | None = None  # seconds after which an idle client is cut off
    probes: ClassVar[tuple[Probe, ...]] = (MYSQL_STATUS, MYSQL_VARIABLES)

    def __str__(self) -> str:
        return f"MySQL on {self.hostname}" if self.hostname else "MySQL"

    @classmethod
    def parse(cls, results: NodeResults) -> Mysql:
        """The server; raises NotApplicable without the client, CouldNotCheck (access denied ...) or ParseError."""
        result = results.one(MYSQL_STATUS)
        # a newer client first says that its name is deprecated
        complaint = result.stderr[:8192].decode("utf-8", "replace") if result.status is Status.RAN else ""
        error = ERROR.search(complaint) if result.exit else None
        if error and error[1] in NO_SERVER:
            return _unanswered(False, "", results.evidence(result, error[0]))
        if error and error[1] == TOO_MANY:
            return _unanswered(True, error[0], results.evidence(result, error[0]))
        status = parse_variables(output(result))
        settings: dict[str, str] = {}
        absent = ""
        try:
            settings = parse_variables(output(results.one(MYSQL_VARIABLES)))
        except (CouldNotCheck, NotApplicable) as problem:
            absent = str(problem)

        def count(name: str) -> int | None:
            return integer(status.get(name, ""))

        connected, limit = status.get("threads_connected", "?"), settings.get("max_connections", "?")
        return cls(
            True,
            "",
            settings.get("hostname", ""),
            settings.get("version", ""),
            count("threads_connected"),
            count("threads_running"),
            count("max_used_connections"),
            integer(settings.get("max_connections", "")),
            count("connection_errors_max_connections"),
            count("aborted_connects"),
            count("aborted_clients"),
            count("uptime"),
            _galera(status, settings, results, result),
            results.evidence(
                result,
                f"Threads_connected {connected} of max_connections {limit}, "
                f"Max_used_connections {status.get('max_used_connections', '?')}",
            ),
            absent,
            integer(settings.get("wait_timeout", "")),
        )


def _unanswered(running: bool, refused: str, evidence: Evidence) -> Mysql:
    return Mysql(running, refused, "", "", None, None, None, None, None, None, None, None, None, evidence)


def _galera(status: dict[str, str], settings: dict[str, str], results: NodeResults, result: Result) -> Galera | None:
    on = settings.get("wsrep_on", "").upper() == "ON" or status.get("wsrep_ready", "").upper() == "ON"
    if not on and status.get("wsrep_cluster_status", "Disconnected") == "Disconnected":
        return None
    names = ("wsrep_cluster_status", "wsrep_local_state_comment", "wsrep_cluster_size", "wsrep_ready")
    return Galera(
        status.get("wsrep_cluster_status", ""),
        status.get("wsrep_local_state_comment", ""),
        integer(status.get("wsrep_cluster_size", "")),
        status.get("wsrep_ready", "").upper() == "ON",
        status.get("wsrep_connected", "").upper() == "ON",
        results.evidence(result, " ".join(f"{name} {status.get(name, '?')}" for name in names)),
        status.get("wsrep_cluster_state_uuid", ""),
    )


def parse_variables(printed: str) -> dict[str, str]:
    """Names (in lower case) and values of a two-column ``--batch`` table.  Raises ParseError."""
    lines = printed.splitlines()
    if not lines or lines[0] != "Variable_name\tValue":
        raise ParseError(f"not a table of variables: {printed[:200]}")
    found: dict[str, str] = {}
    for line in lines[1:]:
        name, tab, value = line.partition("\t")
        if not tab:
            raise ParseError(f"not a variable: {line[:200]}")
        found[name.lower()] = value
    return found

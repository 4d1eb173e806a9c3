"""What the cloud's own tables say, asked only with the operator's consent (``--database``).

>>> rows = parse_rows("host\\tservice\\tage\\ncompute1\\tnova-compute\\t75\\n", lambda line: Evidence("", "", line))
>>> rows[0]["service"], rows[0].age
('nova-compute', 75)

The statements are in stackdoctor/collect/statements.py; tables and columns those of Nova, Cinder and Neutron since
Newton, and of information_schema of MariaDB 10.1 and MySQL 5.7 and later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from stackdoctor.collect.statements import READ_ONLY, STATEMENTS
from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.answers import integer, output, said
from stackdoctor.facts.mysql import MYSQL_STATUS, MYSQL_VARIABLES, parse_variables
from stackdoctor.facts.table import tabbed
from stackdoctor.model import Evidence, NodeResults, Probe, Result, Status

__all__ = ["DATABASE_PROBES", "DatabaseRow", "DatabaseState", "parse_rows"]

DATABASE_PROBES: Mapping[str, Probe] = MappingProxyType(
    {
        name: Probe(
            f"database.{name}",
            ("mysql", "--batch", "--connect-timeout=5", READ_ONLY, "-e", statement),
            root=True,
            container="mariadb|mysql",
            timeout=10.0,
            cap=256 * 1024,
            after=MYSQL_STATUS.id,
        )
        for name, statement in STATEMENTS.items()
    }
)


@dataclass(frozen=True)
class DatabaseRow:
    """One row by its columns' names; NULL is an empty text."""

    cells: Mapping[str, str]
    evidence: Evidence

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")

    @property
    def age(self) -> int:
        """Seconds since what the row is about was last touched; 0 where the table does not say."""
        return integer(self["age"]) or 0


@dataclass(frozen=True)
class DatabaseState:
    """The rows of each statement that was answered; ``server`` is the host name of the server that did."""

    server: str
    tables: Mapping[str, tuple[DatabaseRow, ...]]
    gaps: tuple[tuple[str, str], ...]
    probes: ClassVar[tuple[Probe, ...]] = (MYSQL_STATUS, MYSQL_VARIABLES, *DATABASE_PROBES.values())
    consent: ClassVar[str] = "database"

    def __str__(self) -> str:
        return f"database on {self.server}"

    def rows(self, name: str) -> tuple[DatabaseRow, ...]:
        """The rows of the statement called ``name``; none where it could not be answered (``gaps`` says so)."""
        return self.tables.get(name, ())

    @classmethod
    def parse(cls, results: NodeResults) -> DatabaseState:
        """The rows.  Raises NotApplicable where no database answers, CouldNotCheck, also without the consent."""
        status = results.one(MYSQL_STATUS)
        if status.status is Status.RAN and status.exit:
            raise NotApplicable(f"{status.command}: {said(status)}")  # that it does not answer is told elsewhere
        if not any(probe.id == id_ for id_, _ in results.results for probe in DATABASE_PROBES.values()):
            raise CouldNotCheck("--database was not given")
        tables: dict[str, tuple[DatabaseRow, ...]] = {}
        gaps: list[tuple[str, str]] = []
        for name, probe in DATABASE_PROBES.items():
            try:
                tables[name] = _rows(results, results.one(probe))
            except (CouldNotCheck, NotApplicable) as error:
                if "Unknown database" not in str(error) and "doesn't exist" not in str(error):
                    gaps.append(("database.*", f"{name}: {error}"))
        try:
            server = parse_variables(output(results.one(MYSQL_VARIABLES))).get("hostname", "")
        except (CouldNotCheck, NotApplicable):
            server = ""
        return cls(server or results.node.name, tables, tuple(gaps))


def _rows(results: NodeResults, result: Result) -> tuple[DatabaseRow, ...]:
    return parse_rows(output(result), lambda line: results.evidence(result, line))


def parse_rows(printed: str, evidence: Callable[[str], Evidence]) -> tuple[DatabaseRow, ...]:
    """The rows of a ``--batch`` table, whose first line names the columns; nothing printed is no rows."""
    head, _, _ = printed.partition("\n")
    if not head:
        return ()
    rows = tabbed(printed, tuple(head.split("\t")))
    return tuple(
        DatabaseRow({name: "" if cell == "NULL" else cell for name, cell in cells.items()}, evidence(line))
        for cells, line in rows
    )

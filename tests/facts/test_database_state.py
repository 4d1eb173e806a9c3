"""Statements that only read, and their answers."""

from __future__ import annotations

import re

import pytest

from stackdoctor.collect.statements import STATEMENTS
from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.database_state import DATABASE_PROBES, DatabaseState
from stackdoctor.facts.mysql import MYSQL_STATUS, MYSQL_VARIABLES

TABLE = "Variable_name\tValue\n"
WRITES = re.compile(
    r"\b(?:INSERT|UPDATE|DELETE|REPLACE|DROP|ALTER|CREATE|TRUNCATE|GRANT|LOCK|CALL|KILL|INTO|LOAD\w*|HANDLER|SLEEP"
    r"|BENCHMARK|GET_LOCK|FLUSH|RENAME|EXECUTE IMMEDIATE|PREPARE)\b"
)


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_is_one_select_with_an_end_and_a_limit(name) -> None:
    statement = STATEMENTS[name]
    assert ";" not in statement
    assert WRITES.search(statement.replace("'Execute'", "")) is None
    assert re.search(r" LIMIT [0-9]{1,3}$", statement)
    assert statement.startswith(
        "/*M!100100 SET STATEMENT max_statement_time=5 FOR */ SELECT /*+ MAX_EXECUTION_TIME(5000) */ "
    )


def answered(answer, name: str, printed: str, error: str = ""):
    return answer(DATABASE_PROBES[name], printed, exit=1 if error else 0, error=error)


def test_rows_are_read_by_the_names_of_their_columns(answer, answered_node) -> None:
    node = answered_node(
        answer(MYSQL_STATUS, TABLE + "uptime\t1\n"),
        answer(MYSQL_VARIABLES, TABLE + "hostname\tctl1\n"),
        answered(answer, "nova-services", "host\tservice\tage\ncontroller\tnova-metadata\t13711\n"),
        answered(answer, "nova-instances", "uuid\thost\tvm_state\ttask_state\tage\na\tNULL\terror\tNULL\t7\n"),
        answered(answer, "cinder-volumes", "", "ERROR 1049 (42000): Unknown database 'cinder'"),
        answered(
            answer, "queries", "", "ERROR 1969 (70100): Query execution was interrupted (max_statement_time exceeded)"
        ),
    )
    found = DatabaseState.parse(node)
    assert found.server == "ctl1"
    (service,) = found.rows("nova-services")
    assert (service["service"], service.age) == ("nova-metadata", 13711)
    assert service.evidence.line == "controller\tnova-metadata\t13711"
    assert (found.rows("nova-instances")[0]["host"], found.rows("cinder-volumes")) == ("", ())
    assert any("interrupted" in why for _, why in found.gaps)
    assert not any("Unknown database" in why for _, why in found.gaps)


def test_without_the_consent_it_says_so_where_the_database_is(answer, answered_node) -> None:
    with pytest.raises(CouldNotCheck, match="--database was not given"):
        DatabaseState.parse(answered_node(answer(MYSQL_STATUS, TABLE + "uptime\t1\n")))
    refused = answer(MYSQL_STATUS, exit=1, error="ERROR 2002 (HY000): Can't connect to local server through socket")
    with pytest.raises(NotApplicable):
        DatabaseState.parse(answered_node(refused))

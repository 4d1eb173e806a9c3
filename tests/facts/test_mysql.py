import pytest

from stackdoctor.errors import CouldNotCheck, ParseError
from stackdoctor.facts.mysql import MYSQL_STATUS, MYSQL_VARIABLES, Mysql

HEAD = "Variable_name\tValue\n"


def test_a_server_tells_its_connections(recorded_node) -> None:
    found = Mysql.parse(recorded_node("healthy.controller"))
    assert (found.running, found.hostname, found.max_connections) == (True, "controller", 400)
    assert (found.threads_connected, found.max_used_connections, found.refused_connections) == (39, 39, 0)
    assert found.version.startswith("10.11")
    assert found.galera is None
    assert found.evidence.line == "Threads_connected 39 of max_connections 400, Max_used_connections 39"


def test_a_server_that_is_down_is_a_value(recorded_node) -> None:
    found = Mysql.parse(recorded_node("mysql-down.controller"))
    assert (found.running, found.refused, found.threads_connected) == (False, "", None)
    assert found.evidence.line.startswith("ERROR 2002 (HY000): Can't connect to local server through socket")


def test_a_server_without_a_free_connection_runs(answer, answered_node) -> None:
    said = "mysql: Deprecated program name.\nERROR 1040 (HY000): Too many connections\n"
    found = Mysql.parse(answered_node(answer(MYSQL_STATUS, exit=1, error=said)))
    assert (found.running, found.refused) == (True, "ERROR 1040 (HY000): Too many connections")


def test_a_password_that_we_do_not_have_is_told(answer, answered_node) -> None:
    said = "ERROR 1045 (28000): Access denied for user 'root'@'localhost' (using password: NO)"
    with pytest.raises(CouldNotCheck, match="Access denied"):
        Mysql.parse(answered_node(answer(MYSQL_STATUS, exit=1, error=said)))


def test_a_cluster_node_outside_of_the_primary_component_shows(answer, answered_node) -> None:
    status = "wsrep_cluster_status\tnon-Primary\nwsrep_cluster_size\t1\nwsrep_ready\tOFF\nwsrep_connected\tON\n"
    status += "wsrep_local_state_comment\tInitialized\nThreads_connected\t3\n"
    node = answered_node(answer(MYSQL_STATUS, HEAD + status), answer(MYSQL_VARIABLES, f"{HEAD}wsrep_on\tON\n"))
    galera = Mysql.parse(node).galera
    assert (galera.primary, galera.size, galera.ready, galera.connected) == (False, 1, False, True)
    assert "wsrep_cluster_status non-Primary" in galera.evidence.line


def test_counters_without_settings_are_still_told(answer, answered_node) -> None:
    found = Mysql.parse(answered_node(answer(MYSQL_STATUS, f"{HEAD}Threads_connected\t3\n")))
    assert (found.threads_connected, found.max_connections) == (3, None)
    assert "was not asked" in found.absent


@pytest.mark.parametrize("printed", ["", "nonsense\n", f"{HEAD}x\n"])
def test_another_table_is_refused(printed: str, answer, answered_node) -> None:
    with pytest.raises(ParseError):
        Mysql.parse(answered_node(answer(MYSQL_STATUS, printed)))

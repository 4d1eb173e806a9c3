import pytest

from stackdoctor.model import Severity, Status

UNIT = "Id=mariadb.service\nLoadState=loaded\nActiveState={0}\nSubState={1}\nUnitFileState={2}\n"
RUNS = {
    "services.systemd": UNIT.format("active", "running", "enabled"),
    "services.docker": Status.MISSING,
    "services.podman": Status.MISSING,
}
ENDED = {**RUNS, "services.systemd": UNIT.format("inactive", "dead", "enabled")}
UNUSED = {**RUNS, "services.systemd": UNIT.format("inactive", "dead", "disabled")}
REFUSED = (1, "ERROR 2002 (HY000): Can't connect to local server through socket '/run/mysqld/mysqld.sock' (2)\n")
SILENT = (
    1,
    "ERROR 2013 (HY000): Lost connection to server at 'waiting for initial communication packet', system error: 110\n",
)
FULL = (1, "ERROR 1040 (HY000): Too many connections\n")
STRANGER = (1, "ERROR 1698 (28000): Access denied for user 'root'@'localhost'\n")
TABLE = "Variable_name\tValue\n"
NO_TCP = "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n"
LISTENING = "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n"
ON_3306 = 'tcp LISTEN 0 80 0.0.0.0:3306 0.0.0.0:* users:(("mariadbd",pid=396,fd=22))\n'
PROXY = 'tcp LISTEN 0 80 192.0.2.100:3306 0.0.0.0:* users:(("haproxy",pid=900,fd=7))\n'


def answers(used: int, limit: int = 150, host: str = "controller") -> dict[str, str]:
    status = TABLE + f"Threads_connected\t{used}\nMax_used_connections\t{used}\nwsrep_cluster_status\tDisconnected\n"
    return {"mysql.status": status, "mysql.variables": TABLE + f"hostname\t{host}\nmax_connections\t{limit}\n"}


def test_a_database_that_ended_is_one_cause_with_its_service(look, processes) -> None:
    seen = look(controller={**ENDED, "processes": processes(), "mysql.status": REFUSED})
    found = seen.findings["mysql.down"]
    assert (found.severity, found.keys["host"], found.keys["why"]) == (Severity.CRITICAL, "controller", "ended")
    assert "ERROR 2002" in found.evidence[1].line
    assert seen.causes == [("mysql-down", "controller")]
    assert "service.down" in seen.explained


def test_a_node_with_the_client_only_has_no_database_to_be_down(look, processes) -> None:
    seen = look(compute1={**UNUSED, "processes": processes(), "mysql.status": REFUSED})
    assert (seen.findings, seen.causes) == ({}, [])


def test_a_database_that_another_manager_started_is_not_down(look, processes) -> None:
    seen = look(ctl1={**ENDED, "processes": processes("/usr/sbin/mariadbd"), **answers(46)})
    assert (seen.findings, seen.causes) == ({}, [])


def test_the_client_that_asks_is_not_taken_for_a_server(look, processes) -> None:
    asking = processes("mysql --batch --connect-timeout=5 -e SHOW GLOBAL STATUS")
    nothing = {"mysql.status": REFUSED, "sockets.tcp": NO_TCP, "sockets.listening": LISTENING, "processes": asking}
    assert look(compute1={**UNUSED, **nothing}).findings == {}


def test_a_container_that_exited_took_its_client_with_it(look, processes) -> None:
    kolla = {
        "services.systemd": Status.MISSING,
        "services.docker": "mariadb\tExited (137) 2 days ago\tquay.io/openstack.kolla/mariadb-server:zed\n",
        "services.podman": Status.MISSING,
        "processes": processes(),
        "mysql.status": Status.MISSING,
    }
    seen = look(ctl1=kolla)
    assert seen.causes == [("mysql-down", "ctl1")]


def test_a_database_in_a_container_that_the_hosts_client_does_not_find_is_not_down(look, processes) -> None:
    kolla = {
        "services.systemd": Status.MISSING,
        "services.docker": "mariadb\tUp 3 hours\tquay.io/openstack.kolla/mariadb-server:zed\n",
        "services.podman": Status.MISSING,
        "processes": processes("/usr/sbin/mariadbd"),
        "mysql.status": REFUSED,
        "sockets.tcp": NO_TCP,
        "sockets.listening": LISTENING + ON_3306,
    }
    assert look(ctl1=kolla).findings == {}
    waiting = look(ctl1={**kolla, "sockets.listening": LISTENING + PROXY})
    assert waiting.findings["mysql.down"].keys["why"] == "not listening"


def test_a_database_that_is_stopped_by_a_signal_greets_nobody(look, processes) -> None:
    frozen = {**RUNS, "processes": processes("/usr/sbin/mariadbd", stat="Tsl"), "mysql.status": SILENT}
    seen = look(controller=frozen)
    assert seen.findings["mysql.down"].keys["why"] == "silent"
    assert seen.causes == [("mysql-down", "controller")]
    assert "process.stopped" in seen.explained


def test_a_client_without_rights_proves_nothing(look, processes) -> None:
    seen = look(controller={**RUNS, "processes": processes("/usr/sbin/mariadbd"), "mysql.status": STRANGER})
    assert (seen.findings, seen.causes) == ({}, [])


@pytest.mark.parametrize(
    ("used", "finding"),
    [
        (46, None),
        (140, "mysql.connections.high"),
        (149, "mysql.connections.exhausted"),
        (151, "mysql.connections.exhausted"),
    ],
)
def test_connections_are_counted_against_their_limit(look, processes, used, finding) -> None:
    seen = look(controller={**RUNS, "processes": processes("/usr/sbin/mariadbd"), **answers(used)})
    assert {id for id in seen.findings if id.startswith("mysql.")} == ({finding} if finding else set())
    assert bool(seen.causes) is (finding == "mysql.connections.exhausted")


def test_one_server_that_several_nodes_reach_is_told_once(look, processes) -> None:
    home = {**RUNS, "processes": processes("/usr/sbin/mariadbd"), **answers(151)}
    away = {**UNUSED, "processes": processes(), **answers(151)}
    seen = look(controller=home, compute1=away)
    assert [f.node for f in seen.every] == ["controller"]
    assert seen.causes == [("mysql-connections-exhausted", "controller")]


def test_a_server_that_refuses_even_the_administrator_is_exhausted(look, processes) -> None:
    home = {**RUNS, "processes": processes("/usr/sbin/mariadbd"), "mysql.status": FULL}
    away = {**UNUSED, "processes": processes(), "mysql.status": FULL}
    seen = look(controller=home, compute1=away)
    assert seen.findings["mysql.connections.exhausted"].evidence[0].line == FULL[1].strip()
    assert seen.causes == [("mysql-connections-exhausted", "controller")]


def test_a_connection_without_answer_is_a_path_that_is_cut(look) -> None:
    waiting = 'SYN-SENT 0 1 192.0.2.30:43788 192.0.2.10:3306 users:(("cinder-volume",pid=311,fd=9))\n'
    seen = look(storage={"sockets.tcp": NO_TCP + waiting, "sockets.listening": LISTENING})
    assert seen.findings["mysql.connection.unanswered"].evidence[0].line == waiting.strip()
    assert seen.causes == [("net-drop-to-database", "storage")]


def test_a_database_behind_a_balancer_on_its_own_node_has_another_port(look, processes) -> None:
    header = "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n"
    balancer = 'tcp LISTEN 0 80 192.0.2.10:3306 0.0.0.0:* users:(("haproxy",pid=90,fd=5))\n'
    own = 'tcp LISTEN 0 80 0.0.0.0:3307 0.0.0.0:* users:(("mariadbd",pid=396,fd=22))\n'
    asked = {
        "services.systemd": "Id=mariadb.service\nLoadState=loaded\nActiveState=active\nSubState=running\n",
        "processes": processes("/usr/sbin/mariadbd"),
        "sockets.tcp": "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n",
        "mysql.status": (1, "ERROR 2002 (HY000): Can't connect to local server through socket '/run/mysqld/x' (2)\n"),
    }
    assert look(ctl1=asked | {"sockets.listening": header + balancer + own}).findings == {}
    assert "mysql.down" in look(ctl1=asked | {"sockets.listening": header + balancer}).findings

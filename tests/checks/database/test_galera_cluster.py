"""A Galera cluster of three that is down as a whole, and one that a slow member holds up."""

from __future__ import annotations

import pytest

from stackdoctor.model import Status

UNIT = "Id=mariadb.service\nLoadState=loaded\nActiveState={0}\nSubState={1}\nUnitFileState=enabled\n"
REFUSED = (1, "ERROR 2002 (HY000): Can't connect to local server through socket '/run/mysqld/mysqld.sock' (111)\n")
SAVED = "# GALERA saved state\nversion: 2.1\nuuid:    9d6cb548-e6c0-11f1-9bf3-e61cac27bad7\nseqno:   {0}\n"
SAVED += "safe_to_bootstrap: {1}\n"
FILE = "galera.grastate /var/lib/mysql/grastate.dat"
TABLE = "Variable_name\tValue\n"


def member(processes: str, seqno: int, safe: int = 0, active: str = "failed") -> dict:
    return {
        "services.systemd": UNIT.format(active, "failed" if active == "failed" else "running"),
        "services.docker": Status.MISSING,
        "services.podman": Status.MISSING,
        "processes": processes,
        "mysql.status": REFUSED,
        FILE: SAVED.format(seqno, safe),
    }


def serving(processes: str, status: str = "Primary", host: str = "ctl1") -> dict:
    rows = f"Threads_connected\t9\nwsrep_cluster_status\t{status}\nwsrep_cluster_size\t1\nwsrep_ready\tON\n"
    rows += "wsrep_local_state_comment\tSynced\n"
    up = member(processes, -1, active="active")
    variables = TABLE + f"hostname\t{host}\nmax_connections\t150\nwsrep_on\tON\n"
    return {**up, "mysql.status": TABLE + rows, "mysql.variables": variables}


def test_a_cluster_that_is_down_is_one_cause_with_the_member_to_begin_with(look, processes) -> None:
    down = processes()
    seen = look(ctl1=member(down, 65), ctl2=member(down, 66), ctl3=member(down, -1, safe=1))
    found = seen.findings["galera.all-down"]
    assert found.keys["most_advanced"] == "ctl3"  # it was the last to go, says Galera; its seqno was lost in a crash
    assert seen.causes == [("galera-all-down", "ctl3")]
    assert {"mysql.down", "service.down"} <= seen.explained


def test_of_members_that_ended_in_order_the_highest_number_counts(look, processes) -> None:
    down = processes()
    seen = look(ctl1=member(down, 65), ctl2=member(down, 67), ctl3=member(down, 66))
    assert seen.findings["galera.all-down"].keys["most_advanced"] == "ctl2"


def test_of_members_that_all_crashed_nobody_is_named(look, processes) -> None:
    down = processes()
    seen = look(ctl1=member(down, -1), ctl2=member(down, -1))
    assert "most_advanced" not in seen.findings["galera.all-down"].keys
    assert "not known" in seen.findings["galera.all-down"].message


def test_one_member_that_serves_keeps_it_from_being_all(look, processes) -> None:
    up = processes("/usr/sbin/mariadbd")
    seen = look(ctl1=serving(up), ctl2=member(processes(), 66))
    assert "galera.all-down" not in seen.findings
    assert seen.causes == [("mysql-down", "ctl2")]


def test_members_that_all_run_without_a_primary_component_are_all_down(look, processes) -> None:
    up = processes("/usr/sbin/mariadbd")
    seen = look(ctl1=serving(up, "non-Primary"), ctl2=serving(up, "non-Primary", "ctl2"))
    assert seen.causes == [("galera-all-down", "ctl1")]


def test_a_member_that_could_not_be_asked_may_serve(look, processes) -> None:
    denied = (1, "ERROR 1045 (28000): Access denied for user 'root'@'localhost' (using password: NO)\n")
    up = member(processes("/usr/sbin/mariadbd"), -1, active="active")
    seen = look(ctl1={**up, "mysql.status": denied}, ctl2=member(processes(), 66))
    assert "galera.all-down" not in seen.findings


def test_one_member_alone_is_no_cluster(look, processes) -> None:
    seen = look(ctl1=member(processes(), 65))
    assert "galera.all-down" not in seen.findings
    assert seen.causes == [("mysql-down", "ctl1")]


FLOW = TABLE + (
    "wsrep_local_recv_queue\t{queue}\nwsrep_flow_control_paused_ns\t{paused}\nwsrep_flow_control_sent\t{sent}\n"
    "wsrep_flow_control_requested\t{requested}\n"
)


@pytest.fixture
def flowing(processes):
    """``flowing(host, part of the time paused, requests sent, asks now)``."""

    def build(host: str, paused: float, sent: int = 0, requested: str = "false") -> dict:
        up = serving(processes("/usr/sbin/mariadbd"), host=host)
        before = FLOW.format(queue=0, paused=5_000_000_000, sent=7, requested="false")
        after = FLOW.format(queue=8, paused=5_000_000_000 + int(paused * 3e9), sent=7 + sent, requested=requested)
        up["mysql.status"] = up["mysql.status"].replace("cluster_size\t1", "cluster_size\t2")
        return {**up, "galera.flow": (97.0, before), "galera.flow #2": (100.0, after)}

    return build


def test_a_member_that_brakes_the_others_is_the_cause(look, flowing) -> None:
    seen = look(ctl1=flowing("ctl1", 0.98), ctl2=flowing("ctl2", 0.98, sent=1, requested="true"))
    found = [f for f in seen.every if f.id == "galera.flow-control"]
    assert [(f.keys["host"], f.keys["paused"], f.keys["slow"]) for f in found] == [("ctl2", "0.98", "yes")]
    assert seen.causes == [("galera-flow-control", "ctl2")]


def test_a_cluster_that_stood_still_long_ago_is_healthy(look, flowing) -> None:
    seen = look(ctl1=flowing("ctl1", 0.0), ctl2=flowing("ctl2", 0.04, sent=1))
    assert (seen.findings, seen.causes) == ({}, [])


def test_servers_of_two_clusters_do_not_miss_each_other(look, processes) -> None:
    up = processes("/usr/sbin/mariadbd")
    nodes = {}
    for name, cluster in (("ctl1", "9d6cb548-e6c0-11f1-9bf3-e61cac27bad7"), ("far1", "1f2e3d4c-e6c0-11f1-9bf3-aa")):
        found = serving(up, host=name)
        nodes[name] = found | {"mysql.status": found["mysql.status"] + f"wsrep_cluster_state_uuid\t{cluster}\n"}
    assert "galera.members.missing" not in look(**nodes).findings
    one = {n: a | {"mysql.status": serving(up, host=n)["mysql.status"]} for n, a in nodes.items()}
    assert "galera.members.missing" in look(**one).findings


def test_files_of_servers_that_were_given_up_are_of_former_days(look, processes) -> None:
    left = member(processes(), 65) | {
        "services.systemd": UNIT.replace("=enabled", "=disabled").format("inactive", "dead")
    }
    assert look(ctl1=left, ctl2=left).findings == {}

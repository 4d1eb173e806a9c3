"""Causes that rest on what the database and the balancer say, each with what comes near to it."""

from __future__ import annotations

import json

import pytest

NOW = 1795366000
TABLE = "Variable_name\tValue\n"
TRANSACTIONS = "id\tuser\tclient\tdatabase\tage\tstate\tlocked\n"
SLOW = "... [22/Nov/2026:17:23:08.070] nova_front nova_back/controller 0/0/0/-1/60003 504 195 - - sH-- 1/1/0/0/0 0/0"


def hit(signature: str, service: str, keys: dict, line: str, first: int = 900, count: int = 8) -> dict:
    sample = {"time": NOW - 5, "line": 1, "offset": 0, "text": line}
    row = {"signature": signature, "service": service, "path": f"/var/log/{service}.log", "keys": keys, "count": count}
    return {**row, "minutes": {}, "first": NOW - first, "last": NOW - 5, "samples": [sample]}


def logs(*hits: dict) -> str:
    return json.dumps({"since": NOW - 1800, "until": NOW, "grep": "gnu", "files": [], "hits": list(hits)})


def database(wait_timeout: int = 28800, **more: str) -> dict:
    variables = f"hostname\tcontroller\nmax_connections\t400\nwait_timeout\t{wait_timeout}\n"
    return {"mysql.status": TABLE + "Threads_connected\t9\n", "mysql.variables": TABLE + variables, **more}


def lost(first: int = 900) -> dict:
    return hit("db-lost", "nova-conductor", {"code": "2006"}, "(2006, 'MySQL server has gone away')", first)


def test_connections_that_are_cut_when_idle_are_explained_by_wait_timeout(look) -> None:
    seen = look(controller=database(300, **{"logs.hits": logs(lost())}))
    assert seen.causes == [("db-idle-cut", "controller")]
    assert "mysql.idle-cut" in seen.findings
    assert "log.db-lost" in seen.explained


@pytest.mark.parametrize(("timeout", "first"), [(28800, 900), (300, 20)])
def test_connections_that_are_lost_at_one_instant_or_long_before_are_not(look, timeout, first) -> None:
    seen = look(controller=database(timeout, **{"logs.hits": logs(lost(first))}))
    assert "db-idle-cut" not in [cause for cause, _ in seen.causes]
    assert "mysql.idle-cut" not in seen.findings


def test_a_transaction_that_holds_rows_while_others_wait_is_the_cause(look) -> None:
    rows = {"database.transactions": f"{TRANSACTIONS}24\tnova\t192.0.2.11\tnova\t600\tRUNNING\t12\n"}
    waited = hit("db-lock-timeout", "nova-conductor", {}, "(1205, 'Lock wait timeout exceeded; try restarting")
    seen = look(controller=database(**rows, **{"logs.hits": logs(waited)}))
    assert seen.causes == [("rpc-conductor-db-slow", "controller")]
    assert "log.db-lock-timeout" in seen.explained


def test_one_that_holds_nothing_is_not(look) -> None:
    rows = {"database.transactions": f"{TRANSACTIONS}24\tnova\t192.0.2.11\tnova\t600\tRUNNING\t0\n"}
    assert look(controller=database(**rows)).causes == []


def slow(flags: str = "sH--") -> dict:
    keys = {"backend": "nova_back", "server": "controller", "flags": flags}
    return hit("haproxy-server-timeout", "haproxy", keys, SLOW.replace("sH--", flags))


def test_a_back_end_that_answers_too_late_is_named_where_nothing_else_explains_it(look) -> None:
    assert look(controller={"logs.hits": logs(slow())}).causes == [("api-backend-slow", "controller")]


def test_one_that_broke_off_in_the_middle_is_not_slow(look) -> None:
    assert look(controller={"logs.hits": logs(slow("sD--"))}).causes == []

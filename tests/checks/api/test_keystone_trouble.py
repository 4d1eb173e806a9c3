"""Keystone's keys, the accounts of the services, and memcached: causes, and what looks like them."""

from __future__ import annotations

import json

import pytest

from stackdoctor.model import Severity, Status

NOW = 1795366000
KEY = "-rw------- 1 64061 64061 44 {0} {1}\n"


OLD = NOW - 5 * 86400
PS = "PID PPID USER STAT STARTED ELAPSED %CPU %MEM RSS NLWP WCHAN COMMAND\n"
ROW = "{0} 1 root Ssl Sun Nov 22 16:05:25 2026 2394 0.9 0.8 219620 58 poll {1}\n"
SERVES = PS + ROW.format(396, "(wsgi:keystone-pu -k start") + ROW.format(397, "/usr/bin/python3 /usr/bin/nova-api")


def repository(*numbers: int, written: int = NOW - 86400, runs: str = SERVES, database: str = "") -> dict:
    config = f"[database]\nconnection = mysql+pymysql://keystone:***@{database}/keystone\n" if database else "[token]\n"
    return {
        "keystone.fernet-keys": "total 8\n" + "".join(KEY.format(written, number) for number in numbers),
        "keystone.config /etc/keystone/keystone.conf": config,
        "processes": runs,
    }


def hits(*rows: tuple[str, str, dict, str]) -> str:
    """A log scan: signature, service, keys, line; each came four times until just now."""
    found = []
    for signature, service, keys, line in rows:
        sample = {"time": NOW - 5, "line": 1, "offset": 0, "text": line}
        row = {"signature": signature, "service": service, "path": f"/var/log/{service}.log", "keys": keys, "count": 8}
        found.append({**row, "minutes": {}, "first": NOW - 900, "last": NOW - 5, "samples": [sample]})
    return json.dumps({"since": NOW - 1800, "until": NOW, "grep": "gnu", "files": [], "hits": found})


def test_nodes_with_the_same_keys_are_right(look) -> None:
    seen = look(ctl1=repository(0, 4, 5), ctl2=repository(0, 3, 4, 5))
    assert (seen.findings, seen.causes) == ({}, [])


def test_keys_that_are_two_rotations_behind_are_the_cause(look) -> None:
    seen = look(ctl1=repository(0, 4, 5), ctl2=repository(0, 2, 3, written=OLD))
    found = seen.findings["keystone.fernet-keys.differ"]
    assert (found.severity, found.keys["host"], found.keys["behind"]) == (Severity.ERROR, "ctl2", "2")
    assert seen.causes == [("keystone-fernet-keys", "ctl2")]


def test_one_rotation_behind_is_a_warning_since_the_staged_key_reads_it(look) -> None:
    seen = look(ctl1=repository(0, 4, 5), ctl2=repository(0, 3, 4, written=OLD))
    assert [(f.id, f.severity) for f in seen.every] == [("keystone.fernet-keys.differ", Severity.WARNING)]
    assert seen.causes == []


def test_a_rotation_that_is_under_way_is_left_alone(look) -> None:
    assert look(ctl1=repository(0, 5, 6, written=NOW - 20), ctl2=repository(0, 2, 3)).findings == {}


def test_keys_where_no_keystone_runs_are_of_former_days(look) -> None:
    assert look(ctl1=repository(0, 4, 5), storage=repository(0, 1, written=OLD, runs=PS)).findings == {}
    assert look(ctl1=repository(0, 4, 5), storage=repository(runs=PS)).findings == {}


def test_the_keystones_of_two_regions_have_keys_of_their_own(look) -> None:
    one, two = repository(0, 4, 5, database="192.0.2.10"), repository(0, 1, 2, written=OLD, database="198.51.100.10")
    assert look(ctl1=one, far1=two).findings == {}
    later = repository(0, 1, 2, written=NOW - 3600)  # it was rotated last, and is not behind for want of a copy
    assert look(ctl1=repository(0, 4, 5), far1=later).findings == {}


def test_an_empty_repository_is_the_cause(look) -> None:
    seen = look(ctl1=repository(0, 5), ctl2=repository())
    assert seen.causes == [("keystone-fernet-keys", "ctl2")]


def test_a_service_whose_account_is_refused_is_named(look) -> None:
    rejected = "Identity server rejected authorization"
    log = hits(
        ("auth-service-rejected", "nova-api", {}, rejected),
        ("keystone-auth-failed", "keystone", {"ip": "192.0.2.11"}, "Authorization failed. ... from 192.0.2.11"),
    )
    seen = look(ctl1={"logs.hits": log})
    assert seen.causes == [("keystone-service-password", "ctl1")]
    assert "log.keystone-auth-failed" in seen.explained


def test_a_user_who_mistypes_a_password_is_no_cause(look) -> None:
    line = "Authorization failed. The request you have made requires authentication. from 192.0.2.77"
    seen = look(ctl1={"logs.hits": hits(("keystone-auth-failed", "keystone", {"ip": "192.0.2.77"}, line))})
    assert seen.causes == []


CONF = "[keystone_authtoken]\nmemcached_servers = 192.0.2.11:11211,ctl2:11211\n"
LISTEN = "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n"
CACHE = 'tcp LISTEN 0 80 {0}:11211 0.0.0.0:* users:(("memcached",pid=528,fd=22))\n'
NO_TCP = "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n"


def cached(number: int, listens: str = "", tcp: str = "") -> dict:
    ip = f"192.0.2.1{number}"
    row = {"family": "inet", "local": ip, "prefixlen": 24, "scope": "global"}
    return {
        "nova.config /etc/nova/nova.conf": CONF,
        "keystone.config": Status.MISSING,
        "processes": SERVES,
        "sockets.tcp": NO_TCP + tcp,
        "sockets.listening": LISTEN + (CACHE.format(listens) if listens else ""),
        "addresses.host": json.dumps([{"ifname": "eth0", "addr_info": [row]}]),
        "netns.list": "",
        "host.hosts /etc/hosts": "192.0.2.12 ctl2.example.org ctl2\n",
    }


@pytest.mark.parametrize("listens", ["0.0.0.0", "192.0.2.12"])
def test_servers_that_listen_where_they_are_asked_are_right(look, listens) -> None:
    assert look(ctl1=cached(1, "192.0.2.11"), ctl2=cached(2, listens)).findings == {}


@pytest.mark.parametrize("listens", ["", "127.0.0.1"])
def test_one_that_does_not_is_the_cause(look, listens) -> None:
    seen = look(ctl1=cached(1, "192.0.2.11"), ctl2=cached(2, listens))
    found = seen.findings["memcached.not-listening"]
    assert (found.keys["host"], found.keys["port"]) == ("ctl2", "11211")
    assert found.evidence[0].line.startswith("memcached_servers = ")
    assert seen.causes == [("memcached-down", "ctl2")]


def test_a_compute_host_checks_no_token_whatever_its_configuration_says(look) -> None:
    own = {"nova.config /etc/nova/nova.conf": CONF.replace("192.0.2.11:11211,ctl2", "127.0.0.1"), "processes": PS}
    assert look(ctl1=cached(1, "192.0.2.11"), ctl2=cached(2, "192.0.2.12"), compute1=cached(3) | own).findings == {}


def test_a_name_with_several_addresses_is_served_at_one_of_them(look) -> None:
    own = {
        "nova.config /etc/nova/nova.conf": "[keystone_authtoken]\nmemcached_servers = localhost:11211\n",
        "host.hosts /etc/hosts": "::1 localhost ip6-localhost\n127.0.0.1 localhost\n",
    }
    assert look(ctl1=cached(1, "127.0.0.1") | own).findings == {}


def test_one_on_a_node_that_was_not_looked_at_may_be_right(look) -> None:
    assert look(ctl1=cached(1, "192.0.2.11")).findings == {}


def test_a_connection_without_answer_is_told(look) -> None:
    waits = 'SYN-SENT 0 1 192.0.2.11:43788 192.0.2.12:11211 users:(("nova-api",pid=311,fd=9))\n'
    seen = look(ctl1=cached(1, "192.0.2.11", waits), ctl2=cached(2, "192.0.2.12"))
    assert seen.findings["memcached.connection.unanswered"].keys["target_host"] == "ctl2"


def test_a_service_that_ended_is_one_cause(look, node, processes) -> None:
    unit = "Id=memcached.service\nLoadState=loaded\nActiveState=failed\nSubState=failed\nUnitFileState=enabled\n"
    seen = look(ctl1={**node(processes(), unit), **cached(1)})
    assert seen.causes == [("memcached-down", "ctl1")]


def test_a_repository_without_a_key_is_the_cause_where_keystone_runs(look) -> None:
    seen = look(ctl1=repository())
    assert seen.findings["keystone.fernet-keys.empty"].keys["host"] == "ctl1"
    assert seen.causes == [("keystone-fernet-keys", "ctl1")]
    assert "keystone.fernet-keys.empty" not in look(ctl1=repository(runs=PS)).findings  # installed, and not used
    assert "keystone.fernet-keys.empty" not in look(ctl1=repository(0, 1)).findings

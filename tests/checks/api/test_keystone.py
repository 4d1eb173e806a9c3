import pytest

UNIT = "Id={0}.service\nLoadState=loaded\nActiveState={1}\nSubState={2}\nUnitFileState=enabled\n"


@pytest.mark.parametrize("active", ["inactive", "failed"])
def test_keystone_that_ended_behind_a_proxy_is_one_cause(look, node, out, processes, active) -> None:
    unit = UNIT.format("keystone", active, "dead")
    seen = look(controller=node(processes(), unit, log=out("keystone")))
    assert seen.causes == [("keystone-down", "controller")]
    assert {"service.down", "haproxy.backend.down", "keystone.down"} <= seen.explained


def test_keystone_that_is_stopped_by_a_signal_is_found_as_well(look, node, out, processes) -> None:
    frozen = processes("/usr/bin/python3 /usr/bin/keystone-wsgi-public --port 5000", stat="Tsl")
    seen = look(controller=node(frozen, UNIT.format("keystone", "active", "running"), log=out("keystone")))
    assert seen.causes == [("keystone-down", "controller")]


def test_the_web_server_that_keystone_runs_in_is_known_by_its_log(look, node, logs, processes) -> None:
    unit = UNIT.format("apache2", "failed", "failed")
    there = logs(file="/var/log/apache2/keystone.log", service="keystone")
    seen = look(ctl1=node(processes(), unit, log=there))
    assert seen.findings["keystone.down"].keys["service"] == "apache2"
    assert seen.causes == [("keystone-down", "ctl1")]
    elsewhere = look(ctl1=node(processes(), unit, log=logs()))
    assert "keystone.down" not in elsewhere.findings


def test_keystone_in_a_web_server_that_runs_is_up(look, node, logs, processes) -> None:
    wsgi = processes("(wsgi:keystone-pu -k start")
    there = logs(file="/var/log/apache2/keystone.log", service="keystone")
    seen = look(ctl1=node(wsgi, UNIT.format("apache2", "active", "running"), log=there))
    assert (seen.findings, seen.causes) == ({}, [])

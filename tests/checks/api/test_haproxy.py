UNIT = "Id={0}.service\nLoadState=loaded\nActiveState={1}\nSubState={2}\nUnitFileState=enabled\n"


def test_a_back_end_without_server_whose_service_runs_is_the_cause(look, node, out, processes) -> None:
    seen = look(controller=node(processes("glance-api: master"), log=out("glance")))
    found = seen.findings["haproxy.backend.down"]
    assert (found.keys["service"], found.keys["target_host"], found.keys["process"]) == (
        "glance-api",
        "controller",
        "running",
    )
    assert found.evidence[0].line == "backend glance_back has no server available!"
    assert seen.causes == [("haproxy-backend-down", "controller")]


def test_one_that_came_back_is_over(look, node, out, processes) -> None:
    seen = look(controller=node(processes(), log=out("glance", ("haproxy-server-up", 10.0))))
    assert "haproxy.backend.down" not in seen.findings


def test_what_haproxy_said_before_it_was_started_does_not_count(look, node, out, processes) -> None:
    started = processes("/usr/sbin/haproxy -Ws -f /etc/haproxy/haproxy.cfg").replace(" 2394 ", " 20 ")
    assert "haproxy.backend.down" not in look(controller=node(started, log=out("glance"))).findings
    older = started.replace(" 20 ", " 2394 ")
    assert "haproxy.backend.down" in look(controller=node(older, log=out("glance"))).findings


def test_an_api_that_waits_for_a_database_that_is_down_is_no_cause(look, node, out, processes) -> None:
    unit = UNIT.format("mariadb", "inactive", "dead")
    seen = look(controller=node(processes("glance-api: master"), unit, log=out("glance")))
    assert seen.causes == [("mysql-down", "controller")]
    assert "haproxy.backend.down" in seen.explained

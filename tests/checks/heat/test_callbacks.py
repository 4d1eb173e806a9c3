import pytest

ENGINE = "heat-engine: worker (/usr/bin/python3 /usr/bin/heat-engine)"
URLS = "heat_metadata_server_url = http://{0}:8000\nheat_waitcondition_server_url = http://{0}:8000/v1/waitcondition\n"
CONF = "[DEFAULT]\n" + URLS


def node(processes: str, text: str) -> dict[str, str]:
    return {"processes": processes, "heat.config /etc/heat/heat.conf": text}


def test_urls_that_guests_cannot_reach_are_found(look, running) -> None:
    seen = look(ctl1=node(running(ENGINE), CONF.format("127.0.0.1")))
    assert {f.id for f in seen.every} == {"heat.callback.loopback"}
    assert [f.subject for f in seen.every] == ["heat_metadata_server_url", "heat_waitcondition_server_url"]


@pytest.mark.parametrize(
    "text", [CONF.format("192.0.2.10"), "[DEFAULT]\n", "# " + CONF.format("127.0.0.1").split("\n")[1]]
)
def test_real_addresses_and_those_of_the_catalog_are_fine(look, running, text) -> None:
    assert look(ctl1=node(running(ENGINE), text)).findings == {}


def test_where_no_engine_runs_nobody_hands_them_out(look, running) -> None:
    assert look(ctl1=node(running(), CONF.format("127.0.0.1"))).findings == {}

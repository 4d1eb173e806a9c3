import pytest

from stackdoctor.model import Status

UNIT = "Id={0}.service\nLoadState=loaded\nActiveState={1}\nSubState={2}\nUnitFileState={3}\n"
API = "/usr/bin/uwsgi_python311 --processes 2 --ini /etc/nova/nova-api-uwsgi.ini"
CONDUCTOR = "/usr/bin/python3 /usr/bin/nova-conductor"
SCHEDULER = "/usr/bin/python3 /usr/bin/nova-scheduler"


def node(processes: object, *units: str) -> dict[str, object]:
    said: dict[str, object] = {"processes": processes, "services.systemd": "\n".join(units)}
    return {**said, "services.docker": Status.MISSING, "services.podman": Status.MISSING}


OFF = UNIT.format("nova-scheduler", "inactive", "dead", "disabled")


def test_a_scheduler_that_is_not_enabled_and_runs_nowhere_is_the_cause(look, running) -> None:
    seen = look(controller=node(running(API, CONDUCTOR), OFF))
    assert seen.findings["service.worker.absent"].keys["service"] == "nova-scheduler"
    assert seen.causes == [("service-not-enabled", "controller")]


def test_one_that_is_enabled_and_down_is_the_business_of_another_check(look, running) -> None:
    seen = look(controller=node(running(API, CONDUCTOR), UNIT.format("nova-scheduler", "inactive", "dead", "enabled")))
    assert set(seen.findings) == {"service.down"}
    assert seen.causes == [("service-process-down", "controller")]


@pytest.mark.parametrize("other", [Status.TIMED_OUT, None])
def test_a_worker_on_another_node_or_perhaps_on_one_that_was_not_seen_is_fine(look, running, other) -> None:
    there = node(running(SCHEDULER) if other is None else other)
    assert "service.worker.absent" not in look(ctl1=node(running(API, CONDUCTOR), OFF), ctl2=there).findings


def test_a_node_with_the_packages_and_no_api_is_fine(look, running) -> None:
    assert look(spare=node(running(), OFF)).findings == {}

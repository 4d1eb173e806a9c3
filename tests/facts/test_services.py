from __future__ import annotations

import pytest

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.services import Services
from stackdoctor.model import Clock, Node, NodeResults, Result, Status

SYSTEMD, DOCKER, PODMAN = Services.probes

UNITS = """Type=notify
MainPID=0
Result=success
NRestarts=0
ExecMainCode=1
ExecMainStatus=0
Id=nova-conductor.service
TriggeredBy=
LoadState=loaded
ActiveState=inactive
SubState=dead
UnitFileState=enabled
StateChangeTimestamp=Sun 2026-11-22 17:10:49 UTC
InactiveEnterTimestamp=Sun 2026-11-22 17:10:49 UTC
ConditionResult=yes
ConditionTimestamp=Sun 2026-11-22 16:31:49 UTC

Type=notify
MainPID=393
Result=success
NRestarts=0
ExecMainCode=0
ExecMainStatus=0
Id=mariadb.service
TriggeredBy=
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
StateChangeTimestamp=Sun 2026-11-22 18:37:05 UTC
InactiveEnterTimestamp=
ConditionResult=yes
ConditionTimestamp=Sun 2026-11-22 18:37:04 UTC

Type=oneshot
MainPID=0
Result=success
NRestarts=0
ExecMainCode=0
ExecMainStatus=0
Id=logrotate.service
TriggeredBy=logrotate.timer
LoadState=loaded
ActiveState=inactive
SubState=dead
UnitFileState=static
StateChangeTimestamp=Sun 2026-11-22 18:40:10 UTC
InactiveEnterTimestamp=Sun 2026-11-22 18:40:10 UTC
ConditionResult=no
ConditionTimestamp=

Type=
MainPID=0
Result=success
NRestarts=0
ExecMainCode=0
ExecMainStatus=0
Id=nova-cells.service
TriggeredBy=
LoadState=not-found
ActiveState=inactive
SubState=dead
UnitFileState=
StateChangeTimestamp=
InactiveEnterTimestamp=
ConditionResult=no
ConditionTimestamp=
"""
CONTAINERS = (
    "nova_conductor\tExited (137) 2 days ago\tquay.io/openstack.kolla/nova-conductor:zed\n"
    "nova_compute\tRestarting (1) 5 seconds ago\tquay.io/openstack.kolla/nova-compute:zed\n"
    "rabbitmq\tUp 3 weeks (healthy)\tquay.io/openstack.kolla/rabbitmq:zed\n"
    "mariadb\tUp 2 hours (Paused)\tquay.io/openstack.kolla/mariadb-server:zed\n"
    "bootstrap\tCreated\tquay.io/openstack.kolla/nova-api:zed\n"
)


def ran(probe: str, text: str, **more: object) -> Result:
    return Result(probe, probe, stdout=text.encode(), **more)  # type: ignore[arg-type]


def missing(probe: str) -> Result:
    return Result(probe, probe, status=Status.MISSING, exit=None)


def answered(*answers: Result, clock: Clock | None = None) -> NodeResults:
    rest = [missing(probe.id) for probe in Services.probes if probe.id not in {answer.probe for answer in answers}]
    return NodeResults(Node("c"), {(answer.probe, ""): answer for answer in (*answers, *rest)}, clock)


def unit(**changes: str) -> NodeResults:
    lines = [line for line in UNITS.split("\n\n")[0].split("\n") if line.partition("=")[0] not in changes]
    return answered(ran(SYSTEMD.id, "\n".join([*lines, *(f"{key}={value}" for key, value in changes.items())])))


def test_an_enabled_unit_that_was_stopped_is_down() -> None:
    (conductor,) = Services.parse(answered(ran(SYSTEMD.id, UNITS))).of("nova-conductor")
    assert (conductor.unit, conductor.manager, conductor.active) == ("nova-conductor.service", "systemd", "inactive")
    assert conductor.down
    assert not conductor.flapping
    assert (conductor.exit_status, conductor.main_pid, conductor.since) == (0, None, 1795367449.0)
    assert conductor.evidence.line.startswith("Id=nova-conductor.service ActiveState=inactive SubState=dead")


def test_one_that_runs_or_comes_and_goes_or_does_not_exist_is_not_down() -> None:
    services = Services.parse(answered(ran(SYSTEMD.id, UNITS)))
    assert [(service.name, service.down) for service in services] == [
        ("nova-conductor", True),
        ("mysql", False),
        ("logrotate", False),
    ]
    assert services.of("mysql")[0].main_pid == 393


def test_a_unit_that_failed_is_down_whatever_else_holds() -> None:
    (service,) = Services.parse(unit(ActiveState="failed", SubState="failed", Type="oneshot", Result="exit-code"))
    assert service.down
    assert service.result == "exit-code"


def test_a_unit_that_its_socket_starts_is_not_down_while_the_socket_listens() -> None:
    block = UNITS.split("\n\n")[0].replace("TriggeredBy=", "TriggeredBy=libvirtd.socket")
    for state, down in (("active", False), ("inactive", True)):
        socket = f"Id=libvirtd.socket\nLoadState=loaded\nActiveState={state}\n"
        (service,) = Services.parse(answered(ran(SYSTEMD.id, f"{block}\n\n{socket}")))
        assert service.down is down


def test_a_unit_that_was_never_started_and_is_enabled_is_down() -> None:
    never = {"InactiveEnterTimestamp": "", "ConditionTimestamp": "", "ConditionResult": "no"}
    (service,) = Services.parse(unit(**never))
    assert service.down
    (service,) = Services.parse(unit(**{**never, "ConditionTimestamp": "Sun 2026-11-22 16:31:49 UTC"}))
    assert not service.down
    (service,) = Services.parse(unit(**{**never, "UnitFileState": "disabled"}))
    assert not service.down


def test_a_unit_that_systemd_starts_again_and_again_is_flapping() -> None:
    for changes in ({"NRestarts": "7"}, {"SubState": "auto-restart", "ActiveState": "activating"}):
        (service,) = Services.parse(unit(**changes))
        assert service.flapping


def test_a_stamp_in_the_zone_of_the_node_is_brought_to_utc_and_another_is_not_guessed() -> None:
    text = UNITS.replace(" UTC", " CET")
    berlin = Clock(now=0.0, utc_offset=3600, zone="CET")
    assert Services.parse(answered(ran(SYSTEMD.id, text), clock=berlin)).rows[0].since == 1795367449.0 - 3600
    assert Services.parse(answered(ran(SYSTEMD.id, text))).rows[0].since is None


def test_containers_are_services_too() -> None:
    services = Services.parse(answered(ran(DOCKER.id, CONTAINERS)))
    states = {service.name: (service.sub, service.active, service.down) for service in services}
    assert states == {
        "nova-conductor": ("exited", "inactive", True),
        "nova-compute": ("restarting", "inactive", True),
        "rabbitmq-server": ("running", "active", False),
        "mysql": ("paused", "active", False),
        "bootstrap": ("created", "inactive", False),
    }
    conductor, compute = services.rows[:2]
    assert (conductor.exit_status, conductor.result, conductor.manager) == (137, "exit-code", "docker")
    assert compute.flapping


def test_units_and_containers_of_one_node_stand_side_by_side() -> None:
    services = Services.parse(answered(ran(SYSTEMD.id, UNITS), ran(PODMAN.id, CONTAINERS)))
    assert {service.manager for service in services.of("nova-conductor")} == {"systemd", "podman"}


def test_a_manager_that_could_not_be_asked_is_named() -> None:
    refused = ran(DOCKER.id, "", exit=1, stderr=b"Cannot connect to the Docker daemon at unix:///var/run/docker.sock.")
    services = Services.parse(answered(ran(SYSTEMD.id, UNITS), refused))
    assert len(services.unread) == 1
    assert "Cannot connect to the Docker daemon" in services.unread[0]
    with pytest.raises(CouldNotCheck, match="Docker daemon"):
        Services.parse(answered(refused))


def test_without_any_manager_there_are_no_services_to_speak_of() -> None:
    with pytest.raises(NotApplicable):
        Services.parse(answered())
    not_booted = b"System has not been booted with systemd as init system (PID 1). Can't operate."
    with pytest.raises(NotApplicable):
        Services.parse(answered(ran(SYSTEMD.id, "", exit=1, stderr=not_booted)))


@pytest.mark.parametrize(
    "answer",
    [
        ran(SYSTEMD.id, "Id=x.service\n"),
        ran(SYSTEMD.id, "garbage\n"),
        ran(DOCKER.id, "CONTAINER ID   IMAGE\n"),
        ran(DOCKER.id, "nova_api\tSleeping\tx\n"),
    ],
)
def test_another_format_is_refused(answer: Result) -> None:
    with pytest.raises(ParseError):
        Services.parse(answered(answer))

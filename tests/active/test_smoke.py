"""The smoke check against APIs over real HTTP: what is proven, what fails, and that all of it is removed again."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# there is no package of the tests to import it from
_SPEC = importlib.util.spec_from_file_location("smoke_cloud", Path(__file__).parent / "smoke_cloud.py")
assert _SPEC is not None
assert _SPEC.loader is not None
smoke_cloud = sys.modules["smoke_cloud"] = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(smoke_cloud)

STACKDOCTOR = Path(sys.executable).parent / "stackdoctor"


@pytest.fixture
def cloud() -> Iterator[Any]:
    with smoke_cloud.served() as made:
        yield made


def environment(cloud: Any, password: str = smoke_cloud.PASSWORD) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    return {
        **kept,
        "OS_AUTH_URL": f"{cloud.root}/identity/v3",
        "OS_USERNAME": "smoke",
        "OS_PASSWORD": password,
        "OS_PROJECT_NAME": "smoke",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_REGION_NAME": "R1",
        "OS_IDENTITY_API_VERSION": "3",
    }


def begin(cloud: Any, *words: str, **changed: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [STACKDOCTOR, "smoke", "--format", "json", "--timeout", "3s", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env={**environment(cloud), **changed},
    )


def smoke(cloud: Any, *words: str, **changed: str) -> tuple[int, dict[str, Any], str]:
    """Exit status, the value (empty without one) and what was told on standard error."""
    with begin(cloud, "--yes", *words, **changed) as ran:
        said, told = ran.communicate(timeout=60)
    return ran.returncode, json.loads(said) if said else {}, told


def states(value: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["state"] for step in value["steps"]}


def test_all_steps_are_proven_and_nothing_is_left(cloud: Any) -> None:
    status, value, told = smoke(cloud)

    assert status == 0, told
    assert set(states(value).values()) == {"ok"}
    assert list(states(value)) == [
        *("network and subnet", "security group rule", "volume", "port", "server is accepted", "server is ACTIVE"),
        *("port is ACTIVE", "address is given", "console log is readable", "guest has its address"),
        *("volume is in use", "volume is detached", "all is removed"),
    ]
    assert cloud.left == {}
    assert value["left"] == []


def test_the_smallest_image_that_boots_and_the_smallest_flavor_with_a_disk_are_chosen_and_said(cloud: Any) -> None:
    _, value, told = smoke(cloud)

    assert (value["image"]["name"], value["flavor"]["name"]) == ("small", "tiny")
    assert "image small, flavor tiny" in told


def test_every_name_has_the_prefix_and_every_neutron_resource_the_tag(cloud: Any) -> None:
    seen: list[dict[str, Any]] = []

    def on(method: str, path: str) -> None:
        if path.endswith("/os-volume_attachments") and method == "POST":
            seen.extend({**row, "kind": kind} for kind, rows in cloud.rows.items() for row in rows.values())

    cloud.on = on
    _, value, _ = smoke(cloud)

    named = [row for row in seen if row["kind"] != "security-group-rules"]
    assert {row["kind"] for row in named} == {"networks", "subnets", "security-groups", "ports", "volumes", "servers"}
    assert {row["name"] for row in named} == {value["name"]}
    assert value["name"].startswith("stackdoctor-smoke-")
    tagged = [row for row in named if row["kind"] not in ("volumes", "servers")]
    assert all(row["tags"] == [value["name"]] for row in tagged)


def test_a_router_and_a_floating_ip_are_made_and_removed(cloud: Any) -> None:
    outside = cloud.make("networks", {"name": "public", "router:external": True, "status": "ACTIVE"})
    status, value, told = smoke(cloud, "--external", "public", "--no-volume")

    assert status == 0, told
    assert {"router", "floating IP", "floating IP is ACTIVE"} <= set(states(value))
    assert cloud.left == {"networks": [outside["id"]]}


def test_a_server_in_error_fails_with_novas_words_and_its_request_and_is_removed(cloud: Any, tmp_path: Path) -> None:
    cloud.server_status = "ERROR"
    status, value, _ = smoke(cloud, "--junit", str(tmp_path / "smoke.xml"))

    assert status == 1
    assert states(value)["server is ACTIVE"] == "failed"
    assert states(value)["port is ACTIVE"] == "waiting"
    assert "No valid host was found." in value["verdict"]
    failed = next(step for step in value["steps"] if step["state"] == "failed")
    assert failed["requests"][0].startswith("req-")
    assert cloud.left == {}
    suite = ElementTree.parse(tmp_path / "smoke.xml").getroot()
    assert (suite.get("failures"), suite.get("skipped")) == ("1", "6")
    failure = suite.find("testcase[@name='server is ACTIVE']/failure")
    assert failure is not None
    assert "No valid host" in str(failure.get("message"))


def test_a_guest_whose_console_does_not_name_its_address_is_not_proven(cloud: Any) -> None:
    cloud.console = f"login: (server 1{smoke_cloud.ADDRESS} and {smoke_cloud.ADDRESS}9)"
    status, value, _ = smoke(cloud)

    assert status == 1
    assert states(value)["guest has its address"] == "failed"
    assert smoke_cloud.ADDRESS in value["verdict"]
    assert cloud.left == {}


def test_a_volume_that_is_let_go_again_is_told_so(cloud: Any) -> None:
    def on(method: str, path: str) -> None:
        if method == "GET" and "/volumes/" in path:
            for row in cloud.of("volumes").values():
                row["status"] = {"in-use": "attaching", "attaching": "available"}.get(row["status"], row["status"])

    cloud.on = on
    status, value, _ = smoke(cloud)

    assert status == 1
    assert "let go again" in value["verdict"]
    assert cloud.left == {}


def test_a_call_that_is_refused_is_the_failed_step_with_the_apis_words(cloud: Any) -> None:
    cloud.fails["POST", "/ports"] = (409, {"NeutronError": {"message": "Quota exceeded for resources: ['port']."}})
    status, value, _ = smoke(cloud)

    assert status == 1
    assert states(value)["port"] == "failed"
    assert "Quota exceeded" in value["verdict"]
    assert cloud.left == {}


def test_an_error_that_is_a_page_is_told_without_its_tags(cloud: Any) -> None:
    cloud.fails["POST", "/ports"] = (500, {"NeutronError": {"message": "The server has erred.<br /><br />\n\n"}})
    _, value, _ = smoke(cloud)

    assert "HTTP 500: The server has erred." in value["verdict"]
    assert "<br" not in value["verdict"]


def test_what_cannot_be_removed_is_told_with_the_commands_in_their_order(cloud: Any) -> None:
    cloud.fails["DELETE", "/volumes"] = (500, {})

    def on(method: str, path: str) -> None:
        if method == "DELETE":
            cloud.fails["DELETE", path] = (403, {"forbidden": {"message": "policy forbids it", "code": 403}})

    cloud.on = on
    status, value, told = smoke(cloud, "--no-volume")

    assert status == 1
    assert states(value)["guest has its address"] == "ok"
    assert states(value)["all is removed"] == "failed"
    assert "LEFT BEHIND: 5 things" in told
    kinds = [row["kind"] for row in value["left"]]
    assert kinds == ["server", "port", "security group", "subnet", "network"]
    commands = [line.strip() for line in told.splitlines() if line.strip().startswith("openstack ")]
    assert commands[0].startswith(f"openstack server delete {value['left'][0]['id']}")
    assert "policy forbids it" in commands[0]


def test_what_a_cut_off_call_has_made_is_found_by_its_name(cloud: Any) -> None:
    def on(method: str, path: str) -> None:
        if method == "POST" and path.endswith("/ports"):
            (network,) = cloud.of("networks").values()
            cloud.make("ports", {"name": network["name"], "network_id": network["id"], "status": "DOWN"})

    cloud.on = on
    cloud.fails["POST", "/ports"] = (504, {"error": "the gateway's time is over"})
    status, _, _ = smoke(cloud, "--no-volume")

    assert status == 1
    assert cloud.left == {}


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_removes_what_it_made(cloud: Any, how: signal.Signals) -> None:
    running: list[subprocess.Popen[str]] = []

    def on(method: str, path: str) -> None:
        # while the call that makes the server is under way: its id is not known to the client yet
        if method == "POST" and path.endswith("/servers") and running:
            running.pop().send_signal(how)

    cloud.on = on
    with begin(cloud, "--yes") as ran:
        running.append(ran)
        said, told = ran.communicate(timeout=60)

    assert ran.returncode == 130, told
    value = json.loads(said)
    assert states(value)["server is accepted"] == "stopped"
    assert states(value)["all is removed"] == "ok"
    assert ("POST", "/compute/v2.1/servers") in cloud.asked
    assert cloud.left == {}


def test_the_third_signal_leaves_what_is_there_and_tells_how_to_remove_it(cloud: Any) -> None:
    running: list[subprocess.Popen[str]] = []

    def on(method: str, path: str) -> None:
        if running and (method == "DELETE" or path.endswith("/servers")):
            running[0].send_signal(signal.SIGINT)

    cloud.on = on
    with begin(cloud, "--yes", "--no-volume") as ran:
        running.append(ran)
        said, told = ran.communicate(timeout=60)

    value = json.loads(said)
    assert value["left"]
    assert "LEFT BEHIND" in told
    assert f"openstack network delete {value['left'][-1]['id']}" in told


def test_heat_is_used_where_it_is_there(cloud: Any) -> None:
    cloud.heat = True
    status, value, told = smoke(cloud)

    assert status == 0, (told, value)
    assert value["way"] == "heat"
    assert states(value)["stack is complete"] == "ok"
    assert not [path for method, path in cloud.asked if method == "POST" and path.endswith("/compute/v2.1/servers")]
    assert cloud.left == {}


def test_a_stack_that_fails_is_told_with_heats_reason_and_removed(cloud: Any) -> None:
    cloud.heat = True
    cloud.stack_states = ("CREATE_IN_PROGRESS", "CREATE_FAILED")
    status, value, told = smoke(cloud)

    assert status == 1, told
    assert states(value)["stack is complete"] == "failed"
    assert "server (OS::Nova::Server): ResourceInError: No valid host was found." in value["verdict"]
    assert value["left"] == []
    assert cloud.left == {}


def test_a_template_of_ones_own_gets_what_it_asks_for(cloud: Any, tmp_path: Path) -> None:
    cloud.heat = True
    hot = tmp_path / "vnf.yaml"
    hot.write_text(
        "heat_template_version: 2018-08-31\n"
        "parameters: {image: {type: string}, size: {type: number}}\n"
        "resources: {vnf: {type: 'OS::Nova::Server', properties: {image: {get_param: image}}},"
        " port: {type: 'OS::Neutron::Port', properties: {}}}\n"
    )
    refused, _, told = smoke(cloud, "--hot", str(hot))
    assert refused == 2
    assert "--parameter size=VALUE" in told
    status, value, told = smoke(cloud, "--hot", str(hot), "--parameter", "size=1")
    assert status == 0, (told, value)
    assert cloud.left == {}


@pytest.mark.parametrize(
    ("words", "changed", "status", "sentence"),
    [
        ((), {"OS_PASSWORD": "wrong"}, 2, "refuses these credentials"),
        ((), {"OS_AUTH_URL": ""}, 2, "no credentials"),
        ((), {"OS_AUTH_URL": "http://127.0.0.1:1/v3"}, 3, "does not answer"),
        (("--image", "none-such"), {}, 2, "no image 'none-such'"),
        (("--os-cloud", "none-such"), {}, 2, "none-such"),
        (("--hot", "/nonexistent.yaml"), {}, 2, "No such file"),
        (("--hot", "/etc/hostname"), {}, 2, "no Heat template"),
        (("--parameter", "a=b"), {}, 2, "is for --hot"),
    ],
)
def test_wrong_use_and_a_cloud_that_cannot_be_asked_are_one_sentence(
    cloud: Any, words: tuple[str, ...], changed: dict[str, str], status: int, sentence: str
) -> None:
    code, value, told = smoke(cloud, *words, **changed)

    assert (code, value) == (status, {}), told
    assert sentence in told
    assert "Traceback" not in told
    assert cloud.left == {}


def test_nothing_is_made_without_consent(cloud: Any) -> None:
    with begin(cloud) as ran:
        _, told = ran.communicate(timeout=60)

    assert ran.returncode == 2
    assert "--yes" in told
    assert cloud.left == {}


def test_no_password_and_no_token_is_in_what_is_printed(cloud: Any) -> None:
    cloud.server_status = "ERROR"
    _, value, told = smoke(cloud)

    for secret in (smoke_cloud.PASSWORD, "gAAAAABtoken"):
        assert secret not in told + json.dumps(value)

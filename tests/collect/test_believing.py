"""The APIs asked from the operator's machine, by openstacksdk's own configuration."""

from __future__ import annotations

import importlib.util
import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stackdoctor.collect.api_reads import API_READS, api_reads_of
from stackdoctor.collect.believing import start_reading
from stackdoctor.collect.plan import Plan
from stackdoctor.errors import UsageError
from stackdoctor.model import API_ROLE, NodeResults, Status

pytest.importorskip("openstack")

_SPEC = importlib.util.spec_from_file_location("api_cloud", Path(__file__).parent / "api_cloud.py")
assert _SPEC is not None
assert _SPEC.loader is not None
api_cloud = importlib.util.module_from_spec(_SPEC)
sys.modules["api_cloud"] = api_cloud
_SPEC.loader.exec_module(api_cloud)

_TLS = importlib.util.spec_from_file_location("tls_listener", Path(__file__).parent / "tls_listener.py")
assert _TLS is not None
assert _TLS.loader is not None
tls_listener = importlib.util.module_from_spec(_TLS)
_TLS.loader.exec_module(tls_listener)

PLAN = Plan((), seconds=20.0, apis=(API_READS["api.compute.services"], API_READS["api.network.agents"]))


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    for name in ("OS_CLOUD", "OS_AUTH_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    with api_cloud.served() as fake:
        yield fake


def written(cloud: Any, path: Path, password: str = "", auth_url: str = "") -> None:
    auth = {
        "auth_url": auth_url or cloud.url,
        "username": "admin",
        "password": password or api_cloud.PASSWORD,
        "project_name": "admin",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    clouds = {"clouds": {"mine": {"auth": auth, "region_name": "R1", "interface": "public"}}}
    (path / "clouds.yaml").write_text(json.dumps(clouds))


def read(name: str = "mine") -> NodeResults:
    reading = start_reading(name, PLAN)
    assert reading is not None
    return reading.result()


def test_a_cloud_of_clouds_yaml_is_a_node_of_its_own_among_the_results(cloud: Any, tmp_path: Path) -> None:
    written(cloud, tmp_path)
    found = read()
    assert found.node.name == "mine"
    assert found.node.roles == {API_ROLE}
    rows = json.loads(found.results["api.compute.services", ""].text)["rows"]
    assert {row["binary"] for row in rows} == {"nova-compute", "nova-conductor", "nova-scheduler"}
    kept = b"".join(r.stdout + r.stderr + r.command.encode() + r.reason.encode() for r in found.results.values())
    assert api_cloud.PASSWORD.encode() not in kept
    assert api_cloud.TOKEN.encode() not in kept


def test_the_environment_is_enough(cloud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("AUTH_URL", cloud.url), ("USERNAME", "admin"), ("PASSWORD", api_cloud.PASSWORD)):
        monkeypatch.setenv(f"OS_{name}", value)
    for name in ("OS_PROJECT_NAME", "OS_USER_DOMAIN_NAME", "OS_PROJECT_DOMAIN_NAME"):
        monkeypatch.setenv(name, "Default" if "DOMAIN" in name else "admin")
    found = read("")
    assert found.node.name == "api"
    assert found.results["api.network.agents", ""].status is Status.RAN


def test_without_anything_to_log_in_with_nothing_is_read(cloud: Any) -> None:
    assert start_reading("", PLAN) is None


def test_a_cloud_that_is_not_written_down_is_wrong_use(cloud: Any, tmp_path: Path) -> None:
    written(cloud, tmp_path)
    with pytest.raises(UsageError, match="no such cloud, only"):
        start_reading("other", PLAN)


def test_a_wrong_password_and_a_silent_keystone_are_told_apart(cloud: Any, tmp_path: Path) -> None:
    written(cloud, tmp_path, password="wrong")
    assert read().results["api.source", ""].status is Status.DENIED
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = free.getsockname()[1]
    written(cloud, tmp_path, auth_url=f"http://127.0.0.1:{closed}/v3")
    source = read().results["api.source", ""]
    assert source.status is Status.NOT_RUN
    assert "refused" in source.reason


def test_an_api_that_is_broken_costs_its_own_answer_only(cloud: Any, tmp_path: Path) -> None:
    written(cloud, tmp_path)
    cloud.answers[api_cloud.PLACES["api.compute.services"][0]] = api_cloud.Answer(503, b"<h1>503</h1>")
    found = read()
    assert found.results["api.compute.services", ""].exit == 503
    assert found.results["api.network.agents", ""].exit == 0


def test_quotas_are_asked_for_each_enabled_project_that_keystone_lists(cloud: Any, tmp_path: Path) -> None:
    written(cloud, tmp_path)
    projects = [{"id": "p1", "name": "one", "enabled": True}, {"id": "p2", "name": "two", "enabled": False}]
    cloud.say("/identity/v3/projects", {"projects": projects})
    cores = {"limit": 20, "in_use": 3, "reserved": 0}
    cloud.say("/compute/v2.1/os-quota-sets/p1/detail", {"quota_set": {"id": "p1", "cores": cores, "fixed_ips": {}}})
    reading = start_reading("mine", Plan((), seconds=20.0, apis=api_reads_of([API_READS["api.compute.quotas"].probe])))
    assert reading is not None
    answer = json.loads(reading.result().results["api.compute.quotas", ""].stdout)
    assert (answer["rows"], answer["of"]) == ([{"cores": cores, "of": "p1"}], ["p1"])


@pytest.mark.parametrize("signed_by", ["ours", "other", ""])
def test_the_authority_of_the_clouds_file_is_believed_and_no_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, signed_by: str
) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    ours = tls_listener.authority(tmp_path, "ours")
    tls_listener.authority(tmp_path, "other")
    with api_cloud.served(tls_listener.server_context(ours)) as fake:
        written(fake, tmp_path)
        clouds = json.loads((tmp_path / "clouds.yaml").read_text())
        clouds["clouds"]["mine"] |= {"cacert": f"{tmp_path}/{signed_by}.pem"} if signed_by else {}
        (tmp_path / "clouds.yaml").write_text(json.dumps(clouds))
        results = read().results
    said = {probe: result for (probe, _), result in results.items()}
    if signed_by == "ours":
        assert said["api.compute.services"].status is Status.RAN
        return
    assert all(result.status is not Status.RAN or result.exit for result in said.values())
    assert "certificate" in " ".join(result.reason for result in said.values()).lower()
    assert fake.asked == []

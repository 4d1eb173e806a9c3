"""The APIs asked on a controller: with the credentials that lie there, of real HTTP, whole or broken."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from stackdoctor.collect.agent import cloudlogin
from stackdoctor.collect.agent.cloudlogin import read_apis
from stackdoctor.collect.api_reads import API_READS, reads_wire
from stackdoctor.collect.frames import FrameReader, to_result
from stackdoctor.model import Result, Status

_SPEC = importlib.util.spec_from_file_location("api_cloud", Path(__file__).parent.parent / "api_cloud.py")
assert _SPEC is not None
assert _SPEC.loader is not None
api_cloud = importlib.util.module_from_spec(_SPEC)
sys.modules["api_cloud"] = api_cloud
_SPEC.loader.exec_module(api_cloud)

_TLS = importlib.util.spec_from_file_location("tls_listener", Path(__file__).parent.parent / "tls_listener.py")
assert _TLS is not None
assert _TLS.loader is not None
tls_listener = importlib.util.module_from_spec(_TLS)
_TLS.loader.exec_module(tls_listener)

Ask = Callable[..., dict[tuple[str, str], Result]]


@pytest.fixture
def cloud() -> Iterator[Any]:
    with api_cloud.served() as fake:
        yield fake


@pytest.fixture
def ask(cloud: Any, tmp_path: Path) -> Ask:
    """``ask("api.compute.services", ...)``: the results by probe and subject, with an openrc of the cloud's."""

    def results(*ids: str, rc: str = "", seconds: float = 20.0) -> dict[tuple[str, str], Result]:
        openrc = tmp_path / "admin-openrc.sh"
        openrc.write_text(
            rc
            or f"# by hand\nexport OS_AUTH_URL={cloud.url} OS_USERNAME=admin\n"
            f"export OS_PASSWORD='{api_cloud.PASSWORD}'\n"
            "export OS_PROJECT_NAME=admin OS_REGION_NAME=R1 OS_INTERFACE=internalURL\n"
        )
        frames = tmp_path / "frames"
        handle = os.open(frames, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        try:
            reads = reads_wire(API_READS[id_] for id_ in ids)
            read_apis({"files": [str(tmp_path / "*openrc*")], "seconds": seconds, "reads": reads}, handle)
        finally:
            os.close(handle)
        answers = [to_result(frame) for frame in FrameReader().feed(frames.read_bytes())]
        assert api_cloud.PASSWORD.encode() not in frames.read_bytes()
        assert api_cloud.TOKEN.encode() not in frames.read_bytes()
        return {(r.probe, r.subject): r for r in answers}

    return results


def rows(result: Result) -> Any:
    return json.loads(result.text)["rows"]


def test_a_read_keeps_the_named_fields_of_every_row(cloud: Any, ask: Ask) -> None:
    path, key = api_cloud.PLACES["api.compute.servers"]
    secret = [{"id": "a", "status": "ACTIVE", "metadata": {"k": "v"}, "OS-EXT-SRV-ATTR:user_data": "cGFzc3dk"}]
    cloud.say(path, {key: secret})
    found = ask("api.compute.servers", "api.network.agents")
    assert rows(found["api.compute.servers", ""]) == [{"id": "a", "status": "ACTIVE"}]
    assert {row["host"] for row in rows(found["api.network.agents", ""])} >= {"controller", "compute1"}
    assert found["api.source", ""].status is Status.RAN
    assert json.loads(found["api.source", ""].text)["rows"][0]["interface"] == "internal"


def test_nothing_but_gets_is_sent_once_the_token_is_there_and_no_endpoint_gets_it_untold(cloud: Any, ask: Ask) -> None:
    ask(*API_READS)
    posts = [path for method, path, _ in cloud.asked if method != "GET"]
    assert posts == ["/identity/v3/auth/tokens"]
    roots = [headers for _, path, headers in cloud.asked if path.endswith("/")]
    assert len(roots) == 5
    assert not any("X-Auth-Token" in headers for headers in roots)


def test_pages_are_followed_within_the_service_only(cloud: Any, ask: Ask) -> None:
    path, key = api_cloud.PLACES["api.network.ports"]
    link = {"rel": "next", "href": f"http://192.0.2.1:9696{path}?limit=1000&marker=a"}

    def paged(handler: BaseHTTPRequestHandler) -> None:
        more = "marker=" not in handler.path
        body = json.dumps({key: [{"id": "a" if more else "b"}], **({key + "_links": [link]} if more else {})}).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    cloud.answers[path] = api_cloud.Answer(act=paged)
    found = ask("api.network.ports")["api.network.ports", ""]
    assert [row["id"] for row in rows(found)] == ["a", "b"]
    assert json.loads(found.text)["complete"] is True


def test_a_link_that_leads_elsewhere_is_not_followed(cloud: Any, ask: Ask) -> None:
    path, key = api_cloud.PLACES["api.network.ports"]
    cloud.say(path, {key: [{"id": "a"}], key + "_links": [{"rel": "next", "href": "http://192.0.2.1/steal?x=1"}]})
    found = ask("api.network.ports")["api.network.ports", ""]
    assert "leads elsewhere" in found.reason
    assert not any("steal" in asked for _, asked, _ in cloud.asked)


def test_pages_without_end_are_cut_and_said_to_be(cloud: Any, ask: Ask) -> None:
    path, key = api_cloud.PLACES["api.network.ports"]
    cloud.say(path, {key: [{"id": "a"}], key + "_links": [{"rel": "next", "href": cloud.root + path + "?marker=a"}]})
    found = json.loads(ask("api.network.ports")["api.network.ports", ""].text)
    assert found["complete"] is False
    assert len(found["rows"]) == API_READS["api.network.ports"].pages


def test_an_older_service_is_asked_for_the_most_that_it_has(cloud: Any, ask: Ask) -> None:
    path, key = api_cloud.PLACES["api.compute.services"]

    def old(handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers.get("X-OpenStack-Nova-API-Version", "")
        if (
            asked == "2.53"
        ):  # nova/api/openstack/wsgi.py of Mitaka: VersionNotFoundForAPIMethod, InvalidGlobalAPIVersion
            words = "Version 2.53 is not supported by the API. Minimum is 2.1 and maximum is 2.25."
            body, code = json.dumps({"computeFault": {"message": words, "code": 406}}).encode(), 406
        else:
            body, code = json.dumps({key: [{"binary": "nova-compute", "host": asked}]}).encode(), 200
        handler.send_response(code)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    cloud.answers[path] = api_cloud.Answer(act=old)
    found = ask("api.compute.services")["api.compute.services", ""]
    assert rows(found) == [{"binary": "nova-compute", "host": "2.25"}]
    assert json.loads(found.text)["version"] == "2.25"


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (api_cloud.Answer(503, b"<html><h1>503 Service Unavailable</h1>No server is available</html>"), "ran", "503"),
        (api_cloud.Answer(401, b'{"error": {"message": "expired"}}'), "denied", "expired"),
        (api_cloud.Answer(403, b'{"forbidden": {"message": "Policy says no"}}'), "denied", "Policy says no"),
        (api_cloud.Answer(404, b"{}"), "missing", "404"),
        (api_cloud.Answer(200, b"It works!"), "ran", "not JSON"),
        (api_cloud.Answer(200, b'{"services": [{"id": 1}, {"i'), "ran", "not JSON"),
        (api_cloud.Answer(200, b"[" * 100000 + b"]" * 100000), "ran", "not JSON"),
        (api_cloud.Answer(200, b'{"services": "none"}'), "ran", "not the answer"),
        (api_cloud.Answer(200, b'["services"]'), "ran", "not a JSON object"),
        (api_cloud.Answer(302, b"", {"Location": "http://192.0.2.1/"}), "ran", "302"),
        (api_cloud.Answer(act=lambda handler: handler.wfile.write(b"SSH-2.0-x\r\n\r\n")), "not-run", "not HTTP"),
    ],
)
def test_what_is_no_answer_is_said_to_be_none(cloud: Any, ask: Ask, answer: Any, status: str, said: str) -> None:
    cloud.answers[api_cloud.PLACES["api.compute.services"][0]] = answer
    found = ask("api.compute.services", "api.network.agents")
    result = found["api.compute.services", ""]
    assert result.status.value == status
    assert said in result.reason
    assert status != "ran" or result.exit
    assert rows(found["api.network.agents", ""])


def test_an_endpoint_that_accepts_and_says_nothing_costs_its_own_time_only(
    cloud: Any, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloudlogin, "READ", 0.5)
    over = threading.Event()
    cloud.answers[api_cloud.PLACES["api.compute.services"][0]] = api_cloud.Answer(act=lambda _: over.wait(10) or None)
    began = time.monotonic()
    found = ask("api.compute.services", "api.network.agents")
    over.set()
    assert time.monotonic() - began < 5
    assert found["api.compute.services", ""].status is Status.TIMED_OUT
    assert rows(found["api.network.agents", ""])


def test_an_endpoint_that_drips_is_left_when_its_time_is_over(
    cloud: Any, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloudlogin, "READ", 0.6)
    over = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while not over.wait(0.1):
            try:
                handler.wfile.write(b" ")
            except OSError:
                return

    cloud.answers[api_cloud.PLACES["api.compute.services"][0]] = api_cloud.Answer(act=drip)
    found = ask("api.compute.services")
    over.set()
    assert found["api.compute.services", ""].status is Status.TIMED_OUT


def test_rows_about_rows_carry_whose_they_are(cloud: Any, ask: Ask) -> None:
    ids = [row["uuid"] for row in json.loads(cloud.answers["/placement/resource_providers"].body)["resource_providers"]]
    for id_ in ids:
        cloud.say(
            f"/placement/resource_providers/{id_}/allocations", {"allocations": {"c1": {"resources": {"VCPU": 1}}}}
        )
    found = ask("api.placement.providers", "api.placement.allocations")["api.placement.allocations", ""]
    assert rows(found) == [{"id": "c1", "resources": {"VCPU": 1}, "of": id_} for id_ in ids]


def test_keystone_without_v3_is_asked_for_a_token_of_v2(cloud: Any, ask: Ask) -> None:
    endpoints = [{"region": "R1", "internalURL": cloud.root + "/compute/v2.1", "publicURL": "http://192.0.2.1/"}]
    access = {
        "token": {"id": api_cloud.TOKEN},
        "serviceCatalog": [{"type": "compute", "name": "nova", "endpoints": endpoints}],
    }
    cloud.say("/identity/v3/auth/tokens", {"error": {"message": "gone"}}, 404)
    cloud.say("/identity/v2.0/tokens", {"access": access})
    found = ask("api.compute.services", "api.network.agents")
    assert rows(found["api.compute.services", ""])
    assert found["api.network.agents", ""].status is Status.MISSING


@pytest.mark.parametrize(
    ("rc", "status", "said"),
    [
        ("export OS_AUTH_URL={url} OS_USERNAME=admin OS_PASSWORD=wrong", Status.DENIED, "HTTP 401"),
        (
            "export OS_AUTH_URL={url} OS_USERNAME=admin\nread -sr P\nexport OS_PASSWORD=$P",
            Status.MISSING,
            "OS_PASSWORD",
        ),
        ("export OS_USERNAME=admin OS_PASSWORD=x", Status.MISSING, "OS_AUTH_URL"),
        ("export OS_AUTH_URL=http://127.0.0.1:{closed}/v3 OS_USERNAME=a OS_PASSWORD=x", Status.NOT_RUN, "refused"),
        ("'unfinished", Status.MISSING, "OS_AUTH_URL"),
        ("export OS_AUTH_URL={url} OS_AUTH_TYPE=v3kerberos", Status.MISSING, "v3kerberos"),
    ],
)
def test_credentials_that_give_no_token_are_one_sentence(
    cloud: Any, ask: Ask, rc: str, status: Status, said: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = free.getsockname()[1]
    found = ask("api.compute.services", rc=rc.format(url=cloud.url, closed=closed))
    assert set(found) == {("api.source", "")}
    assert found["api.source", ""].status is status
    assert said in found["api.source", ""].reason


def test_a_certificate_that_nobody_vouches_for_is_refused_unless_the_file_says_so(tmp_path: Path) -> None:
    assert cloudlogin.tls_of({}).verify_mode.name == "CERT_REQUIRED"
    assert cloudlogin.tls_of({"OS_INSECURE": "true"}).verify_mode.name == "CERT_NONE"
    with pytest.raises(OSError, match="No such file"):
        cloudlogin.tls_of({"OS_CACERT": str(tmp_path / "none.pem")})


@pytest.mark.parametrize("signed_by", ["ours", "other", ""])
def test_the_authority_of_os_cacert_is_believed_and_no_other(tmp_path: Path, signed_by: str) -> None:
    ours = tls_listener.authority(tmp_path, "ours")
    tls_listener.authority(tmp_path, "other")
    with api_cloud.served(tls_listener.server_context(ours)) as cloud:
        (tmp_path / "openrc").write_text(
            f"export OS_AUTH_URL={cloud.url} OS_USERNAME=admin OS_PASSWORD='{api_cloud.PASSWORD}'\n"
            "export OS_PROJECT_NAME=admin OS_REGION_NAME=R1 OS_INTERFACE=internalURL\n"
            + (f"export OS_CACERT={tmp_path}/{signed_by}.pem\n" if signed_by else "")
        )
        with open(tmp_path / "frames", "wb") as sink:
            reads = reads_wire([API_READS["api.compute.services"]])
            read_apis({"files": [str(tmp_path / "openrc")], "seconds": 20.0, "reads": reads}, sink.fileno())
    first, *more = [to_result(frame) for frame in FrameReader().feed((tmp_path / "frames").read_bytes())]
    if signed_by == "ours":
        assert (first.status, [r.status for r in more if r.probe == "api.compute.services"]) == (
            Status.RAN,
            [Status.RAN],
        )
        return
    assert first.status is Status.DENIED
    assert "its certificate is not trusted" in first.reason
    assert "OS_CACERT names who signed it" in first.reason
    assert cloud.asked == []

"""RPC calls of real clients and servers over a real broker: `pcap` reads the wire, `trace rpc` asks the nodes."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import nova
from lab.captures import run
from lab.cloud import ADDRESSES, Cloud

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not shutil.which("tshark"), reason="tests/lab needs tshark: package tshark"),
]

CONDUCTOR = ("controller", "nova-conductor")
METHOD = "object_class_action_versions"
COMPUTE_LOG, CONDUCTOR_LOG = "/var/log/nova/nova-compute.log", "/var/log/nova/nova-conductor.log"
TIMED_OUT = "Timed out waiting for a reply"


@contextlib.contextmanager
def copied(cloud: Cloud, file: Path, *words: str, interface: str = "any") -> Iterator[None]:
    """tcpdump on the controller, as an operator runs it, from the first line of the block to its last."""
    argv = ("tcpdump", "-p", "-n", "-U", "-s", "0", "-i", interface, "-w", "-", *words)
    with (
        file.open("wb") as out,
        subprocess.Popen(cloud.hosts["controller"].enter(*argv), stdout=out, stderr=subprocess.PIPE) as tcpdump,
    ):
        try:
            assert tcpdump.stderr is not None
            said = b""
            while b"listening on" not in said:
                line = tcpdump.stderr.readline()
                assert line, said
                said += line
            yield
        finally:
            for pid, command in cloud.hosts["controller"].processes().items():
                if command[:1] == ["tcpdump"]:
                    subprocess.run(cloud.hosts["controller"].enter("kill", "-INT", str(pid)), check=True)
            tcpdump.wait(timeout=20)


def pcap(cloud: Cloud, file: Path) -> tuple[dict[str, Any], bytes]:
    """What `pcap` makes of a capture, and all bytes that it wrote, in both forms."""
    as_json, as_text = run(cloud, "pcap", str(file), "--format", "json"), run(cloud, "pcap", str(file))
    assert as_json.returncode == as_text.returncode == 0, as_json.stderr
    found: dict[str, Any] = json.loads(as_json.stdout)["services"][0]
    assert found["unread"] is None, found["unread"]
    return found, as_json.stdout + as_json.stderr + as_text.stdout + as_text.stderr


def trace(cloud: Cloud, *words: str) -> tuple[dict[str, dict[str, Any]], int]:
    """The steps of `trace rpc` by name, and its exit status."""
    ran = run(cloud, "trace", "rpc", *words, "-i", str(cloud.inventory), "--since", "3m", "-q", "--format", "json")
    assert ran.stdout, ran.stderr
    return {step["name"]: step for step in json.loads(ran.stdout)["steps"]}, ran.returncode


@contextlib.contextmanager
def frozen(cloud: Cloud) -> Iterator[None]:
    cloud.freeze(*CONDUCTOR)
    try:
        yield
    finally:
        cloud.thaw(*CONDUCTOR)
        cloud.wait_until_healthy()


def test_calls_to_a_server_that_was_frozen_between_take_and_reply_are_shown(cloud: Cloud, tmp_path: Path) -> None:
    file = tmp_path / "broker.pcap"
    with contextlib.ExitStack() as thawing, copied(cloud, file, "port", "5672"):
        cloud.wait_until_healthy()
        thawing.enter_context(frozen(cloud))
        cloud.wait_for_log("compute1", COMPUTE_LOG, TIMED_OUT)
    found, said = pcap(cloud, file)

    (kind, *_) = [row for row in found["rpc"] if row["method"] == METHOD]
    assert kind["queue"] == "conductor"
    assert kind["unanswered"], "calls of the time of the freeze"
    assert kind["calls"] > len(kind["unanswered"]), "and those before it were answered"
    assert kind["median_seconds"] is not None
    assert cloud.password.encode() not in said
    assert METHOD.encode() in said


def test_trace_rpc_names_the_frozen_server_and_the_callers_that_wait(cloud: Cloud) -> None:
    with frozen(cloud):
        cloud.wait_for_log("compute1", COMPUTE_LOG, TIMED_OUT)
        by_topic, status = trace(cloud, "--topic", "conductor")
        by_itself, _ = trace(cloud, "worst")

    for steps in (by_topic, by_itself):
        worked = steps["server works"]
        assert (worked["state"], worked["node"], worked["service"]) == ("failed", *CONDUCTOR)
        assert "is stopped by a signal" in worked["text"]
    assert by_topic["client gets the reply"]["state"] == "failed"
    assert status == 1


def test_a_wrong_password_shows_what_the_broker_closed_and_no_password(cloud: Cloud, tmp_path: Path) -> None:
    wrong = "another-one-9f81"
    file = tmp_path / "broker.pcap"
    try:
        with copied(cloud, file, "port", "5672", "and", "host", ADDRESSES["compute1"]):
            cloud.configure("compute1", wrong)
            cloud.wait_until(lambda: b"ACCESS_REFUSED" in file.read_bytes(), 60, "the broker's refusal in the capture")
    finally:
        cloud.configure("compute1", cloud.password)
        cloud.wait_until_healthy()
    assert wrong.encode() in file.read_bytes(), "the capture itself has it"
    found, said = pcap(cloud, file)

    closed = found["closed"][0]
    assert (closed["what"], closed["by"], closed["code"]) == ("connection", "broker", 403)
    assert "ACCESS_REFUSED" in closed["text"]
    assert wrong.encode() not in said
    assert cloud.password.encode() not in said


def test_an_api_call_is_told_without_its_token_and_its_query(cloud: Cloud, tmp_path: Path) -> None:
    token, secret = "gAAAAABnotoken-4711", "s3cr3t-in-the-query"
    serve = "import http.server as h; h.HTTPServer(('127.0.0.1', 8774), h.SimpleHTTPRequestHandler).handle_request()"
    file = tmp_path / "api.pcap"
    with (
        copied(cloud, file, "tcp", "port", "8774", interface="lo"),
        subprocess.Popen(
            cloud.hosts["controller"].enter("/usr/bin/python3", "-c", serve), stderr=subprocess.DEVNULL
        ) as server,
    ):
        listens = ("ss", "-Hlnt", "sport", "=", ":8774")
        cloud.wait_until(lambda: cloud.run("controller", *listens).stdout.strip(), 20, "an API that listens")
        ask = (
            "import urllib.request as u, urllib.error as e\n"
            f"url, headers = 'http://127.0.0.1:8774/v2.1/servers?q={secret}', {{'X-Auth-Token': '{token}'}}\n"
            "try: u.urlopen(u.Request(url, headers=headers))\n"
            "except e.HTTPError as error: print(error.code)"
        )
        assert cloud.run("controller", "/usr/bin/python3", "-c", ask).stdout == "404\n"
        cloud.wait_until(lambda: b"404" in file.read_bytes(), 20, "the answer in the capture")
        server.wait(timeout=20)
    assert token.encode() in file.read_bytes(), "the capture itself has it"
    found, said = pcap(cloud, file)

    (call,) = found["http"]
    assert (call["method"], call["path"], call["server"]) == ("GET", "/v2.1/servers", "127.0.0.1:8774")
    assert call["status"] == 404
    assert token.encode() not in said
    assert secret.encode() not in said


def test_a_reply_queue_that_the_broker_has_lost_is_told(cloud: Cloud) -> None:
    """The caller cannot make its queue anew while it is frozen; the server finds none to reply to."""
    conf = cloud.hosts["controller"].root / "etc/nova/nova.conf"
    before = nova.conf(cloud.password, ADDRESSES["controller"])
    # else it tries for a minute
    conf.write_text(before + "kombu_missing_consumer_retry_timeout = 2\n")
    cloud.kill(*CONDUCTOR)
    cloud.start(*CONDUCTOR)
    cloud.wait_until_healthy()
    cloud.mark()
    try:
        with frozen_callers(cloud):
            cloud.thaw(*CONDUCTOR)
            told = cloud.wait_for_log("controller", CONDUCTOR_LOG, r"due to a missing queue \(reply_", 40)
            steps, status = trace(cloud, "--topic", "conductor")
    finally:
        conf.write_text(before)
        cloud.kill(*CONDUCTOR)
        cloud.start(*CONDUCTOR)
        cloud.wait_until_healthy()
    answered = steps["server publishes the reply"]
    assert (answered["state"], answered["node"], answered["service"]) == ("failed", *CONDUCTOR), told
    assert "is gone" in answered["text"]
    assert status == 1


@contextlib.contextmanager
def frozen_callers(cloud: Cloud) -> Iterator[None]:
    """The conductor has taken calls and is frozen, their callers too, and their reply queues are deleted."""
    compute = [(host, "nova-compute") for host in ("compute1", "compute2")]
    cloud.freeze(*CONDUCTOR)
    cloud.wait_until(lambda: cloud.queues()["conductor"]["messages_unacknowledged"], 30, "calls that were taken")
    for service in compute:
        cloud.freeze(*service)
    try:
        assert delete_reply_queues(cloud)
        yield
    finally:
        for service in compute:
            cloud.thaw(*service)
        with contextlib.suppress(subprocess.CalledProcessError):
            cloud.thaw(*CONDUCTOR)


def delete_reply_queues(cloud: Cloud) -> int:
    """Delete every reply queue over AMQP, from a host of the lab; how many there were."""
    names = [name for name in cloud.queues() if name.startswith("reply_")]
    url = f"amqp://openstack:{cloud.password}@{ADDRESSES['controller']}:5672/%2F"
    script = (
        "import sys, pika\nurl, *names = sys.stdin.read().split()\n"
        "with pika.BlockingConnection(pika.URLParameters(url)) as connection:\n"
        "    channel = connection.channel()\n    for name in names: channel.queue_delete(name)\n"
    )
    subprocess.run(
        ["ip", "netns", "exec", cloud.fabric, sys.executable, "-c", script],
        input=" ".join([url, *names]),
        text=True,
        check=True,
        capture_output=True,
        timeout=60,
    )
    return len(names)

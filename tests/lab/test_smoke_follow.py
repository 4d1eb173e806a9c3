"""A smoke check that fails while a real network is broken: its request ids are followed into the nodes' logs.

The APIs are those of tests/active/smoke_cloud.py, served in the lab's fabric; hosts, SSH, logs and the fault are real.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from active import smoke_cloud
from lab.active_runs import assert_nothing_left
from lab.captures import command, environment
from lab.cloud import Cloud
from lab.tenant_instances import GUEST
from lab.tenant_ports import INSTANCES, NET

from stackdoctor.facts.neutron_names import vxlan_device

pytestmark = pytest.mark.lab

CLONE_NEWNET = 0x40000000
SERVERS = "/compute/v2.1/servers"
BOOT = f"req-{uuid.uuid5(uuid.NAMESPACE_URL, f'POST {SERVERS}')}"
REASON = "Failed to allocate the network(s), not rescheduling."


@contextlib.contextmanager
def within(netns: str) -> Iterator[None]:
    """Sockets that this thread makes in the block are of that network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with (
        open(f"/proc/{os.getpid()}/task/{threading.get_native_id()}/ns/net") as here,
        open(f"/run/netns/{netns}") as there,
    ):
        assert libc.setns(there.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            assert libc.setns(here.fileno(), CLONE_NEWNET) == 0


@pytest.fixture
def apis(network: Cloud) -> Iterator[Any]:
    """APIs in the fabric that write what Nova logs of a boot whose network could not be made."""
    with contextlib.ExitStack() as served:
        with within(network.fabric):
            cloud = served.enter_context(smoke_cloud.served())
        cloud.server_status = "ERROR"

        told: set[str] = set()

        def on(method: str, path: str) -> None:
            server = path.removeprefix(f"{SERVERS}/")
            if (method, path) == ("POST", SERVERS):
                request = '198.51.100.1 "POST /v2.1/servers HTTP/1.1" status: 202 len: 381 time: 0.4'
                log(
                    network,
                    "controller",
                    "nova-api",
                    f"INFO nova.osapi_compute.wsgi.server [None {BOOT} u p] {request}",
                )
            elif method == "GET" and server in cloud.of("servers") and server not in told:
                told.add(server)
                failed = f"[instance: {server}] Build of instance {server} aborted: {REASON}"
                log(network, GUEST, "nova-compute", f"ERROR nova.compute.manager [None {BOOT} u p] {failed}")

        cloud.on = on
        yield cloud
    for host, service in (("controller", "nova-api"), (GUEST, "nova-compute")):
        place(network, host, service).unlink(missing_ok=True)


def place(network: Cloud, host: str, service: str) -> Path:
    return network.hosts[host].root / "var/log/nova" / f"{service}.log"


def log(network: Cloud, host: str, service: str, text: str) -> None:
    place(network, host, service).parent.mkdir(exist_ok=True)
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    with place(network, host, service).open("a") as stream:
        stream.write(f"{stamp}.123 412 {text}\n")


@pytest.fixture
def broken(network: Cloud) -> Iterator[None]:
    """The tunnel of the guest's network is down on its node."""
    network.run(GUEST, "ip", "link", "set", vxlan_device(NET.vni), "down")
    try:
        yield
    finally:
        network.run(GUEST, "ip", "link", "set", vxlan_device(NET.vni), "up")


def begin(network: Cloud, apis: Any, *words: str) -> subprocess.Popen[str]:
    login = {
        "OS_AUTH_URL": f"{apis.root}/identity/v3",
        "OS_USERNAME": "smoke",
        "OS_PASSWORD": smoke_cloud.PASSWORD,
        "OS_PROJECT_NAME": "smoke",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_REGION_NAME": "R1",
    }
    return subprocess.Popen(
        command(network, "smoke", "--yes", "--no-volume", "--timeout", "10s", *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env={**environment(network), **login},
    )


def smoke(network: Cloud, apis: Any, *words: str) -> tuple[dict[str, Any], int]:
    with begin(network, apis, "--format", "json", "--quiet", *words) as ran:
        said, told = ran.communicate(timeout=180)
    assert said, told
    assert_nothing_left(network)
    value: dict[str, Any] = json.loads(said)
    return value, ran.returncode


def test_a_boot_that_fails_is_traced_and_its_cause_is_named_before_all_is_removed(
    network: Cloud, apis: Any, broken: None
) -> None:
    value, status = smoke(network, apis, "-i", str(network.inventory))

    assert status == 1
    failed = next(step for step in value["steps"] if step["state"] == "failed")
    assert failed["name"] == "server is ACTIVE"
    followed = value["followed"]
    assert followed["notes"] == []
    (boot,) = followed["traces"]
    assert boot["kind"] == "boot"
    shown = {(step["state"], step["node"]) for step in boot["steps"]}
    assert ("proven", "controller") in shown, boot["steps"]
    assert ("failed", GUEST) in shown, boot["steps"]
    (diagnosis,) = [d for d in followed["report"]["diagnoses"] if d["severity"] in ("error", "critical")]
    assert (diagnosis["cause"], diagnosis["where"]["node"]) == ("overlay-link-down", GUEST)
    assert value["left"] == []
    assert apis.left == {}


def test_a_guest_without_its_address_has_its_dhcp_exchange_traced(network: Cloud, apis: Any, broken: None) -> None:
    apis.server_status, apis.port_id, apis.console = "ACTIVE", INSTANCES[GUEST].id, "Starting network: failed"
    value, status = smoke(network, apis, "-i", str(network.inventory))

    assert status == 1
    failed = next(step for step in value["steps"] if step["state"] == "failed")
    assert failed["name"] == "guest has its address"
    (exchange,) = [trace for trace in value["followed"]["traces"] if trace["kind"] == "dhcp"]
    assert exchange["about"]["mac"] == INSTANCES[GUEST].mac
    (stopped,) = [step for step in exchange["steps"] if step["state"] == "failed"]
    assert (stopped["node"], stopped["name"]) == (GUEST, "it gets to the DHCP server")
    assert apis.left == {}


def test_a_call_that_is_refused_is_traced_by_its_request(network: Cloud, apis: Any) -> None:
    refused = f"req-{uuid.uuid5(uuid.NAMESPACE_URL, 'POST /network/v2.0/ports')}"
    apis.fails["POST", "/ports"] = (500, {"NeutronError": {"message": "Request Failed: internal server error"}})
    log(network, "controller", "nova-api", f"ERROR nova.network.neutron [None {refused} u p] internal server error")
    value, status = smoke(network, apis, "-i", str(network.inventory))

    assert status == 1
    (trace,) = value["followed"]["traces"]
    assert (trace["kind"], trace["subject"]) == ("request", refused)
    assert "internal server error" in json.dumps(trace["steps"])
    assert apis.left == {}


def test_nodes_that_cannot_be_looked_at_are_told_and_all_is_removed_the_same(network: Cloud, apis: Any) -> None:
    value, status = smoke(network, apis, "-n", "root@198.51.100.77")

    assert status == 1
    notes = value["followed"]["notes"]
    assert len(notes) == 2, notes
    assert notes[0].startswith("no trace: ")
    assert notes[1].startswith("no diagnosis: ")
    assert apis.left == {}


def test_ctrl_c_while_the_nodes_are_looked_at_ends_that_and_removes_all(network: Cloud, apis: Any) -> None:
    with begin(network, apis, "-i", str(network.inventory)) as ran:
        # the first command on a node is the look's: nothing was asked of them before
        network.wait_until(lambda: looked_at(network), 60, "the look at the nodes")
        ran.send_signal(signal.SIGINT)
        said, told = ran.communicate(timeout=120)

    assert "the look at the nodes was stopped" in said, told
    assert ran.returncode == 1
    assert apis.left == {}
    assert_nothing_left(network)


def looked_at(network: Cloud) -> bool:
    return any("python3 -EsS -c" in " ".join(words) for words in network.hosts["controller"].processes().values())


def test_without_nodes_the_request_ids_are_told(network: Cloud, apis: Any) -> None:
    with begin(network, apis, "--quiet") as ran:
        said, told = ran.communicate(timeout=120)

    assert ran.returncode == 1, told
    assert "req-" in said
    assert apis.left == {}

"""Faults put into a real Open vSwitch on two hosts, and what ``stackdoctor diagnose`` makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from lab import open_vswitch
from lab.cloud import ADDRESSES, Cloud
from lab.open_vswitch import PORT, TAG

pytestmark = pytest.mark.lab

NODES = ("controller", "compute1")


@pytest.fixture(scope="module")
def switched(bare_cloud: Cloud) -> Iterator[Cloud]:
    """The lab's cloud with Open vSwitch on two of its hosts."""
    lacking = open_vswitch.missing()
    if lacking:
        pytest.skip(f"tests/lab needs openvswitch-switch and a tun device: missing here: {', '.join(lacking)}")
    started = []
    try:
        for name in NODES:
            started.append(name)
            peers = {other: ADDRESSES[other] for other in NODES if other != name}
            open_vswitch.start_switch(bare_cloud.hosts[name], peers)
        yield bare_cloud
    finally:
        for name in started:
            open_vswitch.stop_switch(bare_cloud.hosts[name])


@pytest.fixture
def cloud(switched: Cloud) -> Cloud:
    """The same, with the logs counted from now."""
    switched.mark()
    return switched


def causes(report: dict[str, Any]) -> list[str]:
    return [diagnosis["cause"] for diagnosis in report["diagnoses"]]


def test_a_port_that_lost_its_tag_is_named_and_healed_again_it_is_not(cloud: Cloud) -> None:
    host = cloud.hosts["controller"]
    report, exit_status = cloud.diagnose()
    assert (causes(report), exit_status) == ([], 0)
    open_vswitch.switch(host, "clear", "Port", PORT, "tag")
    try:
        report, exit_status = cloud.diagnose()
        assert causes(report)[:1] == ["ovs-port-unwired"]
        assert {"node": "controller", "device": PORT}.items() <= report["diagnoses"][0]["where"].items()
        assert exit_status != 0
    finally:
        open_vswitch.switch(host, "set", "Port", PORT, f"tag={TAG}")
    report, exit_status = cloud.diagnose()
    assert (causes(report), exit_status) == ([], 0)

"""A transport_url that names a node without a broker, and those that only look like it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Look = Callable[..., Any]

COMPUTE = "/usr/bin/python3 /usr/bin/nova-compute --config-file=/etc/nova/nova.conf"
BEAM = "/usr/lib/erlang/erts-13.1.5/bin/beam.smp -W w -- -root /usr/lib/erlang -noinput -s rabbit boot"
UNITS = "Id={}.service\nLoadState=loaded\nActiveState={}\nSubState={}\nUnitFileState={}\nType=notify\n"
LISTENS = 'tcp   LISTEN 0      128                *:{}              *:*    users:(("x",pid=29,fd=34))\n'


@pytest.fixture
def node(processes: Any) -> Callable[..., dict[str, str]]:
    """A node with one address, one process, one unit, and the ports that it listens on."""

    def answers(address: str, command: str, unit: str, *ports: int, active: str = "active") -> dict[str, str]:
        info = [{"family": "inet", "local": address, "prefixlen": 24, "scope": "global"}]
        link = {"ifindex": 2, "ifname": "eth0", "flags": ["UP"], "mtu": 1500, "operstate": "UP", "addr_info": info}
        sub, enabled = ("running", "enabled") if active == "active" else ("dead", "enabled")
        return {
            "addresses.host": json.dumps([link]),
            "processes": processes(command),
            "services.systemd": UNITS.format(unit, active, sub, enabled),
            "sockets.tcp": "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n",
            "sockets.listening": "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n"
            + "".join(LISTENS.format(port) for port in (22, *ports)),
        }

    return answers


@pytest.fixture
def cloud(node: Any) -> Callable[[str], dict[str, Any]]:
    """A broker on ctl1, none on ctl2, and a nova-compute with that transport_url."""

    def nodes(url: str) -> dict[str, Any]:
        conf = {"services.config /etc/nova/nova.conf": f"[DEFAULT]\ntransport_url = {url}\n"}
        return {
            "ctl1": node("192.0.2.10", BEAM, "rabbitmq-server", 5672),
            "ctl2": node("192.0.2.11", "/usr/sbin/chronyd", "chrony"),
            "compute1": node("192.0.2.21", COMPUTE, "nova-compute") | conf,
        }

    return nodes


@pytest.mark.parametrize("host", ["192.0.2.11:5672", "localhost", "127.0.0.1:5672"])
def test_a_broker_where_there_is_none_is_named(look: Look, cloud: Any, host: str) -> None:
    seen = look(**cloud(f"rabbit://openstack:<redacted>@{host}/"))
    assert seen.causes == [("rpc-wrong-broker-address", "compute1")]


def test_the_right_one_is_nothing_and_neither_is_an_address_that_nobody_here_has(look: Look, cloud: Any) -> None:
    for host in ("192.0.2.10:5672", "192.0.2.100:5672", "vip.example.com"):
        assert "config.transport.no-broker" not in look(**cloud(f"rabbit://openstack:<redacted>@{host}/")).findings


def test_one_of_several_that_is_not_there_is_a_note(look: Look, cloud: Any) -> None:
    seen = look(**cloud("rabbit://openstack:<redacted>@192.0.2.11:5672,openstack:<redacted>@192.0.2.10:5672/"))
    assert "rpc-wrong-broker-address" not in [cause for cause, _ in seen.causes]
    assert str(seen.findings["config.transport.no-broker"].severity) == "info"


def test_a_broker_that_is_down_is_not_the_wrong_address(look: Look, cloud: Any, node: Any) -> None:
    nodes = cloud("rabbit://openstack:<redacted>@192.0.2.10:5672/")
    nodes["ctl1"] = node("192.0.2.10", "", "rabbitmq-server", active="failed")
    assert "config.transport.no-broker" not in look(**nodes).findings


def test_the_configuration_of_what_does_not_run_is_not_judged(look: Look, cloud: Any, node: Any) -> None:
    nodes = cloud("rabbit://openstack:<redacted>@192.0.2.11:5672/")
    nodes["compute1"] |= {"processes": node("192.0.2.21", "/usr/sbin/chronyd", "chrony")["processes"]}
    assert "config.transport.no-broker" not in look(**nodes).findings


def test_the_file_of_a_package_is_not_read_by_what_runs_in_containers(look: Look, cloud: Any) -> None:
    nodes = cloud("rabbit://openstack:<redacted>@192.0.2.11:5672/")
    own = "[DEFAULT]\ntransport_url = rabbit://openstack:<redacted>@192.0.2.10:5672/\n"
    nodes["compute1"] |= {"services.config /etc/kolla/nova-compute/nova.conf": own}
    assert "config.transport.no-broker" not in look(**nodes).findings

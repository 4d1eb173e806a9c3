"""The effective settings of the services of a node, with what the node's agent leaves of their secrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stackdoctor.collect.agent.secrets import redact
from stackdoctor.errors import NotApplicable, ParseError
from stackdoctor.facts.service_config import ServiceConfig
from stackdoctor.facts.transport_url import parse_transport
from stackdoctor.model import NodeResults, Status

PROBE = ServiceConfig.probes[0]

NOVA = """[DEFAULT]
# transport_url = rabbit://guest:guest@nowhere/
transport_url = rabbit://openstack:s3cr/e@t@192.0.2.10:5672,openstack:s3cr3t@192.0.2.11:5672/
my_ip = 192.0.2.21
rpc_response_timeout = 180
[neutron]
metadata_proxy_shared_secret = hush
[oslo_messaging_rabbit]
heartbeat_timeout_threshold = 30
"""
AGENT = """[linux_bridge]
physical_interface_mappings = provider:eth1,other:eth2
[vxlan]
local_ip = 192.0.2.21
"""


@pytest.fixture
def read(answered_node: Callable[..., NodeResults], answer: Callable[..., Any]) -> Callable[..., ServiceConfig]:
    """``read({"/etc/nova/nova.conf": text})``: as the agent sends these files."""

    def parsed(files: dict[str, str]) -> ServiceConfig:
        sent = [answer(PROBE, redact(text.encode()).decode(), subject=path) for path, text in files.items()]
        return ServiceConfig.parse(answered_node(*sent))

    return parsed


def test_broker_user_and_address_are_read_and_passwords_have_stayed_behind(read: Any) -> None:
    nova = read({"/etc/nova/nova.conf": NOVA}).of("nova-compute")
    assert nova.transport.hosts == (("192.0.2.10", 5672), ("192.0.2.11", 5672))
    assert (nova.transport.users, nova.transport.vhost) == (("openstack",), "/")
    assert (nova.my_ip, nova.rpc_response_timeout, nova.heartbeat) == ("192.0.2.21", 180.0, (30, 2))
    assert nova.metadata_secret_set
    assert "s3cr" not in repr(nova)
    assert "hush" not in repr(nova)


def test_a_folder_of_configuration_and_the_programs_own_file_win_over_the_projects(read: Any) -> None:
    config = read(
        {
            "/etc/nova/nova.conf.d/50-host.conf": "[DEFAULT]\nhost = last\n",
            "/etc/nova/nova-compute.conf": "[DEFAULT]\nhost = second\nmy_ip = 192.0.2.9\n",
            "/etc/nova/nova.conf": NOVA,
        }
    )
    assert (config.of("nova-compute").host, config.of("nova-compute").my_ip) == ("last", "192.0.2.9")


def test_plug_ins_add_the_mappings_of_neutrons_agents(read: Any) -> None:
    config = read(
        {
            "/etc/neutron/neutron.conf": "[DEFAULT]\nglobal_physnet_mtu = 9000\n",
            "/etc/neutron/plugins/ml2/linuxbridge_agent.ini": AGENT,
        }
    )
    neutron = config.of("neutron-linuxbridge-agent")
    assert dict(neutron.physical_interface_mappings) == {"provider": "eth1", "other": "eth2"}
    assert (neutron.local_ip, neutron.global_physnet_mtu) == ("192.0.2.21", 9000)
    assert neutron.transport is None


def test_each_container_has_its_own(read: Any) -> None:
    config = read({"/etc/kolla/nova-compute/nova.conf": NOVA, "/etc/kolla/nova-api/nova.conf": "[DEFAULT]\nhost = a\n"})
    assert (config.of("nova-compute").host, config.of("nova-api").host) == ("", "a")


def test_the_options_before_stein_name_the_broker_as_well(read: Any) -> None:
    old = "[oslo_messaging_rabbit]\nrabbit_hosts = ctl1:5673, ctl2\nrabbit_userid = nova\nrabbit_virtual_host = /nova\n"
    transport = read({"/etc/nova/nova.conf": old}).of("nova-compute").transport
    assert (transport.hosts, transport.users) == ((("ctl1", 5673), ("ctl2", 5672)), ("nova",))
    assert transport.vhost == "/nova"


def test_a_file_that_may_not_be_read_is_said(answered_node: Any, answer: Any) -> None:
    denied = answer(PROBE, subject="/etc/nova/nova.conf", status=Status.DENIED)
    config = ServiceConfig.parse(answered_node(denied, answer(PROBE, "[DEFAULT]\n", subject="/etc/heat/heat.conf")))
    assert [glob for glob, _ in config.gaps] == ["config.*"]
    with pytest.raises(NotApplicable):
        ServiceConfig.parse(answered_node(answer(PROBE, subject="/etc/nova/nova.conf", status=Status.MISSING)))


@pytest.mark.parametrize("url", ["", "controller:5672", "rabbit://ctl1:port/", "rabbit://ctl1:99999999999999999999/"])
def test_what_is_no_transport_url_is_refused(url: str) -> None:
    with pytest.raises(ParseError):
        parse_transport(url)

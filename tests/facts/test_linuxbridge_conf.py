"""linuxbridge_agent.ini as a site writes it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stackdoctor.errors import NotApplicable, ParseError
from stackdoctor.facts.linuxbridge_conf import LINUXBRIDGE_CONF, LinuxBridgeConf
from stackdoctor.model import NodeResults, Result

INI = "/etc/neutron/plugins/ml2/linuxbridge_agent.ini"
# neutron-linuxbridge-agent of Zed on Debian 12
ZED = """\
[linux_bridge]
physical_interface_mappings = physnet1:eth1

[vxlan]
enable_vxlan = True
local_ip = 192.168.200.20
l2_population = True
"""
SITE = """\
# physical_interface_mappings = commented:out
[linux_bridge]
physical_interface_mappings = wrong:eth9
physical_interface_mappings = external:bond0.20,
    storage:bond1
bridge_mappings=provider:br-ex
"""


@pytest.fixture
def read(answered_node: Callable[..., NodeResults], answer: Callable[..., Result]) -> Callable[[str], LinuxBridgeConf]:
    return lambda text: LinuxBridgeConf.parse(answered_node(answer(LINUXBRIDGE_CONF, text, subject=INI)))


def test_the_mappings_and_the_tunnel_address_are_read(read: Callable[[str], LinuxBridgeConf]) -> None:
    conf = read(ZED)
    assert [str(m) for m in conf.mappings] == ["physnet1:eth1"]
    assert conf.local_ip == "192.168.200.20"
    assert conf.mappings[0].evidence.line == "physical_interface_mappings = physnet1:eth1"


def test_the_last_setting_counts_and_may_go_on_in_the_next_line(read: Callable[[str], LinuxBridgeConf]) -> None:
    assert [str(m) for m in read(SITE).mappings] == ["external:bond0.20", "storage:bond1", "provider:br-ex"]


def test_the_file_of_old_that_was_left_there_does_not_count(answered_node, answer) -> None:
    old = INI.replace("/ml2/", "/linuxbridge/")
    left = answer(LINUXBRIDGE_CONF, "[linux_bridge]\nphysical_interface_mappings = physnet1:eth9\n", subject=old)
    node = answered_node(answer(LINUXBRIDGE_CONF, ZED, subject=INI), left)
    assert [str(m) for m in LinuxBridgeConf.parse(node).mappings] == ["physnet1:eth1"]


def test_a_file_that_sets_nothing_is_none(read: Callable[[str], LinuxBridgeConf]) -> None:
    with pytest.raises(NotApplicable):
        read("[linux_bridge]\n# physical_interface_mappings =\n")


def test_what_is_no_mapping_is_an_error(read: Callable[[str], LinuxBridgeConf]) -> None:
    with pytest.raises(ParseError):
        read("[linux_bridge]\nphysical_interface_mappings = physnet1\n")

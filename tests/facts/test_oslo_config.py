import pytest

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.nova_config import NOVA_CONFIG, NovaConfig
from stackdoctor.facts.oslo_config import parse_options
from stackdoctor.model import Status

TEXT = """# a comment
[DEFAULT]
transport_url = rabbit://nova:<redacted>@192.0.2.10:5672/
my-ip: 192.0.2.20
[cache]
memcache_servers = 192.0.2.1:11211,
    192.0.2.2:11211
[glance_store]
filesystem_store_datadirs = /a:1
filesystem_store_datadirs = /b:2
quoted = "x"
no sign here
"""


def test_options_are_read_as_oslo_config_reads_them() -> None:
    found = parse_options(TEXT)
    assert found["DEFAULT", "my_ip"].value == "192.0.2.20"
    assert found["cache", "memcache_servers"].value == "192.0.2.1:11211, 192.0.2.2:11211"
    assert found["glance_store", "filesystem_store_datadirs"].values == ("/a:1", "/b:2")
    assert found["glance_store", "quoted"].value == "x"
    assert len(found) == 5


def test_the_later_file_wins(answer, answered_node) -> None:
    first = answer(NOVA_CONFIG, "[libvirt]\nvirt_type = kvm\n", "/etc/nova/nova.conf")
    second = answer(NOVA_CONFIG, "[libvirt]\nvirt_type = qemu\n", "/etc/nova/nova-compute.conf")
    assert NovaConfig.parse(answered_node(second, first)).virt_type == "qemu"


def test_nova_s_own_defaults_hold_where_nothing_is_set(answer, answered_node) -> None:
    config = NovaConfig.parse(answered_node(answer(NOVA_CONFIG, "[DEFAULT]\n", "/etc/nova/nova.conf")))
    assert (config.virt_type, config.vnc, config.vnc_proxy_address, config.shares_tokens) == (
        *("kvm", True, "127.0.0.1"),
        False,
    )


def test_a_file_that_may_not_be_read_makes_all_of_it_unknown(answer, answered_node) -> None:
    first = answer(NOVA_CONFIG, "", "/etc/nova/nova.conf", status=Status.DENIED)
    second = answer(NOVA_CONFIG, "[libvirt]\nvirt_type = qemu\n", "/etc/nova/nova-compute.conf")
    with pytest.raises(CouldNotCheck, match=r"nova\.conf"):
        NovaConfig.parse(answered_node(first, second))
    with pytest.raises(NotApplicable):
        NovaConfig.parse(answered_node(answer(NOVA_CONFIG, status=Status.MISSING)))


def test_an_option_that_is_repeated_and_goes_on_keeps_all_its_values() -> None:
    [option] = parse_options("[a]\nb = 1\n  2\nb =\n  3\n  4\n").values()
    assert option.values == ("1 2", "3 4")

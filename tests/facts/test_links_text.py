import pytest

from stackdoctor.errors import ParseError
from stackdoctor.facts.links_text import blocks, kind_of, value_of


def test_old_bridge_link_puts_the_state_before_the_peer() -> None:
    (block,) = blocks(
        "3: eth1 state UP @NONE: <BROADCAST,UP> mtu 1500 master brq0 state forwarding priority 32 cost 4\n"
    )
    assert (block.name, block.peer, block.tail.split()[2:4]) == ("eth1", "NONE", ["master", "brq0"])


def test_a_physical_interface_has_no_kind() -> None:
    (block,) = blocks("2: eth0: <UP> mtu 1500\n    link/ether 52:54:00:aa:bb:cc\n    altname enp0s3\n")
    assert kind_of(block) == ("", "")


def test_a_slave_line_is_not_the_kind() -> None:
    (block,) = blocks("2: eth0: <UP> mtu 1500\n    link/ether 52:54:00:aa:bb:cc\n    bridge_slave state forwarding\n")
    assert kind_of(block) == ("", "")


def test_a_line_that_is_no_interface_is_refused() -> None:
    with pytest.raises(ParseError):
        blocks('Device "eth9" does not exist.\n')


def test_a_missing_word_has_no_value() -> None:
    assert value_of("via", "via") == ""
    assert value_of("", "via") == ""

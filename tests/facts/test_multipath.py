import pytest

from stackdoctor.errors import CouldNotCheck, ParseError
from stackdoctor.facts.multipath import MULTIPATH, Multipath

LISTING = """\
Nov 22 16:45:18 | /etc/multipath.conf does not exist, blacklisting all devices.
mpatha (360000000000000000e00000000010001) dm-0 IET,VIRTUAL-DISK
size=1.0G features='1 queue_if_no_path' hwhandler='0' wp=rw
|-+- policy='service-time 0' prio=1 status=active
| `- 2:0:0:1 sda 8:0  active ready running
`-+- policy='service-time 0' prio=0 status=enabled
  `- 3:0:0:1 sdb 8:16 failed faulty offline
360000000000000000e00000000020001 dm-1 ##,##
size=1.0G features='0' hwhandler='0' wp=rw
`-+- policy='service-time 0' prio=0 status=enabled
  `- #:#:#:# -   #:#  failed faulty running
"""


def test_a_device_with_a_lost_path_keeps_the_other(answer, answered_node) -> None:
    device, dead = Multipath.parse(answered_node(answer(MULTIPATH, LISTING))).devices
    assert (str(device), device.wwid, device.name) == ("mpatha", "360000000000000000e00000000010001", "dm-0")
    assert [(p.device, p.address, p.usable) for p in device.paths] == [
        ("sda", "2:0:0:1", True),
        ("sdb", "3:0:0:1", False),
    ]
    assert device.paths[1].evidence.line == "`- 3:0:0:1 sdb 8:16 failed faulty offline"
    assert [p.usable for p in dead.paths] == [False]


def test_a_listing_of_2010_is_read(answer, answered_node) -> None:
    old = "36000a dm-2 IET,VIRTUAL-DISK\n[size=1.0G][features=0][hwhandler=0]\n"
    old += "\\_ round-robin 0 [prio=1][active]\n \\_ 2:0:0:1 sda 8:0  [active][ready]\n"
    (device,) = Multipath.parse(answered_node(answer(MULTIPATH, old))).devices
    assert [(p.device, p.usable) for p in device.paths] == [("sda", True)]


def test_no_devices_is_a_value(answer, answered_node) -> None:
    assert Multipath.parse(answered_node(answer(MULTIPATH, ""))).devices == ()
    not_loaded = answer(MULTIPATH, exit=1, error="Nov 22 16:45:18 | DM multipath kernel driver not loaded")
    assert Multipath.parse(answered_node(not_loaded)).devices == ()


def test_other_failures_are_told(answer, answered_node) -> None:
    with pytest.raises(CouldNotCheck, match="need to be root"):
        Multipath.parse(answered_node(answer(MULTIPATH, exit=1, error="need to be root")))
    with pytest.raises(ParseError):
        Multipath.parse(answered_node(answer(MULTIPATH, "  `- 3:0:0:1 sdb 8:16 failed faulty offline\n")))


def test_a_path_that_the_checker_takes_back_before_device_mapper_is_not_yet_usable(answer, answered_node) -> None:
    listing = "36000a dm-2 IET,VIRTUAL-DISK\n`- 2:0:0:1 sda 8:0 failed ready running\n"
    (device,) = Multipath.parse(answered_node(answer(MULTIPATH, listing))).devices
    assert [p.usable for p in device.paths] == [False]

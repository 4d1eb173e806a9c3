import pytest

from stackdoctor.errors import ParseError
from stackdoctor.facts.tgtadm import parse_targets
from stackdoctor.model import Evidence

TWO = """\
Target 1: iqn.2010-10.org.openstack:volume-d081b393-4a68-4b3a-81c1-e24a9033d57c
    System information:
        Driver: iscsi
        State: ready
    I_T nexus information:
        I_T nexus: 3
            Initiator: iqn.1993-08.org.debian:01:compute1
            Connection: 0
                IP Address: 192.0.2.20
            Connection: 1
                IP Address: 198.51.100.20
        I_T nexus: 4
            Initiator: iqn.1993-08.org.debian:01:compute2 alias: compute2
            Connection: 0
                IP Address: 192.0.2.21
    LUN information:
        LUN: 0
            Type: controller
            Size: 0 MB
            Online: Yes
            Backing store: No backing store
        LUN: 1
            Type: disk
            Size: 1074 MB
            Online: No
            Backing store: /dev/cinder-volumes/volume-d081b393-4a68-4b3a-81c1-e24a9033d57c
    Account information:
        alice
        bob (outgoing)
    ACL information:
        192.0.2.20
        192.0.2.21
Target 2: iqn.2001-04.org.example:other
    System information:
        Driver: iscsi
        State: offline
    I_T nexus information:
    LUN information:
    Account information:
    ACL information:
"""


def line(text: str) -> Evidence:
    return Evidence("storage", "tgtadm", text)


def test_initiators_with_several_connections_are_kept_apart() -> None:
    first, second = parse_targets(TWO, line)
    assert [(n.initiator, n.addresses) for n in first.nexuses] == [
        ("iqn.1993-08.org.debian:01:compute1", ("192.0.2.20", "198.51.100.20")),
        ("iqn.1993-08.org.debian:01:compute2", ("192.0.2.21",)),
    ]
    assert (first.accounts, first.acls) == (("alice", "bob"), ("192.0.2.20", "192.0.2.21"))
    assert (second.online, second.nexuses, second.luns, second.acls, second.volume_id) == (False, (), (), (), "")


def test_a_disk_whose_backing_store_is_gone_is_not_online() -> None:
    (disk,) = parse_targets(TWO, line)[0].disks
    assert (disk.number, disk.size_mb, disk.online) == (1, 1074, False)
    assert disk.path.startswith("/dev/cinder-volumes/volume-")
    assert disk.evidence.line.startswith("LUN: 1 Type: disk Online: No")


def test_no_output_is_no_targets() -> None:
    assert parse_targets("", line) == ()


@pytest.mark.parametrize(
    "printed",
    [
        "tgtadm: something\n",
        "    System information:\n",
        "Target 1: iqn.x\n    Something: else\n",
        "Target 1: iqn.x\n    System information:\n        Driver: iscsi\n",
        "Target 1: iqn.x\n    System information:\n        State: ready\n    LUN information:\n        Type: disk\n",
    ],
)
def test_what_is_no_listing_is_refused(printed: str) -> None:
    with pytest.raises(ParseError):
        parse_targets(printed, line)

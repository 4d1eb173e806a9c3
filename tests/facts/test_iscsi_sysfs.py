"""Texts: the file formats of Linux, drivers/scsi/scsi_transport_iscsi.c (session and connection attributes) and
drivers/scsi/scsi_sysfs.c (device state); the links are those of a host with open-iscsi over tcp (platform host)."""

import pytest

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.iscsi import ISCSI_SESSIONS, IscsiSessions
from stackdoctor.facts.iscsi_sysfs import SYSFS_DISKS, SYSFS_LINKS, SYSFS_SESSIONS, SysfsIscsi
from stackdoctor.model import Status

VOLUME = "d081b393-4a68-4b3a-81c1-e24a9033d57c"
IQN = f"iqn.2010-10.org.openstack:volume-{VOLUME}"
SESSION = "/sys/class/iscsi_session/session2"
CONNECTION = "/sys/class/iscsi_connection/connection2:0"
LINKS = """\
total 0
lrwxrwxrwx 1 root root 0 Nov 22 21:44 loop0 -> ../devices/virtual/block/loop0
lrwxrwxrwx 1 root root 0 Nov 22 21:44 sda -> ../devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sda
lrwxrwxrwx 1 root root 0 Nov 22 21:54 sdb -> ../devices/platform/host3/session2/target3:0:0/3:0:0:1/block/sdb
"""


@pytest.fixture
def kernel(answer, answered_node):
    def build(state: str = "LOGGED_IN", device: str = "running", *others):
        files = {
            f"{SESSION}/targetname": f"{IQN}\n",
            f"{SESSION}/state": f"{state}\n",
            f"{SESSION}/username": "(null)\n",
            f"{CONNECTION}/persistent_address": "192.168.199.30\n",
            f"{CONNECTION}/persistent_port": "3260\n",
        }
        disks = {"/sys/block/sda/size": "976773168\n", "/sys/block/sdb/size": "2097152\n"}
        disks["/sys/block/sdb/device/state"] = f"{device}\n"
        return answered_node(
            *(answer(SYSFS_SESSIONS, text, subject=path) for path, text in files.items()),
            *(answer(SYSFS_DISKS, text, subject=path) for path, text in disks.items()),
            answer(SYSFS_LINKS, LINKS),
            *others,
        )

    return build


def test_a_session_and_its_disk_are_read_from_sysfs(kernel) -> None:
    found = SysfsIscsi.parse(kernel())
    (session,) = found.sessions
    assert (session.sid, session.iqn, session.state, session.portal) == (2, IQN, "LOGGED_IN", "192.168.199.30:3260")
    assert (session.username, session.volume_id) == ("", VOLUME)
    (disk,) = found.of_session(2)
    assert (disk.device, disk.lun, disk.size, disk.state) == ("sdb", 1, 1073741824, "running")


def test_a_host_without_the_initiators_module_has_no_session(answer, answered_node) -> None:
    assert SysfsIscsi.parse(answered_node(answer(SYSFS_SESSIONS, status=Status.MISSING))).sessions == ()
    with pytest.raises(CouldNotCheck):
        SysfsIscsi.parse(answered_node(answer(SYSFS_SESSIONS, status=Status.DENIED)))


def test_where_iscsiadm_fails_or_is_not_there_the_kernels_sessions_count(kernel, answer) -> None:
    for gone in (answer(ISCSI_SESSIONS, status=Status.MISSING), answer(ISCSI_SESSIONS, exit=20, error="no iscsid")):
        (session,) = IscsiSessions.parse(kernel("FAILED", "transport-offline", gone)).sessions
        assert (session.iqn, session.portal, session.logged_in) == (IQN, "192.168.199.30:3260", False)
        assert [(d.device, d.lun, d.state) for d in session.disks] == [("sdb", 1, "transport-offline")]


def test_without_iscsiadm_and_without_sessions_there_is_no_such_fact(answer, answered_node) -> None:
    nothing = [answer(probe, status=Status.MISSING) for probe in (ISCSI_SESSIONS, SYSFS_SESSIONS)]
    with pytest.raises(NotApplicable):
        IscsiSessions.parse(answered_node(*nothing))

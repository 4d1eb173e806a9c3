import pytest

from stackdoctor.errors import CouldNotCheck, ParseError
from stackdoctor.facts.iscsi import ISCSI_PATHS, ISCSI_SESSIONS, DiskPaths, IscsiSessions

VOLUME = "d081b393-4a68-4b3a-81c1-e24a9033d57c"
IQN = f"iqn.2010-10.org.openstack:volume-{VOLUME}"

SESSIONS = f"""\
iSCSI Transport Class version 2.0-870
version 2.1.8
Target: {IQN} (non-flash)
\tCurrent Portal: 192.0.2.30:3260,1
\tPersistent Portal: 192.0.2.30:3260,1
\t\t**********
\t\tInterface:
\t\t**********
\t\tIface Name: default
\t\tIface Transport: tcp
\t\tIface Initiatorname: iqn.1993-08.org.debian:01:compute1
\t\tIface IPaddress: 192.0.2.20
\t\tIface HWaddress: default
\t\tIface Netdev: default
\t\tSID: 7
\t\tiSCSI Connection State: LOGGED IN
\t\tiSCSI Session State: LOGGED_IN
\t\tInternal iscsid Session State: NO CHANGE
\t\t*********
\t\tTimeouts:
\t\t*********
\t\tRecovery Timeout: 120
\t\t*****
\t\tCHAP:
\t\t*****
\t\tusername: alice
\t\tpassword: ********
\t\t************************
\t\tAttached SCSI devices:
\t\t************************
\t\tHost Number: 2\tState: running
\t\tscsi2 Channel 00 Id 0 Lun: 0
\t\tscsi2 Channel 00 Id 0 Lun: 1
\t\t\tAttached scsi disk sda\t\tState: running
\tCurrent Portal: 198.51.100.30:3260,1
\tPersistent Portal: 198.51.100.30:3260,1
\t\tIface Name: default
\t\tSID: 8
\t\tiSCSI Connection State: TRANSPORT WAIT
\t\tiSCSI Session State: FAILED
\t\tInternal iscsid Session State: REOPEN
\t\tHost Number: 3\tState: running
\t\tscsi3 Channel 00 Id 0 Lun: 1
\t\t\tAttached scsi disk sdb\t\tState: transport-offline
"""

PATHS = f"""\
total 0
lrwxrwxrwx 1 root root  9 Nov 22 16:45 ip-192.0.2.30:3260-iscsi-{IQN}-lun-1 -> ../../sda
lrwxrwxrwx 1 root root 10 2026-11-22 16:45 ip-192.0.2.30:3260-iscsi-{IQN}-lun-1-part1 -> ../../sda1
lrwxrwxrwx. 1 root root  9 Nov 22  2025 pci-0000:00:01.1-ata-1 -> ../../sdz
"""


def test_sessions_over_two_portals_are_kept_apart(answer, answered_node) -> None:
    found = IscsiSessions.parse(answered_node(answer(ISCSI_SESSIONS, SESSIONS)))
    good, lost = found.of_volume(VOLUME)
    assert (good.sid, good.portal, good.logged_in) == (7, "192.0.2.30:3260,1", True)
    assert good.initiator == "iqn.1993-08.org.debian:01:compute1"
    assert [(d.device, d.lun, d.state) for d in good.disks] == [("sda", 1, "running")]
    assert (lost.sid, lost.logged_in, lost.state, lost.internal) == (8, False, "FAILED", "REOPEN")
    assert lost.disks[0].state == "transport-offline"
    assert "Session State: FAILED" in lost.evidence.line


def test_no_sessions_is_a_value(recorded_node) -> None:
    assert IscsiSessions.parse(recorded_node("healthy.compute1")).sessions == ()


def test_an_iscsiadm_that_fails_otherwise_is_told(answer, answered_node) -> None:
    broken = answer(ISCSI_SESSIONS, exit=20, error="iscsiadm: can not connect to iSCSI daemon (111)!")
    with pytest.raises(CouldNotCheck, match="can not connect to iSCSI daemon"):
        IscsiSessions.parse(answered_node(broken))
    with pytest.raises(ParseError):
        IscsiSessions.parse(answered_node(answer(ISCSI_SESSIONS, "tcp: [1] 192.0.2.30:3260,1 iqn.x\n")))


def test_disks_are_found_by_their_way(answer, answered_node) -> None:
    disk, part, other = DiskPaths.parse(answered_node(answer(ISCSI_PATHS, PATHS))).paths
    assert (disk.device, disk.portal, disk.iqn, disk.lun) == ("sda", "192.0.2.30:3260", IQN, 1)
    assert (part.device, part.volume_id) == ("sda1", VOLUME)
    assert (other.device, other.iqn, other.lun) == ("sdz", "", None)


def test_a_host_without_such_disks_has_none(recorded_node, answer, answered_node) -> None:
    assert DiskPaths.parse(recorded_node("healthy.compute1")).paths == ()
    with pytest.raises(CouldNotCheck):
        DiskPaths.parse(
            answered_node(answer(ISCSI_PATHS, exit=2, error="ls: cannot open directory: Permission denied"))
        )
    with pytest.raises(ParseError):
        DiskPaths.parse(answered_node(answer(ISCSI_PATHS, "lnonsense\n")))

"""What a host keeps of volumes that it does not use.  Sessions in the words of open-iscsi 2.1.8 and of sysfs."""

import pytest

from stackdoctor.model import Severity, Status

VOLUME = "d081b393-4a68-4b3a-81c1-e24a9033d57c"
IQN = f"iqn.2010-10.org.openstack:volume-{VOLUME}"
OTHER = "11111111-2222-4333-8444-555555555555"
OTHER_IQN = f"iqn.2010-10.org.openstack:volume-{OTHER}"
SESSION = """\
Target: {0} (non-flash)
\tCurrent Portal: 192.168.199.30:3260,1
\t\tIface Name: default
\t\tSID: 1
\t\tiSCSI Connection State: LOGGED IN
\t\tiSCSI Session State: LOGGED_IN
\t\tscsi2 Channel 00 Id 0 Lun: 1
\t\t\tAttached scsi disk sdb\t\tState: {1}
"""
BY_PATH = "total 0\nlrwxrwxrwx 1 root root 9 Nov 22 16:00 ip-192.168.199.30:3260-iscsi-{0}-lun-1 -> ../../sdb\n"
KERNEL = f"""\
<domain type='kvm' id='1'><name>instance-00000006</name><uuid>fdcce5e0-9950-47f5-9e85-1d94c8730485</uuid><devices>
<disk type='block' device='disk'><source dev='/dev/{{0}}' index='1'/><target dev='vdb' bus='virtio'/>
<serial>{VOLUME}</serial></disk></devices></domain>
"""
MAP = f"""\
36001405{VOLUME[:8]} dm-0 IET,VIRTUAL-DISK
size=1.0G features='0' hwhandler='0' wp=rw
`-+- policy='service-time 0' prio=1 status=active
  `- 2:0:0:1 sdb 8:16  active ready running
"""
DOMAINS = "libvirt.dumpxml instance-00000006"
NO_DISK = "<domain><name>instance-00000006</name><uuid>fdcce5e0-9950-47f5-9e85-1d94c8730485</uuid><devices/></domain>"


def test_the_session_of_a_volume_that_is_not_exported_any_more_is_stale(look) -> None:
    seen = look(compute={"iscsi.sessions": SESSION.format(OTHER_IQN, "running")})
    found = seen.findings["iscsi.device.stale"]
    assert (found.keys["volume"], found.keys["device"], found.keys["target_host"]) == (OTHER, "sdb", "storage")
    assert found.severity is Severity.WARNING
    assert seen.causes == [("stale-iscsi-device", "compute1")]


def test_a_session_to_a_volume_that_is_exported_and_works_is_not_stale(look, target) -> None:
    second = target.replace("Target 1:", "Target 2:").replace(VOLUME, OTHER)
    seen = look(
        storage={"tgt.targets": target + second}, compute={"iscsi.sessions": SESSION.format(OTHER_IQN, "running")}
    )
    assert "iscsi.device.stale" not in seen.findings
    assert seen.causes == []


def test_a_disk_that_the_kernel_took_off_line_is_stale_only_without_a_guest(look, no_session) -> None:
    offline = {"iscsi.sessions": SESSION.format(IQN, "transport-offline"), "iscsi.paths": BY_PATH.format(IQN)}
    used = look(storage={"tgt.targets": no_session}, compute={**offline, DOMAINS: KERNEL.format("sdb")})
    assert "iscsi.device.stale" not in used.findings
    left = look(storage={"tgt.targets": no_session}, compute={**offline, DOMAINS: NO_DISK})
    assert left.findings["iscsi.device.stale"].keys["volume"] == VOLUME
    assert left.causes == [("stale-iscsi-device", "compute1")]


def test_a_guest_that_uses_the_disk_through_multipath_uses_it(look, no_session) -> None:
    serial = KERNEL.format("dm-0").replace(f"<serial>{VOLUME}</serial>", "")
    answers = {"iscsi.sessions": SESSION.format(IQN, "transport-offline"), DOMAINS: serial}
    storage = {"tgt.targets": no_session}
    assert "iscsi.device.stale" in look(storage=storage, compute=answers).findings
    assert "iscsi.device.stale" not in look(storage=storage, compute={**answers, "multipath.devices": MAP}).findings


def test_what_is_left_is_not_told_where_the_guests_are_not_known(look) -> None:
    seen = look(compute={"iscsi.sessions": SESSION.format(OTHER_IQN, "running"), DOMAINS: Status.TIMED_OUT})
    assert "iscsi.device.stale" not in seen.findings


def test_a_link_without_a_session_is_stale_and_one_with_a_session_is_not(look) -> None:
    links = {"iscsi.paths": BY_PATH.format(OTHER_IQN)}
    left = look(compute=links)
    assert left.findings["iscsi.path.stale"].keys["volume"] == OTHER
    assert left.causes == [("stale-iscsi-device", "compute1")]
    assert (
        "iscsi.path.stale"
        not in look(compute={**links, "iscsi.sessions": SESSION.format(OTHER_IQN, "running")}).findings
    )


def test_a_link_that_a_guest_uses_is_a_lost_session_and_nothing_to_remove(look) -> None:
    seen = look(compute={"iscsi.paths": BY_PATH.format(IQN), DOMAINS: KERNEL.format("sdb")})
    assert "iscsi.path.stale" not in seen.findings
    assert "iscsi.session.missing" in seen.findings
    assert "stale-iscsi-device" not in [cause for cause, _ in seen.causes]


def test_a_login_without_a_guest_is_told_and_alone_no_diagnosis(look, processes) -> None:
    seen = look(compute={DOMAINS: NO_DISK})
    assert seen.findings["iscsi.session.unused"].keys["volume"] == VOLUME
    assert seen.causes == []
    copying = look(compute={DOMAINS: NO_DISK, "processes": processes("/usr/bin/python3 /usr/bin/cinder-backup")})
    assert "iscsi.session.unused" not in copying.findings


def test_a_login_without_a_guest_and_a_detach_that_failed_are_a_stuck_attachment(look, logged) -> None:
    failed = logged(("nova-detach-failed", "nova-compute", {"a": VOLUME}, 900))
    seen = look(compute={DOMAINS: NO_DISK, **failed})
    assert seen.causes == [("volume-stuck-attachment", "compute1")]
    other = logged(("nova-detach-failed", "nova-compute", {"a": OTHER}, 900))
    assert look(compute={DOMAINS: NO_DISK, **other}).causes == []


@pytest.mark.parametrize(
    ("blocks", "severity"),
    [(2097152, None), (4194304, Severity.ERROR), (1048576, Severity.WARNING)],
)
def test_a_disk_of_another_size_than_its_unit_is_told(look, blocks, severity) -> None:
    session = "/sys/class/iscsi_session/session1"
    way = "../devices/platform/host3/session1/target3:0:0/3:0:0:1/block/sdb"
    link = f"lrwxrwxrwx 1 root root 0 Nov 22 21:54 sdb -> {way}\n"
    kernel = {
        f"iscsi.sysfs {session}/targetname": f"{IQN}\n",
        f"iscsi.sysfs {session}/state": "LOGGED_IN\n",
        "iscsi.sysfs /sys/class/iscsi_connection/connection1:0/persistent_address": "192.168.199.30\n",
        "iscsi.sysfs /sys/class/iscsi_connection/connection1:0/persistent_port": "3260\n",
        "iscsi.sysfs.links": f"total 0\n{link}",
        "iscsi.sysfs.disks /sys/block/sdb/size": f"{blocks}\n",
        "iscsi.sessions": SESSION.format(IQN, "running"),
    }
    seen = look(compute=kernel)
    found = seen.findings.get("iscsi.device.size-differs")
    assert (found.severity if found else None) is severity
    assert seen.causes == ([("stale-iscsi-device", "compute1")] if severity is Severity.ERROR else [])

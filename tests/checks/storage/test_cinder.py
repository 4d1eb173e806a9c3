"""Cinder's own troubles: its volume group, its driver, its targets, its backups; and CHAP as its nodes see it."""

import pytest

from stackdoctor.model import Severity

VOLUME = "d081b393-4a68-4b3a-81c1-e24a9033d57c"
VG = "VG|VSize|VFree|#LV\n"
LV = "LV|VG|LSize|Attr|Pool|Origin|Data%|Meta%\n"
SYSTEM = VG + "system|10733223936|0|2\n"
HEADER = "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n"
LOST = ("cinder-vg-missing", "cinder-volume", {"a": "cinder-volumes"})
WAITS = ("cinder-driver-uninit", "cinder-volume", {"backend": "lvm"}, 20)
BEATS = ("cinder-no-heartbeat", "cinder-volume", {"program": "cinder-volume", "host": "storage@lvm"}, 5)
DOWN = "Id=cinder-volume.service\nLoadState=loaded\nActiveState=inactive\nSubState=dead\nUnitFileState=enabled\n"


def test_a_group_that_cinder_wants_and_vgs_does_not_list_is_the_cause(look, logged) -> None:
    seen = look(storage={"lvm.groups": SYSTEM, **logged((*LOST, 1200), WAITS, BEATS)})
    found = seen.findings["lvm.group.missing"]
    assert (found.severity, found.keys["vg"], found.keys["host"]) == (Severity.ERROR, "cinder-volumes", "storage")
    assert seen.causes == [("lvm-vg-missing", "storage")]
    assert {"log.cinder-driver-uninit", "log.cinder-no-heartbeat"} <= seen.explained


def test_a_group_that_is_back_or_was_missed_long_ago_is_not_missing(look, logged) -> None:
    there = look(storage={"lvm.groups": VG + "cinder-volumes|10733223936|5733223936|2\n", **logged((*LOST, 5))})
    assert "lvm.group.missing" not in there.findings
    assert "lvm-vg-missing" not in [cause for cause, _ in there.causes]
    assert "lvm.group.missing" not in look(storage={"lvm.groups": SYSTEM, **logged((*LOST, 1200))}).findings


def test_a_driver_that_is_not_initialised_for_another_reason_is_its_own_cause(look, logged) -> None:
    answers = {"lvm.groups": SYSTEM, **logged(WAITS, BEATS)}
    assert look(storage=answers).causes == [("cinder-driver-not-initialised", "storage")]
    # a service that does not run does not withhold its heartbeat
    assert look(storage={**answers, "services.systemd": DOWN}).causes == [("service-process-down", "storage")]
    ended = logged((*WAITS[:3], 1200))
    assert look(storage={"lvm.groups": SYSTEM, **ended}).causes == []


def test_a_target_that_could_not_be_made_is_a_cause_unless_tgtd_is_down(look, logged) -> None:
    failed = logged(("cinder-target-failed", "cinder-volume", {"a": VOLUME}, 10))
    seen = look(storage=failed)
    assert seen.causes == [("cinder-target-create-failed", "storage")]
    assert seen.findings["log.cinder-target-failed"].keys["volume"] == VOLUME
    unit = "Id=tgt.service\nLoadState=loaded\nActiveState=inactive\nSubState=dead\nUnitFileState=enabled\n"
    gone = (107, "tgtadm: failed to send request hdr to tgt daemon, Transport endpoint is not connected")
    down = look(storage={**failed, "tgt.targets": gone, "services.systemd": unit}, compute={"sockets.tcp": HEADER})
    assert down.causes == [("tgtd-down", "storage")]


def test_failed_backups_are_a_cause_of_their_own_while_the_service_runs(look, logged) -> None:
    failed = logged(("cinder-backup-failed", "cinder-backup", {"backup": VOLUME}, 10))
    assert look(storage=failed).causes == [("cinder-backup-failed", "storage")]
    stopped = {"services.systemd": DOWN.replace("cinder-volume", "cinder-backup")}
    assert look(storage={**failed, **stopped}).causes == [("service-process-down", "storage")]


@pytest.mark.parametrize(
    ("account", "refused"), [("GhugMC7C5UEmBfG59Nrk", False), ("J3YdfEcmogKSLNv2TC9w", True), ("", False)]
)
def test_an_account_that_the_guests_host_does_not_name_is_told(look, target, account, refused) -> None:
    bound = target.replace("        GhugMC7C5UEmBfG59Nrk\n", f"        {account}\n" if account else "")
    seen = look(storage={"tgt.targets": bound})
    assert ("iscsi.target.account-refused" in seen.findings) is refused
    assert seen.causes == ([("iscsi-acl-auth", "storage")] if refused else [])


def test_a_guest_without_an_account_is_told_only_where_it_is_not_logged_in(look, target, no_session) -> None:
    xml = (
        "<domain type='qemu' id='1'><name>instance-00000006</name><uuid>fdcce5e0-9950-47f5-9e85-1d94c8730485</uuid>"
        "<devices><disk type='network'><source protocol='iscsi'"
        f" name='iqn.2010-10.org.openstack:volume-{VOLUME}/1'><host name='192.168.199.30' port='3260'/></source>"
        "<target dev='vdb'/></disk></devices></domain>"
    )
    plain = {"libvirt.dumpxml instance-00000006": xml}
    assert "iscsi.target.account-refused" not in look(compute=plain).findings
    seen = look(storage={"tgt.targets": no_session}, compute=plain)
    assert seen.causes == [("iscsi-acl-auth", "storage")]


def test_chap_that_the_target_refused_and_a_session_that_is_away_are_one_cause(look, logged, no_session) -> None:
    refused = logged(("tgtd-chap-failed", "syslog", {"a": "iqn.1993-08.org.debian:01:compute1"}, 10))
    timeouts = logged(("qemu-iscsi-timeout", "qemu", {}, 8))
    seen = look(storage={"tgt.targets": no_session, **refused}, compute={"sockets.tcp": HEADER, **timeouts})
    assert seen.causes == [("iscsi-acl-auth", "storage")]
    assert {"iscsi.session.missing", "log.qemu-iscsi-timeout"} <= seen.explained
    assert "log.iscsiadm-error" not in seen.findings


FILE = "/var/lib/volumes/one"
LINE = "-rw-r--r-- 1 root root {0} Nov 22 21:56 /var/lib/volumes/one\n"


@pytest.mark.parametrize(
    ("answer", "finding"),
    [
        (LINE.format(1073741824), None),
        (LINE.format(536870912), "iscsi.target.backing-missing"),
        ((2, f"ls: cannot access '{FILE}': No such file or directory"), "iscsi.target.backing-missing"),
        (LINE.format(2147483648), "iscsi.target.size-differs"),
    ],
)
def test_the_file_behind_a_unit_is_there_whole_and_as_large_as_the_unit(look, target, answer, finding) -> None:
    of_file = target.replace(f"/dev/cinder-volumes/volume-{VOLUME}", FILE)
    seen = look(storage={"tgt.targets": of_file, f"tgt.backing {FILE}": answer})
    assert {f for f in seen.findings if f.startswith("iscsi.target.")} == ({finding} if finding else set())
    broken = finding == "iscsi.target.backing-missing"
    assert seen.causes == ([("iscsi-target-missing", "storage")] if broken else [])


@pytest.mark.parametrize(
    ("size", "finding"),
    [
        (1073741824, None),
        (2147483648, "iscsi.target.size-differs"),
        (536870912, "iscsi.target.backing-missing"),
    ],
)
def test_a_unit_is_as_large_as_its_logical_volume(look, size, finding) -> None:
    row = f"volume-{VOLUME}|cinder-volumes|{size}|-wi-ao----||||\n"
    seen = look(storage={"lvm.volumes": LV + row})
    assert {f for f in seen.findings if f.startswith("iscsi.target.")} == ({finding} if finding else set())

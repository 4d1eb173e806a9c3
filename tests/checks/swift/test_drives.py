"""Real text: what swift 2.38 and its node gave with one of two drives mounted (devices moved to /srv/node)."""

import json

import pytest

LISTED = "total 8\ndrwxr-xr-x 2 root root 4096 Nov 22 21:59 sdb1\ndrwxr-xr-x 2 root root 4096 Nov 22 21:59 sdc1\n"
CONF = "[DEFAULT]\ndevices = /srv/node\nmount_check = true\n[app:object-server]\nuse = egg:swift#object\n"
BOTH = "tmpfs /srv/node/sdb1 xfs rw,relatime 0 0\n/dev/sdc1 /srv/node/sdc1 xfs rw,noatime 0 0\n"
ONE = "/dev/sdb1 /srv/node/sdb1 xfs rw,relatime 0 0\n"
SERVER = "/usr/bin/python3 /usr/bin/swift-object-server /etc/swift/object-server.conf"
REPLICATOR = "/usr/bin/python3 /usr/bin/swift-object-replicator /etc/swift/object-server.conf"


def node(
    processes: str, mounts: str = ONE, fstab: str = "", conf: str = CONF, listed: object = LISTED
) -> dict[str, object]:
    return {
        "processes": processes,
        "swift.config /etc/swift/object-server.conf": conf,
        "swift.devices": listed,
        "swift.mounts /proc/mounts": mounts,
        "swift.fstab /etc/fstab": fstab,
    }


def test_a_drive_that_should_be_mounted_is_the_cause(look, running) -> None:
    seen = look(swift1=node(running(SERVER), fstab="LABEL=c /srv/node/sdc1 xfs noatime 0 0\n"))
    found = seen.findings["swift.drive.unmounted"]
    assert (found.keys["device"], str(found.severity)) == ("sdc1", "error")
    assert seen.causes == [("swift-drive-or-node", "swift1")]


def test_a_folder_that_nobody_mounts_on_may_be_left_over(look, running) -> None:
    assert str(look(swift1=node(running(SERVER))).findings["swift.drive.unmounted"].severity) == "warning"


@pytest.mark.parametrize("changed", [{"mounts": BOTH}, {"conf": CONF.replace("= true", "= false")}])
def test_mounted_drives_and_folders_that_are_meant_are_fine(look, running, changed) -> None:
    assert look(swift1=node(running(SERVER), **changed)).findings == {}


def test_a_node_whose_storage_servers_do_not_run_is_left_to_others(look, running) -> None:
    assert look(swift1=node(running())).findings == {}


def test_a_drive_that_answers_with_errors_has_failed(look, running) -> None:
    broken = (1, "ls: cannot access '/srv/node/sdc1': Input/output error\n")
    seen = look(swift1=node(running(SERVER), BOTH, listed=broken))
    assert seen.findings["swift.drive.failed"].keys["device"] == "sdc1"
    assert seen.causes == [("swift-drive-or-node", "swift1")]


def recon(hours: float) -> str:
    last = 1795366000.0 - hours * 3600
    return json.dumps({"object_replication_last": last, "object_replication_time": 2.4, "replication_last": last})


@pytest.mark.parametrize(("hours", "age", "found"), [(30, 200000, True), (5, 200000, False), (30, 2394, False)])
def test_replication_that_has_not_ended_a_pass_for_a_day_is_stale(look, running, hours, age, found) -> None:
    asked = {"processes": running(REPLICATOR, age=age), "swift.recon /var/cache/swift/object.recon": recon(hours)}
    assert ("swift.replication.stale" in look(swift1=asked).findings) is found

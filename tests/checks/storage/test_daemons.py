"""iscsid and multipathd: missing where they are needed, and not told where they are not."""

import pytest

from stackdoctor.model import Severity

VOLUME = "d081b393-4a68-4b3a-81c1-e24a9033d57c"
IQN = f"iqn.2010-10.org.openstack:volume-{VOLUME}"
SESSION = f"""\
Target: {IQN} (non-flash)
\tCurrent Portal: 192.168.199.30:3260,1
\t\tIface Name: default
\t\tSID: 1
\t\tiSCSI Connection State: {{0}}
\t\tiSCSI Session State: {{1}}
\t\tscsi2 Channel 00 Id 0 Lun: 1
\t\t\tAttached scsi disk sdb\t\tState: running
"""
WORKS, BROKEN = SESSION.format("LOGGED IN", "LOGGED_IN"), SESSION.format("TRANSPORT WAIT", "FAILED")
MAP = """\
360000000000000000e00000000010001 dm-0 IET,VIRTUAL-DISK
size=1.0G features='0' hwhandler='0' wp=rw
|-+- policy='service-time 0' prio=1 status=active
| `- 2:0:0:1 sda 8:0  {0}
`-+- policy='service-time 0' prio=0 status=enabled
  `- 3:0:0:1 sdb 8:16 {1}
"""
GOOD, BAD, UNTOLD = "active ready running", "failed faulty offline", "failed ready running"
UNIT = "Id=multipathd.service\nLoadState=loaded\nActiveState=failed\nSubState=failed\nUnitFileState=enabled\n"


@pytest.mark.parametrize(
    ("sessions", "command", "stat", "severity"),
    [
        (WORKS, "/sbin/iscsid -f", "Ss", None),
        (BROKEN, "/sbin/iscsid -f", "Ss", None),
        (WORKS, "", "", Severity.WARNING),
        (BROKEN, "", "", Severity.ERROR),
        (BROKEN, "/sbin/iscsid -f", "T", Severity.ERROR),
    ],
)
def test_sessions_without_a_working_iscsid_are_told(look, processes, sessions, command, stat, severity) -> None:
    seen = look(compute={"iscsi.sessions": sessions, "processes": processes(command, stat or "Ss")})
    found = seen.findings.get("iscsi.iscsid.down")
    assert (found.severity if found else None) is severity
    assert (("iscsid-missing", "compute1") in seen.causes) is (severity is not None)


def test_a_host_without_sessions_needs_no_iscsid(look, processes) -> None:
    assert look(compute={"processes": processes()}).causes == []


@pytest.mark.parametrize(
    ("age", "command", "uptime", "told"),
    [(60, "", 3600, True), (60, "/sbin/iscsid", 3600, False), (7200, "", 9000, False), (60, "", 30, False)],
)
def test_a_login_that_started_no_iscsid_is_told(look, processes, logged, age, command, uptime, told) -> None:
    failed = logged(("brick-login-failed", "nova-compute", {"portal": "192.168.199.30:3260"}, age))
    host = {"host.uname": "Linux compute1 6.1.0-18-amd64 x86_64", "host.uptime": f"{uptime}.00 1.00"}
    seen = look(compute={**failed, **host, "processes": processes(command, "Ss") if command else processes()})
    assert (("iscsid-missing", "compute1") in seen.causes) is told


def test_that_iscsiadm_did_not_reach_iscsid_is_enough(look, logged) -> None:
    reached = logged(("iscsiadm-error", "nova-compute", {"code": "20", "reason": "could not connect to iscsid"}, 5))
    assert look(compute=reached).causes == [("iscsid-missing", "compute1")]
    refused = logged(("iscsiadm-error", "nova-compute", {"code": "8", "reason": "connection timed out"}, 5))
    assert "iscsid-missing" not in [cause for cause, _ in look(compute=refused).causes]


@pytest.mark.parametrize(
    ("paths", "command", "severity"),
    [
        ((GOOD, BAD), "/sbin/multipathd -d -s", None),
        ((GOOD, GOOD), "", Severity.WARNING),
        ((GOOD, BAD), "", Severity.ERROR),
    ],
)
def test_multipath_devices_without_multipathd_are_told(look, processes, paths, command, severity) -> None:
    seen = look(compute={"multipath.devices": MAP.format(*paths), "processes": processes(command)})
    found = seen.findings.get("multipath.daemon.down")
    assert (found.severity if found else None) is severity
    assert seen.causes == ([("multipath-not-running", "compute1")] if severity is not None else [])


def test_paths_that_answer_and_are_not_used_are_the_missing_daemons(look, processes) -> None:
    untold = look(compute={"multipath.devices": MAP.format(UNTOLD, UNTOLD), "processes": processes()})
    assert untold.causes == [("multipath-not-running", "compute1")]
    dead = look(compute={"multipath.devices": MAP.format(BAD, BAD), "processes": processes()})
    assert ("multipath-no-paths", "compute1") in dead.causes


def test_a_daemon_that_failed_where_nobody_needs_it_is_not_told(look, processes) -> None:
    unit = {"services.systemd": UNIT, "multipath.devices": "", "processes": processes()}
    assert "multipath.daemon.down" not in look(compute=unit).findings
    assert "multipath.daemon.down" in look(compute={**unit, "iscsi.sessions": WORKS}).findings


def test_two_hosts_with_one_initiator_name_are_told_once_they_have_sessions(look) -> None:
    name = {"iscsi.initiatorname /etc/iscsi/initiatorname.iscsi": "InitiatorName=iqn.1993-08.org.debian:01:clone\n"}
    idle = look(storage=name, compute=name)
    assert "iscsi.initiator.duplicate" not in idle.findings
    busy = look(storage=name, compute={**name, "iscsi.sessions": WORKS})
    assert {f.keys["host"] for f in busy.every if f.id == "iscsi.initiator.duplicate"} == {"storage", "compute1"}
    other = {next(iter(name)): "InitiatorName=iqn.1993-08.org.debian:01:own\n"}
    apart = look(storage=other, compute={**name, "iscsi.sessions": WORKS})
    assert "iscsi.initiator.duplicate" not in apart.findings

"""The daemons of Open vSwitch: what a real ovs-vsctl and ovs-appctl say when one is gone, stopped or well."""

from __future__ import annotations

from typing import Any

from stackdoctor.checks.ovs.daemons import bond_member, daemon_down

from stackdoctor.model import Severity

GONE = (
    b"2026-11-22T21:56:20Z|00001|daemon_unix|WARN|/var/run/openvswitch/ovs-vswitchd.pid: open: "
    b"No such file or directory\n"
    b'ovs-appctl: cannot read pidfile "/var/run/openvswitch/ovs-vswitchd.pid" (No such file or directory)\n'
)
NO_DATABASE = b"ovs-vsctl: unix:/var/run/openvswitch/db.sock: database connection failed (No such file or directory)\n"
DENIED = b"ovs-vsctl: unix:/var/run/openvswitch/db.sock: database connection failed (Permission denied)\n"
ALARM = b"2026-11-22T21:56:22Z|00001|fatal_signal|WARN|terminating with signal 14 (Alarm clock)\n"
PS = (
    "    PID    PPID USER                 STAT                  STARTED ELAPSED %CPU %MEM   RSS NLWP WCHAN"
    "                    COMMAND\n"
    "  23814       1 root                 {stat}   Sun Nov 22 21:55:51 2026      60  0.3  0.1 15000    1 -"
    "                        ovs-vswitchd --pidfile --detach\n"
    "  23901       1 neutron              S     Sun Nov 22 21:55:51 2026      60  0.3  0.1 15000    1 -"
    "                        /usr/bin/python3 /usr/bin/neutron-openvswitch-agent --config-file=/etc/neutron/n.conf\n"
)
BOND = """\
---- bond0 ----
bond_mode: active-backup
bond may use recirculation: no, Recirc-ID : -1
bond-hash-basis: 0
lb_output action: disabled, bond-id: -1
updelay: 0 ms
downdelay: 0 ms
lacp_status: off
lacp_fallback_ab: false
active-backup primary: <none>
active member mac: 7a:e2:4f:7b:e0:c7(b0)

member b0: enabled
  active member
  may_enable: true

member b1: disabled
  may_enable: false

"""


def test_a_vswitchd_that_is_gone_is_critical(cloud: Any) -> None:
    cloud.say("compute2", "ovs.bonds", "", exit=1, stderr=GONE)
    found = cloud.one(daemon_down)
    assert (found.severity, found.keys["service"], found.keys["how"]) == (Severity.CRITICAL, "ovs-vswitchd", "gone")
    assert "cannot read pidfile" in found.evidence[0].line


def test_it_is_nothing_where_open_vswitch_is_only_installed(cloud: Any) -> None:
    cloud.say("controller", "ovs.bonds", "", exit=1, stderr=GONE)
    assert cloud.find(daemon_down) == []
    agent_only = "".join(line for line in PS.format(stat="S ").splitlines(True) if "--pidfile" not in line)
    cloud.say("controller", "processes", agent_only)
    assert cloud.one(daemon_down).keys["host"] == "controller"


def test_a_database_that_is_gone_in_both_looks_is_critical(cloud: Any) -> None:
    cloud.say("compute2", "ovs.db", "", exit=1, stderr=NO_DATABASE)
    assert cloud.find(daemon_down) == []  # it was being restarted: the second look had an answer
    cloud.say("compute2", "ovs.db", "", "#2", exit=1, stderr=NO_DATABASE)
    assert cloud.one(daemon_down).keys["service"] == "ovsdb-server"


def test_a_database_that_may_not_be_asked_is_not_known(cloud: Any) -> None:
    for subject in ("", "#2"):
        cloud.say("compute2", "ovs.db", "", subject, exit=1, stderr=DENIED)
    assert cloud.find(daemon_down) == []


def test_a_vswitchd_that_does_not_answer_is_a_warning_and_a_stopped_one_is_not(cloud: Any) -> None:
    cloud.say("compute2", "ovs.bonds", "", exit=142, stderr=ALARM)
    assert (cloud.one(daemon_down).severity, cloud.one(daemon_down).keys["how"]) == (Severity.WARNING, "hangs")
    cloud.say("compute2", "processes", PS.format(stat="T "))
    assert (cloud.one(daemon_down).severity, cloud.one(daemon_down).keys["how"]) == (Severity.CRITICAL, "stopped")


def test_a_member_of_a_bond_that_is_down_is_a_warning_while_another_carries_on(cloud: Any) -> None:
    cloud.say("compute2", "ovs.bonds", BOND)
    found = cloud.one(bond_member)
    assert (found.severity, found.keys["device"], found.keys["bond"]) == (Severity.WARNING, "b1", "bond0")
    cloud.say("compute2", "ovs.bonds", BOND.replace("b0: enabled", "b0: disabled"))
    assert {f.severity for f in cloud.find(bond_member)} == {Severity.ERROR}


def test_a_bond_with_all_members_is_nothing(cloud: Any) -> None:
    cloud.say("compute2", "ovs.bonds", BOND.replace("b1: disabled", "b1: enabled"))
    assert cloud.find(bond_member) == []

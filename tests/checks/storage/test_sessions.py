import pytest

from stackdoctor.model import Severity, Status

VOLUME = "d081b393-4a68-4b3a-81c1-e24a9033d57c"
IQN = f"iqn.2010-10.org.openstack:volume-{VOLUME}"
HEADER = "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n"
WAITING = 'SYN-SENT 0 1 192.168.199.20:43788 192.168.199.30:3260 users:(("qemu-system-x86",pid=1148,fd=24))\n'
RULES = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n{0}\nCOMMIT\n"

KERNEL = f"""\
<domain type='kvm' id='1'><name>instance-00000006</name><uuid>fdcce5e0-9950-47f5-9e85-1d94c8730485</uuid><devices>
<disk type='block' device='disk'><source dev='/dev/sdb' index='1'/><target dev='vdb' bus='virtio'/>
<serial>{VOLUME}</serial></disk></devices></domain>
"""
QEMU = f"""\
<domain type='qemu' id='1'><name>instance-00000006</name><uuid>fdcce5e0-9950-47f5-9e85-1d94c8730485</uuid><devices>
<disk type='network' device='disk'><source protocol='iscsi' name='{IQN}/1'><host name='PORTAL' port='3260'/></source>
<target dev='vdb' bus='virtio'/><serial>{VOLUME}</serial></disk></devices></domain>
"""
BY_PATH = f"total 0\nlrwxrwxrwx 1 root root 9 Nov 22 16:00 ip-192.168.199.30:3260-iscsi-{IQN}-lun-1 -> ../../sdb\n"
SESSION = f"""\
iSCSI Transport Class version 2.0-870
version 2.1.8
Target: {IQN} (non-flash)
\tCurrent Portal: 192.168.199.30:3260,1
\tPersistent Portal: 192.168.199.30:3260,1
\t\t**********
\t\tInterface:
\t\t**********
\t\tIface Name: default
\t\tIface Initiatorname: iqn.1993-08.org.debian:01:compute1
\t\tSID: 1
\t\tiSCSI Connection State: LOGGED IN
\t\tiSCSI Session State: LOGGED_IN
\t\tInternal iscsid Session State: NO CHANGE
\t\t************************
\t\tAttached SCSI devices:
\t\t************************
\t\tHost Number: 2\tState: running
\t\tscsi2 Channel 00 Id 0 Lun: 1
\t\t\tAttached scsi disk sdb\t\tState: running
"""


def test_a_session_that_tgtd_does_not_have_is_lost(look, no_session) -> None:
    seen = look(storage={"tgt.targets": no_session})
    found = seen.findings["iscsi.session.missing"]
    assert (found.keys["host"], found.keys["target_host"], found.keys["volume"]) == ("compute1", "storage", VOLUME)
    assert found.keys["portal"] == "192.168.199.30:3260"
    assert seen.causes == [("iscsi-session-lost", "compute1")]


def test_a_login_that_gets_no_answer_is_a_path_that_is_blocked(look, no_session) -> None:
    seen = look(storage={"tgt.targets": no_session}, compute={"sockets.tcp": HEADER + WAITING})
    assert seen.findings["iscsi.session.unanswered"].evidence[0].line == WAITING.strip()
    assert seen.causes == [("iscsi-path-blocked", "compute1")]


def test_a_rule_on_the_storage_node_and_a_lost_session_are_one_cause(look, no_session) -> None:
    rule = RULES.format("[53:3180] -A INPUT -p tcp -m tcp --dport 3260 -j REJECT --reject-with icmp-port-unreachable")
    seen = look(storage={"tgt.targets": no_session, "iptables.save": rule}, compute={"sockets.tcp": HEADER})
    assert seen.causes == [("iscsi-path-blocked", "compute1")]
    assert {"firewall.drops-port", "iscsi.session.missing"} <= seen.explained


def test_a_rule_for_the_port_is_no_cause_while_the_sessions_are_there(look) -> None:
    rule = RULES.format("[53:3180] -A INPUT -s 198.51.100.0/24 -p tcp -m tcp --dport 3260 -j DROP")
    assert look(storage={"iptables.save": rule}).causes == []


def test_without_the_targets_a_connection_to_the_portal_counts_as_the_session(look) -> None:
    unknown = {"tgt.targets": Status.DENIED, "tgt.exports": Status.DENIED}
    assert "iscsi.session.missing" not in look(storage=unknown).findings
    assert "iscsi.session.missing" in look(storage=unknown, compute={"sockets.tcp": HEADER}).findings


@pytest.mark.parametrize(
    ("portal", "judged"), [("192.168.199.30", True), ("127.0.0.1", False), ("storage.example.com", False)]
)
def test_a_portal_that_no_connection_tells_of_is_not_judged_by_connections(look, portal: str, judged: bool) -> None:
    unknown = {"tgt.targets": Status.DENIED, "tgt.exports": Status.DENIED}
    disks = {"libvirt.dumpxml instance-00000006": QEMU.replace("PORTAL", portal), "sockets.tcp": HEADER}
    assert ("iscsi.session.missing" in look(storage=unknown, compute=disks).findings) is judged


def test_a_guest_that_is_shut_off_needs_no_session(look, no_session) -> None:
    off = {"libvirt.list": " Id   Name                State\n---\n -    instance-00000006   shut off\n\n"}
    seen = look(storage={"tgt.targets": no_session}, compute=off)
    assert (seen.findings, seen.causes) == ({}, [])


def test_the_hosts_own_initiator_is_asked_for_its_sessions(look) -> None:
    disks = {"libvirt.dumpxml instance-00000006": KERNEL, "iscsi.paths": BY_PATH, "sockets.tcp": HEADER}
    healthy = look(compute={**disks, "iscsi.sessions": SESSION})
    assert (healthy.findings, healthy.causes) == ({}, [])
    lost = look(compute=disks)
    assert lost.findings["iscsi.session.missing"].keys["volume"] == VOLUME


def test_a_session_in_recovery_is_an_error_for_a_guest_and_a_warning_without_one(look, no_session) -> None:
    held = SESSION.replace("State: LOGGED IN", "State: TRANSPORT WAIT").replace("State: LOGGED_IN", "State: FAILED")
    disks = {"libvirt.dumpxml instance-00000006": KERNEL, "iscsi.paths": BY_PATH, "sockets.tcp": HEADER}
    used = look(storage={"tgt.targets": no_session}, compute={**disks, "iscsi.sessions": held})
    assert used.findings["iscsi.session.failed"].severity is Severity.ERROR
    assert used.causes == [("iscsi-session-lost", "compute1")]
    left = look(compute={"iscsi.sessions": held})
    assert left.findings["iscsi.session.failed"].severity is Severity.WARNING
    assert left.causes == []


def test_a_cloud_on_ceph_has_nothing_of_this(look) -> None:
    rbd = (
        "<domain type='kvm' id='1'><name>instance-00000006</name><uuid>fdcce5e0-9950-47f5-9e85-1d94c8730485</uuid>"
        "<devices><disk type='network' device='disk'><source protocol='rbd' name='volumes/volume-"
        f"{VOLUME}'><host name='192.0.2.1' port='6789'/></source><target dev='vdb'/></disk></devices></domain>"
    )
    none = {"tgt.targets": Status.MISSING, "tgt.exports": Status.MISSING, "lio.saved": Status.MISSING}
    seen = look(storage=none, compute={"libvirt.dumpxml instance-00000006": rbd, "sockets.tcp": HEADER})
    assert (seen.findings, seen.causes) == ({}, [])

import json

import pytest

from stackdoctor.model import Severity, Status

VOLUME = "d081b393-4a68-4b3a-81c1-e24a9033d57c"
IQN = f"iqn.2010-10.org.openstack:volume-{VOLUME}"
OTHER = "volume-11111111-2222-3333-4444-555555555555"
LVS = "LV|VG|LSize|Attr|Pool|Origin|Data%|Meta%\n"
NO_TGTD = "tgtadm: failed to send request hdr to tgt daemon, Transport endpoint is not connected"


def test_a_healthy_volume_gives_nothing(look) -> None:
    seen = look()
    assert (seen.findings, seen.causes) == ({}, [])


def test_a_target_that_is_offline_is_broken_although_its_session_goes_on(look, target) -> None:
    seen = look(storage={"tgt.targets": target.replace("State: ready", "State: offline")})
    found = seen.findings["iscsi.target.offline"]
    assert dict(found.keys) == {"host": "storage", "volume": VOLUME, "iqn": IQN, "used": "yes"}
    assert found.evidence[0].line == f"Target 1: {IQN} State: offline"
    assert "instance-00000006 on compute1" in found.message
    assert seen.causes == [("iscsi-target-missing", "storage")]


def test_a_tgtd_that_was_restarted_without_its_targets_misses_one(look) -> None:
    seen = look(
        storage={"tgt.targets": ""},
        compute={"sockets.tcp": "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n"},
    )
    found = seen.findings["iscsi.target.missing"]
    assert (found.severity, found.keys["host"], found.keys["volume"]) == (Severity.ERROR, "storage", VOLUME)
    assert seen.causes == [("iscsi-target-missing", "storage")]
    assert {"iscsi.session.missing", "iscsi.target.missing"} <= seen.explained


def test_an_exported_volume_that_no_known_guest_uses_is_a_warning_and_no_diagnosis(look) -> None:
    seen = look(storage={"tgt.exports": f"/var/lib/cinder/volumes:\nvolume-{VOLUME}\n{OTHER}\n"})
    assert seen.findings["iscsi.target.missing"].severity is Severity.WARNING
    assert seen.causes == []


def test_a_portal_that_is_none_of_the_nodes_is_not_judged(look) -> None:
    san = {"tgt.targets": "", "tgt.exports": "/var/lib/cinder/volumes:\n", "addresses.host": Status.DENIED}
    assert look(storage=san).causes == []


def test_a_target_without_disk_exports_nothing(look, target) -> None:
    start, rest = target[: target.index("        LUN: 1")], target[target.index("    Account") :]
    seen = look(storage={"tgt.targets": start + rest})
    assert seen.findings["iscsi.target.no-lun"].keys["volume"] == VOLUME
    assert seen.causes == [("iscsi-target-missing", "storage")]


@pytest.mark.parametrize(
    ("volumes", "broken"),
    [
        (f"volume-{VOLUME}|cinder-volumes|1073741824|-wi-ao----||||\n", False),
        (f"volume-{VOLUME}|cinder-volumes|1073741824|-wi-------||||\n", True),
        (f"{OTHER}|cinder-volumes|1073741824|-wi-ao----||||\n", True),
        ("root|system|1073741824|-wi-ao----||||\n", False),  # its group is not listed: a filter may hide it
    ],
)
def test_a_unit_whose_logical_volume_is_gone_or_inactive_has_nothing_behind_it(look, volumes, broken) -> None:
    seen = look(storage={"lvm.volumes": LVS + volumes})
    assert ("iscsi.target.backing-missing" in seen.findings) is broken
    assert bool(seen.causes) is broken


def test_an_empty_access_list_of_tgtd_lets_nobody_in(look, target) -> None:
    seen = look(storage={"tgt.targets": target.replace("        ALL\n", "")})
    assert seen.findings["iscsi.target.no-acl"].evidence[0].line.endswith("ACL information: (none)")
    assert seen.causes == [("iscsi-acl-auth", "storage")]


@pytest.mark.parametrize(
    ("acl", "refused"),
    [
        ("192.168.199.20", False),
        ("192.168.199.0/24", False),
        ("iqn.1993-08.org.debian:01:compute1", False),
        ("192.168.199.77", True),
        ("iqn.1993-08.org.debian:01:compute9", True),
    ],
)
def test_an_access_list_without_the_guests_host_refuses_it(look, target, acl, refused) -> None:
    seen = look(storage={"tgt.targets": target.replace("        ALL\n", f"        {acl}\n")})
    assert ("iscsi.target.host-not-allowed" in seen.findings) is refused
    assert seen.causes == ([("iscsi-acl-auth", "storage")] if refused else [])


def test_the_name_of_an_initiator_is_not_compared_with_one_that_is_not_known(look, no_session) -> None:
    listed = no_session.replace("        ALL\n", "        iqn.1993-08.org.debian:01:compute1\n")
    assert "iscsi.target.host-not-allowed" not in look(storage={"tgt.targets": listed}).findings


def test_a_tgtd_that_exports_and_does_not_answer_is_the_one_cause(look) -> None:
    unit = "Id=tgt.service\nLoadState=loaded\nActiveState=inactive\nSubState=dead\nUnitFileState=enabled\n"
    gone = {"tgt.targets": (107, NO_TGTD), "services.systemd": unit}
    seen = look(
        storage=gone, compute={"sockets.tcp": "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n"}
    )
    assert seen.findings["iscsi.tgtd.down"].evidence[0].line == NO_TGTD
    assert "iscsi.target.missing" not in seen.findings
    assert seen.causes == [("tgtd-down", "storage")]
    assert {"service.down", "iscsi.session.missing"} <= seen.explained


def test_tgtadm_without_exports_is_a_node_that_only_has_the_tools(look) -> None:
    tools = {"tgt.targets": (107, NO_TGTD), "tgt.exports": "/var/lib/cinder/volumes:\n"}
    assert "iscsi.tgtd.down" not in look(storage=tools).findings


def _lio(enabled: bool) -> dict[str, object]:
    group = {"enable": enabled, "luns": [{"index": 0, "storage_object": "/backstores/block/v"}], "node_acls": []}
    saved = {
        "storage_objects": [{"plugin": "block", "name": "v", "dev": f"/dev/cinder-volumes/volume-{VOLUME}"}],
        "targets": [{"fabric": "iscsi", "wwn": IQN, "tpgs": [group]}],
    }
    return {"tgt.targets": Status.MISSING, "tgt.exports": Status.MISSING, "lio.saved": json.dumps(saved)}


def test_a_lio_target_that_is_enabled_and_has_no_initiator_yet_is_healthy(look) -> None:
    live = {f"lio.live /sys/kernel/config/target/iscsi/{IQN}/tpgt_1/enable": "1\n"}
    shut_off = {"libvirt.list": " Id   Name                State\n---\n -    instance-00000006   shut off\n\n"}
    seen = look(storage={**_lio(True), **live}, compute=shut_off)
    assert (seen.findings, seen.causes) == ({}, [])


def test_a_lio_target_that_the_kernel_lost_is_missing(look) -> None:
    seen = look(storage={**_lio(True), "lio.live": Status.MISSING})
    assert seen.findings["iscsi.target.missing"].keys["iqn"] == IQN
    assert seen.causes == [("iscsi-target-missing", "storage")]


def test_of_a_lio_target_that_only_the_kernel_has_nothing_is_said(look) -> None:
    empty = {**_lio(True), "lio.saved": '{"storage_objects": [], "targets": []}'}
    live = {f"lio.live /sys/kernel/config/target/iscsi/{IQN}/tpgt_1/enable": "1\n"}
    seen = look(storage={**empty, **live})
    assert (seen.findings, seen.causes) == ({}, [])

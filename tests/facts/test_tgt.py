import pytest

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.tgt import CINDER_EXPORTS, LIO_LIVE, LIO_SAVED, TGT_TARGETS, Targets
from stackdoctor.model import Status

VOLUME = "d081b393-4a68-4b3a-81c1-e24a9033d57c"
IQN = f"iqn.2010-10.org.openstack:volume-{VOLUME}"


def test_a_storage_node_exports_its_volumes(recorded_node) -> None:
    found = Targets.parse(recorded_node("healthy.storage"))
    (target,) = found.targets
    assert found.of_volume("c85a9e21-eab4-4821-b34a-2b7cd0f97211") is target
    assert found.exported == ("volume-c85a9e21-eab4-4821-b34a-2b7cd0f97211",)
    assert (target.online, target.acls) == (True, ("ALL",))
    assert [nexus.addresses for nexus in target.nexuses] == [("192.168.199.20",)]
    assert found.of_volume("") is None


def test_a_missing_acl_a_dropped_session_and_an_offline_target_show(recorded_node) -> None:
    (acl,) = Targets.parse(recorded_node("iscsi-acl-missing.storage")).targets
    assert (acl.acls, acl.online, len(acl.nexuses)) == ((), True, 1)
    (session,) = Targets.parse(recorded_node("iscsi-session-dropped.storage")).targets
    assert (session.nexuses, session.acls) == ((), ("ALL",))
    (offline,) = Targets.parse(recorded_node("iscsi-target-offline.storage")).targets
    assert (offline.state, offline.online, len(offline.nexuses)) == ("offline", False, 1)
    assert offline.evidence.line == f"Target 1: {IQN} State: offline"


def test_a_tgtd_that_does_not_answer_is_a_value(recorded_node) -> None:
    found = Targets.parse(recorded_node("healthy.controller"))
    (server,) = found.servers
    assert (server.kind, server.running, server.targets) == ("tgt", False, ())
    assert "failed to send request hdr to tgt daemon" in server.evidence.line
    assert found.exported == ()


def test_a_node_without_target_server_has_no_such_fact(answer, answered_node) -> None:
    gone = [answer(probe, status=Status.MISSING) for probe in (TGT_TARGETS, CINDER_EXPORTS, LIO_SAVED, LIO_LIVE)]
    with pytest.raises(NotApplicable):
        Targets.parse(answered_node(*gone))


def test_a_tgtadm_that_may_not_be_run_is_told(answer, answered_node) -> None:
    node = answered_node(answer(TGT_TARGETS, status=Status.DENIED), answer(LIO_SAVED, status=Status.MISSING))
    with pytest.raises(CouldNotCheck):
        Targets.parse(node)


def test_lio_is_read_from_its_files(answer, answered_node) -> None:
    saved = (
        f'{{"storage_objects": [], "targets": [{{"fabric": "iscsi", "wwn": "{IQN}", "tpgs": [{{"enable": true}}]}}]}}'
    )
    enable = f"/sys/kernel/config/target/iscsi/{IQN}/tpgt_1/enable"
    node = answered_node(
        answer(TGT_TARGETS, status=Status.MISSING),
        answer(LIO_SAVED, saved, "/etc/target/saveconfig.json"),
        answer(LIO_LIVE, "1\n", enable),
        answer(
            LIO_LIVE, "LIO Session ID: 1\n   Address 192.0.2.20 TCP\n", enable.replace("enable", "acls/iqn.c1/info")
        ),
    )
    (server,) = Targets.parse(node).servers
    assert (server.kind, server.running) == ("lio", True)
    (target,) = server.targets
    assert (target.online, target.volume_id, target.nexuses[0].addresses) == (True, VOLUME, ("192.0.2.20",))


def test_one_server_that_cannot_be_asked_does_not_hide_the_other(answer, answered_node) -> None:
    node = answered_node(answer(TGT_TARGETS, ""), answer(LIO_SAVED, status=Status.DENIED))
    found = Targets.parse(node)
    assert [server.kind for server in found.servers] == ["tgt"]
    assert "denied" in found.absent


def test_a_node_without_volumes_dir_is_not_one_with_an_empty_one(answer, answered_node) -> None:
    nothing = answer(CINDER_EXPORTS, exit=2, error="ls: cannot access '/var/lib/cinder/volumes': No such file")
    assert Targets.parse(answered_node(answer(TGT_TARGETS, ""), nothing)).exported is None

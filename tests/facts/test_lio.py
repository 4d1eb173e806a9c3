import json

import pytest

from stackdoctor.errors import ParseError
from stackdoctor.facts.lio import parse_live_path, parse_saved, parse_session, with_live
from stackdoctor.model import Evidence

IQN = "iqn.2010-10.org.openstack:volume-d081b393-4a68-4b3a-81c1-e24a9033d57c"
DEVICE = "/dev/cinder-volumes/volume-d081b393-4a68-4b3a-81c1-e24a9033d57c"
SAVED = json.dumps(
    {
        "fabric_modules": [],
        "storage_objects": [{"dev": DEVICE, "name": IQN, "plugin": "block", "readonly": False, "wwn": "1"}],
        "targets": [
            {
                "fabric": "iscsi",
                "tpgs": [
                    {
                        "attributes": {"authentication": 1, "generate_node_acls": 0},
                        "enable": True,
                        "luns": [{"index": 0, "storage_object": f"/backstores/block/{IQN}"}],
                        "node_acls": [
                            {"chap_password": "***", "chap_userid": "alice", "node_wwn": "iqn.1994-05.com.redhat:c1"}
                        ],
                        "portals": [{"ip_address": "192.0.2.30", "port": 3260}],
                        "tag": 1,
                    }
                ],
                "wwn": IQN,
            },
            {"fabric": "vhost", "tpgs": [], "wwn": "naa.1"},
        ],
    }
)
SESSION = """\
InitiatorName: iqn.1994-05.com.redhat:c1
InitiatorAlias: compute1
LIO Session ID: 3   ISID: 0x00 02 3d 00 00 00  TSIH: 2  SessionType: Normal
Session State: TARG_SESS_STATE_LOGGED_IN
----------------------[iSCSI Connections]-------------------------
CID: 0  Connection State: TARG_CONN_STATE_LOGGED_IN
   Address 192.0.2.20 TCP  StatSN: 0x0000001c
"""


def line(text: str) -> Evidence:
    return Evidence("storage", "saveconfig.json", text)


def test_a_saved_target_has_its_volume_device_and_initiators() -> None:
    (target,) = parse_saved(SAVED, line)
    assert (target.iqn, target.state, target.tid) == (IQN, "ready", None)
    assert target.volume_id == "d081b393-4a68-4b3a-81c1-e24a9033d57c"
    assert [(lun.number, lun.path) for lun in target.disks] == [(0, DEVICE)]
    assert (target.acls, target.accounts) == (("iqn.1994-05.com.redhat:c1",), ("alice",))


def test_the_kernel_decides_what_is_online() -> None:
    saved = parse_saved(SAVED, line)
    assert [t.state for t in with_live(saved, {IQN: (True, line("1"))}, {})] == ["ready"]
    assert [t.state for t in with_live(saved, {IQN: (False, line("0"))}, {})] == ["offline"]
    assert [t.state for t in with_live(saved, {}, {})] == ["absent"]
    assert [t.iqn for t in with_live((), {"iqn.2001-04.org.example:x": (True, line("1"))}, {})] == [
        "iqn.2001-04.org.example:x"
    ]


def test_a_session_is_read_off_its_acl() -> None:
    nexus = parse_session(SESSION, "iqn.1994-05.com.redhat:c1", line)
    assert (nexus.initiator, nexus.addresses) == ("iqn.1994-05.com.redhat:c1", ("192.0.2.20",))
    nobody = "No active iSCSI Session for Initiator Endpoint: iqn.1994-05.com.redhat:c1\n"
    assert parse_session(nobody, "iqn.1994-05.com.redhat:c1", line) is None


def test_the_files_of_the_kernel_tell_what_they_are_about() -> None:
    base = f"/sys/kernel/config/target/iscsi/{IQN}/tpgt_1"
    assert parse_live_path(f"{base}/enable") == (IQN, "")
    assert parse_live_path(f"{base}/acls/iqn.1994-05.com.redhat:c1/info") == (IQN, "iqn.1994-05.com.redhat:c1")
    assert parse_live_path(f"{base}/attrib/authentication") is None


@pytest.mark.parametrize(
    "document", ["", "[]", '{"targets": 1}', '{"targets": [{"fabric": "iscsi", "tpgs": [{"luns": [{"a": 1}]}]}]}']
)
def test_another_document_is_refused(document: str) -> None:
    with pytest.raises(ParseError):
        parse_saved(document, line)

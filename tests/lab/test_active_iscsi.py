"""`stackdoctor test iscsi` against a real tgtd."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab import iscsi_storage as storage
from lab.active_runs import ran
from lab.cloud import Cloud

pytestmark = pytest.mark.lab

ARGUMENTS = ("test", "iscsi")
FROM = ("--from", "compute1")


@pytest.fixture(scope="module")
def built(bare_cloud: Cloud) -> Iterator[tuple[Cloud, str]]:
    """The lab's cloud with a volume that a guest has."""
    lacking = storage.missing()
    if lacking:
        pytest.skip(f"tests/lab needs {'; '.join(lacking)}")
    with storage.iscsi_storage_up(bare_cloud) as secret:
        yield bare_cloud, secret


def test_a_portal_lists_its_target_and_the_guests_session_stays(built: tuple[Cloud, str]) -> None:
    cloud, _ = built
    sessions = storage.tgtadm(cloud, "--mode", "conn", "--op", "show", "--tid", "1")
    value, status = ran(cloud, *ARGUMENTS, storage.PORTAL, *FROM, "--target", storage.IQN)
    assert status == 0, value
    discovery, login = value["outcomes"]
    assert [t["name"] for t in discovery["values"]["targets"]] == [storage.IQN]
    assert login["values"]["chap"] is True
    assert storage.tgtadm(cloud, "--mode", "conn", "--op", "show", "--tid", "1") == sessions


def test_a_volume_is_tried_from_the_node_of_its_guest(built: tuple[Cloud, str]) -> None:
    value, status = ran(built[0], *ARGUMENTS, storage.VOLUME)
    assert status == 0, value
    assert {o["where"] for o in value["outcomes"]} == {"compute1"}
    assert any(storage.IQN in o["says"] for o in value["outcomes"])


def test_a_target_that_is_not_exported_is_told_apart_from_a_dead_portal(built: tuple[Cloud, str]) -> None:
    cloud, secret = built
    absent = "iqn.2010-10.org.openstack:volume-00000000-0000-4000-8000-000000000000"
    value, status = ran(cloud, *ARGUMENTS, storage.PORTAL, *FROM, "--target", absent)
    assert status == 1
    assert [o["state"] for o in value["outcomes"]] == ["ok", "failed"]
    assert "no such target" in value["outcomes"][1]["says"]
    storage.kill_tgtd(cloud)
    try:
        value, status = ran(cloud, *ARGUMENTS, storage.PORTAL, *FROM)
    finally:
        storage.start_tgtd(cloud, secret)
    assert status == 1
    assert "takes no connection" in value["outcomes"][0]["says"]


def test_an_initiator_that_the_access_list_lacks_is_refused(built: tuple[Cloud, str]) -> None:
    cloud, _ = built
    target = ("--mode", "target", "--tid", "1")
    storage.tgtadm(cloud, *target, "--op", "unbind", "-I", "ALL")
    storage.tgtadm(cloud, *target, "--op", "bind", "-I", "192.0.2.1")
    try:
        value, status = ran(cloud, *ARGUMENTS, storage.PORTAL, *FROM, "--target", storage.IQN)
    finally:
        storage.tgtadm(cloud, *target, "--op", "unbind", "-I", "192.0.2.1")
        storage.tgtadm(cloud, *target, "--op", "bind", "-I", "ALL")
    assert status == 1, value
    assert value["outcomes"][-1]["state"] == "failed"

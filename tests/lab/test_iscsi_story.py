"""Faults put into a real iSCSI target and the way to it, and what ``stackdoctor diagnose`` makes of each."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from lab import iscsi_storage as storage
from lab.cloud import Cloud
from lab.iscsi_storage import BACKING, tgtadm

pytestmark = pytest.mark.lab

TARGET = ("--mode", "target", "--tid", "1")
UNIT = ("--mode", "logicalunit", "--tid", "1", "--lun", "1")


@pytest.fixture(scope="module")
def built(bare_cloud: Cloud) -> Iterator[tuple[Cloud, str]]:
    """The lab's cloud with the volume in it, and the secret of its account."""
    lacking = storage.missing()
    if lacking:
        pytest.skip(f"tests/lab needs {'; '.join(lacking)}")
    with storage.iscsi_storage_up(bare_cloud) as secret:
        yield bare_cloud, secret


@pytest.fixture
def cloud(built: tuple[Cloud, str]) -> Cloud:
    """The cloud with its volume, healthy, with the logs counted from now."""
    built[0].mark()
    return built[0]


@pytest.fixture
def renew(built: tuple[Cloud, str]) -> Callable[[], None]:
    """Start tgtd and its target from nothing."""

    def start() -> None:
        storage.kill_tgtd(built[0])
        storage.start_tgtd(*built)

    return start


@contextlib.contextmanager
def undone(cloud: Cloud, undo: Callable[[], object]) -> Iterator[None]:
    """Whatever the test says, the fault is undone and the guest logs in anew; then the tool must find nothing."""
    try:
        yield
    finally:
        undo()
        storage.restart_guest(cloud)
        cloud.wait_until(lambda: storage.logged_in(cloud), 30, "the guest's session")
    report, exit_status = cloud.diagnose()
    assert (report["diagnoses"], exit_status) == ([], 0)


def assert_first(report: dict[str, Any], cause: str, **where: str) -> None:
    """The first diagnosis, and the only critical one, is this one at this place."""
    first = report["diagnoses"][0] if report["diagnoses"] else {"cause": "none"}
    assert first["cause"] == cause, report["diagnoses"]
    assert where.items() <= first["where"].items(), first["where"]
    assert [d["cause"] for d in report["diagnoses"] if d["severity"] == "critical"] == [cause]


def found(report: dict[str, Any]) -> set[str]:
    return {finding["id"] for finding in report["findings"]}


def test_a_volume_in_use_is_healthy(cloud: Cloud) -> None:
    assert storage.logged_in(cloud)
    report, exit_status = cloud.diagnose()
    assert (report["diagnoses"], exit_status) == ([], 0)
    assert not [f for f in found(report) if f.startswith(("iscsi.", "volume.", "libvirt."))]


def test_a_target_that_was_deleted_is_named(cloud: Cloud, renew: Callable[[], None]) -> None:
    tgtadm(cloud, *TARGET, "--op", "delete", "--force")
    with undone(cloud, renew):
        report, _ = cloud.diagnose()
        assert_first(report, "iscsi-target-missing", node="controller")
        assert {"iscsi.target.missing", "iscsi.session.missing"} <= found(report)


def test_a_target_without_its_unit_is_named(cloud: Cloud, renew: Callable[[], None]) -> None:
    tgtadm(cloud, *UNIT, "--op", "delete")
    with undone(cloud, renew):
        report, _ = cloud.diagnose()
        assert_first(report, "iscsi-target-missing", node="controller")
        assert "iscsi.target.no-lun" in found(report)


def test_a_volume_that_was_deleted_below_its_target_is_named_while_the_guest_still_runs(
    cloud: Cloud, renew: Callable[[], None]
) -> None:
    (cloud.hosts["controller"].root / BACKING.lstrip("/")).unlink()
    with undone(cloud, renew):
        assert storage.logged_in(cloud)
        report, _ = cloud.diagnose()
        assert_first(report, "iscsi-target-missing", node="controller")
        assert "iscsi.target.backing-missing" in found(report)


def test_a_volume_that_was_cut_below_its_target_is_named(cloud: Cloud, renew: Callable[[], None]) -> None:
    os.truncate(cloud.hosts["controller"].root / BACKING.lstrip("/"), 4096)
    with undone(cloud, renew):
        report, _ = cloud.diagnose()
        assert_first(report, "iscsi-target-missing", node="controller")
        assert "iscsi.target.backing-missing" in found(report)


def test_a_volume_that_was_extended_below_its_target_is_no_fault(cloud: Cloud, renew: Callable[[], None]) -> None:
    os.truncate(cloud.hosts["controller"].root / BACKING.lstrip("/"), 2 * storage.SIZE)
    with undone(cloud, renew):
        report, _ = cloud.diagnose()
        assert report["diagnoses"] == []
        assert "iscsi.target.size-differs" in found(report)


def test_an_empty_access_list_is_named(cloud: Cloud) -> None:
    tgtadm(cloud, *TARGET, "--op", "unbind", "-I", "ALL")
    with undone(cloud, lambda: tgtadm(cloud, *TARGET, "--op", "bind", "-I", "ALL")):
        storage.restart_guest(cloud)
        cloud.wait_until(lambda: not storage.logged_in(cloud), 20, "no session")
        report, _ = cloud.diagnose()
        assert_first(report, "iscsi-acl-auth", node="controller")
        assert {"iscsi.target.no-acl", "iscsi.session.missing"} <= found(report)


def test_an_access_list_of_other_hosts_is_named(cloud: Cloud) -> None:
    tgtadm(cloud, *TARGET, "--op", "unbind", "-I", "ALL")
    tgtadm(cloud, *TARGET, "--op", "bind", "-I", "198.51.100.22")

    def undo() -> None:
        tgtadm(cloud, *TARGET, "--op", "unbind", "-I", "198.51.100.22")
        tgtadm(cloud, *TARGET, "--op", "bind", "-I", "ALL")

    with undone(cloud, undo):
        storage.restart_guest(cloud)
        cloud.wait_until(lambda: not storage.logged_in(cloud), 20, "no session")
        report, _ = cloud.diagnose()
        assert_first(report, "iscsi-acl-auth", node="controller")
        assert "iscsi.target.host-not-allowed" in found(report)


def test_a_target_that_wants_another_chap_account_is_named(cloud: Cloud, renew: Callable[[], None]) -> None:
    tgtadm(cloud, "--mode", "account", "--op", "unbind", "--tid", "1", "--user", storage.ACCOUNT)
    tgtadm(cloud, "--mode", "account", "--op", "new", "--user", "J3YdfEcmogKSLNv2TC9w", "--password", "another12345678")
    tgtadm(cloud, "--mode", "account", "--op", "bind", "--tid", "1", "--user", "J3YdfEcmogKSLNv2TC9w")
    with undone(cloud, renew):
        storage.restart_guest(cloud)
        cloud.wait_until(lambda: not storage.logged_in(cloud), 20, "no session")
        report, _ = cloud.diagnose()
        assert_first(report, "iscsi-acl-auth", node="controller")
        assert {"iscsi.target.account-refused", "iscsi.session.missing"} <= found(report)


def test_a_killed_tgtd_is_named(cloud: Cloud, renew: Callable[[], None]) -> None:
    storage.kill_tgtd(cloud)
    with undone(cloud, renew):
        report, _ = cloud.diagnose()
        assert_first(report, "tgtd-down", node="controller")
        assert {"iscsi.tgtd.down", "iscsi.session.missing"} <= found(report)


def test_a_dropped_portal_is_named_on_the_host_that_does_not_get_through(cloud: Cloud) -> None:
    cloud.block_port("compute1", 3260)
    with undone(cloud, lambda: cloud.unblock_port("compute1", 3260)):
        storage.restart_guest(cloud)
        ask = ("ss", "-Htn", "state", "syn-sent", "dport = :3260")
        cloud.wait_until(lambda: cloud.run("compute1", *ask).stdout.strip(), 20, "a login without an answer")
        report, _ = cloud.diagnose()
        assert_first(report, "iscsi-path-blocked", node="compute1", portal="controller")

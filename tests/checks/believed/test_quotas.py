"""What projects may have, against what is on their account and what of it exists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stackdoctor.model import Severity

ADMIN = "24a7d394c4a44ca8ad7c383eda5c13da"
SERVICE = "7d7fa913be0a4e068c42d08358011d6f"
API_LOG = "/var/log/nova/nova-api.log"

Held = Callable[..., Any]
Scan = Callable[..., str]


def quota(believed: Any, service: str, resource: str, **values: int) -> None:
    row = next(row for row in believed.of(f"{service}.quotas") if row["of"] == ADMIN)
    row[resource].update(values)


def found(seen: Any, id_: str) -> list[Any]:
    return [f for f in seen.every if f.id == id_]


@pytest.mark.parametrize(
    ("limit", "used", "full"), [(2, 2, "no"), (1, 2, "yes"), (3, 2, None), (-1, 2, None), (0, 0, None)]
)
def test_a_quota_is_full_where_a_limit_is_reached_by_something(
    held: Held, believed: Any, limit: int, used: int, full: str | None
) -> None:
    quota(believed, "compute", "cores", limit=limit, in_use=used)
    seen = held(controller={})
    told = found(seen, "api.quota.full")
    assert [f.keys["over"] for f in told] == ([] if full is None else [full])
    assert all(f.severity is Severity.INFO and f.keys["resource"] == "cores" for f in told)
    assert seen.causes == []


def test_a_full_quota_is_a_cause_where_a_request_was_refused(held: Held, believed: Any, logged: Scan) -> None:
    quota(believed, "compute", "instances", limit=2)
    keys = {"resource": "instances", "project": ADMIN}
    line = ("nova-quota-exceeded", "nova-api", API_LOG, keys, 30.0)
    seen = held(controller={"logs.hits": logged(line)})
    assert [cause for cause, _ in seen.causes] == ["quota-exceeded"]
    assert "api.quota.full" in seen.explained


def test_a_refusal_of_another_project_does_not_take_the_full_quota(held: Held, believed: Any, logged: Scan) -> None:
    quota(believed, "compute", "instances", limit=2)
    line = ("nova-quota-exceeded", "nova-api", API_LOG, {"resource": "instances", "project": SERVICE}, 30.0)
    seen = held(controller={"logs.hits": logged(line)})
    assert "api.quota.full" not in seen.explained


def test_a_server_without_a_port_for_want_of_quota_is_explained(held: Held, believed: Any, logged: Scan) -> None:
    quota(believed, "network", "port", limit=4)
    compute = "/var/log/nova/nova-compute.log"
    lines = (
        ("nova-port-quota", "nova-compute", compute, {"project": ADMIN}, 30.0),
        ("nova-alloc-net-failed", "nova-compute", compute, {}, 30.0),
        ("nova-build-aborted", "nova-compute", compute, {}, 30.0),
    )
    seen = held(controller={}, compute1={"logs.hits": logged(*lines)})
    assert [cause for cause, _ in seen.causes] == ["quota-ports-exceeded"]
    assert {"api.quota.full", "log.nova-alloc-net-failed", "log.nova-build-aborted"} <= seen.explained
    without = held(controller={}, compute1={"logs.hits": logged(*lines[1:])})
    assert "quota-ports-exceeded" not in {cause for cause, _ in without.causes}


def test_an_account_that_counts_volumes_which_are_not_there_is_the_cause_of_refusals(
    held: Held, believed: Any, logged: Scan
) -> None:
    quota(believed, "volume", "volumes", in_use=10)
    line = (
        *("cinder-quota-exceeded", "cinder-api", "/var/log/cinder/cinder-api.log"),
        *({"project": ADMIN, "resource": "volumes"}, 30.0),
    )
    seen = held(controller={"logs.hits": logged(line)})
    (drift,) = found(seen, "api.quota.drift")
    assert (drift.severity, drift.keys["full"]) == (Severity.WARNING, "yes")
    assert [cause for cause, _ in seen.causes] == ["quota-drift"]
    assert "log.cinder-quota-exceeded" in seen.explained


@pytest.mark.parametrize(
    ("resource", "change"),
    [
        ("volumes", {"in_use": 2}),
        ("gigabytes", {"in_use": 40}),
    ],
)
def test_an_account_that_is_off_and_blocks_nobody_is_information(
    held: Held, believed: Any, resource: str, change: dict[str, int]
) -> None:
    quota(believed, "volume", resource, **change)
    seen = held(controller={})
    (drift,) = found(seen, "api.quota.drift")
    assert (drift.severity, drift.keys["resource"]) == (Severity.INFO, resource)
    assert seen.causes == []


def test_what_changes_or_is_not_known_proves_no_drift(held: Held, believed: Any) -> None:
    quota(believed, "volume", "volumes", in_use=10, reserved=1)
    assert not found(held(controller={}), "api.quota.drift")  # a request is on its way
    quota(believed, "volume", "volumes", in_use=10, reserved=0)
    volume = believed.of("volume.volumes")[0]
    volume["updated_at"], was = "2026-11-22T22:13:30.000000", volume["updated_at"]
    assert not found(held(controller={}), "api.quota.drift")  # a volume has just changed
    volume["updated_at"] = was
    del volume["os-vol-tenant-attr:tenant_id"]
    assert not found(held(controller={}), "api.quota.drift")  # whose it is, is not known
    quota(believed, "volume", "volumes", in_use=1)
    quota(believed, "volume", "gigabytes", in_use=40)
    quota(believed, "volume", "snapshots", in_use=2)
    volume["os-vol-tenant-attr:tenant_id"] = ADMIN
    assert not found(held(controller={}), "api.quota.drift")  # the snapshots are of some size


def test_servers_that_were_deleted_within_the_hour_may_still_count(held: Held, believed: Any) -> None:
    recent = len(believed.of("compute.servers-recent"))
    quota(believed, "compute", "instances", in_use=2 + recent)
    assert not found(held(controller={}), "api.quota.drift")
    quota(believed, "compute", "instances", in_use=3 + recent)
    assert found(held(controller={}), "api.quota.drift")

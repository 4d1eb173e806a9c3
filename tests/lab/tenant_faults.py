"""Faults in the tenant network: put in, looked at with the tool, undone; and what is asked of its report."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from lab.cloud import Cloud
from lab.tenant_instances import lease
from lab.tenant_ports import INSTANCES, ROUTER, in_namespace

from stackdoctor.facts.neutron_names import router_namespace

__all__ = ["assert_first", "assert_healthy", "causes", "changed", "in_router", "run", "undone"]


def run(cloud: Cloud, host: str, *argv: str) -> str:
    """What a command on the host says, which must not fail."""
    ran = cloud.run(host, *argv)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def in_router(*argv: str) -> tuple[str, ...]:
    """The command that runs ``argv`` in the router."""
    return in_namespace(router_namespace(ROUTER), *argv)


@contextlib.contextmanager
def undone(cloud: Cloud, undo: Callable[[], object]) -> Iterator[None]:
    """Whatever the test says, the fault is undone and instances get their leases; then the tool must find nothing."""
    try:
        yield
    finally:
        undo()
        for host, port in INSTANCES.items():
            cloud.wait_until(lambda h=host, a=port.address: lease(cloud, h) == a, 30, f"{host}'s lease")
        cloud.mark()
    assert_healthy(*cloud.diagnose())


@contextlib.contextmanager
def changed(cloud: Cloud, host: str, do: str, undo: str) -> Iterator[None]:
    """A shell script that breaks something on the host, and the one that mends it."""
    run(cloud, host, "sh", "-ec", do)
    with undone(cloud, lambda: run(cloud, host, "sh", "-ec", undo)):
        yield


def causes(report: dict[str, Any]) -> list[str]:
    """The causes that the report names, first one first."""
    return [diagnosis["cause"] for diagnosis in report["diagnoses"]]


def assert_healthy(report: dict[str, Any], exit_status: int) -> None:
    """Nothing is named."""
    assert report["diagnoses"] == [], [(d["cause"], d["title"]) for d in report["diagnoses"]]
    assert exit_status == 0


def assert_first(cloud: Cloud, cause: str, **where: str) -> dict[str, Any]:
    """The diagnosis that the tool names first, and the only one that is an error or worse; it names this place."""
    report, exit_status = cloud.diagnose()
    found = [(d["cause"], d["where"], d["title"]) for d in report["diagnoses"]]
    first: dict[str, Any] = report["diagnoses"][0] if report["diagnoses"] else {"cause": "none"}
    assert first["cause"] == cause, (found, [f["id"] for f in report["findings"]])
    assert where.items() <= first["where"].items(), first["where"]
    if "node" in where:
        assert where["node"] in {evidence["node"] for evidence in first["evidence"]}
    assert [d["cause"] for d in report["diagnoses"] if d["severity"] in ("critical", "error")] == [cause], found
    assert exit_status != 0
    return first

"""Causes that rest on what logs say: each is named by its own findings, and not where another cause explains them."""

from __future__ import annotations

import pytest

from stackdoctor.diagnose.correlate import correlate
from stackdoctor.diagnose.runner import Examination
from stackdoctor.model import Finding, Severity

W, INFO, ERROR = Severity.WARNING, Severity.INFO, Severity.ERROR


def log(signature: str, node: str = "compute1", severity: Severity = W, **keys: str) -> Finding:
    return Finding(signature, signature, node=node, id=f"log.{signature}", severity=severity, state="now", **keys)


def down(service: str, host: str = "controller", severity: Severity = ERROR) -> Finding:
    return Finding(service, "down", node=host, id="service.down", severity=severity, service=service, host=host)


FAILED = Finding(
    "nova-compute",
    "failed",
    node="compute1",
    id="service.down",
    severity=ERROR,
    service="nova-compute",
    host="compute1",
    failed="yes",
)
NO_HOST = log("nova-no-valid-host", "controller")
COMPUTE_FILTER = log("nova-filter-zero", "controller", filter="ComputeFilter")
CONFLICT = log("nova-rp-create-conflict", provider="compute1")
UNMAPPED = log("nova-host-not-mapped", "controller", host="compute2")
NO_MEMORY = log("qemu-no-memory")
START = log("nova-qemu-start-failed")
SPAWN = log("nova-spawn-failed")
MIGRATION = log("nova-livemig-failed")
IMAGE = log("nova-image-unacceptable", image="1a0d2a1e-2c3f-4bb6-9d16-4ad8f5a8c001")
GLANCE = log("nova-glance-conn", url="http://controller:9292")
STORE = log("glance-storage-full", "controller")
STACK = log("heat-resource-failed", "controller")
ENGINE = log("heat-engine-down-action", "controller")
DASHBOARD = log("horizon-error", "controller")
SAMPLES = log("ceilometer-publish", "controller")
KAFKA = log("kafka-produce-failed", "controller", topic="notifications.info")
CONSOLE = log("nova-console-connect-failed", "controller", error="ECONNREFUSED")
DENIED = log("apparmor-denied", profile="libvirt-e73c64ac-3af3-47fd-abfe-e138e40f0a40", path="/var/lib/nova/x")
PERMISSIVE = log("selinux-denied", severity=INFO, process="qemu-kvm", permissive="1")
NTP = log("apparmor-denied", profile="/usr/sbin/ntpd", path="/usr/local/sbin/")
ROOTWRAP = log("rootwrap-denied", command="brctl")
SWIFT = log("swift-drive-not-mounted", "swift1", device="sdc1")
KVM = log("kvm-missing")
BOOT = log("kvm-missing", severity=INFO)
OOM = log("kernel-oom", process="qemu-system-x86", pid="42")
OTHER_OOM = log("kernel-oom", process="java", pid="42")


@pytest.mark.parametrize(
    ("findings", "causes"),
    [
        ((COMPUTE_FILTER, NO_HOST), {"nova-compute-filter-empty"}),
        ((COMPUTE_FILTER, NO_HOST, down("nova-compute", "compute1")), {"service-process-down"}),
        ((CONFLICT, NO_HOST), {"placement-provider-conflict"}),
        ((log("nova-rename-detected"), FAILED), {"placement-provider-conflict"}),
        ((log("nova-resource-update-failed"),), set()),
        ((UNMAPPED, NO_HOST), {"nova-cell-not-mapped"}),
        ((NO_MEMORY, START, SPAWN), {"qemu-no-memory"}),
        ((START, SPAWN), set()),
        ((KVM, START), {"kvm-missing"}),
        ((BOOT,), set()),
        ((MIGRATION,), {"live-migration-failed"}),
        ((IMAGE, SPAWN), {"image-fetch-failed"}),
        ((GLANCE, SPAWN), {"image-fetch-failed"}),
        ((GLANCE, SPAWN, down("glance-api")), {"service-process-down"}),
        ((STORE,), {"glance-store-full"}),
        ((STACK,), {"heat-dependency-failed"}),
        ((STACK, COMPUTE_FILTER, down("nova-compute", "compute1")), {"service-process-down"}),
        ((ENGINE,), {"heat-engine-interrupted"}),
        ((ENGINE, down("heat-engine")), {"service-process-down"}),
        ((DASHBOARD,), {"horizon-misconfigured"}),
        ((SAMPLES,), {"telemetry-broken"}),
        ((SAMPLES, down("gnocchi-api")), {"service-process-down"}),
        ((KAFKA,), {"kafka-notification-broken"}),
        ((KAFKA, down("kafka", "kafka1")), {"kafka-notification-broken"}),
        ((down("kafka", "kafka1"),), {"service-process-down"}),
        ((CONSOLE,), set()),  # the guest may have been off
        ((CONSOLE, log("nova-console-loopback")), {"novnc-proxyclient-address"}),
        ((GLANCE,), set()),
        ((DENIED, SPAWN, log("qemu-disk-failed")), {"apparmor-selinux-denial"}),
        ((DENIED,), set()),
        ((NTP, SPAWN), set()),
        ((PERMISSIVE, SPAWN), set()),
        ((ROOTWRAP,), {"rootwrap-broken"}),
        ((SWIFT,), {"swift-drive-or-node"}),
        ((OOM,), {"guest-oom-killed"}),
        ((OTHER_OOM,), set()),
    ],
)
def test_what_the_logs_say_is_explained_by_the_right_cause(knowledge, findings, causes) -> None:
    found = correlate(knowledge.playbooks, Examination(findings, (), frozenset()))
    assert {d.cause for d in found.diagnoses} == causes


@pytest.mark.parametrize("finding", [COMPUTE_FILTER, CONFLICT, UNMAPPED, NO_MEMORY, MIGRATION, IMAGE, STORE, KAFKA])
def test_what_is_over_is_no_cause_of_the_present(knowledge, finding) -> None:
    past = Finding(
        finding.subject, finding.message, node=finding.node, id=finding.id, **{**finding.keys, "state": "past"}
    )
    assert correlate(knowledge.playbooks, Examination((past,), (), frozenset())).diagnoses == ()

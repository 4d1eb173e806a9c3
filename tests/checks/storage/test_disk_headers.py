"""A damaged image is a cause of its own; a log line about one is not."""

from __future__ import annotations

from stackdoctor.diagnose.correlate import correlate
from stackdoctor.diagnose.playbook import load_playbooks
from stackdoctor.diagnose.runner import Examination
from stackdoctor.model import Finding, Severity

PATH = "/var/lib/nova/instances/0505d6dc-5650-4848-9bae-9cb19f60cb29/disk"
MARKED = Finding(
    PATH, "marked", node="compute1", id="libvirt.disk.corrupt", severity=Severity.ERROR, host="compute1", path=PATH,
    instance="0505d6dc-5650-4848-9bae-9cb19f60cb29",
)  # fmt: skip
SAID = Finding(
    "qemu", "broken", node="compute1", id="log.qemu-image-broken", severity=Severity.WARNING, service="qemu",
    state="now",
)  # fmt: skip


def causes(*findings: Finding) -> list[str]:
    return [d.cause for d in correlate(load_playbooks(), Examination(findings, (), frozenset())).diagnoses]


def test_an_image_that_qemu_marked_is_named_with_what_the_log_says_of_it() -> None:
    assert causes(MARKED, SAID) == ["disk-image-corrupt"]


def test_the_log_alone_names_no_image() -> None:
    assert "disk-image-corrupt" not in causes(SAID)

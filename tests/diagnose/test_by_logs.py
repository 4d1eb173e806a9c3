"""Causes of the past whose log line alone proves them: that line, and one that is close to it and proves nothing."""

from __future__ import annotations

import pytest

from stackdoctor.diagnose.correlate import correlate
from stackdoctor.diagnose.runner import examine

NETFILTER = {"service": "neutron-linuxbridge-agent"}
BASE = "/var/lib/nova/instances/_base/6a50b05a174c3505f36ab019a8218455873e6f49"
DISK = "/var/lib/nova/instances/ca8d7a36-2f1c-497f-bf76-597d4ba4eb1f/disk"
GUEST = "fa:16:3e:66:84:cc"

CASES = {
    "galera-all-down": (
        ("galera-safe-bootstrap", {"service": "mysql"}),
        ("galera-nonprim", {"service": "mysql"}),
        {"node": "node1"},
    ),
    "secgroup-not-enforced": (("br-netfilter-missing", NETFILTER), ("l2-agent-loop-error", NETFILTER), {}),
    "image-backing-missing": (
        ("qemu-image-broken", {"service": "qemu", "path": BASE}),
        ("qemu-disk-failed", {"service": "qemu", "path": BASE}),
        {"node": "node1", "path": BASE},
    ),
    "disk-image-corrupt": (
        ("qemu-image-broken", {"service": "qemu", "corrupt": "Marking image as corrupt"}),
        ("qemu-image-broken", {"service": "nova-compute", "corrupt": "Image is not in qcow2 format"}),
        {"node": "node1"},
    ),
    "keystone-down": (
        ("haproxy-server-down", {"service": "haproxy", "backend": "keystone_public", "server": "ctl1"}),
        ("haproxy-server-down", {"service": "haproxy", "backend": "glance_api", "server": "ctl1"}),
        {"node": "ctl1"},
    ),
    "memcached-down": (
        ("memcached-down", {"service": "nova-api", "server": "ctl1", "port": "11211"}),
        ("memcached-down", {"service": "nova-api"}),  # a pool that is used up: it does not say whose
        {"node": "ctl1"},
    ),
    "disk-full-compute": (
        ("no-space-left", {"service": "nova-compute", "path": DISK}),
        ("no-space-left", {"service": "nova-compute", "path": "/tmp/tmpa1b2c3"}),
        {"node": "node1"},
    ),
    "controller-disk-full": (
        ("no-space-left", {"service": "cinder-volume"}),
        ("no-space-left", {"service": "nova-compute"}),
        {"node": "node1"},
    ),
    "dhcp-lease-stale": (
        ("dnsmasq-address-taken", {"service": "dnsmasq", "ip": "172.16.0.105", "mac": GUEST}),
        ("dnsmasq-address-taken", {"service": "dnsmasq", "ip": "172.16.0.105", "reason": "was previously declined"}),
        {"node": "node1", "ip": "172.16.0.105"},
    ),
    "iscsi-session-lost": (
        ("kernel-iscsi-recovery-timeout", {"service": "kernel", "session": "3"}),
        ("kernel-iscsi-conn-error", {"service": "kernel", "connection": "3:0"}),  # it may be back at once
        {"node": "node1"},
    ),
}


@pytest.mark.parametrize("cause", CASES)
def test_the_line_alone_proves_the_cause_and_its_like_does_not(cause, knowledge, scanned, seen, noon) -> None:
    (proves, keys), (like, other), where = CASES[cause]

    def causes(signature: str, keys: dict[str, str]) -> dict[str, dict[str, str]]:
        node = scanned("node1", seen(signature, 590, 595, **keys))
        examination = examine([node], knowledge.checks, noon + 600)
        assert examination.findings, "the line is one of the signature's"
        found = correlate(knowledge.playbooks, examination, by_logs=True)
        return {d.cause: dict(d.where) for d in (*found.diagnoses, *found.history)}

    assert where.items() <= causes(proves, keys)[cause].items()
    assert cause not in causes(like, other)
    assert not any("<" in value for value in causes(proves, keys)[cause].values())

"""Causes in Neutron that only logs tell of: from findings to the diagnosis, and the findings that are too few."""

from __future__ import annotations

from typing import Any

import pytest

from stackdoctor.diagnose.correlate import Correlation, correlate
from stackdoctor.diagnose.playbook import load_playbooks
from stackdoctor.diagnose.runner import Examination
from stackdoctor.model import Evidence, Finding, Severity

NETWORK = "8af4f28b-a650-4777-9df9-e50d1c68e83d"
PORT = "30d5603c-42b1-4c7e-8a0d-5e9b1f6a7c83"
INSTANCE = "fdcce5e0-9950-47f5-9e85-1d94c8730485"


def log(id: str, node: str, service: str, **keys: Any) -> Finding:
    shown = Evidence(node, f"/var/log/{service}.log:1", id)
    named = {"state": "now", "service": service, **keys}
    return Finding(service, id, id=f"log.{id}", node=node, severity=Severity.WARNING, evidence=shown, **named)


def down(service: str, host: str) -> Finding:
    return Finding(service, "down", id="service.down", node=host, severity=Severity.ERROR, service=service, host=host)


VIF = log("nova-vif-timeout", "compute1", "nova-compute", instance=INSTANCE, port_id=PORT)
CREATE = log("nova-vif-create-failed", "compute1", "nova-compute", instance=INSTANCE)
LOOP = log("l2-agent-loop-error", "compute1", "neutron-linuxbridge-agent")
NOTIFY = log("neutron-nova-notify-failed", "controller", "neutron-server")
READY = log("dhcp-port-notify-failed", "controller", "neutron-dhcp-agent")
FORBIDDEN = log("metadata-forbidden", "controller", "neutron-metadata-agent")
SIGNATURE = log("nova-metadata-sig", "controller", "nova-api")
NO_IP = log("neutron-ip-exhausted", "controller", "neutron-server", network_id=NETWORK)
ALLOCATE = log("nova-alloc-net-failed", "compute1", "nova-compute", instance=INSTANCE)
BIND = log("neutron-bind-failed", "controller", "neutron-server", port_id=PORT, host="compute1", vnic_type="normal")
BINDING = log("nova-binding-failed", "compute1", "nova-compute", port_id=PORT, host="compute1")
MAPPING = log("lb-agent-mapping-missing", "compute1", "neutron-linuxbridge-agent", physical_network="physnet1")
DEAD = log("neutron-agent-down", "controller", "neutron-server", type="Linux bridge agent", host="compute1")
REPORT = log("agent-report-failed", "compute1", "neutron-linuxbridge-agent")
NO_LEASE = log("dnsmasq-no-address", "controller", "dnsmasq", mac="fa:16:3e:1c:77:97", reason="no leases left")
TRACKED = log("conntrack-full", "compute1", "kernel")
ARP = log("arp-table-full", "controller", "kernel")

CASES: dict[str, tuple[tuple[Finding, ...], str, dict[str, str]]] = {
    "the agent failed": ((VIF, CREATE, LOOP), "nova-vif-plug-timeout-l2", {"node": "compute1", "instance": INSTANCE}),
    "Nova was not told": ((VIF, CREATE, NOTIFY), "nova-vif-plug-timeout-notify", {"node": "controller"}),
    "DHCP was not ready": ((VIF, CREATE, READY), "nova-vif-plug-timeout-dhcp", {"node": "controller"}),
    "secrets differ": ((FORBIDDEN, SIGNATURE), "metadata-secret-mismatch", {"node": "controller"}),
    "one side of the secrets": ((FORBIDDEN,), "metadata-secret-mismatch", {"node": "controller"}),
    "no address left": ((NO_IP, ALLOCATE), "neutron-ip-exhausted", {"network": NETWORK, "node": "controller"}),
    "no driver could bind": (
        (BIND, BINDING, ALLOCATE),
        "neutron-port-binding-failed",
        {"node": "compute1", "port": PORT},
    ),
    "no device is mapped": (
        (MAPPING, BIND, BINDING),
        "lb-physnet-mapping-wrong",
        {"node": "compute1", "physnet": "physnet1"},
    ),
    "an agent's reports are late": ((DEAD, REPORT), "neutron-agent-dead-rpc", {"node": "compute1"}),
    "no lease left": ((NO_LEASE,), "dhcp-lease-exhausted", {"node": "controller"}),
    "no place for a connection": ((TRACKED,), "conntrack-exhausted", {"node": "compute1"}),
    "no place for a neighbour": ((ARP,), "arp-cache-overflow", {"node": "controller"}),
}


def correlated(*findings: Finding) -> Correlation:
    return correlate(load_playbooks(), Examination(findings, (), frozenset()))


@pytest.mark.parametrize("case", CASES)
def test_the_cause_is_named_and_explains_all_of_it(case: str) -> None:
    findings, cause, where = CASES[case]
    correlation = correlated(*findings)
    assert [diagnosis.cause for diagnosis in correlation.diagnoses] == [cause]
    assert where.items() <= correlation.diagnoses[0].where.items()
    assert "<" not in correlation.diagnoses[0].title
    assert not correlation.unexplained


@pytest.mark.parametrize("alone", [VIF, LOOP, NOTIFY, READY, REPORT, DEAD, ALLOCATE], ids=lambda f: f.id)
def test_one_line_alone_is_no_cause(alone: Finding) -> None:
    assert not correlated(alone).diagnoses


@pytest.mark.parametrize(
    ("findings", "service"),
    [
        ((VIF, CREATE, DEAD), "neutron-linuxbridge-agent"),
        ((VIF, CREATE, READY), "neutron-server"),
        ((DEAD, REPORT), "neutron-server"),
        ((BIND, BINDING, ALLOCATE), "neutron-linuxbridge-agent"),
        ((ALLOCATE,), "neutron-server"),
    ],
)
def test_a_service_that_is_down_is_the_cause_of_all_these(findings: tuple[Finding, ...], service: str) -> None:
    host = "compute1" if "bridge" in service else "controller"
    correlation = correlated(down(service, host), *findings)
    assert [diagnosis.cause for diagnosis in correlation.diagnoses] == ["service-process-down"]
    assert not correlation.unexplained


def test_an_agent_that_ended_over_its_mapping_is_a_link_of_that() -> None:
    correlation = correlated(MAPPING, down("neutron-linuxbridge-agent", "compute1"), DEAD)
    assert [diagnosis.cause for diagnosis in correlation.diagnoses] == ["lb-physnet-mapping-wrong"]
    assert not correlation.unexplained


def test_an_error_at_another_node_is_not_the_cause_of_a_time_out() -> None:
    elsewhere = log("l2-agent-loop-error", "compute2", "neutron-linuxbridge-agent")
    assert not correlated(VIF, elsewhere).diagnoses

"""One thing broken in a cloud on Open vSwitch gives one diagnosis: the cause, and the place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stackdoctor.diagnose.correlate import correlate
from stackdoctor.diagnose.playbook import Playbook, load_playbooks
from stackdoctor.diagnose.runner import Examination
from stackdoctor.model import Finding, Severity, Status

PORTS, INTERFACES, SWITCH = 1, 2, 3
TAP = "tap30d5603c-42"
UNSET = ["set", []]
GONE = b'ovs-appctl: cannot read pidfile "/var/run/openvswitch/ovs-vswitchd.pid" (No such file or directory)\n'


@pytest.fixture(scope="module")
def every_playbook() -> tuple[Playbook, ...]:
    return load_playbooks()


def untagged(cloud: Any) -> None:
    cloud.set("compute1", PORTS, TAP, tag=UNSET)


def dead_vlan(cloud: Any) -> None:
    cloud.set("compute1", PORTS, TAP, tag=4095)


def unopened(cloud: Any) -> None:
    cloud.break_interface("compute1", TAP)


def vswitchd_gone(cloud: Any) -> None:
    cloud.say("compute2", "ovs.bonds", "", exit=1, stderr=GONE)
    for bridge in ("br-int", "br-tun", "br-ex"):
        cloud.say(
            "compute2", "ovs.flows", "", bridge, exit=1, stderr=b"ovs-ofctl: br-int is not a bridge or a socket\n"
        )


def flows_lost(cloud: Any) -> None:
    cloud.say("compute2", "ovs.flows", "NXST_FLOW reply (xid=0x4):\n", "br-int")


def tunnel_gone(cloud: Any) -> None:
    cloud.drop_port("compute1", "vxlan-c0000216")


def patch_gone(cloud: Any) -> None:
    cloud.drop_port("compute1", "phy-br-ex")


def card_gone(cloud: Any) -> None:
    cloud.break_interface("compute2", "eth1")


def dpdk(cloud: Any) -> None:
    cloud.set("compute1", SWITCH, "", other_config=["map", [["dpdk-init", "true"]]])
    error = "Error attaching device '0000:05:00.0' to DPDK"
    cloud.set("compute1", INTERFACES, "eth1", type="dpdk", ofport=-1, error=error)


@pytest.mark.parametrize(
    ("fault", "cause", "where"),
    [
        (untagged, "ovs-port-unwired", {"node": "compute1", "device": TAP, "port": "30d5603c-42"}),
        (dead_vlan, "ovs-port-unwired", {"node": "compute1", "device": TAP}),
        (unopened, "ovs-port-unwired", {"node": "compute1", "device": TAP}),
        (vswitchd_gone, "ovs-vswitchd-down", {"node": "compute2", "service": "ovs-vswitchd"}),
        (flows_lost, "ovs-vswitchd-down", {"node": "compute2", "service": "br-int"}),
        (tunnel_gone, "ovs-tunnel-missing", {"node": "compute1", "peer": "compute2"}),
        (patch_gone, "ovs-patch-missing", {"node": "compute1", "device": "int-br-ex"}),
        (card_gone, "ovs-uplink-broken", {"node": "compute2", "device": "eth1"}),
        (dpdk, "dpdk-broken", {"node": "compute1"}),
    ],
)
def test_a_fault_gives_its_cause_and_no_other(
    cloud: Any, fault: Callable[[Any], None], cause: str, where: dict[str, str]
) -> None:
    fault(cloud)
    (diagnosis,) = cloud.diagnoses()
    assert diagnosis.cause == cause
    assert where.items() <= diagnosis.where.items()
    assert diagnosis.evidence


def test_a_healthy_cloud_has_no_diagnosis(cloud: Any) -> None:
    assert cloud.diagnoses() == ()


def test_a_port_that_is_set_down_in_neutron_has_none(cloud: Any) -> None:
    cloud.set("compute1", PORTS, TAP, tag=4095)
    for node in ("controller", "compute2"):
        cloud.lose_flows(node, "br-tun", "fa:16:3e:1c:77:97")
    assert cloud.diagnoses() == ()


def test_a_bond_with_one_member_left_has_none(cloud: Any) -> None:
    text = "---- bond0 ----\nbond_mode: balance-slb\n\nslave b0: enabled\n\tmay_enable: true\n\nslave b1: disabled\n"
    cloud.say("compute2", "ovs.bonds", text)
    assert cloud.diagnoses() == ()


def test_two_faults_on_two_nodes_give_two_diagnoses(cloud: Any) -> None:
    untagged(cloud)
    card_gone(cloud)
    assert sorted(d.cause for d in cloud.diagnoses()) == ["ovs-port-unwired", "ovs-uplink-broken"]


def test_a_vswitchd_that_once_did_not_answer_has_none_unless_the_agent_says_so_too(
    cloud: Any, every_playbook: tuple[Playbook, ...]
) -> None:
    alarm = b"2026-11-22T21:56:22Z|00001|fatal_signal|WARN|terminating with signal 14 (Alarm clock)\n"
    cloud.say("compute2", "ovs.bonds", "", exit=142, stderr=alarm)
    assert cloud.diagnoses() == ()
    seen = cloud.examine()
    said = Finding("log", "log", node="compute2", id="log.ovs-agent-dead", state="now")
    both = Examination((*seen.findings, said), seen.not_checked, seen.checked)
    assert [d.cause for d in correlate(every_playbook, both).diagnoses] == ["ovs-vswitchd-down"]


def test_unread_answers_give_none(cloud: Any) -> None:
    for node in cloud.nodes:
        for subject in ("", "#2"):
            cloud.say(node, "ovs.db", "", subject, status=Status.TIMED_OUT, exit=None)
        cloud.say(node, "ovs.bonds", "", status=Status.DENIED, exit=None)
    assert cloud.diagnoses() == ()


def found(id: str, severity: Severity = Severity.WARNING, **keys: str) -> Finding:
    at = {"host": "compute1", **keys} if not id.startswith("log.") else {"state": "now", **keys}
    return Finding(id, id, node="compute1", id=id, severity=severity, **at)


CLAIM, NUMA = found("log.nova-pci-claim-failed"), found("log.nova-numa-fail")
FULL = found("hugepages.none-free", Severity.INFO, numa="0", size="1048576")
USED = found("sriov.vf.all-used", Severity.INFO, device="eth1")
MEMORY = found("log.qemu-no-memory")
CARRIER = found("sriov.vf.link-down", Severity.ERROR, device="eth1", instance="vm", how="no-carrier")
DISABLED = found("sriov.vf.link-down", device="eth1", instance="vm", how="disabled")


@pytest.mark.parametrize(
    ("findings", "causes"),
    [
        ((CLAIM, USED), ["sriov-vf-exhausted"]),
        ((found("sriov.vf.none", Severity.ERROR, device="eth1"), CLAIM), ["sriov-vf-exhausted"]),
        ((USED,), []),
        ((CARRIER,), ["sriov-vf-link-down"]),
        ((DISABLED,), []),
        ((NUMA, FULL), ["numa-fit"]),
        ((NUMA, CLAIM, found("log.nova-filter-zero", filter="NUMATopologyFilter")), ["numa-fit"]),
        ((MEMORY, FULL), ["qemu-no-memory"]),
        ((FULL,), []),
    ],
)
def test_findings_of_memory_and_cards_give_their_cause(
    every_playbook: tuple[Playbook, ...], findings: tuple[Finding, ...], causes: list[str]
) -> None:
    examination = Examination(findings, (), frozenset((f.id, "compute1") for f in findings))
    assert [d.cause for d in correlate(every_playbook, examination).diagnoses] == causes

"""Folding: findings, gaps, evidence."""

from __future__ import annotations

import dataclasses

import pytest

from stackdoctor.diagnose.playbook import load_playbooks
from stackdoctor.model import Diagnosis, Evidence, Finding, Severity
from stackdoctor.report.groups import alike, gaps, grouped, left_open, spread, unalike
from stackdoctor.report.report import NodeLine, NotChecked, Report


def finding(id_: str, node: str = "", severity: Severity = Severity.ERROR, **more: object) -> Finding:
    return Finding("subject", "message", id=id_, node=node, severity=severity, **more)


def test_findings_of_one_id_are_summed_over_their_nodes_and_the_last_time_is_kept():
    (group,) = grouped([finding("a", "compute2", count=9, last=20.0), finding("a", "compute1", count=3, last=10.0)])
    assert (group.count, group.nodes, group.last) == (12, ("compute1", "compute2"), 20.0)


def test_a_group_is_as_bad_as_its_worst_finding_and_the_worst_group_comes_first():
    mixed = [
        finding("a", severity=Severity.WARNING),
        finding("b"),
        finding("a", severity=Severity.CRITICAL),
        finding("c"),
    ]
    assert [(group.id, group.severity) for group in grouped(mixed)] == [
        ("a", Severity.CRITICAL),
        ("b", Severity.ERROR),
        ("c", Severity.ERROR),
    ]


def test_a_finding_that_neither_a_diagnosis_nor_the_unexplained_hold_is_still_left_open(hung: Report):
    forgotten = finding("nova.service.forgotten")
    assert hung.unexplained == left_open(hung)
    assert forgotten in left_open(dataclasses.replace(hung, findings=(*hung.findings, forgotten)))


def test_findings_that_differ_in_their_keys_only_are_not_taken_for_each_other():
    one, other = finding("a", topic="conductor"), finding("a", topic="scheduler")
    assert left_open(Report("0", 0.0, 0.0, findings=(one, other, one))) == (one, other)


def test_nodes_that_lack_the_same_checks_for_one_reason_share_a_gap():
    report = Report(
        "0",
        0.0,
        0.0,
        nodes=(NodeLine("c"), NodeLine("gone", status="failed")),
        not_checked=tuple(
            NotChecked(check, node, reason)
            for check, node, reason in (
                ("x.a", "c", "denied"),
                ("x.b", "c", "denied"),
                ("x.b", "d", "denied"),
                ("x.a", "d", "denied"),
                ("x.a", "e", "denied"),
                ("x.c", "c", "timed-out"),
                ("y.a", "", "no API"),
                ("x.a", "gone", "could not connect"),
            )
        ),
    )
    assert [(gap.checks, gap.nodes, gap.reason) for gap in gaps(report)] == [
        (("x.a", "x.b"), ("c", "d"), "denied"),
        (("x.a",), ("e",), "denied"),
        (("x.c",), ("c",), "timed-out"),
        (("y.a",), (), "no API"),
    ]


def test_evidence_is_spread_over_its_sources_without_losing_its_order():
    log = [Evidence("compute1", "nova-compute.log:1", f"{word} failed") for word in ("one", "two", "three")]
    table = Evidence("controller", "rabbitmqctl list_queues", "conductor\t0\t9")
    assert spread([*log, table], 2) == (log[0], table)
    assert spread([*log, table], 3) == (log[0], log[1], table)


def test_the_same_words_from_another_node_come_after_other_words():
    lost = [Evidence(f"compute{n}", "log:1", f"Timed out, message ID {n}4a567d9704643d2") for n in (1, 2)]
    down = Evidence("controller", "GET /v2.1/os-services", '{"state": "down"}')
    assert spread([*lost, down], 2) == (lost[0], down)


def test_a_line_that_is_given_twice_is_shown_once():
    line = Evidence("controller", "ps", "Ts nova-conductor")
    assert spread([line, line], None) == (line,)


def caused(cause: str, **where: str) -> Diagnosis:
    return Diagnosis(cause, "title", Severity.ERROR, 0.9, where, "", (), (), (), (), ())


def test_one_cause_in_many_networks_of_one_node_is_one_entry():
    first, second = caused("a", node="n", network="x"), caused("a", node="n", network="y", port="p")
    other_node, other_cause = caused("a", node="m", network="x"), caused("b", node="n", network="x")
    service, other_service = caused("c", node="n", service="s"), caused("c", node="n", service="t")
    every = [first, other_node, second, other_cause, service, other_service]
    assert alike(every) == ((first, second), (other_node,), (other_cause,), (service,), (other_service,))
    assert unalike(second, (first, second)) == {"network": "y", "port": "p"}
    assert unalike(service, (service,)) == {"node": "n", "service": "s"}


def test_gaps_of_one_reason_are_one_when_merged():
    no_api = "no credentials for the APIs"
    missed = (("nova.a", "c"), ("nova.b", "c"), ("nova.a", "d"), ("neutron.a", ""))
    report = Report("0", 0.0, 0.0, not_checked=tuple(NotChecked(check, node, no_api) for check, node in missed))
    (gap,) = gaps(report, merged=True)
    assert (set(gap.checks), gap.nodes, gap.reason) == ({"nova.a", "nova.b", "neutron.a"}, ("c", "d"), no_api)
    assert len(gaps(report)) == 3


@pytest.mark.parametrize(
    "cause",
    [
        "dhcp-dnsmasq-dead",
        "dhcp-lease-stale",
        "dhcp-stale-namespace",
        "image-backing-missing",
        "iscsi-session-lost",
        "l3-nat-missing",
        "lb-tap-not-bridged",
        "lvm-pool-full",
        "metadata-proxy-missing",
        "mtu-blackhole",
        "quota-drift",
        "router-route-missing",
        "secgroup-members-stale",
        "vtep-fdb-missing",
    ],
)
def test_a_fault_that_took_all_of_a_kind_on_one_node_is_one_cause_in_several_places(cause: str):
    where = next(p.where for p in load_playbooks() if p.cause == cause)
    first, second = (
        caused(cause, **{key: f"{key}{n}" for key in where if key not in ("node", "service")}, node="controller")
        for n in (1, 2)
    )
    assert alike([first, second]) == ((first, second),)
    elsewhere = dataclasses.replace(second, where={**second.where, "node": "compute1"})
    assert alike([first, elsewhere]) == ((first,), (elsewhere,))

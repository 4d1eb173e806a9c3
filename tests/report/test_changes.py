"""The difference of two reports: recorded real clouds, and one thing changed at a time."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import pytest

from stackdoctor.diagnose.analyse import analyse
from stackdoctor.diagnose.knowledge import Knowledge, load_knowledge
from stackdoctor.model import Finding, Severity
from stackdoctor.report.changes import Changes, cause_identity, changes, finding_identity
from stackdoctor.report.make import make_report
from stackdoctor.report.report import NodeLine, Report
from stackdoctor.snapshot.read import read_snapshot

FIXTURES = Path(__file__).parents[2] / "fixtures"


@functools.cache
def knowledge() -> Knowledge:
    return load_knowledge()


@functools.cache
def recorded(case: str) -> Report:
    snapshot = read_snapshot(FIXTURES / case / "snapshot.tar.gz")
    return make_report(snapshot, analyse(snapshot, knowledge()))


def states(findings: tuple[Finding, ...]) -> set[str]:
    """Their ids, but for log lines: a lab has some of them at any time."""
    return {f.id for f in findings if not f.id.startswith("log.")}


@pytest.mark.parametrize(
    ("case", "cause", "found"),
    [
        ("vm-tap-off-bridge", "lb-tap-not-bridged", {"bridge.tap.unbridged"}),
        ("iscsi-acl-missing", "iscsi-acl-auth", {"iscsi.target.no-acl"}),
        ("dnsmasq-killed", "dhcp-dnsmasq-dead", {"dhcp.dnsmasq.dead"}),
    ],
)
def test_from_a_healthy_cloud_to_a_fault_the_cause_and_its_findings_are_new_and_nothing_else(
    case: str, cause: str, found: set[str]
) -> None:
    seen = changes(recorded("healthy"), recorded(case))
    assert [d.cause for d in seen.new_causes] == [cause]
    assert states(seen.new) == found
    assert (seen.gone_causes, seen.changed_causes, states(seen.gone), seen.nodes) == ((), (), set(), ())
    back = changes(recorded(case), recorded("healthy"))
    assert [d.cause for d in back.gone_causes] == [cause]
    assert (states(back.gone), states(back.new) - {"api.attachment.differs"}) == (found, set())


def test_two_looks_at_a_healthy_cloud_differ_in_log_lines_at_most() -> None:
    seen = changes(recorded("healthy"), recorded("healthy-busy"))
    assert (seen.new_causes, seen.gone_causes, states(seen.new), states(seen.gone), seen.changed) == (
        *((), ()),
        *(set(), set()),
        (),
    )
    assert not changes(recorded("conductor-hung"), recorded("conductor-hung"))


def test_what_was_not_looked_at_again_is_not_called_gone() -> None:
    before = recorded("vm-tap-off-bridge")
    after = replace(before, diagnoses=(), findings=(), unexplained=())
    (group,) = [g for g in after.outcomes if "bridge.tap.unbridged" in g.checks]
    missed = replace(group, finding=(), fine=(), not_applicable=(), not_checked=("compute1", "compute2", "controller"))
    others = tuple(g for g in after.outcomes if g is not group)
    seen = changes(before, replace(after, outcomes=(*others, missed)))
    assert states(seen.unseen) >= {"bridge.tap.unbridged"}
    assert "bridge.tap.unbridged" not in states(seen.gone)
    assert ([d.cause for d in seen.causes_unseen], seen.gone_causes) == (["lb-tap-not-bridged"], ())
    fine = replace(group, finding=(), fine=group.finding + group.fine)
    seen = changes(before, replace(after, outcomes=(*others, fine)))
    assert "bridge.tap.unbridged" in states(seen.gone)
    assert [d.cause for d in seen.gone_causes] == ["lb-tap-not-bridged"]


def test_a_node_that_no_longer_answers_is_said_and_its_findings_are_not_gone() -> None:
    before = recorded("vm-tap-off-bridge")
    nodes = tuple(replace(n, status="failed", reason="timed out") if n.name == "compute1" else n for n in before.nodes)
    seen = changes(before, replace(before, nodes=nodes, findings=(), unexplained=(), diagnoses=()))
    assert seen.nodes == ("compute1 does not answer any more: timed out",)
    assert "bridge.tap.unbridged" in states(seen.unseen)
    assert changes(replace(before, nodes=nodes), before).nodes == ("compute1 answers again",)
    assert changes(before, replace(before, nodes=before.nodes[1:])).nodes == (
        f"{before.nodes[0].name} was not looked at this time",
    )


def finding(**more: object) -> Finding:
    given: dict[str, object] = {"id": "a.b.c", "node": "n", "severity": Severity.WARNING, "queue": "q", **more}
    return Finding(given.pop("subject", "s"), str(given.pop("message", "m")), **given)  # type: ignore[arg-type]


def report(*findings: Finding, started: float = 1000.0) -> Report:
    nodes = (NodeLine("n"), NodeLine("m"))
    return Report("1", started, 1.0, nodes=nodes, findings=findings, unexplained=findings)


@pytest.mark.parametrize(
    "other",
    [
        {"message": "7 messages"},
        {"count": 9},
        {"first": 5.0, "last": 6.0},
        {"messages": "12"},
        {"growing": "yes"},
        {"pid": "4711"},
        {"skew": "-3.25"},
        {"reason": "another one"},
    ],
)
def test_texts_counts_times_and_measures_make_no_other_finding(other: dict[str, object]) -> None:
    assert not changes(report(finding()), report(finding(**other)))


@pytest.mark.parametrize("other", [{"id": "a.b.d"}, {"subject": "t"}, {"queue": "r"}, {"node": "m"}, {"vlan": "12"}])
def test_another_check_subject_node_or_name_is_another_finding(other: dict[str, object]) -> None:
    assert finding_identity(finding()) != finding_identity(finding(**other))
    seen = changes(report(finding()), report(finding(**other)))
    assert (len(seen.new), len(seen.gone)) == (1, 1)


def test_what_becomes_worse_is_changed() -> None:
    seen = changes(report(finding()), report(finding(severity=Severity.CRITICAL)))
    assert [(a.severity, b.severity) for a, b in seen.changed] == [(Severity.WARNING, Severity.CRITICAL)]
    assert not seen.new


def test_what_has_ended_is_gone_and_what_began_and_ended_since_came_and_went() -> None:
    ended = finding(state="past", first=1500.0, last=1600.0)
    assert changes(report(finding(state="now")), report(ended)).gone
    assert changes(report(), report(ended)).passed == (ended,)
    assert changes(report(), report(finding(state="past", first=500.0, last=600.0))) == Changes()


def test_a_cause_that_is_surer_or_recovered_has_changed_and_a_little_surer_has_not() -> None:
    hung = recorded("conductor-hung")
    (diagnosis,) = hung.diagnoses

    def other(**more: object) -> Changes:
        return changes(hung, replace(hung, diagnoses=(replace(diagnosis, **more),)))  # type: ignore[arg-type]

    assert not other(confidence=diagnosis.confidence - 0.05)
    assert len(other(confidence=0.3).changed_causes) == len(other(state="flapping").changed_causes) == 1
    assert cause_identity(diagnosis) == cause_identity(replace(diagnosis, title="another", confidence=0.1))
    assert len(other(where={**diagnosis.where, "node": "controller2"}).new_causes) == 1

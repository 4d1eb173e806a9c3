"""Correlation: joined evidence becomes the smallest set of causes."""

from __future__ import annotations

import pytest

from stackdoctor.diagnose.correlate import Correlation, correlate
from stackdoctor.diagnose.hypothesis import UNCHECKED_FACTOR
from stackdoctor.diagnose.playbook import Playbook, parse_playbook
from stackdoctor.diagnose.runner import Examination, NotChecked
from stackdoctor.diagnose.why import why
from stackdoctor.model import Evidence, Finding, Severity

HUNG = """
cause: rpc-consumer-hung
title: "{service} on {host} answers no RPC"
severity: critical
systems: [rabbitmq]
why: It takes messages and answers none.
where: {node: "{host}", service: "{service}"}
when:
  - process.stopped: {service: "{service}", host: "{host}", weight: strong}
because:
  - rabbitmq.queue.stuck: {service: "{service}", host: "{host}", weight: strong}
unless:
  - rabbitmq.alarm: {}
explains:
  - log.rpc-timeout: {callee: "{service}"}
  - rabbitmq.queue.stuck: {service: "{service}"}
confirm: ["ps -o stat= -C {service}"]
fix:
  - {do: "systemctl restart {service}", risk: restart, on: "{host}"}
"""

CUT_OFF = """
cause: net-drop-to-broker
title: "{host} cannot reach the broker"
severity: critical
systems: [rabbitmq]
why: What it sends is lost.
where: {node: "{host}"}
when:
  - amqp.unanswered: {host: "{host}", weight: strong}
explains:
  - log.rpc-timeout: {node: "{host}"}
  - rabbitmq.queue.no-consumer: {host: "{host}"}
confirm: ["ss -tn"]
fix:
  - {do: "look at the firewall", risk: read-only}
"""

NO_CONSUMER = """
cause: rpc-no-consumer
title: "nobody consumes {topic}"
severity: critical
systems: [rabbitmq]
why: The service is gone.
where: {node: "{host}", service: "{service}"}
when:
  - rabbitmq.queue.no-consumer: {topic: "{topic}", service: "{service}", host: "{host}", weight: strong}
explains:
  - log.rpc-timeout: {callee: "{service}"}
confirm: ["rabbitmqctl list_queues"]
fix:
  - {do: "start it", risk: restart}
"""

DISK = """
cause: controller-disk-full
title: "{mount} on {host} is full"
severity: critical
systems: [host]
why: No space.
where: {node: "{host}"}
when:
  - host.disk.full: {host: "{host}", mount: "{mount}", weight: strong}
explains:
  - rabbitmq.alarm: {kind: disk, node: "{host}"}
confirm: ["df"]
fix:
  - {do: "free space", risk: destructive}
"""

ALARM = """
cause: rmq-disk-alarm
title: "the broker on {node} blocks publishers"
severity: critical
systems: [rabbitmq]
why: Disk alarm.
when:
  - rabbitmq.alarm: {kind: disk, node: "{node}", weight: proof}
explains:
  - log.rpc-timeout: {}
confirm: ["rabbitmqctl status"]
fix:
  - {do: "free space", risk: destructive}
"""


def playbooks(*texts: str) -> tuple[Playbook, ...]:
    return tuple(parse_playbook(text, "test") for text in texts)


def finding(id: str, node: str = "controller", severity: Severity = Severity.ERROR, **keys: str) -> Finding:
    evidence = Evidence(node, "command", f"{id} {sorted(keys.items())}")
    return Finding("subject", f"{id} seen", node=node, id=id, severity=severity, evidence=evidence, **keys)


def timeouts(*nodes: str, callee: str | None = "nova-conductor", many: int = 1) -> list[Finding]:
    return [
        finding("log.rpc-timeout", node, Severity.WARNING, service="nova-compute", callee=callee)
        for node in nodes
        for _ in range(many)
    ]


def examine(*findings: Finding, not_checked: tuple[NotChecked, ...] = ()) -> Examination:
    return Examination(findings, not_checked, frozenset())


def causes(correlation: Correlation) -> list[tuple[str, str]]:
    return [(d.cause, d.where["node"]) for d in correlation.diagnoses]


STOPPED = finding("process.stopped", service="nova-conductor", host="controller")
STUCK = finding("rabbitmq.queue.stuck", service="nova-conductor", host="controller", queue="conductor")


def test_one_fault_with_forty_symptoms_is_one_diagnosis() -> None:
    found = correlate(
        playbooks(HUNG, CUT_OFF, NO_CONSUMER),
        examine(STOPPED, STUCK, *timeouts("compute1", "compute2", many=20)),
    )
    assert causes(found) == [("rpc-consumer-hung", "controller")]
    assert not found.unexplained
    assert len(found.diagnoses[0].explains) == 42
    assert found.diagnoses[0].confidence == pytest.approx(1 - 0.2 * 0.2)


def test_two_independent_faults_are_two_diagnoses() -> None:
    cut = finding("amqp.unanswered", "compute2", host="compute2")
    found = correlate(playbooks(HUNG, CUT_OFF), examine(STOPPED, STUCK, cut, *timeouts("compute1", "compute2")))
    assert set(causes(found)) == {("rpc-consumer-hung", "controller"), ("net-drop-to-broker", "compute2")}


def test_variables_join_over_nodes_and_never_mix_services() -> None:
    other = finding("rabbitmq.queue.stuck", service="nova-scheduler", host="controller")
    found = correlate(playbooks(HUNG), examine(STOPPED, other))
    assert found.diagnoses[0].confidence == pytest.approx(0.8)
    assert other in found.unexplained


def test_a_cause_explained_by_another_is_a_link_of_its_chain() -> None:
    full = finding("host.disk.full", host="controller", mount="/var")
    alarm = finding("rabbitmq.alarm", kind="disk")
    found = correlate(playbooks(DISK, ALARM), examine(full, alarm, *timeouts("compute1")))
    assert causes(found) == [("controller-disk-full", "controller")]
    assert found.diagnoses[0].chain == (
        "/var on controller is full",
        "host.disk.full seen",
        "the broker on controller blocks publishers",
        "rabbitmq.alarm seen",
        "log.rpc-timeout seen",
    )
    assert not found.unexplained


def test_without_its_cause_the_link_is_the_diagnosis() -> None:
    found = correlate(playbooks(DISK, ALARM), examine(finding("rabbitmq.alarm", kind="disk")))
    assert causes(found) == [("rmq-disk-alarm", "controller")]


def test_a_queue_without_consumer_on_a_node_that_is_cut_off_is_no_cause() -> None:
    cut = finding("amqp.unanswered", "compute1", host="compute1")
    queue = finding("rabbitmq.queue.no-consumer", topic="compute", service="nova-compute", host="compute1")
    found = correlate(playbooks(CUT_OFF, NO_CONSUMER), examine(cut, queue))
    assert causes(found) == [("net-drop-to-broker", "compute1")]


def test_excluding_evidence_rules_a_cause_out() -> None:
    found = correlate(playbooks(HUNG), examine(STOPPED, finding("rabbitmq.alarm", kind="memory")))
    assert not found.diagnoses
    assert STOPPED in found.unexplained


def test_excluding_evidence_that_could_not_be_looked_at_is_said_and_lowers_the_confidence() -> None:
    missed = (NotChecked("rabbitmq.alarm", "controller", "denied"),)
    found = correlate(playbooks(HUNG), examine(STOPPED, not_checked=missed))
    assert found.diagnoses[0].unchecked == ("rabbitmq.alarm",)
    assert found.diagnoses[0].confidence == pytest.approx(0.8 * UNCHECKED_FACTOR)


def test_what_has_ended_is_no_ground_for_a_diagnosis_and_is_not_unexplained() -> None:
    past = finding("process.stopped", service="nova-conductor", host="controller", state="past")
    found = correlate(playbooks(HUNG), examine(past))
    assert not found.diagnoses
    assert not found.unexplained


def test_a_symptom_that_names_no_callee_may_belong_to_the_cause() -> None:
    found = correlate(playbooks(HUNG), examine(STOPPED, *timeouts("compute1", callee=None)))
    assert not found.unexplained


def test_a_symptom_of_another_callee_stays_unexplained() -> None:
    other = timeouts("compute1", callee="neutron-server")
    found = correlate(playbooks(HUNG), examine(STOPPED, *other))
    assert found.unexplained == tuple(other)


def test_why_tells_of_the_winner_the_link_and_the_cause_without_a_case() -> None:
    books = playbooks(DISK, ALARM, HUNG)
    examination = examine(
        finding("host.disk.full", host="controller", mount="/var"), finding("rabbitmq.alarm", kind="disk")
    )
    choice = correlate(books, examination).choice
    told = {b.cause: "\n".join(why(b, choice, examination.findings)) for b in books}
    assert "score 0.80: chosen" in told["controller-disk-full"]
    assert "all it rests on is explained by controller-disk-full" in told["rmq-disk-alarm"]
    assert "no case of it here" in told["rpc-consumer-hung"]
    assert "process.stopped{service: {service}, host: {host}}: not found" in told["rpc-consumer-hung"]


def test_three_causes_that_explain_each_other_in_a_ring_leave_one() -> None:
    ring = [
        f"""
cause: c{n}
title: cause {n}
severity: error
systems: [x]
why: ring
when: [{{f{n}: {{weight: strong}}}}]
explains: [{{f{(n + 1) % 3}: {{}}}}]
confirm: [x]
fix: [{{do: x, risk: read-only}}]
"""
        for n in range(3)
    ]
    found = correlate(playbooks(*ring), examine(finding("f0"), finding("f1"), finding("f2")))
    assert len(found.diagnoses) == 1
    assert not found.unexplained


def test_no_finding_counts_twice() -> None:
    weak = HUNG.replace(
        'when:\n  - process.stopped: {service: "{service}", host: "{host}", weight: strong}',
        'when:\n  - any:\n      - process.stopped: {service: "{service}", host: "{host}", weight: strong}\n'
        '      - rabbitmq.queue.stuck: {service: "{service}", host: "{host}", weight: weak}',
    )
    assert not correlate(playbooks(weak), examine(STUCK)).diagnoses
    both = correlate(playbooks(weak), examine(STOPPED, STUCK))
    assert both.diagnoses[0].confidence == pytest.approx(1 - 0.2 * 0.75)
    timed_out = correlate(playbooks(weak), examine(STUCK, *timeouts("compute1")))
    assert not timed_out.diagnoses

"""Now, recovered, flapping, and a moment that is past: verdicts by the times of log lines."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stackdoctor.diagnose.correlate import Correlation, correlate
from stackdoctor.diagnose.knowledge import Knowledge
from stackdoctor.diagnose.part import STATE_OF_THE_LOOK
from stackdoctor.diagnose.playbook import parse_playbook
from stackdoctor.diagnose.runner import Examination, examine
from stackdoctor.errors import UsageError
from stackdoctor.model import Finding, NodeResults, Severity

Judge = Callable[..., Correlation]

ALARM = {"resource": "memory", "broker": "rabbit@controller"}


@pytest.fixture
def judge(knowledge: Knowledge, noon: float) -> Judge:
    def judged(*nodes: NodeResults, at: float | None = None) -> Correlation:
        moment = None if at is None else noon + at
        examination = examine(nodes, knowledge.checks, moment)
        return correlate(knowledge.playbooks, examination, by_logs=at is not None)

    return judged


def test_an_alarm_that_was_cleared_is_history_with_its_times_and_no_diagnosis(judge, scanned, seen, noon):
    node = scanned("controller", seen("rmq-alarm-set", 60, **ALARM), seen("rmq-alarm-cleared", 840, **ALARM))
    found = judge(node)
    assert found.diagnoses == ()
    (earlier,) = found.history
    assert (earlier.cause, earlier.where["node"], earlier.state) == ("rmq-memory-alarm", "controller", "recovered")
    assert earlier.episodes == ((noon + 60, noon + 840),)
    assert [line.source for line in earlier.evidence] == ["/var/log/rabbitmq-server.log:1"]


def test_three_alarms_that_were_cleared_are_flapping(judge, scanned, seen):
    lines = (seen("rmq-alarm-set", 60, 400, 800, **ALARM), seen("rmq-alarm-cleared", 130, 500, 900, **ALARM))
    (earlier,) = judge(scanned("controller", *lines)).history
    assert (earlier.state, len(earlier.episodes)) == ("flapping", 3)
    two = (seen("rmq-alarm-set", 60, 400, **ALARM), seen("rmq-alarm-cleared", 130, 500, **ALARM))
    assert judge(scanned("controller", *two)).history[0].state == "recovered"


def test_an_alarm_that_stands_and_came_and_went_before_is_flapping(knowledge, scanned, seen, noon):
    lines = (seen("rmq-alarm-set", 60, 400, 800, **ALARM), seen("rmq-alarm-cleared", 130, 500, 900, **ALARM))
    examination = examine([scanned("controller", *lines)], knowledge.checks)
    alarm = Finding(
        "alarm", "alarm", id="rabbitmq.alarm.memory", node="controller", severity=Severity.ERROR, broker="controller"
    )
    found = correlate(knowledge.playbooks, Examination((*examination.findings, alarm), (), frozenset()))
    (diagnosis,) = found.diagnoses
    assert (diagnosis.cause, diagnosis.state, found.history) == ("rmq-memory-alarm", "flapping", ())


def test_grounds_that_were_never_there_together_are_no_cause(judge, scanned, seen):
    shutdown = seen("mysql-shutdown", 60, service="mysql")
    late = seen("db-refused", 900, service="nova-conductor")
    assert judge(scanned("controller", shutdown, late)).history == ()
    soon = seen("db-refused", 70, service="nova-conductor")
    assert [d.cause for d in judge(scanned("controller", shutdown, soon)).history] == ["mysql-down"]


def test_a_past_moment_is_judged_by_logs_alone_and_less_surely(judge, knowledge, scanned, seen, noon):
    node = scanned("controller", seen("rmq-alarm-set", 60, **ALARM), seen("rmq-alarm-cleared", 840, **ALARM))
    found = judge(node, at=600)
    assert [d.cause for d in found.diagnoses] == ["rmq-memory-alarm"]
    assert found.diagnoses[0].confidence < 0.95  # what the alarm itself proves when it is seen
    assert judge(node, at=900).diagnoses == ()
    assert judge(node, at=900).history[0].cause == "rmq-memory-alarm"
    assert judge(node, at=30).diagnoses == judge(node, at=30).history == ()
    examination = examine([node], knowledge.checks, noon + 600)
    state = [m.reason for m in examination.not_checked if m.check == "rabbitmq.alarm.memory"]
    assert state == [STATE_OF_THE_LOOK]


def test_a_moment_that_the_logs_do_not_cover_is_not_judged(knowledge, scanned, seen, noon):
    examination = examine([scanned("controller", seen("rmq-alarm-set", 60, **ALARM))], knowledge.checks, noon - 10)
    assert not examination.findings
    assert not examination.checked
    assert "does not cover the moment" in next(m.reason for m in examination.not_checked if m.check.startswith("log."))


def test_the_moment_is_on_our_clock_and_so_are_the_times_of_findings(judge, scanned, seen, noon):
    node = scanned(
        "controller", seen("rmq-alarm-set", 60, **ALARM), seen("rmq-alarm-cleared", 840, **ALARM), ahead=300.0
    )
    assert judge(node).history[0].episodes == ((noon - 240, noon + 540),)
    assert judge(node, at=600).diagnoses == ()
    assert [d.cause for d in judge(node, at=500).diagnoses] == ["rmq-memory-alarm"]


BOOK = """
cause: c
title: "c on {host}"
severity: error
systems: [x]
why: x
when:
  - log.rpc-timeout: {node: "{host}", past: true, weight: strong}
confirm: [x]
fix: [{do: x, risk: read-only}]
"""


def test_a_cause_whose_grounds_are_all_past_is_not_present_even_if_its_playbook_takes_them():
    past, now = (
        Finding("s", "m", id="log.rpc-timeout", node="n", severity=Severity.INFO, state=s, first=1.0, last=2.0)
        for s in ("past", "now")
    )
    playbook = parse_playbook(BOOK, "test")
    found = correlate([playbook], Examination((past,), (), frozenset()))
    assert (found.diagnoses, [d.cause for d in found.history]) == ((), ["c"])
    assert len(correlate([playbook], Examination((past, now), (), frozenset())).diagnoses) == 1


def test_what_a_present_cause_explains_is_no_history():
    past = Finding("s", "m", id="log.rpc-timeout", node="n", severity=Severity.INFO, state="past", first=1.0, last=2.0)
    down = Finding("s", "m", id="x.down", node="n", severity=Severity.ERROR)
    other = BOOK.replace("cause: c", "cause: d").replace("log.rpc-timeout: {", "x.down: {")
    books = [parse_playbook(BOOK, "test"), parse_playbook(other + "explains: [{log.rpc-timeout: {}}]", "test")]
    found = correlate(books, Examination((past, down), (), frozenset()))
    assert ([d.cause for d in found.diagnoses], found.history) == (["d"], ())
    books[1] = parse_playbook(other, "test")
    assert [d.cause for d in correlate(books, Examination((past, down), (), frozenset())).history] == ["c"]


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("logs: [{process.stopped: {host: '{host}'}}]", "process.stopped is not a log signature"),
        ("logs: [{log.rpc-timeout: {}}]", "bound by no pattern of logs"),
    ],
)
def test_what_logs_say_of_a_cause_is_checked_when_it_is_loaded(section, said):
    with pytest.raises(UsageError, match=said):
        parse_playbook(BOOK + section, "test")


PROVEN = {
    "rmq-fd-exhausted": ("rmq-fd-alarm", {}, "rmq-fd-alarm-cleared"),
    "rmq-minority-paused": ("rmq-minority", {}, ""),
    "rmq-partition": ("rmq-partition-log", {"broker": "rabbit@ctl2"}, ""),
    "lvm-vg-missing": ("cinder-vg-missing", {"vg": "cinder-volumes"}, ""),
    "multipath-no-paths": ("multipath-path-down", {"map": "mpatha", "paths": "0"}, ""),
    "dpdk-broken": ("dpdk-init-failed", {}, ""),
    "pacemaker-quorum-or-fence": ("corosync-no-quorum", {}, "corosync-quorum"),
    "iptables-restore-failed": ("iptables-apply-failed", {}, ""),
    "net-drop-to-broker": ("rpc-unreachable", {"broker": "192.0.2.10", "port": "5672", "reason": "timed out"}, ""),
    "net-drop-to-database": ("db-refused", {"server": "192.0.2.10", "reason": "timed out"}, ""),
}
"""Causes that one line proves at its moment: the line, its keys, and the line that says that it is over."""


@pytest.mark.parametrize("cause", PROVEN)
def test_a_line_proves_its_cause_at_its_moment_and_not_before_or_after(judge, scanned, seen, cause):
    signature, keys, over = PROVEN[cause]
    lines = [seen(signature, 60, 70, 80, **keys)] + ([seen(over, 500, **keys)] if over else [])
    node = scanned("ctl1", *lines)
    assert cause in {d.cause for d in judge(node, at=90).diagnoses}
    assert cause not in {d.cause for d in judge(node, at=30).diagnoses}
    if over:
        assert cause not in {d.cause for d in judge(node, at=600).diagnoses}


@pytest.mark.parametrize(
    ("cause", "keys"),
    [
        ("multipath-no-paths", {"map": "mpatha", "paths": "1"}),
        ("net-drop-to-broker", {"broker": "192.0.2.10", "port": "5672", "reason": "ECONNREFUSED"}),
        ("net-drop-to-database", {"server": "192.0.2.10", "reason": "ECONNREFUSED"}),
    ],
)
def test_the_line_that_says_something_else_proves_it_not(judge, scanned, seen, cause, keys):
    node = scanned("ctl1", seen(PROVEN[cause][0], 60, 70, 80, **keys))
    assert cause not in {d.cause for d in judge(node, at=90).diagnoses}


def test_what_proves_a_cause_in_logs_is_a_signature_that_there_is(knowledge):
    known = {check.id for check in knowledge.checks}
    named = {p.finding for book in knowledge.playbooks for clause in book.logs for p in clause}
    assert len(named) > 15
    assert named <= known

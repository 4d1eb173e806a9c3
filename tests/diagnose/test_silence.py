"""What the configuration sets aside: out of correlation and of the report's lists, and shown as silenced."""

from __future__ import annotations

from datetime import date

import pytest

from stackdoctor.diagnose.analyse import Analysis, analyse
from stackdoctor.diagnose.knowledge import Knowledge
from stackdoctor.diagnose.silence import in_force, refuse_unknown, rule_for
from stackdoctor.errors import UsageError
from stackdoctor.inventory.ignore import Ignore
from stackdoctor.model import Finding, Severity
from stackdoctor.report.make import make_report
from stackdoctor.report.report import exit_status
from stackdoctor.snapshot.format import Snapshot

LAST_DAY = date(2026, 11, 22)


def rule(finding: str = "", cause: str = "", until: date = LAST_DAY, **more: object) -> Ignore:
    return Ignore(finding, cause, "known", until, origin="cloud.yaml:3", **more)  # type: ignore[arg-type]


@pytest.fixture
def judged(refused: Snapshot, refusals: Knowledge):
    def analysed(*rules: Ignore) -> Analysis:
        return analyse(refused, refusals, rules)

    return analysed


def test_without_a_rule_it_is_a_diagnosis(judged):
    assert [d.cause for d in judged().correlation.diagnoses] == ["rpc-wrong-credentials"]


def test_a_silenced_finding_takes_no_part_in_correlation(judged, refused):
    analysis = judged(rule("log.rmq-login-*"))
    assert analysis.correlation.diagnoses == analysis.correlation.unexplained == analysis.examination.findings == ()
    (silenced,) = analysis.silenced
    assert (silenced.rule.reason, silenced.findings[0].id) == ("known", "log.rmq-login-refused")
    assert exit_status(make_report(refused, analysis), Severity.INFO) == 0


def test_a_silenced_cause_takes_with_it_what_only_it_explains(judged, refused):
    analysis = judged(rule(cause="rpc-wrong-credentials", node="controller"))
    assert analysis.correlation.diagnoses == analysis.examination.findings == ()
    (silenced,) = analysis.silenced
    assert silenced.diagnosis is not None
    assert [f.id for f in silenced.findings] == ["log.rmq-login-refused"]
    assert exit_status(make_report(refused, analysis), Severity.INFO) == 0


@pytest.mark.parametrize(
    "other",
    [
        rule("log.rpc-*"),
        rule("log.rmq-login-refused", node="compute*"),
        rule("log.rmq-login-refused", subject="nova*"),
        rule("log.rmq-login-refused", keys={"user": "neutron"}),
        rule("log.rmq-login-refused", keys={"colour": "*"}),
        rule(cause="rmq-memory-alarm"),
        rule(cause="rpc-wrong-credentials", node="compute1"),
    ],
    ids=str,
)
def test_a_rule_for_something_else_silences_nothing(judged, other):
    analysis = judged(other)
    assert [d.cause for d in analysis.correlation.diagnoses] == ["rpc-wrong-credentials"]
    assert analysis.silenced == ()


def test_an_expired_rule_is_told_and_silences_nothing(judged):
    analysis = judged(rule("log.*", until=date(2026, 11, 21)))
    assert [d.cause for d in analysis.correlation.diagnoses] == ["rpc-wrong-credentials"]
    assert [str(expired) for expired in analysis.expired] == ["log.*"]


def test_the_last_day_counts_to_its_end_in_utc(noon):
    assert in_force([rule("x")], noon + 12 * 3600 - 1) == ((rule("x"),), ())
    assert in_force([rule("x")], noon + 12 * 3600) == ((), (rule("x"),))


def test_node_subject_and_keys_are_globs_that_must_all_fit():
    found = Finding("eth0", "m", id="a.b", node="compute1", vni="97")
    assert rule_for(found, [rule("a.*", node="compute?", subject="eth*", keys={"vni": "9*"})]) is not None
    assert rule_for(found, [rule("a.*", node="compute?", subject="eth*", keys={"vni": "8*"})]) is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (rule("rabbitmq.queue.stuk"), "did you mean rabbitmq.queue.stuck"),
        (rule("rabbit.*"), "cloud.yaml:3: no check is called 'rabbit.*'"),
        (rule(cause="rpc-consumer-hang"), "did you mean rpc-consumer-hung"),
    ],
    ids=str,
)
def test_a_rule_that_names_nothing_there_is_is_refused(knowledge, wrong, said):
    with pytest.raises(UsageError, match=said.replace("*", r"\*")):
        refuse_unknown([wrong], knowledge.known, {p.cause for p in knowledge.playbooks})
    refuse_unknown(
        [rule("rabbitmq.*"), rule(cause="clock-skew")], knowledge.known, {p.cause for p in knowledge.playbooks}
    )
